"""One sink's way from its lanes to its destination: batches, the worker that writes them, retries, the ledger.

The dispatcher calls `offer`, `form` and `due_in` (synchronous, within its slices); the worker task awaits the sink.
Batches between them pass a small bounded asyncio.Queue: while it is full nothing is taken from the lanes, and there the
overflow policy decides. A batch stays with the worker until each of its entries is settled; cancelling the worker loses
none of them, `give_up` still counts them all.

With a disk queue (policy `spill`) the batches of full lanes go through it, see `spilling`; without one it costs a
comparison with None each time a batch is formed.
"""

import asyncio
import logging
import random
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final, final

from metaexpert.logger.batch import Batch, BatchLimits
from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.entry import GAP, LEVEL, LOG_TYPE, SEQ, SIZE, Capture, Lane, lane_of
from metaexpert.logger.gaps import gap_entry
from metaexpert.logger.lanes import QUEUE_FULL, Gap, Lanes
from metaexpert.logger.ledger import Ledger
from metaexpert.logger.notices import Notices
from metaexpert.logger.outcome import Delivered, Outcome, Partial, Rejected, Rejection, Retry
from metaexpert.logger.retry import Backoff, Health, SinkState
from metaexpert.logger.sieve import Sieve
from metaexpert.logger.sinks.base import Sink
from metaexpert.logger.spilling import Spilling

QUEUED_BATCHES: Final = 2
"""Cut batches that wait for the worker at most; enough to keep it busy, few enough that the policy rules the rest."""

SHUTDOWN: Final = "shutdown"

_KEPT_ENTRIES: Final = 1000
"""Entries encoded at once where they are brought to disk at the end."""


@dataclass(slots=True)
class DeliveryCounters:
    """What the worker did."""

    batches: int = 0
    retries: int = 0
    bytes_written: int = 0


