"""Where logging starts and stops, whoever logs or cancels meanwhile: entries arrive in order or are counted."""

import asyncio
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from support.eventually import eventually
from support.fake_sinks import FakeSink
from support.notices import told
from support.running_logger import logging_to, sink_stats, unbalanced

from metaexpert.logger import (
    DispatcherOptions,
    FileOptions,
    LoggerConfig,
    LoggingRuntime,
    MemoryOptions,
    Overflow,
    QueueOptions,
    get_logger,
    setup_logging,
)
from metaexpert.logger.ingress import Ingress
from metaexpert.logger.port import Port, port
from metaexpert.logger.sinks.memory import MemorySink
from metaexpert.logger.values import ValueEncoder

log = get_logger("unit.ends")

SECONDS = 20.0


def ingress_of(runtime: LoggingRuntime) -> Ingress:
    """The way into a runtime that runs."""
    assert runtime._pipeline is not None
    return runtime._pipeline.ingress


def messages(runtime: LoggingRuntime) -> list[str]:
    sink = runtime.sinks["memory"]
    assert isinstance(sink, MemorySink)
    return [entry["message"] for entry in sink.entries]


def stalled(fakes: dict[str, FakeSink]) -> FakeSink:
    """A sink in the memory sink's place that does not write until `may_write` is set."""
    sink = fakes["memory"] = FakeSink()
    sink.may_write.clear()
    return sink


class TestStart:
    @pytest.fixture
    def thread(self) -> Iterator[ThreadPoolExecutor]:
        """One thread for all that is submitted."""
        with ThreadPoolExecutor(1) as executor:
            yield executor

    async def test_what_a_thread_logs_as_calls_are_connected_comes_after_what_it_logged_before(
        self, thread: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
    ):
        def work(first: int) -> None:
            for number in range(first, first + 200):
                log.info("%d", number)

        real = Port.connect

        def connect(
            self: Port, ingress: Ingress, encoder: ValueEncoder, loop: asyncio.AbstractEventLoop | None, **ways: Any
        ) -> None:
            real(self, ingress, encoder, loop, **ways)
            if loop is not None:
                thread.submit(work, 200).result(SECONDS)

        thread.submit(work, 0).result(SECONDS)
        monkeypatch.setattr(Port, "connect", connect)
        async with logging_to(MemoryOptions()) as runtime:
            assert await runtime.flush()
        assert messages(runtime) == [str(number) for number in range(400)]

    async def test_an_entry_on_its_way_into_the_old_ingress_is_passed_on(self):
        """As of a thread that asked for its ingress just before calls were connected to the new one."""
        put_before = port.put
        log.info("template")
        (template,) = port.ingress.take(1)
        async with logging_to(MemoryOptions()) as runtime:
            put_before(template)
            assert await runtime.flush()
        assert messages(runtime) == ["template"]


class TestCancelledInBulk:
    async def test_after_every_task_was_cancelled_the_stop_still_delivers_everything(self, fakes: dict[str, FakeSink]):
        """A batch is being written, others wait in the queue, the lanes and ingress, and no task of ours lives."""
        sink = stalled(fakes)
        async with logging_to(MemoryOptions(batch_max_entries=10), shutdown_timeout=SECONDS) as runtime:
            for number in range(100):
                log.info("%d", number)
            await eventually(lambda: sink.batches)
            me = asyncio.current_task()
            tasks = [task for task in asyncio.all_tasks() if task is not me]
            assert len(tasks) >= 2
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            log.info("100")
            sink.may_write.set()
            started = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - started < SECONDS / 2
        assert sink.stored == [str(number) for number in range(101)]
        assert unbalanced(runtime) == []
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def test_the_end_of_run_in_another_task_than_the_first(self):
        """As `asyncio.run` ends: all tasks are cancelled at once, the one that runs logging among them."""
        begun = asyncio.Event()
        runtime = logging_to(MemoryOptions(), shutdown_timeout=SECONDS)

        async def service() -> None:
            async with runtime:
                begun.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    log.error("last words")

        serving = asyncio.create_task(service())
        await begun.wait()
        for number in range(500):
            log.info("%d", number)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        started = asyncio.get_running_loop().time()
        for task in others:
            task.cancel()
        await asyncio.wait([serving])
        assert serving.cancelled()
        assert asyncio.get_running_loop().time() - started < SECONDS / 2
        # in two lanes, which keep their order each
        assert sorted(messages(runtime)) == sorted([*map(str, range(500)), "last words"])
        assert (sink_stats(runtime).ledger.dropped, runtime.stats().ingress.dropped) == ({}, {})

    @pytest.mark.parametrize("cancels", [1, 3, 7])
    async def test_however_often_the_stop_is_cancelled_it_goes_on(self, fakes: dict[str, FakeSink], cancels: int):
        sink = stalled(fakes)
        before = asyncio.all_tasks()

        async def program() -> None:
            async with logging_to(MemoryOptions(), shutdown_timeout=SECONDS):
                log.info("last words")

        task = asyncio.create_task(program())
        await eventually(lambda: sink.batches)
        for _ in range(cancels):
            task.cancel()
            for _ in range(3):
                await asyncio.sleep(0)
        assert not task.done()
        sink.may_write.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sink.stored == ["last words"]
        assert sink.closed
        assert asyncio.all_tasks() == before

    async def test_the_deadline_still_bounds_a_stop_that_is_cancelled_again_and_again(self, fakes: dict[str, FakeSink]):
        sink = stalled(fakes)
        runtime = logging_to(MemoryOptions(), shutdown_timeout=0.1)

        async def program() -> None:
            async with runtime:
                log.info("last words")

        task = asyncio.create_task(program())
        await eventually(lambda: sink.batches)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, SECONDS)
        stats = sink_stats(runtime)
        assert (stats.state, stats.ledger.in_flight) == ("stopped", 0)
        assert stats.ledger.dropped == {("INFO", "shutdown"): 1}


