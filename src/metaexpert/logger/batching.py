"""One sink's way from its lanes to its worker: the batches the dispatcher forms, and where they wait.

All of it but the waits of a flush is synchronous, for the dispatcher's slices. Cut batches pass a small bounded
asyncio.Queue: while it is full nothing is taken from the lanes, and there the overflow policy decides.

With a disk queue the batches of full lanes, and of a sink that is down, go through it, see `spilling`; without one it
costs a comparison with None each time a batch is formed.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, final

from metaexpert.logger.batch import Batch, BatchLimits
from metaexpert.logger.entry import GAP, LEVEL, LOG_TYPE, SEQ, SIZE, Capture, Lane, lane_of
from metaexpert.logger.gaps import gap_entry
from metaexpert.logger.lanes import QUEUE_FULL, Gap, Lanes
from metaexpert.logger.ledger import Ledger
from metaexpert.logger.outcome import Rejection
from metaexpert.logger.sieve import Sieve
from metaexpert.logger.sinks.base import Sink
from metaexpert.logger.spool.spilling import Spilling

if TYPE_CHECKING:
    from metaexpert.logger.journal.custody import Custody

QUEUED_BATCHES: Final = 2
"""Cut batches that wait for the worker at most; enough to keep it busy, few enough that the policy rules the rest."""

_LEFT_OUT: Final = "a filter of its own left it out"
"""What a receipt says that waits for this sink."""

_KEPT_ENTRIES: Final = 1000
"""Entries encoded at once where they are brought to disk at the end."""


@final
class Batching:
    """Forms one sink's batches.

    Args:
        name: the sink's name in gap entries.
        lanes: its waiting room.
        ledger: its accounts, the same the lanes count in.
        limits: when a batch is complete.
        sink: what encodes entries.
        refuse: told of an entry that can't be encoded, and why.
        wake: tells the dispatcher to look again.
        sieve: what the sink leaves out; None when it writes everything it is offered.
        reshape: what becomes of an entry before the sink encodes it; None to leave it as it is.
        spilling: its disk queue, where it has one.

    Attributes:
        down: whether the worker's destination gets nothing but probes now; the worker says so.
        handed: the batches the worker is at, oldest first; it says when it is done with one.
    """

    def __init__(
        self,
        name: str,
        lanes: Lanes,
        ledger: Ledger,
        limits: BatchLimits,
        sink: Sink,
        *,
        refuse: Callable[[Capture, Rejection], None],
        wake: Callable[[], None],
        sieve: Sieve | None = None,
        reshape: Callable[[Capture], Capture] | None = None,
        spilling: Spilling | None = None,
    ) -> None:
        self.lanes = lanes
        self.ledger = ledger
        self.limits = limits
        self.spilling = spilling
        self.down = False
        self.handed: list[Batch] = []
        self.name = name
        self.custody: Custody | None = None
        self._sink = sink
        self._refuse = refuse
        self._wake = wake
        self._sieve = sieve
        self._reshape = reshape
        self._queue: asyncio.Queue[Batch] = asyncio.Queue(QUEUED_BATCHES)
        self._open = Batch([], [])
        self._urgent = False
        self._cut_count = 0
        self._flush_count = 0
        self._formed = asyncio.Event()

    # ---- the dispatcher's side --------------------------------------------------------------------------------

    def offer(self, lane: Lane, entries: list[Capture], total_bytes: int) -> None:
        """Take entries of one lane in."""
        if self._sieve is not None:
            self._sieve.offer(entries)
            return
        self._take_in(lane, entries, total_bytes)

    def _take_in(self, lane: Lane, entries: list[Capture], total_bytes: int) -> None:
        self.ledger.routed += len(entries)
        if lane >= Lane.ERROR:
            self._urgent = True
        self.lanes.offer(lane, entries, total_bytes)

    def form(self, most: int, now: float) -> bool:
        """Move up to `most` entries from the lanes into the open batch; True when there is more to do at once."""
        if self.lanes.gap is not None:
            self._report(self.lanes.take_gap())
        if self._sieve is not None:
            self._sift(self._sieve)
            self._say(self._sieve.due(now, has_room=not self.lanes.pressed()))
        if self._full:
            return False
        batch = self._open
        if self.lanes.entries:
            room = self.limits.max_entries - len(batch)
            entries = self.lanes.take(min(most, room), self.limits.max_bytes - batch.size_bytes)
            if not batch.entries:
                batch.opened_at = now
            self._encode(batch, entries)
            self._formed.set()
        if batch.entries and self._complete(batch, now):
            if self.spilling is None:
                self._queue.put_nowait(batch)
            else:
                self._hand_on(batch, self.spilling)
            self._cut_count += 1
            self._urgent = self._urgent and self.lanes.entries > 0
            self._open = Batch([], [])
        return self.lanes.entries > 0 and not self._full

    def due_in(self, now: float) -> float | None:
        """Seconds until there is something to do by time alone; None when there is nothing."""
        batch_in = self._batch_due_in(now)
        if self._sieve is None:
            return batch_in
        words_in = self._sieve.due_in(now, has_room=not self.lanes.pressed())
        return min((wait for wait in (batch_in, words_in) if wait is not None), default=None)

    def _batch_due_in(self, now: float) -> float | None:
        if self._full:
            # one that has been standing still is looked at again when it moves
            return None if self.spilling is None else self.spilling.stands_still_in() or None
        if not self._open.entries:
            return None
        return max(0.0, self._open.opened_at + self.limits.max_age_seconds - now)

    @property
    def _full(self) -> bool:
        """Whether no batch may be cut, and therefore nothing taken from the lanes."""
        full = self._queue.full()
        return (
            full if self.spilling is None else self.spilling.blocked(self.lanes.fill, has_room=not full, down=self.down)
        )

    def _complete(self, batch: Batch, now: float) -> bool:
        limits = self.limits
        return (
            batch.size_bytes >= limits.max_bytes
            or len(batch) >= limits.max_entries
            or (self._urgent and not self.lanes.entries)
            or now - batch.opened_at >= limits.max_age_seconds
            or self._cut_count < self._flush_count
        )

    def _hand_on(self, batch: Batch, spilling: Spilling) -> None:
        if (self.down and spilling.spills) or (self._queue.full() and not spilling.engaged):
            spilling.push(batch)
        elif spilling.engaged:
            spilling.push_past(batch)
        else:
            self._queue.put_nowait(batch)
        self._formed.set()

    def _encode(self, batch: Batch, entries: list[Capture]) -> None:
        encode = self._sink.encode if self._reshape is None else self._encode_reshaped
        try:
            batch.extend(entries, [encode(entry) for entry in entries])
        except Exception:  # noqa: BLE001 - a fault in a sink's code must stop neither the dispatcher nor the neighbours
            for entry in entries:
                self._encode_alone(batch, entry)

    def _encode_alone(self, batch: Batch, entry: Capture) -> None:
        try:
            part = self._encode_reshaped(entry)
        except Exception as error:  # noqa: BLE001 - as in _encode
            self._refuse(entry, Rejection(0, 0, f"cannot be encoded: {type(error).__name__}: {error}"))
        else:
            batch.extend([entry], [part])

    def _encode_reshaped(self, entry: Capture) -> bytes:
        return self._sink.encode(entry if self._reshape is None else self._reshape(entry))

    # ---- what the pipeline has to say -------------------------------------------------------------------------

    def report(self, entry: Capture, *, bounded: bool = True) -> None:
        """Take an entry that says what was dropped.

        Args:
            entry: the report.
            bounded: it may take no more than the room there is and the reserve; else whatever it takes.
        """
        self.ledger.routed += 1
        self.ledger.gaps += 1
        self._urgent = True
        if bounded:
            self.lanes.offer_report(entry, reserved=True)
        else:
            self.lanes.offer_reserved(entry)

    def report_rest(self) -> None:
        """Let all that is still to be said, by the sieve and of an open gap, follow what waits; for the end."""
        self._say_all()
        self._report(self.lanes.take_open_gap())

    def _report(self, gap: Gap | None) -> None:
        if gap is not None:
            times_ns, seqs = (gap.first_ns, gap.last_ns), (gap.first_seq, gap.last_seq)
            self.report(gap_entry(self.name, gap.by_level, seqs, times_ns, QUEUE_FULL), bounded=False)

    def _sift(self, sieve: Sieve) -> None:
        """Take in what the sieve keeps: of all lanes, in the order of the calls."""
        lanes: dict[Lane, list[Capture]] = {}
        offered = sieve.waiting
        kept = sieve.kept()
        if self.custody is not None and len(kept) < len(offered):
            taken = {entry[SEQ] for entry in kept}
            self.custody.refused([entry for entry in offered if entry[SEQ] not in taken], _LEFT_OUT)
        for entry in kept:
            lanes.setdefault(lane_of(entry[LEVEL], entry[LOG_TYPE]), []).append(entry)
        for lane, entries in lanes.items():
            self._take_in(lane, entries, sum([entry[SIZE] for entry in entries]))

    def _say(self, entries: Iterable[Capture]) -> None:
        """Let entries of the sieve's own follow what waits."""
        for entry in entries:
            self.ledger.routed += 1
            self.ledger.gaps += entry[LOG_TYPE] == GAP
            self.lanes.offer_report(entry)

    def _say_all(self) -> None:
        if self._sieve is not None:
            self._sift(self._sieve)
            self._say(self._sieve.all_due())

    # ---- the worker's and the disk queue's side ---------------------------------------------------------------

    async def next_batch(self) -> Batch:
        """Take the oldest cut batch, once there is one; cancelled, it takes none."""
        batch = await self._queue.get()
        self.handed.append(batch)
        return batch

    def take_cut(self) -> list[Batch]:
        """Take all cut batches there are, oldest first."""
        batches = [self._queue.get_nowait() for _ in range(self._queue.qsize())]
        self.handed += batches
        return batches

    def done_with(self, batch: Batch) -> None:
        """The worker has settled a batch it took."""
        self.handed = [other for other in self.handed if other is not batch]

    def with_worker(self) -> list[Batch]:
        """The worker's batches: those it is at, then the cut ones, in order."""
        return [*self.handed, *self.queued]

    @property
    def has_room(self) -> bool:
        """Whether the worker's queue takes another batch."""
        return not self._queue.full()

    def put(self, batch: Batch) -> None:
        """Queue a batch for the worker."""
        self._queue.put_nowait(batch)

    def moved(self) -> None:
        """Something has moved on: the dispatcher, a flush and the disk queue look again."""
        self._wake()
        if self.spilling is not None:
            self._formed.set()
            self.spilling.wake()

    @property
    def queued(self) -> Sequence[Batch]:
        """The cut batches, oldest first."""
        # asyncio.Queue keeps its items in this deque; there is no public way to look without taking
        return self._queue._queue  # noqa: SLF001  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue, reportUnknownVariableType]

    @property
    def spooled(self) -> int:
        """Entries on disk and not read back."""
        return 0 if self.spilling is None else self.spilling.entries

    @property
    def waiting(self) -> int:
        """Entries here, counted where they are: in the lanes, the batches, on their way to disk."""
        spilling = 0 if self.spilling is None else len(self.spilling.waiting())
        return self.lanes.entries + spilling + len(self._open) + sum(map(len, self.queued))

    # ---- flush and stop ---------------------------------------------------------------------------------------

    async def flushed(self) -> int:
        """Wait until everything offered so far has got as far as a batch, and let that wait for no company.

        With a disk queue, wait until all of it has left that, too.

        Returns:
            How many batches had been cut with the last of it.
        """
        self._say_all()
        mark = self.lanes.mark()
        while not self.lanes.passed(mark):
            await self.next_step(self._formed)
        last = self._cut_count + (1 if self._open.entries else 0)
        self._flush_count = max(self._flush_count, last)
        if self.spilling is not None:
            await self._through_disk(self.spilling, last)
        return last

    async def _through_disk(self, spilling: Spilling, last_cut: int) -> None:
        """Wait until what was cut by then has left the disk queue."""
        while self._cut_count < last_cut or (mark := spilling.mark()) is None:
            await self.next_step(self._formed)
        while not spilling.passed(mark):
            await self.next_step(self._formed)

    async def next_step(self, step: asyncio.Event) -> None:
        """Wait for `step`, the dispatcher awake."""
        step.clear()
        self._wake()
        await step.wait()

    async def spill_rest(self, spilling: Spilling) -> None:
        """Bring the lanes and the open batch to disk; cut batches are the caller's, see `forget_cut`."""
        while await spilling.written(self) and (self._open.entries or self.lanes.entries):
            if self.lanes.entries:
                self._encode(self._open, self.lanes.take(_KEPT_ENTRIES, self.limits.max_bytes))
            spilling.push(self._open)
            self._open = Batch([], [])

    def forget_cut(self) -> None:
        """Somebody else has taken the cut batches."""
        self._queue = asyncio.Queue(QUEUED_BATCHES)
        self.handed = []

    def give_up(self) -> list[Capture]:
        """Hand over everything that is here; it is held no longer."""
        self._say_all()
        left = [entry for batch in (*self.queued, self._open) for entry in batch.entries]
        if self.spilling is not None:
            left += self.spilling.give_up()
        self.lanes.release(left)
        rest = self.lanes.give_up()
        self.lanes.release(rest)
        self.forget_cut()
        self._open = Batch([], [])
        return left + rest

    # ---- another one after it ---------------------------------------------------------------------------------

    def take_over(self, other: "Batching", writing: Iterable[Batch]) -> None:
        """Go on for another of the same name that has ended, whose worker was at the batches `writing`."""
        other._say_all()  # noqa: SLF001
        self.ledger.take_over(other.ledger)
        if other.spilling is not None:
            self._take_over_disk(other.spilling)
        entries = [entry for batch in (*writing, *other.queued, other._open) for entry in batch.entries]  # noqa: SLF001
        waiting = other.lanes.give_up()
        other.lanes.release(waiting)
        for entry in (*entries, *waiting):
            self.lanes.offer(lane_of(entry[LEVEL], entry[LOG_TYPE]), [entry], entry[SIZE])
        self.lanes.gap = self.lanes.gap or other.lanes.gap
        self._urgent = True

    def _take_over_disk(self, spilling: Spilling) -> None:
        if spilling.closed:
            self.ledger.spooled_apart += spilling.entries
            return
        spilling.follow(self.spilling)
        self.spilling = spilling
        self.lanes.hold(spilling.waiting())  # what the disk refused

    def rebind(self) -> None:
        """Forget the loop that was."""
        cut = tuple(self.queued)
        self._queue = asyncio.Queue(QUEUED_BATCHES)
        for batch in cut:
            self._queue.put_nowait(batch)
        self._formed = asyncio.Event()
        if self.spilling is not None:
            self.spilling.rebind()
