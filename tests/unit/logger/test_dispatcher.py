"""The dispatcher moves entries in order and in slices, wakes for urgent ones, and keeps its promises on flush."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from support.eventually import eventually
from support.fake_sinks import FakeSink, capture

from metaexpert.logger import dispatcher
from metaexpert.logger.batch import BatchLimits
from metaexpert.logger.delivery import Delivery
from metaexpert.logger.dispatcher import Dispatcher
from metaexpert.logger.entry import Capture
from metaexpert.logger.filters import Admission
from metaexpert.logger.ingress import Ingress
from metaexpert.logger.jobs import Jobs
from metaexpert.logger.lanes import Lanes
from metaexpert.logger.ledger import Ledger
from metaexpert.logger.notices import Notices
from metaexpert.logger.retry import Backoff

EVERYTHING = Admission()


class Running:
    """A dispatcher with fake sinks, its task and theirs."""

    def __init__(
        self,
        *sinks: FakeSink,
        admission: Admission = EVERYTHING,
        max_age: float = 0.0,
        slice_seconds: float = 0.0001,
        linger_seconds: float = 0.002,
        room: int = 100_000,
    ) -> None:
        self.ingress = Ingress(room, 100_000_000)
        self.jobs = Jobs()
        self.deliveries = [self._delivery(f"fake{at}", sink, max_age) for at, sink in enumerate(sinks)]
        self.dispatcher = Dispatcher(
            self.ingress,
            [(delivery.batching, admission) for delivery in self.deliveries],
            self.jobs,
            Notices(),
            slice_seconds=slice_seconds,
            linger_seconds=linger_seconds,
        )

    def _delivery(self, name: str, sink: FakeSink, max_age: float) -> Delivery:
        ledger = Ledger()
        return Delivery(
            name,
            sink,
            Lanes(ledger, max_entries=100_000, max_bytes=100_000_000),
            ledger,
            BatchLimits(max_entries=1000, max_bytes=1_000_000, max_age_seconds=max_age),
            backoff=Backoff(0.001, 0.002),
            notices=Notices(),
            wake=self._wake,
        )

    def _wake(self) -> None:
        self.dispatcher.wake()

    def log(self, *seqs: int, level: int = logging.INFO, log_type: str = "general", logger: str = "made") -> None:
        """Entries as log calls would put them."""
        for seq in seqs:
            self.ingress.put(capture(seq, level, log_type, logger=logger))

    async def flushed(self) -> None:
        async with asyncio.timeout(10.0):
            await self.dispatcher.taken()
            for delivery in self.deliveries:
                await delivery.drained()


@asynccontextmanager
async def running(
    *sinks: FakeSink,
    admission: Admission = EVERYTHING,
    max_age: float = 0.0,
    slice_seconds: float = 0.0001,
    linger_seconds: float = 0.002,
    room: int = 100_000,
) -> AsyncGenerator[Running]:
    under_test = Running(
        *sinks,
        admission=admission,
        max_age=max_age,
        slice_seconds=slice_seconds,
        linger_seconds=linger_seconds,
        room=room,
    )
    under_test.ingress.attach(asyncio.get_running_loop(), under_test.dispatcher.wake)
    runs = [under_test.dispatcher.run(), *(delivery.run() for delivery in under_test.deliveries)]
    tasks = [asyncio.create_task(run) for run in runs]
    try:
        yield under_test
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        under_test.ingress.detach()


def numbered(sink: FakeSink) -> list[int]:
    return [int(message[1:]) for message in sink.stored]


class TestRouting:
    async def test_each_sink_gets_every_entry_in_order_whatever_the_levels(self):
        first, second = FakeSink(), FakeSink()
        async with running(first, second) as under_test:
            for seq in range(1, 2001):
                under_test.log(seq, level=10 * (1 + seq % 3))
                if seq % 500 == 0:
                    await asyncio.sleep(0)
            await under_test.flushed()
        assert numbered(first) == numbered(second) == list(range(1, 2001))

    async def test_a_filter_by_logger_decides_for_each_logger_and_order_stays(self):
        sink = FakeSink()
        async with running(sink, admission=Admission(exclude=("noisy",))) as under_test:
            for seq in range(1, 1001):
                under_test.log(seq, level=10 * (1 + seq % 3), logger=("noisy.x", "app", "noisyx")[seq % 3])
            await under_test.flushed()
            (delivery,) = under_test.deliveries
        kept = [seq for seq in range(1, 1001) if seq % 3]
        assert numbered(sink) == kept
        assert (delivery.ledger.routed, delivery.ledger.filtered) == (len(kept), 1000 - len(kept))

    async def test_loggers_without_end_leave_no_table_without_end(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(dispatcher, "_MAX_ROUTES", 10)
        sink = FakeSink()
        async with running(sink, admission=Admission(include=("app",))) as under_test:
            for seq in range(1, 501):
                under_test.log(seq, logger=f"app.{seq}" if seq % 2 else f"other.{seq}")
            await under_test.flushed()
            assert len(under_test.dispatcher._routes) <= 10
            assert len(under_test.dispatcher._ways) == 2
        assert numbered(sink) == list(range(1, 501, 2))

    async def test_where_no_filter_asks_for_the_logger_no_route_knows_one(self):
        sink = FakeSink()
        async with running(sink) as under_test:
            for seq in range(1, 101):
                under_test.log(seq, logger=f"app.{seq}")
            await under_test.flushed()
            assert len(under_test.dispatcher._routes) == 1
        assert len(sink.stored) == 100

    async def test_other_sinks_bring_other_routes(self):
        sink = FakeSink()
        async with running(sink) as under_test:
            under_test.log(1, logger="app")
            await under_test.flushed()
            (delivery,) = under_test.deliveries
            under_test.dispatcher.set_sinks([(delivery.batching, Admission(exclude=("app",)))])
            under_test.log(2, logger="app")
            under_test.log(3, logger="other")
            await under_test.flushed()
        assert numbered(sink) == [1, 3]
        assert delivery.ledger.filtered == 1

    async def test_what_a_filter_keeps_out_is_counted_beside_the_identity(self):
        sink = FakeSink()
        async with running(sink, admission=Admission(logging.WARNING)) as under_test:
            under_test.log(1, 2, 3)
            under_test.log(4, level=logging.WARNING)
            under_test.log(5, level=logging.ERROR)
            await under_test.flushed()
            ledger = under_test.deliveries[0].ledger
        assert numbered(sink) == [4, 5]
        assert (ledger.routed, ledger.filtered) == (2, 3)

    async def test_a_loss_at_the_way_in_is_reported_to_every_sink(self):
        first, second = FakeSink(), FakeSink()
        async with running(first, second, room=1000) as under_test:
            # two and a half times its room, before the dispatcher had a turn
            under_test.log(*range(1, 2501))
            dropped = under_test.ingress.dropped
            lost = dropped.total()
            assert lost >= 1500
            assert dropped == {(logging.INFO, "ingress full"): lost}
            await under_test.flushed()
            assert [delivery.ledger.gaps for delivery in under_test.deliveries] == [1, 1]
        for sink in (first, second):
            (told,) = [message for message in sink.stored if message.startswith("dropped ")]
            assert told.startswith(f"dropped {lost:,} entries: {lost:,} INFO, within seq ")
            assert len(sink.stored) == 2500 - lost + 1


class TestPace:
    async def test_one_entry_alone_arrives_without_another(self):
        sink = FakeSink()
        async with running(sink) as under_test:
            await asyncio.sleep(0)
            under_test.log(1)
            await eventually(lambda: sink.stored == ["m1"])

    async def test_entries_from_another_thread_wake_a_resting_dispatcher(self):
        sink = FakeSink()
        async with running(sink) as under_test:
            for seq in range(1, 6):
                await asyncio.to_thread(under_test.log, seq)
                await eventually(lambda seq=seq: len(sink.stored) == seq)

    async def test_an_urgent_entry_ends_the_linger(self):
        """After some work the dispatcher lingers; an error must not wait for that, as an ordinary entry does."""
        sink = FakeSink()
        async with running(sink, linger_seconds=30.0, max_age=60.0) as under_test:
            await asyncio.sleep(0)
            under_test.log(1)
            await eventually(lambda: under_test.dispatcher.counters.entries == 1)
            under_test.log(2)
            for _ in range(20):
                await asyncio.sleep(0)
            assert under_test.dispatcher.counters.entries == 1
            under_test.log(3, level=logging.ERROR)
            under_test.ingress.hurry()
            await eventually(lambda: sink.batches == [["m1", "m2", "m3"]], seconds=5.0)

    async def test_others_get_their_turn_while_a_backlog_is_worked_off(self):
        """In slices: no 64 entries are formed in one go when forming takes longer than the slice."""

        class Slow(FakeSink):
            def encode(self, entry: Capture) -> bytes:
                until = time.perf_counter() + 0.0002
                while time.perf_counter() < until:
                    pass
                return super().encode(entry)

        sink = Slow()
        turns: list[int] = []
        async with running(sink, slice_seconds=0.0001) as under_test:
            under_test.log(*range(1, 1001))

            async def beat() -> None:
                while True:
                    turns.append(under_test.dispatcher.counters.entries)
                    await asyncio.sleep(0)

            beating = asyncio.create_task(beat())
            await under_test.flushed()
            beating.cancel()
        assert numbered(sink) == list(range(1, 1001))
        # a slice ends at the first look at the clock after 0.1 ms: one step, at most 64 entries
        assert len(set(turns)) >= 1000 / 64

    async def test_the_average_slice_is_near_its_limit_for_ordinary_entries(self):
        sink = FakeSink()
        async with running(sink, slice_seconds=0.0001) as under_test:
            under_test.log(*range(1, 20_001))
            await under_test.flushed()
            counters = under_test.dispatcher.counters
        assert counters.entries == 20_000
        assert counters.busy_seconds / counters.slices < 0.001

    async def test_a_pending_job_gets_the_interpreter_while_a_backlog_is_worked_off(self):
        """Polling the loop would keep the GIL from the job's thread for as long as the backlog lasts."""
        sink = FakeSink()
        async with running(sink) as under_test:
            loop = asyncio.get_running_loop()
            under_test.log(*range(1, 30_001))
            with under_test.jobs.running():
                await asyncio.wait_for(loop.run_in_executor(None, sum, range(1000)), 5.0)
                assert under_test.dispatcher.counters.entries < 30_000
            await under_test.flushed()
        assert len(sink.stored) == 30_000