class TestLeftAtTheDeadline:
    async def test_what_the_dispatcher_did_not_come_to_is_counted_and_said(self, capfd: pytest.CaptureFixture[str]):
        pace = DispatcherOptions(slice=0.00002)
        runtime = logging_to(MemoryOptions(), shutdown_timeout=0.0, dispatcher=pace)
        async with runtime:
            for number in range(20_000):
                log.info("%d", number)
            log.error("the last")
        stats = runtime.stats()
        ledger = stats.sinks["memory"].ledger
        assert ledger.balanced
        assert stats.ingress.accepted == 20_001
        left = sum(stats.ingress.dropped.values())
        assert stats.ingress.dropped["ERROR", "shutdown"] == 1
        assert stats.ingress.dropped["INFO", "shutdown"] == left - 1 > 0
        assert ledger.routed + left == 20_001
        assert stats.ingress.queued_entries == port.ingress.queued_entries == 0
        assert f"logging stopped: {left} entries could not be routed to any sink in time" in await told(capfd)

    async def test_threads_at_the_gate_are_let_go_and_their_entries_wait_for_the_next_start(
        self, fakes: dict[str, FakeSink]
    ):
        stalled(fakes)
        queue = QueueOptions(max_entries=20, overflow=Overflow.BLOCK, block_timeout=60.0)
        first = logging_to(MemoryOptions(), queue=queue, shutdown_timeout=0.1)
        names = [f"thread {number}" for number in range(5)]
        threads = [threading.Thread(target=log.info, args=(name,)) for name in names]
        async with first:
            for _ in range(20):
                log.info("fill")
            await eventually(lambda: first.stats().dispatcher.entries == 20)
            for thread in threads:
                thread.start()
            await eventually(lambda: ingress_of(first)._gate_waiters == len(threads))
        await eventually(lambda: not any(thread.is_alive() for thread in threads))
        stats = first.stats()
        assert (stats.ingress.queued_entries, stats.ingress.dropped) == (0, {})
        assert stats.sinks["memory"].ledger.dropped == {("INFO", "shutdown"): 20}
        del fakes["memory"]
        async with logging_to(MemoryOptions()) as second:
            assert await second.flush()
        assert sorted(messages(second)) == names

    async def test_whoever_waits_for_room_goes_on(self, fakes: dict[str, FakeSink]):
        stalled(fakes)
        runtime = logging_to(MemoryOptions(), queue=QueueOptions(max_entries=20), shutdown_timeout=0.05)
        async with runtime:
            for _ in range(20):
                log.info("fill")
            await eventually(lambda: runtime.stats().dispatcher.entries == 20)
            waiting = asyncio.create_task(runtime.wait_ready())
            await asyncio.sleep(0)
            assert not waiting.done()
        await asyncio.wait_for(waiting, SECONDS)
        await asyncio.wait_for(runtime.wait_ready(), SECONDS)


class TestFlushBesideARunningPipeline:
    async def test_after_the_stop_it_is_false_when_entries_were_given_up(self, fakes: dict[str, FakeSink]):
        stalled(fakes)
        async with logging_to(MemoryOptions(), shutdown_timeout=0.05) as runtime:
            log.info("hello")
        assert sink_stats(runtime).ledger.dropped == {("INFO", "shutdown"): 1}
        assert not await runtime.flush()

    async def test_before_the_start_it_is_false_while_entries_wait_for_it(self):
        runtime = logging_to(MemoryOptions())
        log.info("early")
        assert not await runtime.flush()
        async with runtime:
            assert await runtime.flush()


