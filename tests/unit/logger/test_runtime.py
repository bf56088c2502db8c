"""The runtime starts once, takes what came before, loses nothing while it runs, and stops within its deadline."""

import asyncio
import logging
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from support.eventually import eventually
from support.fake_sinks import FakeSink
from support.notices import told
from support.running_logger import logging_to, unbalanced

from metaexpert.exceptions import LoggingStateError
from metaexpert.logger import LoggingRuntime, MemoryOptions, Overflow, QueueOptions, get_logger, log_context
from metaexpert.logger.batch import Batch
from metaexpert.logger.outcome import Delivered, Outcome, Rejected, Retry
from metaexpert.logger.sinks.memory import MemorySink

log = get_logger("unit.runtime")


def memory(runtime: LoggingRuntime, name: str = "memory") -> list[dict[str, Any]]:
    sink = runtime.sinks[name]
    assert isinstance(sink, MemorySink)
    return sink.entries


def messages(runtime: LoggingRuntime, name: str = "memory") -> list[str]:
    return [entry["message"] for entry in memory(runtime, name)]


def small(overflow: Overflow = Overflow.DROP_LOWEST, **more: Any) -> QueueOptions:
    return QueueOptions(max_entries=100, overflow=overflow, **more)


class TestLife:
    async def test_a_second_runtime_is_refused_while_the_first_runs(self):
        async with logging_to(MemoryOptions()) as first:
            with pytest.raises(LoggingStateError, match="already running"):
                await logging_to(MemoryOptions()).start()
            log.info("still here")
            assert await first.flush()
            assert messages(first) == ["still here"]

    async def test_a_runtime_runs_once(self):
        runtime = logging_to(MemoryOptions())
        async with runtime:
            pass
        with pytest.raises(LoggingStateError, match="once"):
            await runtime.start()

    async def test_one_runtime_after_another(self):
        for number in range(3):
            async with logging_to(MemoryOptions()) as runtime:
                log.info("n %d", number)
            assert messages(runtime) == [f"n {number}"]

    async def test_stopping_twice_does_nothing(self):
        async with logging_to(MemoryOptions()) as runtime:
            await runtime.stop()
        await runtime.stop()
        assert runtime.stats().sinks["memory"].state == "stopped"

    async def test_entries_from_before_the_start_arrive_filtered_by_the_level(self):
        log.debug("early debug")
        log.info("early info")
        log.trade.order_cancelled(order_id=1)
        async with logging_to(MemoryOptions(), log_level="INFO") as runtime:
            log.info("later")
            assert await runtime.flush()
            assert messages(runtime) == ["early info", "order_cancelled", "later"]

    async def test_entries_from_after_the_stop_wait_for_the_next_start(self):
        async with logging_to(MemoryOptions()) as first:
            log.info("one")
        log.info("between")
        async with logging_to(MemoryOptions()) as second:
            assert await second.flush()
            assert messages(second) == ["between"]
        assert messages(first) == ["one"]

    async def test_the_root_level_is_given_back(self):
        before = logging.root.level
        async with logging_to(MemoryOptions(), log_level="ERROR"):
            assert logging.root.level == logging.ERROR
        assert logging.root.level == before

    async def test_leaving_by_an_exception_flushes_too(self):
        runtime = logging_to(MemoryOptions())

        async def program() -> None:
            async with runtime:
                log.info("last words")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await program()
        assert messages(runtime) == ["last words", "leaving with an exception"]

    async def test_cancellation_while_stopping_still_flushes_and_goes_on(self, fakes: dict[str, FakeSink]):
        sink = fakes["memory"] = FakeSink()
        sink.may_write.clear()

        async def program() -> None:
            async with logging_to(MemoryOptions()):
                log.info("last words")

        task = asyncio.create_task(program())
        await eventually(lambda: sink.batches)
        task.cancel()
        await asyncio.sleep(0)
        sink.may_write.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sink.stored == ["last words"]
        assert sink.closed

    async def test_no_task_and_no_thread_stays_behind(self):
        tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
        async with logging_to(MemoryOptions()) as runtime:
            log.info("hello")
            assert await runtime.flush()
        assert asyncio.all_tasks() == tasks
        await eventually(lambda: {thread for thread in threading.enumerate() if thread.is_alive()} <= threads)