@final
class Delivery:
    """Drives one sink.

    Args:
        name: the sink's name in statistics, gap entries and notices.
        sink: the destination.
        lanes: its waiting room.
        ledger: its accounts, the same the lanes count in.
        limits: when a batch is complete.
        backoff: waits between attempts.
        notices: where it speaks when entries are refused or the sink fails.
        wake: tells the dispatcher that there is room again.
        sieve: what it leaves out; None when it writes everything it is offered.
        reshape: what becomes of an entry before the sink encodes it; None to leave it as it is.
        uniform: random source of the jitter.
        spilling: its disk queue, with the policy `spill`.
    """

    def __init__(
        self,
        name: str,
        sink: Sink,
        lanes: Lanes,
        ledger: Ledger,
        limits: BatchLimits,
        *,
        backoff: Backoff,
        notices: Notices,
        wake: Callable[[], None],
        sieve: Sieve | None = None,
        reshape: Callable[[Capture], Capture] | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
        spilling: Spilling | None = None,
    ) -> None:
        self.name = name
        self.sink = sink
        self.lanes = lanes
        self.ledger = ledger
        self.health = Health()
        self.counters = DeliveryCounters()
        self.limits = limits
        self._backoff = backoff
        self._notices = notices
        self._wake = wake
        self._sieve = sieve
        self._reshape = reshape
        self._uniform = uniform
        self.spilling = spilling
        self._queue: asyncio.Queue[Batch] = asyncio.Queue(QUEUED_BATCHES)
        self._open = Batch([], [])
        self._writing: deque[Batch] = deque()
        self._taken = self._open
        self._urgent = False
        self._cut_count = 0
        self._finished_count = 0
        self._flush_count = 0
        self._formed = asyncio.Event()
        self._finished = asyncio.Event()
        self._last_attempt = asyncio.Event()
        self._held = False
        self._in_write = False
        self._written = asyncio.Event()

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
        if not self._open.entries or self._full:
            return None
        return max(0.0, self._open.opened_at + self.limits.max_age_seconds - now)

    @property
    def _full(self) -> bool:
        """Whether no batch may be cut, and therefore nothing taken from the lanes."""
        full = self._queue.full()
        return full if self.spilling is None else self.spilling.blocked(self.lanes.fill, has_room=not full)

    def _complete(self, batch: Batch, now: float) -> bool:
        limits = self.limits
        return (
            batch.size_bytes >= limits.max_bytes
            or len(batch) >= limits.max_entries
            or (self._urgent and not self.lanes.entries)
            or now - batch.opened_at >= limits.max_age_seconds
            or self._cut_count < self._flush_count
        )

    def _encode(self, batch: Batch, entries: list[Capture]) -> None:
        encode = self.sink.encode if self._reshape is None else self._encode_reshaped
        try:
            batch.extend(entries, [encode(entry) for entry in entries])
        except Exception:  # noqa: BLE001 - a fault in a sink's code must stop neither the dispatcher nor the neighbours
            for entry in entries:
                self._encode_alone(batch, entry)

    def _encode_alone(self, batch: Batch, entry: Capture) -> None:
        try:
            part = self.sink.encode(entry) if self._reshape is None else self._encode_reshaped(entry)
        except Exception as error:  # noqa: BLE001 - as in _encode
            self._reject(entry, Rejection(0, 0, f"cannot be encoded: {type(error).__name__}: {error}"))
        else:
            batch.extend([entry], [part])

    def _encode_reshaped(self, entry: Capture) -> bytes:
        return self.sink.encode(entry if self._reshape is None else self._reshape(entry))

    def _sift(self, sieve: Sieve) -> None:
        """Take in what the sieve keeps: of all lanes, in the order of the calls."""
        lanes: dict[Lane, list[Capture]] = {}
        for entry in sieve.kept():
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

    def report(self, entry: Capture) -> None:
        """Take an entry that says what was dropped, whatever room there is."""
        self.ledger.routed += 1
        self.ledger.gaps += 1
        self._urgent = True
        self.lanes.offer_reserved(entry)

    def _report(self, gap: Gap | None) -> None:
        if gap is not None:
            times_ns, seqs = (gap.first_ns, gap.last_ns), (gap.first_seq, gap.last_seq)
            self.report(gap_entry(self.name, gap.by_level, seqs, times_ns, QUEUE_FULL))

    # ---- the worker -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Write batches until cancelled."""
        current_fields.set(PIPELINE)
        with nullcontext() if self.spilling is None else self.spilling.running(self):
            await self._work()

    async def _work(self) -> None:
        while True:
            if not self._writing:  # else this task goes on where a cancelled one was
                self._taken = await self._queue.get()
                self._writing.append(self._taken)
                self.moved()
            attempt = 0
            while self._writing:
                retry = await self._guarded_attempt(self._writing[0])
                if retry is None:
                    attempt = 0
                else:
                    attempt += 1
                    await self._wait(attempt, retry)
            self._finished_count += 1
            self._finished.set()
            if self.spilling is not None:
                self.spilling.settled(self._taken)
            self._wake()

    async def _guarded_attempt(self, batch: Batch) -> Retry | None:
        try:
            return await self._attempt(batch)
        except Exception as error:  # noqa: BLE001 - an answer that makes no sense must not end the worker in silence
            retry = Retry(f"{type(error).__name__} in reading the sink's outcome: {error}")
            self._failed(retry)
            return retry

    async def _attempt(self, batch: Batch) -> Retry | None:
        """Write once and settle what the answer settles; a Retry when the head of `_writing` has to go again."""
        outcome = await self._write(batch)
        self.counters.batches += 1
        match outcome:
            case Delivered():
                self._writing.popleft()
                self._settle(batch.entries, duplicates=outcome.duplicates)
                self.counters.bytes_written += batch.size_bytes
                if outcome.warning:
                    self.health.last_error = outcome.warning
                    self._notices.say(f"sink {self.name}", outcome.warning)
            case Rejected():
                self._writing.popleft()
                self._cut(batch, outcome)
            case Partial():
                return self._settle_partly(batch, outcome)
            case Retry():
                self._failed(outcome)
                return outcome
        return None

    async def _write(self, batch: Batch) -> Outcome:
        if self._held:
            await asyncio.get_running_loop().create_future()  # until this worker is cancelled
        self._in_write = True
        try:
            return await self.sink.write(batch)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return Retry("the sink cancelled its own write")
        except Exception as error:  # noqa: BLE001 - a fault in a sink's code must not end its worker and drop in silence
            return Retry(f"{type(error).__name__} in sink: {error}")
        finally:
            self._in_write = False
            self._written.set()

    def _settle_partly(self, batch: Batch, outcome: Partial) -> Retry | None:
        unsettled = {*outcome.retry, *(rejection.position for rejection in outcome.rejected)}
        again = batch.subset(outcome.retry)
        stored = [entry for at, entry in enumerate(batch.entries) if at not in unsettled]
        self._writing.popleft()
        if again.entries:
            self._writing.appendleft(again)
        for rejection in outcome.rejected:
            self._reject(batch.entries[rejection.position], rejection)
        self._settle(stored, duplicates=outcome.duplicates)
        if not again.entries:
            return None
        retry = Retry(outcome.reason, outcome.after_seconds, outcome.pause)
        self._failed(retry)
        return retry

    def _cut(self, batch: Batch, outcome: Rejected) -> None:
        if len(batch) == 1:
            self._reject(batch.entries[0], Rejection(0, outcome.status, outcome.reason))
            return
        self._writing.extendleft(reversed(batch.halves()))

    def _settle(self, entries: list[Capture], *, duplicates: int = 0) -> None:
        self.ledger.delivered += len(entries) - duplicates
        self.ledger.duplicate += duplicates
        self.lanes.release(entries)
        if entries:
            self.health.succeeded(backlog=self.lanes.pressed() or self.spooled > 0)

    def _reject(self, entry: Capture, rejection: Rejection) -> None:
        self.ledger.rejected += 1
        self.lanes.release((entry,))
        self.health.last_error = f"{rejection.status} {rejection.reason}"
        self._notices.say(
            f"sink {self.name} refused an entry", f"seq {entry[SEQ]}, status {rejection.status}: {rejection.reason}"
        )

    def _failed(self, retry: Retry) -> None:
        self.counters.retries += 1
        self.health.failed(retry.reason, pause=retry.pause)
        if self.health.state is SinkState.FAILED:
            self._notices.say(f"sink {self.name} failed", f"{retry.reason}; trying again, entries wait in its queue")

    async def _wait(self, attempt: int, retry: Retry) -> None:
        seconds = (
            self._backoff.max_seconds
            if retry.pause
            else self._backoff.wait_seconds(attempt, retry.after_seconds, self._uniform)
        )
        try:
            async with asyncio.timeout(seconds):
                await self._last_attempt.wait()
        except TimeoutError:
            return
        # stopping: one attempt at once, then the usual waits until the deadline
        self._last_attempt.clear()

    # ---- flush and stop ---------------------------------------------------------------------------------------

    async def drained(self) -> None:
        """Wait until everything offered so far is settled, and what the sieve has to say of it."""
        self._say_all()
        mark = self.lanes.mark()
        while not self.lanes.passed(mark):
            await self._next_step(self._formed)
        last = self._cut_count + (1 if self._open.entries else 0)
        self._flush_count = max(self._flush_count, last)
        if self.spilling is not None:
            last = await self._through_disk(self.spilling, last)
        while self._finished_count < last:
            await self._next_step(self._finished)

    async def _through_disk(self, spilling: Spilling, last_cut: int) -> int:
        """Wait until what was cut by then has left the disk queue; the number of batches to be finished after that."""
        while self._cut_count < last_cut or (mark := spilling.mark()) is None:
            await self._next_step(self._formed)
        while not spilling.passed(mark):
            await self._next_step(self._formed)
        return self._finished_count + len(self._queued()) + bool(self._writing)

    async def _next_step(self, step: asyncio.Event) -> None:
        step.clear()
        self._wake()
        await step.wait()

    def hurry(self) -> None:
        """The end is near: cut short the wait between attempts, report the open gap, and save first what matters most.

        A sink that keeps up stays in order; one with a backlog of trouble sends its highest lanes first.
        """
        self._last_attempt.set()
        # what a disk queue can keep needs no choice
        self.lanes.highest_first = self.health.state is not SinkState.ACTIVE and self.spilling is None
        self._say_all()
        self._report(self.lanes.take_open_gap())

    async def keep(self, seconds: float, *, close: bool = True) -> None:
        """Bring everything that is left to the disk queue, where there is one; `run` must have ended.

        Cancelled, it can be called again, and goes on where it stopped.

        Args:
            seconds: longest it may take; what has not been written then stays here.
            close: nothing follows in this run; another one may take the queue over.
        """
        if self.spilling is None or self.spilling.closed:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._keep(self.spilling)
                if close:
                    await self.spilling.close()
                    if self.spooled:
                        text = f"{self.spooled} entries wait on disk for the next start"
                        self._notices.say(f"sink {self.name} stopped", text)
        except TimeoutError:
            self._notices.say(f"disk queue of {self.name}", f"could not be written within {seconds:g} s")

    async def _keep(self, spilling: Spilling) -> None:
        self._say_all()
        self._report(self.lanes.take_open_gap())
        await spilling.paused()
        spilling.put_back(self._cut_batches())
        self._forget_cut()
        while await spilling.written(self) and (self._open.entries or self.lanes.entries):
            if self.lanes.entries:
                self._encode(self._open, self.lanes.take(_KEPT_ENTRIES, self.limits.max_bytes))
            spilling.push(self._open)
            self._open = Batch([], [])

    def give_up(self) -> int:
        """Count everything that is left as dropped by the shutdown; returns how many entries that are."""
        self._say_all()
        left = [entry for batch in self._cut_batches() for entry in batch.entries]
        left += self._open.entries
        if self.spilling is not None:
            left += self.spilling.give_up()
        self.lanes.release(left)
        rest = self.lanes.give_up()
        self.lanes.release(rest)
        for level, count in Counter([entry[LEVEL] for entry in left + rest]).items():
            self.ledger.dropped[logging.getLevelName(level), SHUTDOWN] += count
        self._forget_cut()
        self._open = Batch([], [])
        return len(left) + len(rest)

    def _forget_cut(self) -> None:
        self._writing.clear()
        self._queue = asyncio.Queue(QUEUED_BATCHES)

    def _cut_batches(self) -> Iterable[Batch]:
        return (*self._writing, *self._queued())

    def _queued(self) -> Sequence[Batch]:
        # asyncio.Queue keeps its items in this deque; there is no public way to look without taking
        return self._queue._queue  # noqa: SLF001  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue, reportUnknownVariableType]

    def freeze(self) -> None:
        """Begin no further write."""
        self._held = True

    async def hold(self, seconds: float) -> None:
        """Begin no further write and wait until the one under way has ended, at most `seconds`."""
        self._held = True
        try:
            async with asyncio.timeout(seconds):
                while self._in_write:
                    self._written.clear()
                    await self._written.wait()
        except TimeoutError:
            return  # it is cancelled then, and what it brought is sent again

    def take_over(self, other: "Delivery") -> None:
        """Go on for a delivery of the same name that has ended: its entries, accounts and counters are this one's."""
        other._say_all()  # noqa: SLF001
        self.ledger.take_over(other.ledger)
        self.counters = other.counters
        if other.spilling is not None:
            self._take_over_disk(other.spilling)
        entries = [entry for batch in (*other._cut_batches(), other._open) for entry in batch.entries]  # noqa: SLF001
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
        """Forget the loop that was; `run` begins on another one and goes on where it stopped."""
        cut = tuple(self._queued())
        self._queue = asyncio.Queue(QUEUED_BATCHES)
        for batch in cut:
            self._queue.put_nowait(batch)
        self._formed = asyncio.Event()
        self._finished = asyncio.Event()
        self._last_attempt = asyncio.Event()
        self._written = asyncio.Event()
        self._held = False
        self._in_write = False
        if self.spilling is not None:
            self.spilling.rebind()

    # ---- the disk queue's side --------------------------------------------------------------------------------

    def _hand_on(self, batch: Batch, spilling: Spilling) -> None:
        if spilling.engaged or self._queue.full():
            spilling.push(batch)
        else:
            self._queue.put_nowait(batch)
        self._formed.set()

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
    def last_error(self) -> str | None:
        """What is wrong with the disk queue now, else the sink's latest trouble."""
        failing = self.spilling is not None and self.spilling.last_error
        return f"disk queue: {failing}" if failing else self.health.last_error

    @property
    def spooled(self) -> int:
        """Entries on disk and not read back."""
        return 0 if self.spilling is None else self.spilling.entries

    @property
    def in_flight(self) -> int:
        """Entries not settled, counted where they are."""
        spilling = 0 if self.spilling is None else len(self.spilling.waiting())
        return self.lanes.entries + spilling + len(self._open) + sum(len(batch) for batch in self._cut_batches())
