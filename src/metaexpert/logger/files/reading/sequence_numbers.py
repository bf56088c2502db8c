"""Which sequence numbers of a run are there: one bit each, so that a day's entries fit into a few megabytes; pure."""

import re
from collections.abc import Iterator, Sequence
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

    def __contains__(self, number: int) -> bool:
        block = self._blocks.get(number >> _BLOCK_BITS)
        return block is not None and bool(block[(number & (_BLOCK_NUMBERS - 1)) >> 3] & 1 << (number & 7))

    def has_any(self, numbers: Sequence[int]) -> bool:
        """Whether any of some numbers is there; quick where they are of blocks of which none is."""
        blocks = range(min(numbers) >> _BLOCK_BITS, (max(numbers) >> _BLOCK_BITS) + 1)
        near = blocks if len(blocks) < len(self._blocks) else self._blocks
        if not any(key in blocks and key in self._blocks for key in near):
            return False
        other = SequenceNumbers()
        other.add_new(numbers)
        return self.overlaps(other)

    def overlaps(self, other: "SequenceNumbers") -> bool:
        """Whether the two sets have a number in common."""
        fewer, more = sorted((self._blocks, other._blocks), key=len)  # noqa: SLF001 - of its own kind
        return any(
            int.from_bytes(block, "little") & int.from_bytes(more[key], "little")
            for key, block in fewer.items()
            if key in more
        )

    def add_new(self, numbers: Sequence[int]) -> None:
        """Add numbers, which are all different, and none of which is there."""
        first, last = min(numbers), max(numbers)
        if last - first + 1 == len(numbers):
            self._add_stretch(first, last)
            self.count += len(numbers)
            return
        for number in numbers:
            self.add(number)

    def _add_stretch(self, first: int, last: int) -> None:
        for key in range(first >> _BLOCK_BITS, (last >> _BLOCK_BITS) + 1):
            base = key << _BLOCK_BITS
            begin, end = max(first - base, 0), min(last - base + 1, _BLOCK_NUMBERS)
            block = self._blocks.setdefault(key, bytearray(_BLOCK_BYTES))
            bits = int.from_bytes(block, "little") | (1 << end) - (1 << begin)
            block[:] = bits.to_bytes(_BLOCK_BYTES, "little")

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