class TestStop:
    async def test_a_dead_sink_does_not_hold_the_stop_beyond_its_deadline(
        self, fakes: dict[str, FakeSink], capfd: pytest.CaptureFixture[str]
    ):
        dead = fakes["dead"] = FakeSink()
        dead.may_write.clear()
        runtime = logging_to(MemoryOptions(name="dead"), MemoryOptions(), shutdown_timeout=0.3)
        async with runtime:
            for number in range(500):
                log.info("n %d", number)
            log.error("the last")
            started = time.monotonic()
        assert time.monotonic() - started < 2.0
        stats = runtime.stats()
        assert stats.sinks["dead"].ledger.dropped == {("INFO", "shutdown"): 500, ("ERROR", "shutdown"): 1}
        assert stats.sinks["dead"].ledger.in_flight == 0
        assert unbalanced(runtime) == []
        assert stats.sinks["memory"].ledger.delivered == 501
        assert "sink dead stopped: 501 entries could not be delivered in time" in await told(capfd)

    async def test_a_waiting_retry_is_cut_short_for_one_last_attempt(self, fakes: dict[str, FakeSink]):
        outcomes: list[Outcome] = [Retry("later", after_seconds=200.0)]

        async def answer(_: Batch) -> Outcome:
            return outcomes.pop() if outcomes else Delivered()

        sink = fakes["memory"] = FakeSink(answer)
        async with logging_to(MemoryOptions()) as runtime:
            log.error("now")
            await eventually(lambda: runtime.stats().sinks["memory"].retries == 1)
            started = time.monotonic()
        assert time.monotonic() - started < 2.0
        assert sink.stored == ["now"]

    async def test_a_sink_that_fails_to_close_is_told_and_harms_no_other(
        self, fakes: dict[str, FakeSink], capfd: pytest.CaptureFixture[str]
    ):
        class Unclosable(FakeSink):
            async def close(self) -> None:
                raise OSError("disk gone")

        fakes["bad"] = Unclosable()
        good = fakes["good"] = FakeSink()
        async with logging_to(MemoryOptions(name="bad"), MemoryOptions(name="good")):
            log.info("hello")
        assert good.closed
        assert "disk gone" in await told(capfd)

    async def test_a_sink_that_never_closes_is_left_behind(self, fakes: dict[str, FakeSink]):
        class Stuck(FakeSink):
            async def close(self) -> None:
                await asyncio.Event().wait()

        fakes["stuck"] = Stuck()
        started = time.monotonic()
        async with logging_to(MemoryOptions(name="stuck")):
            log.info("hello")
        assert time.monotonic() - started < 4.0


class TestFlush:
    async def test_it_is_true_only_after_the_acknowledgement(self, fakes: dict[str, FakeSink]):
        sink = fakes["memory"] = FakeSink()
        sink.may_write.clear()
        async with logging_to(MemoryOptions()) as runtime:
            log.info("hello")
            flushing = asyncio.create_task(runtime.flush(timeout=10.0))
            await eventually(lambda: sink.batches)
            assert not flushing.done()
            sink.may_write.set()
            assert await flushing
            assert sink.stored == ["hello"]

    async def test_it_is_false_when_the_time_runs_out_and_true_later(self, fakes: dict[str, FakeSink]):
        sink = fakes["memory"] = FakeSink()
        sink.may_write.clear()
        async with logging_to(MemoryOptions()) as runtime:
            log.info("hello")
            assert not await runtime.flush(timeout=0.05)
            sink.may_write.set()
            assert await runtime.flush()

    async def test_it_is_false_when_an_entry_was_refused(self, fakes: dict[str, FakeSink]):
        async def refuse(_: Batch) -> Outcome:
            return Rejected(400, "no")

        fakes["memory"] = FakeSink(refuse)
        async with logging_to(MemoryOptions()) as runtime:
            log.info("hello")
            assert not await runtime.flush()

    async def test_it_is_false_when_entries_were_dropped_on_their_way(self, fakes: dict[str, FakeSink]):
        sink = fakes["memory"] = FakeSink()
        sink.may_write.clear()
        async with logging_to(MemoryOptions(), queue=small()) as runtime:
            for _ in range(150):
                log.info("hello")
            flushing = asyncio.create_task(runtime.flush())
            await eventually(lambda: runtime.stats().sinks["memory"].ledger.dropped)
            sink.may_write.set()
            assert not await flushing

    async def test_it_is_false_when_the_way_in_refused_some_of_what_was_logged(self):
        async with logging_to(MemoryOptions(), queue=small()) as runtime:
            for _ in range(1000):
                log.info("hello")
            assert runtime.stats().ingress.dropped
            assert not await runtime.flush()
            log.info("later")
            assert await runtime.flush()

    async def test_every_sink_has_to_acknowledge(self, fakes: dict[str, FakeSink]):
        slow = fakes["slow"] = FakeSink()
        slow.may_write.clear()
        async with logging_to(MemoryOptions(name="slow"), MemoryOptions()) as runtime:
            log.info("hello")
            assert not await runtime.flush(timeout=0.1)
            assert messages(runtime) == ["hello"]
            slow.may_write.set()

    async def test_without_a_running_pipeline_it_says_whether_anything_is_left(self):
        runtime = logging_to(MemoryOptions())
        assert await runtime.flush()
        async with runtime:
            log.info("hello")
        assert await runtime.flush()


