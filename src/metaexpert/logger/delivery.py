"""One sink's worker: it writes the batches, tries again, and brings what is left where it belongs at the end.

Before it, `batching` forms the batches in the dispatcher's slices; behind it, `settlement` keeps the accounts. A batch
stays with the worker until each of its entries is settled; cancelling the worker loses none of them, `give_up` still
counts them all.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Final, final

from metaexpert.logger.batch import Batch, BatchLimits
from metaexpert.logger.batching import Batching
from metaexpert.logger.body_limit import CLOSED_UNDER_IT, BodyLimit, probe_of
from metaexpert.logger.breaker import FAILURES_UNTIL_OPEN, Breaker
from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.dead_letters.dead_letters import DeadLetters
from metaexpert.logger.endpoints import EndpointStats, HasEndpoints, left_alone
from metaexpert.logger.entry import LEVEL, Capture
from metaexpert.logger.journal.custody import Custody
from metaexpert.logger.lanes import Lanes
from metaexpert.logger.ledger import Ledger
from metaexpert.logger.notices import Notices
from metaexpert.logger.outcome import Delivered, Partial, Rejected, Rejection, Retry, check
from metaexpert.logger.retry import Backoff, SinkState
from metaexpert.logger.settlement import DeliveryCounters, Settlement
from metaexpert.logger.sieve import Sieve
from metaexpert.logger.sinks.base import LooksAhead, Sink
from metaexpert.logger.spool.spilling import Spilling
from metaexpert.logger.workload import Workload
from metaexpert.logger.writing import Writing

SHUTDOWN: Final = "shutdown"

LAST_ATTEMPT_SECONDS: Final = 1.0
"""How long a stop waits for a destination that is down, where the disk keeps what it does not take."""


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
        spilling: its disk queue, where it has one.
        probes: whether a destination that failed may be asked with the beginning of a batch; else with the whole of it.
        clock: seconds, never going back.
        dead_letters: what keeps the entries that are refused for good; None to count them only.

    Attributes:
        batching: its way from the lanes to the worker, for the dispatcher.
        health: how the sink is doing.
        breaker: whether its destination is asked as usual, or left alone between probes.
        write_durations: how long writes took, failed ones too.
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
        probes: bool = False,
        clock: Callable[[], float] = time.monotonic,
        dead_letters: DeadLetters | None = None,
    ) -> None:
        self.name = name
        self.sink = sink
        self.lanes = lanes
        self.ledger = ledger
        self.dead_letters = dead_letters
        self._settlement = Settlement(name, lanes, ledger, notices, dead_letters)
        self.health = self._settlement.health
        self.batching = Batching(
            name,
            lanes,
            ledger,
            limits,
            sink,
            refuse=self._settlement.rejected,
            wake=wake,
            sieve=sieve,
            reshape=reshape,
            spilling=spilling,
        )
        if isinstance(sink, LooksAhead):
            sink.look_ahead(lambda: self.batching.queued)
        self.breaker = Breaker(FAILURES_UNTIL_OPEN, clock)
        self._writing = Writing(sink, self.breaker)
        self.write_durations = self._writing.durations
        self._limit = BodyLimit()
        self._reaching = sink if isinstance(sink, HasEndpoints) else None
        self._left = ""
        self._probes = probes
        self._backoff = backoff
        self._notices = notices
        self._wake = wake
        self._custody: Custody | None = None
        self._uniform = uniform
        self._load = Workload()
        self._finished_count = 0
        self._finished = asyncio.Event()
        self._last_attempt = asyncio.Event()
        self._ending = False
        self._gave_way = asyncio.Event()
        self._replaced = asyncio.Event()
        self._successor: Delivery | None = None

    # ---- figures ----------------------------------------------------------------------------------------------

    @property
    def counters(self) -> DeliveryCounters:
        """What the worker did."""
        return self._settlement.counters

    @property
    def spilling(self) -> Spilling | None:
        """The disk queue in use."""
        return self.batching.spilling

    @property
    def last_error(self) -> str | None:
        """What is wrong with the disk queue or with some addresses now, else the sink's latest trouble."""
        failing = self.spilling is not None and self.spilling.last_error
        if failing:
            return f"disk queue: {failing}"
        return left_alone(self.endpoints) or self.health.last_error

    @property
    def endpoints(self) -> tuple[EndpointStats, ...]:
        """How the addresses of its collector are doing."""
        return self._reaching.endpoint_stats if self._reaching is not None else ()

    @property
    def down(self) -> bool:
        """Whether its destination is left alone but for probes: nothing else goes to it now."""
        return not self.breaker.is_closed

    @property
    def spooled(self) -> int:
        """Entries on disk and not read back."""
        return self.batching.spooled

    @property
    def in_flight(self) -> int:
        """Entries not settled, counted where they are."""
        return self.batching.waiting + self._load.entries

    # ---- the worker -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Write batches until cancelled."""
        current_fields.set(PIPELINE)
        with nullcontext() if self.spilling is None else self.spilling.running(self.batching):
            await self._work()

    async def _work(self) -> None:
        while True:
            if self._load.is_done:  # else this task goes on where a cancelled one was
                self._load.begin(await self.batching.next_batch())
                self.batching.moved()
            attempt = 0
            while not self._load.is_done:
                self._shorten()
                retry = await self._guarded_attempt(self._load.head)
                self._end_batches()
                if retry is None:
                    attempt = 0
                    self._let_ahead()
                else:
                    attempt += 1
                    await self._wait(attempt, retry)

    def _end_batches(self) -> None:
        for batch in self._load.ended():
            self._finished_count += 1
            self._finished.set()
            self.batching.done_with(batch)
            if self.spilling is not None:
                self.spilling.settled(batch)
            self._wake()

    def _let_ahead(self) -> None:
        """While a batch is cut again and again, let ERROR and protected entries, later ones too, go before the rest."""
        if self._load.is_slow and not self._load.is_done:
            self._load.let_ahead(self.batching.take_cut())
            self.batching.moved()

    def _shorten(self) -> None:
        """Let what goes next be no more than the destination is known to take, and little of it as a probe."""
        self.breaker.begin_probe()
        batch = self._load.head
        pieces = probe_of(batch) if self._probes and self.down else self._limit.cut(batch)
        if pieces is not None:
            self._load.replace_head(*pieces)

    async def _guarded_attempt(self, batch: Batch) -> Retry | None:
        try:
            return await self._attempt(batch)
        except Exception as error:  # noqa: BLE001 - an answer that makes no sense must not end the worker in silence
            retry = Retry(f"{type(error).__name__} in reading the sink's outcome: {error}")
            self._settlement.failed(retry)
            return retry

    async def _attempt(self, batch: Batch) -> Retry | None:
        """Write once and settle what the answer settles; a Retry when the head of `_load` has to go again."""
        outcome = await self._writing.write(batch)
        self.counters.batches += 1
        self._tell_endpoints()
        check(outcome, len(batch))
        match outcome:
            case Delivered():
                self._load.replace_head()
                self._settlement.delivered(batch, outcome, self.spooled)
                self._limit.passed(batch.size_bytes)
                self._load.answered()
                self._answered()
            case Rejected():
                self._cut(batch, outcome)
                self._load.answered()
                if outcome.status != CLOSED_UNDER_IT:
                    self._answered()
            case Partial():
                return self._settle_partly(batch, outcome)
            case Retry():
                self._settlement.failed(outcome)
                return outcome
        return None

    def _tell_endpoints(self) -> None:
        """Say it when an address is left alone while others do its work."""
        before, self._left = self._left, left_alone(self.endpoints)
        if self._left and self._left != before:
            self._notices.say(f"an address of sink {self.name}", self._left)

    def _settle_partly(self, batch: Batch, outcome: Partial) -> Retry | None:
        again = batch.subset(outcome.retry)
        self._load.replace_head(*([again] if again.entries else []))
        self._settlement.partly(batch, outcome, self.spooled)
        if len(again) + len(outcome.rejected) < len(batch) or not again.entries:
            self._answered()
        if not again.entries:
            return None
        retry = Retry(outcome.reason, outcome.after_seconds, outcome.pause)
        self._settlement.failed(retry)
        return retry

    def _cut(self, batch: Batch, outcome: Rejected) -> None:
        if len(batch) == 1:
            self._load.replace_head()
            rejection = Rejection(0, outcome.status, outcome.reason)
            self._settlement.rejected(batch.entries[0], rejection, batch.parts[0])
            return
        self._limit.refused_with(outcome.status, batch.size_bytes)
        self._load.replace_head(*batch.halves())

    def _answered(self) -> None:
        """The destination does its work again, or still."""
        if self.down:
            self.breaker.succeeded()
            self._settlement.answered(self.spooled)
            self._tell_down()
        else:
            self.breaker.succeeded()

    def _tell_down(self) -> None:
        """The dispatcher and the disk queue look again: what is down gets its entries from disk later."""
        self.batching.down = self.down
        self.batching.moved()

    async def _wait(self, attempt: int, retry: Retry) -> None:
        seconds = (
            self._backoff.max_seconds
            if retry.pause
            else self._backoff.wait_seconds(attempt, retry.after_seconds, self._uniform)
        )
        was_down = self.down
        self.breaker.failed(seconds, pause=retry.pause)
        if self.down and not was_down:
            self._tell_down()
        if self._leaves_rest_to_disk:
            self._gave_way.set()
        try:
            async with asyncio.timeout(seconds):
                await self._last_attempt.wait()
        except TimeoutError:
            return
        # stopping: one attempt at once, then the usual waits until the deadline
        self._last_attempt.clear()

    # ---- flush and stop ---------------------------------------------------------------------------------------

    async def drained(self) -> None:
        """Wait until everything offered so far is settled, and what the sieve has to say of it.

        Where another delivery goes on for this one, it is that one's to settle. At the end nothing is waited for that a
        destination does not take after a last attempt, and the disk queue can.
        """
        settling = asyncio.ensure_future(self._settled())
        waits: list[asyncio.Future[Any]] = [settling]
        waits += [asyncio.ensure_future(event.wait()) for event in (self._gave_way, self._replaced)]
        try:
            await self._first_of(waits)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        if self._successor is not None:
            await self._successor.drained()
        elif not self._gave_way.is_set():
            settling.result()

    async def _first_of(self, waits: Sequence[asyncio.Future[Any]]) -> None:
        while True:
            seconds = LAST_ATTEMPT_SECONDS if self._leaves_rest_to_disk else None
            done, _ = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if done:
                return
            if self._leaves_rest_to_disk:
                self._gave_way.set()

    async def _settled(self) -> None:
        last = await self.batching.flushed()
        if self.spilling is not None:  # what came from disk was cut by an earlier run, or into other batches
            last = self._finished_count + len(self.batching.queued) + len(self._load)
        while self._finished_count < last:
            await self.batching.next_step(self._finished)

    def hurry(self) -> None:
        """The end is near: cut short the wait between attempts, report the open gap, and save first what matters most.

        A sink that keeps up stays in order; one with a backlog of trouble sends its highest lanes first.
        """
        self._ending = True
        if not self._gave_way.is_set():
            self._last_attempt.set()
        # what a disk queue can keep needs no choice
        self.lanes.highest_first = self.health.state is not SinkState.ACTIVE and self.spilling is None
        self.batching.report_rest()

    @property
    def _leaves_rest_to_disk(self) -> bool:
        return self._ending and self.down and self.spilling is not None and not self.spilling.closed

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
        self.batching.report_rest()
        await spilling.paused()
        spilling.put_back((*self._load.pieces, *self.batching.queued))
        self._load.clear()
        self.batching.forget_cut()
        await self.batching.spill_rest(spilling)

    def keep_in(self, custody: Custody) -> None:
        """Tell the journal from now on what becomes of entries."""
        self._custody = self._settlement.custody = self.batching.custody = self.lanes.custody = custody
        if self.dead_letters is not None:
            self.dead_letters.on_unkept = custody.unkept
        if self.spilling is not None:
            self.spilling.custody = custody

    def recover(self, batch: Batch) -> None:
        """Take entries that a former run left in the journal; they go before all others, before the run's worker."""
        if not batch.entries:
            return
        self.ledger.recovered += len(batch)
        self.lanes.hold(batch.entries)
        batch.live = self.spilling is not None  # older ones may follow from the disk: Loki gets them as another stream
        self._finished_count -= 1  # batching never cut it
        self._load.begin_in_pieces(batch, batch.cut(self.batching.limits))

    def refuse_recovered(self, entry: Capture, rejection: Rejection) -> None:
        """Refuse an entry of a former run that cannot be encoded."""
        self.ledger.recovered += 1
        self.lanes.hold((entry,))
        self._settlement.rejected(entry, rejection)

    def give_up(self) -> int:
        """Count what is left, and in no journal, as dropped by the shutdown; returns how many entries that are."""
        left = [entry for batch in self._load.pieces for entry in batch.entries]
        self.lanes.release(left)
        self._load.clear()
        left += self.batching.give_up()
        custody = self._custody
        lost = left if custody is None else [entry for entry in left if not custody.holds(entry)]
        self.ledger.spooled_apart += len(left) - len(lost)  # in the journal, which the next start reads
        for level, count in Counter([entry[LEVEL] for entry in lost]).items():
            self.ledger.dropped[logging.getLevelName(level), SHUTDOWN] += count
        return len(lost)

    def disown(self) -> None:
        """This sink is removed: the journal keeps nothing for it any longer."""
        custody, self._custody = self._custody, None
        if custody is not None:
            custody.disowned()

    def freeze(self) -> None:
        """Begin no further write."""
        self._writing.freeze()

    def thaw(self) -> None:
        """Writes may begin again; a worker that `hold` or `freeze` has stopped has to begin anew."""
        self._writing.thaw()

    async def hold(self, seconds: float) -> None:
        """Begin no further write and wait until the one under way has ended, at most `seconds`."""
        await self._writing.hold(seconds)

    # ---- another one after it, another loop -------------------------------------------------------------------

    def take_over(self, other: "Delivery") -> None:
        """Go on for a delivery of the same name that has ended: its entries, accounts and counters are this one's."""
        self.batching.take_over(other.batching, other._load.pieces)  # noqa: SLF001
        self._settlement.counters = other.counters
        other._successor = self  # noqa: SLF001
        other._replaced.set()  # noqa: SLF001
        if self.dead_letters is not None and other.dead_letters is not None:
            self.dead_letters.take_over(other.dead_letters)

    def rebind(self) -> None:
        """Forget the loop that was; `run` begins on another one and goes on where it stopped."""
        self.batching.rebind()
        self._finished = asyncio.Event()
        self._last_attempt = asyncio.Event()
        self._gave_way = asyncio.Event()
        self._replaced = asyncio.Event()
        self._writing.rebind()