async def test_statistics_can_be_taken_while_threads_are_refused(monkeypatch: pytest.MonkeyPatch):
    """A thread's first refused entry of another level adds to the counts just as they are being copied."""
    real = logging.getLevelName

    def named(level: Any) -> Any:
        thread = threading.Thread(target=log.log, args=(levels.pop(), "refused")) if levels else None
        if thread is not None:
            thread.start()
            thread.join(SECONDS)
        return real(level)

    levels: list[int] = []
    async with logging_to(MemoryOptions(), queue=QueueOptions(max_entries=16)) as runtime:
        for _ in range(200):
            log.error("fill")
        log.info("refused")
        assert set(runtime.stats().ingress.dropped) == {("ERROR", "ingress full"), ("INFO", "ingress full")}
        levels += [logging.WARNING, logging.DEBUG]
        monkeypatch.setattr(logging, "getLevelName", named)
        refused = runtime.stats().ingress.dropped
        assert levels == []
        monkeypatch.undo()
        assert {level for level, _ in refused} == {"ERROR", "INFO"}
        assert {level for level, _ in runtime.stats().ingress.dropped} == {"ERROR", "INFO", "WARNING", "DEBUG"}


FORKING = """
import asyncio, os, sys
from pathlib import Path
from metaexpert.logger import FileOptions, LoggerConfig, get_logger, setup_logging

log = get_logger("forked")

def config(name):
    return LoggerConfig(log_dir=sys.argv[1], log_to_console=False, log_to_file=False,
                        sinks=[FileOptions(path=Path(name))])

async def child():
    log.info("before its start")
    async with setup_logging(config("child.log")) as runtime:
        log.info("in the child")
        assert await runtime.flush()

async def main():
    async with setup_logging(config("parent.log")) as runtime:
        log.info("waits in the parent")
        if (pid := os.fork()) == 0:
            try:
                asyncio.run(child())
            finally:
                os._exit(sys.exc_info()[0] is not None)
        status = os.waitstatus_to_exitcode((await asyncio.to_thread(os.waitpid, pid, 0))[1])
        log.info("the child ended with %d", status)

asyncio.run(main())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_begins_unconnected_and_may_log_for_itself(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = {
        path.name: [orjson.loads(line)["message"] for line in path.read_bytes().splitlines()]
        for path in tmp_path.iterdir()
        if path.is_symlink()
    }
    assert found == {
        "parent.log": ["waits in the parent", "the child ended with 0"],
        "child.log": ["before its start", "in the child"],
    }


class TestASinksOwnQueue:
    async def test_its_block_timeout_is_honoured(self, fakes: dict[str, FakeSink]):
        """The configuration's own would let nobody wait."""
        sink = stalled(fakes)
        own = QueueOptions(max_entries=20, overflow=Overflow.BLOCK, block_timeout=60.0)
        ours = QueueOptions(overflow=Overflow.BLOCK, block_timeout=0.0)
        async with logging_to(MemoryOptions(queue=own), queue=ours, shutdown_timeout=SECONDS) as runtime:
            for _ in range(20):
                log.info("fill")
            await eventually(lambda: runtime.stats().dispatcher.entries == 20)
            thread = threading.Thread(target=log.info, args=("patient",))
            thread.start()
            await eventually(lambda: ingress_of(runtime)._gate_waiters == 1)
            sink.may_write.set()
            await eventually(lambda: not thread.is_alive())
            assert await runtime.flush()
        assert sink.stored == ["fill"] * 20 + ["patient"]

    async def test_the_way_in_has_room_for_the_largest(self, tmp_path: Path):
        sinks = [MemoryOptions(queue=QueueOptions(max_entries=5000)), FileOptions(path=tmp_path / "expert.log")]
        async with logging_to(*sinks, queue=QueueOptions(max_entries=100)) as runtime:
            for number in range(5000):
                log.info("%d", number)
            assert runtime.stats().ingress.dropped == {}
            await eventually(lambda: runtime.stats().sinks["memory"].ledger.delivered == 5000)


class TestWhatAStopTells:
    async def test_the_stream_itself_says_what_the_stop_had_to_shed(self):
        config = LoggerConfig(
            log_to_console=False, log_to_file=False, queue=QueueOptions(max_entries=100), sinks=(MemoryOptions(),)
        )
        log = get_logger("unit.shed")
        async with setup_logging(config) as runtime:
            for _ in range(150):
                log.info("hello")
        memory = cast("MemorySink", runtime.sinks["memory"])
        ledger = runtime.stats().sinks["memory"].ledger
        told = [entry["extra"]["dropped"] for entry in memory.entries if entry["log_type"] == "gap"]
        assert sum(told) == ledger.dropped_total + runtime.stats().ingress.dropped.get(("INFO", "ingress full"), 0)
        assert ledger.dropped_total > 0
        assert ledger.balanced
        assert ("WARNING", "shutdown") not in ledger.dropped