class TestFlush:
    async def test_it_waits_for_entries_that_threads_put_out_of_their_order(self):
        """Two threads may take numbers 1 and 2 and enter as 2 and 1; both count as logged so far."""
        sink = FakeSink()
        sink.may_write.clear()
        async with running(sink, max_age=30.0) as under_test:
            under_test.log(2, 1)
            await under_test.dispatcher.taken()
            drained = asyncio.create_task(under_test.deliveries[0].drained())
            await eventually(lambda: sink.batches)
            assert not drained.done()
            assert sorted(message for batch in sink.batches for message in batch) == ["m1", "m2"]
            sink.may_write.set()
            await asyncio.wait_for(drained, 5.0)
        assert sorted(sink.stored) == ["m1", "m2"]

    async def test_it_ends_the_wait_for_company(self):
        sink = FakeSink()
        async with running(sink, max_age=60.0) as under_test:
            under_test.log(1, 2, 3)
            await under_test.flushed()
        assert sink.batches == [["m1", "m2", "m3"]]

    async def test_what_is_logged_later_is_not_waited_for(self):
        sink = FakeSink()
        async with running(sink, max_age=60.0) as under_test:
            under_test.log(1)
            await under_test.flushed()
            under_test.log(2)
            await under_test.dispatcher.taken()
            assert sink.stored == ["m1"]

    async def test_several_at_once_all_end(self):
        sink = FakeSink()
        async with running(sink, max_age=60.0) as under_test:
            flushes: list[asyncio.Task[None]] = []
            for seq in range(1, 30):
                under_test.log(seq)
                flushes.append(asyncio.create_task(under_test.flushed()))
                await asyncio.sleep(0)
            await asyncio.gather(*flushes)
        assert numbered(sink) == list(range(1, 30))
