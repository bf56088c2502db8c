"""What waits for the disk, and what goes past it: batches cut while a sink's disk queue is engaged.

Pure: no clock, no I/O. Entries are counted as they come and as they go on to the worker, so that a flush can name all
that is here; those that go past have a count of their own, since they overtake the others.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final, final

from metaexpert.logger.batch import Batch
from metaexpert.logger.entry import AUDIT, LOG_TYPE, TRADE

SLOTS: Final = 2
"""Batches that wait for the disk at most; while they do, nothing is taken from the lanes."""

LIVE_SLOTS: Final = 2
"""Batches of live trade and audit entries that wait for the worker at most; more go the way of all others."""

_LIVE: Final = frozenset({TRADE, AUDIT})


@final
class Gate:
    """Between the lanes and a disk queue.

    Attributes:
        slots: batches on their way to disk, oldest first.
        live: batches on their way past it.
        taken_in: entries that came to wait on disk, or were found there.
        given_out: entries that went on from there.
    """

    def __init__(self) -> None:
        self.slots: deque[Batch] = deque()
        self.live: deque[Batch] = deque()
        self.taken_in = 0
        self.given_out = 0
        self._live_in = self._live_out = 0

    @property
    def waiting(self) -> tuple[Batch, ...]:
        """All batches here."""
        return (*self.live, *self.slots)

    @property
    def is_full(self) -> bool:
        """Whether nothing more may come to wait for the disk."""
        return len(self.slots) >= SLOTS

    def push(self, batch: Batch) -> None:
        """Let a batch wait for the disk."""
        self.slots.append(batch)
        self.taken_in += len(batch)

    def push_past(self, batch: Batch) -> None:
        """As `push`, but its trade and audit entries wait for the worker alone."""
        live = [at for at, entry in enumerate(batch.entries) if entry[LOG_TYPE] in _LIVE]
        if not live or len(self.live) >= LIVE_SLOTS:
            self.push(batch)
            return
        first = batch.subset(live)
        first.live = True
        self.live.append(first)
        self._live_in += len(first)
        rest = batch.subset([at for at, entry in enumerate(batch.entries) if entry[LOG_TYPE] not in _LIVE])
        if rest.entries:
            self.push(rest)

    def pop(self) -> Batch:
        """The first of those that wait for the disk goes to the worker after all."""
        batch = self.slots.popleft()
        self.given_out += len(batch)
        return batch

    def pop_live(self) -> Batch:
        """The first of those that go past goes to the worker."""
        batch = self.live.popleft()
        self._live_out += len(batch)
        return batch

    def stop_passing(self) -> None:
        """The worker takes no more: what was to go past waits for the disk, before all others."""
        self.slots.extendleft(reversed(self.live))
        self.taken_in += sum(map(len, self.live))
        self._live_out = self._live_in
        self.live.clear()

    def written(self, batches: Sequence[Batch]) -> None:
        """The first of those that wait, `batches`, are on disk."""
        for _ in batches:
            self.slots.popleft()

    def clear(self) -> None:
        """Forget the batches."""
        self.slots.clear()
        self.live.clear()

    def mark(self) -> tuple[int, int]:
        """Names all that came so far, for `passed`."""
        return self.taken_in, self._live_in

    def passed(self, mark: tuple[int, int]) -> bool:
        """Whether all that `mark` names has gone on to the worker."""
        return self.given_out >= mark[0] and self._live_out >= mark[1]