class TestIndependence:
    async def test_a_stalled_sink_delays_no_other(self, fakes: dict[str, FakeSink]):
        stalled = fakes["stalled"] = FakeSink()
        stalled.may_write.clear()
        queue = QueueOptions(max_entries=1000)
        async with logging_to(MemoryOptions(name="stalled", queue=queue), MemoryOptions()) as runtime:
            for number in range(5000):
                log.info("n %d", number)
                if number % 100 == 0:
                    await asyncio.sleep(0)
            await eventually(lambda: len(memory(runtime)) == 5000)
            ledger = runtime.stats().sinks["stalled"].ledger
            assert ledger.dropped_total >= 4000 - 1
            assert unbalanced(runtime) == []
            stalled.may_write.set()

    async def test_a_sink_that_cannot_encode_stops_no_other(self, fakes: dict[str, FakeSink]):
        class Broken(FakeSink):
            def encode(self, entry: Any) -> bytes:
                raise ValueError(f"not encodable: {entry}")

        fakes["broken"] = Broken()
        async with logging_to(MemoryOptions(name="broken"), MemoryOptions()) as runtime:
            for number in range(100):
                log.info("n %d", number)
            await eventually(lambda: len(memory(runtime)) == 100)
            await eventually(lambda: runtime.stats().sinks["broken"].ledger.in_flight == 0)
            assert unbalanced(runtime) == []

    async def test_what_a_sink_logs_is_counted_and_not_queued(self, fakes: dict[str, FakeSink]):
        async def answer(_: Batch) -> Outcome:
            log.error("I log while I write")
            await asyncio.to_thread(log.error, "and in a thread of mine")
            return Delivered()

        sink = fakes["memory"] = FakeSink(answer)
        async with logging_to(MemoryOptions()) as runtime:
            with log_context(strategy=1):
                log.info("hello")
            assert await runtime.flush()
            assert await runtime.flush()
            assert runtime.stats().ingress.self_logged == 2
        assert sink.stored == ["hello"]


