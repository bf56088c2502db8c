"""Which sequence numbers of a run are there: one bit each, so that a day's entries fit into a few megabytes; pure."""

import re
from collections.abc import Iterator
from typing import Final, final

_BLOCK_BITS: Final = 13
_BLOCK_NUMBERS: Final = 1 << _BLOCK_BITS
_BLOCK_BYTES: Final = _BLOCK_NUMBERS // 8
_LARGEST: Final = 1 << 48
"""Beyond what a process gives; a damaged id must not take memory for what it claims."""

_ID: Final = re.compile(r"([0-9a-f]{17})-(\d{1,15})")


def run_and_number(entry_id: str | None) -> tuple[str, int] | None:
    """The boot id and the sequence number an entry id is made of; None for ids of another kind."""
    match = _ID.fullmatch(entry_id or "")
    return None if match is None or int(match[2]) >= _LARGEST else (match[1], int(match[2]))


@final
class SequenceNumbers:
    """A set of sequence numbers.

    Attributes:
        count: how many there are.
    """

    __slots__ = ("_blocks", "count")

    def __init__(self) -> None:
        self._blocks: dict[int, bytearray] = {}
        self.count = 0

    def add(self, number: int) -> bool:
        """Add a number; False when it was there."""
        block = self._blocks.get(number >> _BLOCK_BITS)
        if block is None:
            block = self._blocks[number >> _BLOCK_BITS] = bytearray(_BLOCK_BYTES)
        at, bit = (number & (_BLOCK_NUMBERS - 1)) >> 3, 1 << (number & 7)
        if block[at] & bit:
            return False
        block[at] |= bit
        self.count += 1
        return True

    def update(self, other: "SequenceNumbers") -> None:
        """Add all of another set."""
        for key, theirs in other._blocks.items():  # noqa: SLF001 - of its own kind
            block = self._blocks.setdefault(key, bytearray(_BLOCK_BYTES))
            before = int.from_bytes(block, "little")
            together = before | int.from_bytes(theirs, "little")
            block[:] = together.to_bytes(_BLOCK_BYTES, "little")
            self.count += together.bit_count() - before.bit_count()

    @property
    def first(self) -> int | None:
        """The lowest number; None when there is none."""
        return next((start for start, _ in self.ranges()), None)

    @property
    def last(self) -> int | None:
        """The highest number; None when there is none."""
        if not self._blocks:
            return None
        key = max(self._blocks)
        return (key << _BLOCK_BITS) + int.from_bytes(self._blocks[key], "little").bit_length() - 1

    def ranges(self) -> Iterator[tuple[int, int]]:
        """The first and last numbers of each stretch without a hole, in order."""
        start: int | None = None
        end = 0
        for first, last in self._stretches():
            if start is not None and first == end + 1:
                end = last
                continue
            if start is not None:
                yield start, end
            start, end = first, last
        if start is not None:
            yield start, end

    def _stretches(self) -> Iterator[tuple[int, int]]:
        """Those within each block."""
        for key in sorted(self._blocks):
            base, bits = key << _BLOCK_BITS, int.from_bytes(self._blocks[key], "little")
            at = 0
            while bits:
                zeros = (bits & -bits).bit_length() - 1
                bits >>= zeros
                ones = (bits ^ (bits + 1)).bit_length() - 1
                yield base + at + zeros, base + at + zeros + ones - 1
                bits >>= ones
                at += zeros + ones

    def holes(self) -> Iterator[tuple[int, int]]:
        """The first and last numbers of each stretch that is missing between the lowest and the highest."""
        before: int | None = None
        for first, last in self.ranges():
            if before is not None:
                yield before + 1, first - 1
            before = last
