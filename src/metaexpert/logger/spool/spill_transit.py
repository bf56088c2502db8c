"""Which batches are with the worker and on disk at once, and what on disk need not be sent again.

A batch is in one of these states: **outgoing**, with the worker, its place on disk known, where it stays until it is
settled; **homeless**, with the worker and in memory alone; **front**, put back by a worker that ended, to be written
before all that is on disk; and **due**, when only its place is left to be acknowledged. No place is forgotten on any
way from outgoing to due, since what is not acknowledged is there again for the next run. Pure: no clock, no I/O.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

from metaexpert.logger.batch import Batch
from metaexpert.logger.spool.spool import Cursor


@dataclass(slots=True, eq=False)
class _Outgoing:
    batch: Batch
    cursor: Cursor
    whole: bool = True
    """All of it is on disk; else there are parts of it in memory alone."""


@final
class Transit:
    """The batches between a disk queue and a worker, told apart by identity.

    Attributes:
        front: what was put back and is neither on disk nor with the worker.
    """

    def __init__(self) -> None:
        self.front: Batch | None = None
        self._outgoing: list[_Outgoing] = []
        self._adopting: Sequence[Batch] = ()
        self._settled: list[Batch] = []
        self._due: Cursor = ()

    # ---- out of the disk, to the worker -----------------------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        """Whether the worker has nothing that is on disk."""
        return not self._outgoing

    def read(self, batch: Batch, cursor: Cursor) -> None:
        """The worker gets a batch from disk."""
        self._outgoing.append(_Outgoing(batch, cursor))

    def skipped(self, cursor: Cursor) -> None:
        """Nothing but damage was read: acknowledged with what was read before it."""
        if self._outgoing:
            self._outgoing[-1].cursor += cursor
        else:
            self._due += cursor

    def settled(self, batch: Batch) -> None:
        """The worker is done with a batch, whether it is on disk or not."""
        if any(batch is one for one in self._adopting):
            self._settled.append(batch)
        self._let_go([one for one in self._outgoing if one.batch is batch])

    def _let_go(self, outgoing: Sequence[_Outgoing]) -> None:
        for one in outgoing:
            self._due += one.cursor
            self._outgoing.remove(one)

    # ---- to the disk while the worker has it ------------------------------------------------------------------

    def homeless(self, with_worker: Iterable[Batch]) -> list[Batch]:
        """Those of the worker's batches that are in memory, all or in parts."""
        return [batch for batch in with_worker if not any(one.batch is batch and one.whole for one in self._outgoing)]

    def adopting(self, batches: Sequence[Batch]) -> None:
        """These are being written; some may be settled meanwhile."""
        self._adopting = batches

    def adopted(self, cursors: Sequence[Cursor] | None) -> None:
        """They are on disk now, at these places; None when the disk refused all of them."""
        batches, self._adopting = self._adopting, ()
        settled, self._settled = self._settled, []
        for batch, cursor in () if cursors is None else zip(batches, cursors, strict=True):
            self._let_go([one for one in self._outgoing if one.batch is batch])  # all of it has a new place
            if any(batch is one for one in settled):
                self._due += cursor
            else:
                self._outgoing.append(_Outgoing(batch, cursor))

    # ---- back -------------------------------------------------------------------------------------------------

    def put_back(self, batches: Iterable[Batch]) -> int:
        """Take all that a worker had and did not settle; returns how many entries that are."""
        front = Batch([], []) if self.front is None else self.front
        before = len(front)
        for batch in batches:
            front.extend(batch.entries, batch.parts)
        self.front = front if front.entries else None
        return len(front) - before

    def begin_again(self) -> Batch | None:
        """Let a worker have what was put back."""
        front, self.front = self.front, None
        if front is not None:  # whatever was outgoing is a part of it, or settled
            cursor = tuple(place for one in self._outgoing for place in one.cursor)
            self._outgoing = [_Outgoing(front, cursor, whole=False)] if cursor else []
        return front

    def front_written(self) -> None:
        """What was put back is on disk anew, or nothing was: no worker has anything, its places are due."""
        self.front = None
        self._let_go(tuple(self._outgoing))

    # ---- acknowledged -----------------------------------------------------------------------------------------

    @property
    def has_due(self) -> bool:
        """Whether there is something to acknowledge."""
        return bool(self._due)

    def take_due(self) -> Cursor:
        """What is to be acknowledged now."""
        due, self._due = self._due, ()
        return due

    def still_due(self, cursor: Cursor) -> None:
        """It could not be acknowledged."""
        self._due = (*cursor, *self._due)