class TestOverflow:
    """End to end: a sink with little room is stalled, flooded, let go; ledger and gap entries say the same."""

    async def flooded(
        self, fakes: dict[str, FakeSink], overflow: Overflow, log_one: Callable[[int], object], count: int
    ) -> tuple[LoggingRuntime, FakeSink]:
        sink = fakes["memory"] = FakeSink()
        sink.may_write.clear()
        options = MemoryOptions(queue=small(overflow), batch_max_entries=10)
        async with logging_to(options, MemoryOptions(name="all"), shutdown_timeout=5.0) as runtime:
            for number in range(count):
                log_one(number)
                if number % 10 == 0:
                    await asyncio.sleep(0)
            await eventually(lambda: runtime.stats().sinks["memory"].ledger.routed >= count)
            sink.may_write.set()
            await eventually(lambda: runtime.stats().sinks["memory"].ledger.in_flight == 0)
        return runtime, sink

    @staticmethod
    def explained(runtime: LoggingRuntime, sink: FakeSink, count: int) -> Counter[str]:
        ledger = runtime.stats().sinks["memory"].ledger
        assert ledger.balanced
        assert ledger.routed == count + ledger.gaps
        assert ledger.delivered == len(sink.stored)
        assert {reason for _, reason in ledger.dropped} == {"queue full"}
        told = [message for message in sink.stored if message.startswith("dropped ")]
        assert len(told) == ledger.gaps >= 1
        assert sum(int(message.split()[1].replace(",", "")) for message in told) == ledger.dropped_total
        assert ledger.delivered + ledger.dropped_total == ledger.routed
        return Counter({level: count for (level, _), count in ledger.dropped.items()})

    async def test_drop_lowest_sheds_debug_then_info_and_keeps_errors_and_trades(self, fakes: dict[str, FakeSink]):
        def log_one(number: int) -> object:
            if number % 20 == 0:
                return log.trade.order_cancelled(order_id=number)
            if number % 20 == 10:
                return log.error("error %d", number)
            return log.log(logging.INFO if number % 2 else logging.DEBUG, "n %d", number)

        runtime, sink = await self.flooded(fakes, Overflow.DROP_LOWEST, log_one, 400)
        dropped = self.explained(runtime, sink, 400)
        assert set(dropped) <= {"DEBUG", "INFO"}
        assert dropped["DEBUG"] >= 100
        assert sum(message.startswith("error") for message in sink.stored) == 20
        assert sink.stored.count("order_cancelled") == 20

    async def test_drop_oldest_keeps_the_newest(self, fakes: dict[str, FakeSink]):
        runtime, sink = await self.flooded(fakes, Overflow.DROP_OLDEST, lambda number: log.info("n %d", number), 500)
        self.explained(runtime, sink, 500)
        kept = [int(message[2:]) for message in sink.stored if message.startswith("n ")]
        assert kept == sorted(kept)
        # what was cut for writing before the flood stays; of the rest the last ones are kept
        assert kept[-50:] == list(range(450, 500))

    async def test_drop_newest_keeps_the_oldest(self, fakes: dict[str, FakeSink]):
        runtime, sink = await self.flooded(fakes, Overflow.DROP_NEWEST, lambda number: log.info("n %d", number), 500)
        self.explained(runtime, sink, 500)
        kept = [int(message[2:]) for message in sink.stored if message.startswith("n ")]
        assert kept[:100] == list(range(100))

    async def test_block_on_the_loops_own_thread_sheds_as_drop_lowest_and_never_waits(self, fakes: dict[str, FakeSink]):
        started = time.monotonic()
        runtime, sink = await self.flooded(fakes, Overflow.BLOCK, lambda number: log.info("n %d", number), 500)
        assert time.monotonic() - started < 5.0
        self.explained(runtime, sink, 500)

    async def test_the_other_sink_has_everything(self, fakes: dict[str, FakeSink]):
        runtime, _ = await self.flooded(fakes, Overflow.DROP_OLDEST, lambda number: log.info("n %d", number), 300)
        assert messages(runtime, "all") == [f"n {number}" for number in range(300)]


