"""Which sinks have still to settle which entries of the journal, and whom that concerns.

Touched on the loop's thread alone, but for `kept`, which log calls fill in, and for `move`. An entry is kept until
every sink it was routed to has settled it; one that has not been routed yet is kept in any case.
"""

import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final, Protocol, final

from metaexpert.logger.entry import LASTI, OF_ANOTHER_RUN, SEQ, Capture

MOST_SINKS: Final = 63
"""Bits of a frame's mark, one a sink; further sinks are served, but nothing is recovered for them."""

ROUTED: Final = 1 << 63
"""The bit of a mark that says that bits of sinks which do not take the entry are set as well."""

_ALL_SETTLED: Final = 2**64 - 1
"""The mark of an entry that nobody takes; sinks that a reload adds later take no part in what was routed before."""

_MOST_REFUSALS: Final = 10_000
_NOT_TAKEN: Final = "it does not take such entries"
_FORGOTTEN: Final = "that is no longer known, since many thousand entries came after it"


class Kept(Protocol):
    """A segment in which entries are kept.

    Attributes:
        settled: entries in it that nobody needs any longer.
    """

    settled: int

    def mark(self, at: int, bit: int) -> None:
        """Note that the sink with this bit has settled the entry whose frame is there.

        Raises:
            OSError: it cannot be noted.
            ValueError: the segment is closed.
        """
        ...

    def mark_all(self, at: int, mark: int) -> None:
        """Set a frame's whole mark.

        Raises:
            OSError: it cannot be noted.
            ValueError: the segment is closed.
        """
        ...


class Movable(Kept, Protocol):
    """A segment whose entries can be written anew to another one."""

    def mark_of(self, at: int) -> int:
        """A frame's whole mark.

        Raises:
            OSError: it cannot be read.
            ValueError: the segment is closed.
        """
        ...


@final
class Obligations:
    """What sinks owe.

    Attributes:
        kept: where each entry is that is not settled by all, by its number.
        bits: each sink's bit of a mark.
    """

    def __init__(self) -> None:
        self.kept: dict[int, tuple[Kept, int]] = {}
        self.bits: dict[str, int] = {}
        self._owed: dict[int, int] = {}
        self._refusals: dict[int, dict[int, str]] = {}
        self._takers: dict[int, int] = {}
        self._moving = threading.Lock()  # between a mark, a release and a move; log calls don't come here

    def know(self, sinks: Iterable[str]) -> bool:
        """Give each sink a bit of the mark, for as long as this run lasts; whether there were new ones."""
        new = [name for name in sinks if name not in self.bits][: MOST_SINKS - len(self.bits)]
        for name in new:
            self.bits[name] = len(self.bits)
        return bool(new)

    def mask(self, sinks: Iterable[str]) -> int:
        """The mask of these sinks."""
        return sum(1 << self.bits[name] for name in sinks if name in self.bits)

    def routed(self, entries: Sequence[Capture], mask: int) -> None:
        """These entries go to the sinks of `mask`."""
        kept, owed = self.kept, self._owed
        for entry in entries:
            seq = entry[SEQ]
            if seq not in kept:
                continue
            with self._moving, suppress(OSError, ValueError):  # unmarked it is offered to all sinks after a crash
                segment, at = kept[seq]
                segment.mark_all(at, _ALL_SETTLED & ~mask)
            self._takers[seq] = mask
            if mask:
                owed[seq] = mask
            else:
                self._release(seq)
        while len(self._takers) > _MOST_REFUSALS:
            self._forget(next(iter(self._takers)))

    def settled(self, bit: int, entries: Iterable[Capture], refused: str = "") -> list[int]:
        """A sink needs these entries no longer; returns the numbers of those that are kept here.

        Args:
            bit: the sink's.
            entries: any entries; those that are not kept are passed over.
            refused: why it has not got them, when it has not.
        """
        owed = self._owed
        if not owed:
            return []
        found: list[int] = []
        for entry in entries:
            mask = owed.get(entry[SEQ], 0)
            if mask >> bit & 1 and entry[LASTI] != OF_ANOTHER_RUN:
                self._settle(entry[SEQ], bit, mask & ~(1 << bit), refused)
                found.append(entry[SEQ])
        return found

    def _settle(self, seq: int, bit: int, left: int, refused: str) -> None:
        with self._moving, suppress(OSError, ValueError):  # without its mark it is delivered twice after a crash
            segment, at = self.kept[seq]
            segment.mark(at, bit)
        if refused:
            if len(self._refusals) >= _MOST_REFUSALS:
                self._forget(next(iter(self._refusals)))
            self._refusals.setdefault(seq, {})[bit] = refused
        if left:
            self._owed[seq] = left
        else:
            del self._owed[seq]
            self._release(seq)

    def _forget(self, seq: int) -> None:
        """Know no longer who took it: a receipt asked so late is not told that all did."""
        self._takers.pop(seq, None)
        self._refusals.pop(seq, None)

    def _release(self, seq: int) -> None:
        with self._moving:
            segment, _ = self.kept.pop(seq)
            segment.settled += 1

    def move(self, seq: int, old: tuple["Movable", int], new: tuple["Movable", int]) -> None:
        """An entry was written anew; in any thread. Its mark goes with it; it may have been settled meanwhile."""
        with self._moving:
            if self.kept.get(seq) == old:
                with suppress(OSError, ValueError):
                    new[0].mark_all(new[1], old[0].mark_of(old[1]))
                self.kept[seq] = new
                old[0].settled += 1
            else:
                new[0].settled += 1

    def owe(self, seq: int, place: tuple[Kept, int], mask: int) -> None:
        """Keep an entry of a former run for the sinks of `mask`."""
        self.kept[seq] = place
        self._owed[seq] = mask

    def is_owed(self, seq: int, bit: int) -> bool:
        """Whether the sink with this bit has still to settle the entry."""
        return bool(self._owed.get(seq, 0) >> bit & 1)

    def disown(self, bit: int, reason: str) -> int:
        """The sink with this bit settles nothing any more; returns how many entries it owed."""
        owed = [(seq, mask) for seq, mask in self._owed.items() if mask >> bit & 1]
        for seq, mask in owed:
            self._settle(seq, bit, mask & ~(1 << bit), reason)
        return len(owed)

    def is_settled(self, seq: int, bit: int) -> bool:
        """Whether a sink needs the entry no longer, or never did."""
        mask = self._owed.get(seq)
        return seq not in self.kept if mask is None else not mask >> bit & 1

    def refusal(self, seq: int, bit: int) -> str | None:
        """Why a sink has not got an entry it has settled, or does not take; None when it has."""
        takers = self._takers.get(seq)
        if takers is None:
            return _FORGOTTEN
        if not takers >> bit & 1:
            return _NOT_TAKEN
        return self._refusals.get(seq, {}).get(bit)

    def laggards(self) -> dict[str, int]:
        """How many entries each sink has still to settle."""
        masks = list(self._owed.values())
        counts = {name: sum(mask >> bit & 1 for mask in masks) for name, bit in self.bits.items()}
        return {name: count for name, count in counts.items() if count}
