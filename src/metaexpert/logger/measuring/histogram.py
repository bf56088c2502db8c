"""Durations counted in buckets of bounded relative width: percentiles of any number of them, in constant memory.

Values are whole nanoseconds. Below 128 each has a bucket of its own; above, each power of two is cut into 64 of equal
width, as in G. Tene's HdrHistogram (https://hdrhistogram.org). The middle of a bucket stands for all in it: what a
percentile says is off by 1/128 at most. What lasts longer than 2^43 ns (2.4 hours) counts as that long; `max_ns` is
exact all the same.

Any thread may record: between the bucket's reading and its writing the interpreter calls nothing, so that under the GIL
no count is lost.
"""

import sys
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from math import ceil
from typing import Final, final

_EXACT_BITS: Final = 7
_PER_OCTAVE: Final = 64
_LONGEST_NS: Final = 2**43 - 1
_BUCKETS: Final = (43 - _EXACT_BITS) * _PER_OCTAVE + 2 * _PER_OCTAVE

RELATIVE_ERROR: Final = 1 / 128
"""By how much a percentile may be off."""


def _bucket(value_ns: int) -> int:
    """The bucket of a value from 0 to `_LONGEST_NS`."""
    shift = value_ns.bit_length() - _EXACT_BITS
    return value_ns if shift <= 0 else (shift << 6) + (value_ns >> shift)


def _lowest(bucket: int) -> int:
    """The least value of a bucket, and for the one after the last the end of all."""
    shift = max(0, (bucket >> 6) - 1)
    return (bucket - (shift << 6)) << shift


@final
class Histogram:
    """Counts of durations, whole nanoseconds.

    Attributes:
        counts: by bucket; for this module alone.
        count: how many were recorded.
        total_ns: sum of all.
        max_ns: the longest, exactly; 0 while there is none.
    """

    __slots__ = ("count", "counts", "max_ns", "total_ns")

    def __init__(self) -> None:
        self.counts = array("Q", bytes(8 * _BUCKETS))
        self.count = 0
        self.total_ns = 0
        self.max_ns = 0

    def record(self, value_ns: int) -> None:
        """Count one; less than nothing counts as 0."""
        if not 0 <= value_ns <= _LONGEST_NS:
            self._record_extreme(value_ns)
            return
        shift = value_ns.bit_length() - _EXACT_BITS
        # as _bucket, without the call
        self.counts[value_ns if shift <= 0 else (shift << 6) + (value_ns >> shift)] += 1
        self.count += 1
        self.total_ns += value_ns
        if value_ns > self.max_ns:  # noqa: PLR1730 - a call costs as much as all the rest, and may lose a longer one
            self.max_ns = value_ns

    def _record_extreme(self, value_ns: int) -> None:
        value_ns = max(0, value_ns)
        self.counts[_bucket(min(value_ns, _LONGEST_NS))] += 1
        self.count += 1
        self.total_ns += value_ns
        self.max_ns = max(self.max_ns, value_ns)

    def merge(self, other: "Histogram") -> None:
        """Count what the other has counted too."""
        for bucket, count in enumerate(other.counts):
            if count:
                self.counts[bucket] += count
        self.count += other.count
        self.total_ns += other.total_ns
        self.max_ns = max(self.max_ns, other.max_ns)

    def copy(self) -> "Histogram":
        """Another one with the same counts, that stays as it is."""
        made = Histogram()
        made.counts = self.counts[:]
        made.count, made.total_ns, made.max_ns = self.count, self.total_ns, self.max_ns
        return made

    def since(self, earlier: "Histogram") -> "Histogram":
        """What came after `earlier`, a former copy of this.

        Its `max_ns` is exact when that is the longest of all times, else off by `RELATIVE_ERROR` at most.
        """
        made = Histogram()
        made.counts = _difference(self.counts, earlier.counts)
        made.count = self.count - earlier.count
        made.total_ns = self.total_ns - earlier.total_ns
        made.max_ns = self.max_ns if self.max_ns > earlier.max_ns else made._highest(self.max_ns)
        return made

    def _highest(self, most_ns: int) -> int:
        filled = next((bucket for bucket in reversed(range(_BUCKETS)) if self.counts[bucket]), None)
        return 0 if filled is None else min(_middle(filled), most_ns)

    def percentiles(self, shares: Sequence[float]) -> list[int]:
        """The durations below or at which these shares of all lie (nearest rank), nanoseconds; 0 while there is none.

        Args:
            shares: each from 0 to 1.
        """
        counts = self.counts[:]
        octaves = [sum(counts[at : at + _PER_OCTAVE]) for at in range(0, _BUCKETS, _PER_OCTAVE)]
        total = sum(octaves)
        if not total:
            return [0] * len(shares)
        return [
            min(_middle(_bucket_of_rank(max(1, ceil(share * total)), counts, octaves)), self.max_ns) for share in shares
        ]

    def percentile(self, share: float) -> int:
        """As `percentiles`, one of them."""
        return self.percentiles((share,))[0]

    def counts_up_to(self, bounds_ns: Sequence[int]) -> list[int]:
        """How many last no longer than each of the bounds, nanoseconds, which rise; then how many there are.

        A bucket counts where its middle lies, so that a bound is off by `RELATIVE_ERROR` at most.
        """
        counts = self.counts[:]
        found: list[int] = []
        seen = begin = 0
        for end in _ends(tuple(bounds_ns)):
            seen += sum(counts[begin:end])
            found.append(seen)
            begin = end
        return [*found, seen + sum(counts[begin:])]


@lru_cache(maxsize=16)
def _ends(bounds_ns: tuple[int, ...]) -> tuple[int, ...]:
    """For each bound, which rise, how many buckets have their middles below or at it."""
    return tuple(bisect_right(range(_BUCKETS), bound, key=_middle) for bound in bounds_ns)


def _difference(counts: "array[int]", earlier: "array[int]") -> "array[int]":
    """Bucket by bucket, as one subtraction of large numbers: where no count is less than before, none borrows."""
    difference = int.from_bytes(counts, sys.byteorder) - int.from_bytes(earlier, sys.byteorder)
    return array("Q", difference.to_bytes(8 * _BUCKETS, sys.byteorder))


def _bucket_of_rank(rank: int, counts: "array[int]", octaves: Sequence[int]) -> int:
    """The bucket in which the value of this rank, from 1, lies."""
    octave = 0
    while rank > octaves[octave]:
        rank -= octaves[octave]
        octave += 1
    bucket = octave * _PER_OCTAVE
    while rank > counts[bucket]:
        rank -= counts[bucket]
        bucket += 1
    return bucket


def _middle(bucket: int) -> int:
    return (_lowest(bucket) + _lowest(bucket + 1) - 1) // 2