class TestBlock:
    async def test_threads_wait_for_a_slow_sink_and_lose_nothing(self, fakes: dict[str, FakeSink]):
        async def slow(_: Batch) -> Outcome:
            await asyncio.sleep(0.001)
            return Delivered()

        sink = fakes["memory"] = FakeSink(slow)
        queue = QueueOptions(max_entries=400, overflow=Overflow.BLOCK, block_timeout=30.0)

        def work(thread: int) -> None:
            for number in range(500):
                log.info("%d %d", thread, number)

        async with logging_to(MemoryOptions(batch_max_entries=50), queue=queue, shutdown_timeout=20.0) as runtime:
            await asyncio.gather(*(asyncio.to_thread(work, thread) for thread in range(4)))
            await runtime.flush(timeout=20.0)
            stats = runtime.stats()
        assert (stats.ingress.dropped, stats.sinks["memory"].ledger.dropped) == ({}, {})
        assert sorted(sink.stored) == sorted(f"{thread} {number}" for thread in range(4) for number in range(500))

    async def test_a_thread_waits_no_longer_than_the_block_timeout(self, fakes: dict[str, FakeSink]):
        sink = fakes["memory"] = FakeSink()
        sink.may_write.clear()
        queue = QueueOptions(max_entries=20, overflow=Overflow.BLOCK, block_timeout=0.05)
        async with logging_to(MemoryOptions(), queue=queue, shutdown_timeout=0.2) as runtime:
            for _ in range(20):
                log.info("fill")
            await eventually(lambda: runtime.stats().dispatcher.entries == 20)
            started = time.monotonic()
            await asyncio.to_thread(log.info, "patient")
            took = time.monotonic() - started
            sink.may_write.set()
        assert 0.045 <= took < 2.0

    async def test_wait_ready_paces_a_coroutine_so_that_nothing_is_dropped(self, fakes: dict[str, FakeSink]):
        async def slow(_: Batch) -> Outcome:
            await asyncio.sleep(0.001)
            return Delivered()

        sink = fakes["memory"] = FakeSink(slow)
        queue = QueueOptions(max_entries=1000, overflow=Overflow.BLOCK)
        async with logging_to(MemoryOptions(batch_max_entries=100), queue=queue, shutdown_timeout=20.0) as runtime:
            for number in range(5000):
                log.info("%d", number)
                if number % 50 == 0:
                    await asyncio.wait_for(runtime.wait_ready(), 10.0)
            await runtime.flush(timeout=20.0)
            stats = runtime.stats()
        assert (stats.ingress.dropped, stats.sinks["memory"].ledger.dropped) == ({}, {})
        assert [int(message) for message in sink.stored] == list(range(5000))

    async def test_wait_ready_returns_at_once_when_nothing_runs(self):
        runtime = logging_to(MemoryOptions())
        await asyncio.wait_for(runtime.wait_ready(), 1.0)


class TestConcurrency:
    async def test_threads_and_tasks_lose_nothing_and_keep_their_order(self):
        """8 threads and 1 000 tasks at once."""
        in_thread, in_task = 1000, 10

        def thread(name: str) -> None:
            for number in range(in_thread):
                log.info("%s %d", name, number)

        async def task(name: str) -> None:
            for number in range(in_task):
                log.info("%s %d", name, number)
                await asyncio.sleep(0)

        async with logging_to(MemoryOptions(max_entries=100_000), shutdown_timeout=20.0) as runtime:
            await asyncio.gather(
                *(asyncio.to_thread(thread, f"thread{number}") for number in range(8)),
                *(task(f"task{number}") for number in range(1000)),
            )
            assert await runtime.flush(timeout=20.0)
            entries = memory(runtime)
            stats = runtime.stats()
        assert len(entries) == 8 * in_thread + 1000 * in_task
        assert len({entry["id"] for entry in entries}) == len(entries)
        assert stats.ingress.dropped == {}
        by_source: dict[str, list[int]] = defaultdict(list)
        for entry in entries:
            source, number = entry["message"].split()
            by_source[source].append(int(number))
        assert len(by_source) == 1008
        for source, numbers in by_source.items():
            assert numbers == list(range(in_thread if source.startswith("thread") else in_task)), source

    async def test_statistics_are_balanced_at_any_moment(self):
        async with logging_to(MemoryOptions(), queue=small()) as runtime:
            for number in range(2000):
                log.log(10 * (1 + number % 5), "n %d", number)
                if number % 7 == 0:
                    await asyncio.sleep(0)
                    assert unbalanced(runtime) == []
        assert unbalanced(runtime) == []


class TestWaits:
    async def test_stats_say_that_the_loop_was_blocked(self):
        async with logging_to(MemoryOptions()) as runtime:
            log.info("quick")
            assert await runtime.flush()
            before = runtime.stats().dispatcher
            log.info("waits")
            time.sleep(0.3)  # noqa: ASYNC251 - as careless code does
            assert await runtime.flush()
            after = runtime.stats().dispatcher
        assert after.wait_max_seconds >= 0.3 > before.wait_max_seconds
        assert after.long_waits == before.long_waits + 1

    async def test_what_was_logged_before_the_start_has_not_waited_for_the_loop(self):
        log.info("early")
        time.sleep(0.2)  # noqa: ASYNC251 - likewise
        async with logging_to(MemoryOptions()) as runtime:
            assert await runtime.flush()
            assert runtime.stats().dispatcher.long_waits == 0
        assert messages(runtime) == ["early"]
