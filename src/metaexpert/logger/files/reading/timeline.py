"""How often something happened over time: counts in buckets that widen as the time grows, so that memory stays."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

_SECOND_NS: Final = 1_000_000_000
WIDTHS_SECONDS: Final = (1, 2, 10, 30, 60, 120, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400, 604_800, 31_449_600)
"""Widths of buckets; each is a multiple of the one before it, so that narrow ones add up to wide ones."""

_MAX_BUCKETS: Final = 4096
_BARS: Final = "▁▂▃▄▅▆▇█"


@final
@dataclass(frozen=True, slots=True)
class Buckets:
    """Counts side by side.

    Attributes:
        begin_ns: where the first bucket begins, UTC nanoseconds.
        width_seconds: of each.
        counts: one for each bucket, empty ones too.
    """

    begin_ns: int
    width_seconds: int
    counts: tuple[int, ...]

    @property
    def bars(self) -> str:
        """A sparkline: a space where nothing happened, the highest bar where most did."""
        most = max(self.counts, default=0)
        return "".join(" " if not count else _BARS[(count * len(_BARS) - 1) // most] for count in self.counts)


@final
class Timeline:
    """Counts by time."""

    __slots__ = ("_counts", "_width_ns")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._width_ns = _SECOND_NS

    def add(self, time_ns: int, count: int = 1) -> None:
        """Count one or more at a time; times may come in any order."""
        bucket = time_ns // self._width_ns
        self._counts[bucket] = self._counts.get(bucket, 0) + count
        if len(self._counts) > _MAX_BUCKETS:
            self._widen()

    def update(self, other: "Timeline") -> None:
        """Add all that another one counted."""
        self._widen_to(other._width_ns)  # noqa: SLF001 - of its own kind
        for bucket, count in other._in_buckets_of(self._width_ns).items():  # noqa: SLF001 - of its own kind
            self._counts[bucket] = self._counts.get(bucket, 0) + count
        if len(self._counts) > _MAX_BUCKETS:
            self._widen()

    def _widen(self) -> None:
        """Go on to the narrowest width that leaves few enough buckets."""
        for wider in WIDTHS_SECONDS:
            if len(self._counts) > _MAX_BUCKETS:
                self._widen_to(wider * _SECOND_NS)

    def _widen_to(self, width_ns: int) -> None:
        if width_ns > self._width_ns:
            self._counts, self._width_ns = self._in_buckets_of(width_ns), width_ns

    def _in_buckets_of(self, width_ns: int) -> dict[int, int]:
        counts: dict[int, int] = {}
        for bucket, count in self._counts.items():
            wider = bucket * self._width_ns // width_ns
            counts[wider] = counts.get(wider, 0) + count
        return counts

    def buckets(self, first_ns: int, last_ns: int, most: int, least_seconds: int = 1) -> Buckets:
        """The counts from one time to another.

        Args:
            first_ns: in the first bucket; UTC nanoseconds.
            last_ns: in the last one.
            most: how many buckets at most, if the widest width allows it.
            least_seconds: how wide they are at least.
        """
        width_ns = max(self._width_for(first_ns, last_ns, most), least_seconds * _SECOND_NS)
        counts = self._in_buckets_of(width_ns)
        numbers = range(first_ns // width_ns, last_ns // width_ns + 1)
        return Buckets(
            numbers.start * width_ns, width_ns // _SECOND_NS, tuple(counts.get(number, 0) for number in numbers)
        )

    def _width_for(self, first_ns: int, last_ns: int, most: int) -> int:
        widths = [each * _SECOND_NS for each in WIDTHS_SECONDS if each * _SECOND_NS >= self._width_ns]
        return next((each for each in widths if last_ns // each - first_ns // each < most), widths[-1])

    def __iter__(self) -> Iterator[int]:
        """The counts there are, in no order."""
        return iter(self._counts.values())
