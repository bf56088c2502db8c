"""Overflow to disk with real collectors, processes and files: nothing is lost, and order is kept."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from support.eventually import eventually
from support.running_logger import logging_to, sink_stats
from support.scripted_collector import (
    BulkDocument,
    Received,
    Reply,
    ScriptedCollector,
    documents,
    json_reply,
    pushed,
    serving,
    status,
)

from metaexpert.logger import (
    ElasticsearchOptions,
    FileOptions,
    LoggingRuntime,
    LokiOptions,
    MemoryOptions,
    QueueOptions,
    SpoolOptions,
    get_logger,
)
from metaexpert.logger.spool.inspection import queue_state

log = get_logger("integration.spill")

QUICK: dict[str, Any] = {"backoff_first": 0.02, "backoff_max": 0.1, "batch_max_age": 0.02, "batch_max_entries": 200}
DOWN = status(503)
NO_SPOOL = SpoolOptions(enabled=False)


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[ScriptedCollector]:
    async with serving(ScriptedCollector(DOWN)) as serves:
        yield serves


def spill(**more: Any) -> QueueOptions:
    return QueueOptions(**({"max_entries": 1000, "overflow": "spill"} | more))


def loki(collector: ScriptedCollector, **more: Any) -> LokiOptions:
    return LokiOptions(url=collector.url, **(QUICK | {"queue": spill()} | more))


def stored(collector: ScriptedCollector) -> list[str]:
    """Messages of what a Loki that is up was sent."""
    return [one.entry["message"] for request in collector.requests for one in pushed(request)]


def up(collector: ScriptedCollector) -> None:
    collector.requests.clear()
    collector.default = status(204)


async def log_slowly(runtime: LoggingRuntime, seqs: range) -> None:
    """As a program that lives long: the loop gets its turn, and bulk producers wait until they may go on."""
    for number in seqs:
        log.info("n %d", number)
        if number % 50 == 0:
            await runtime.wait_ready()
    await eventually(lambda: runtime.stats().ingress.queued_entries == 0)


def messages(seqs: range) -> list[str]:
    return [f"n {number}" for number in seqs]


def spool_files(folder: Path) -> list[Path]:
    return sorted((folder / "spool").rglob("*.segment"))


class TestOutage:
    async def test_nothing_is_lost_and_order_is_kept_exactly(self, collector: ScriptedCollector, tmp_path: Path):
        async with logging_to(loki(collector), log_dir=tmp_path) as runtime:
            await log_slowly(runtime, range(8000))
            await eventually(lambda: sink_stats(runtime).spooled_entries > 6000)
            stats = sink_stats(runtime)
            assert stats.ledger.balanced
            assert (stats.ledger.routed, stats.ledger.dropped_total) == (8000, 0)
            assert stats.ledger.spooled == stats.spooled_entries
            assert sum(path.stat().st_size for path in spool_files(tmp_path)) >= stats.spooled_bytes > 0
            assert not await runtime.flush(0.2), "what is on disk is not delivered"
            up(collector)
            await log_slowly(runtime, range(8000, 10_000))
            assert await runtime.flush(20.0)
            assert stored(collector) == messages(range(10_000))
            stats = sink_stats(runtime)
            assert (stats.ledger.delivered, stats.ledger.spooled, stats.ledger.in_flight) == (10_000, 0, 0)
            assert stats.ledger.balanced
        assert not any((tmp_path / "spool").iterdir())

    async def test_elasticsearch_gets_each_document_under_its_own_id(
        self, collector: ScriptedCollector, tmp_path: Path
    ):
        held: list[BulkDocument] = []

        async def store(request: Any, received: Received) -> Any:
            items = [{"create": {"status": 201}} for _ in documents(received)]
            held.extend(documents(received))
            reply: Reply = json_reply({"errors": False, "items": items})
            return await reply(request, received)

        options = ElasticsearchOptions(url=collector.url, index="spill", queue=spill(), **QUICK)
        async with logging_to(options, log_dir=tmp_path) as runtime:
            await log_slowly(runtime, range(4000))
            await eventually(lambda: sink_stats(runtime).spooled_entries > 2000)
            collector.default = store
            assert await runtime.flush(20.0)
            assert [one.source["message"] for one in held] == messages(range(4000))
            assert len({one.entry_id for one in held}) == 4000
            assert sink_stats(runtime).ledger.delivered == 4000

    async def test_other_sinks_take_no_notice(self, collector: ScriptedCollector, tmp_path: Path):
        memory = MemoryOptions(max_entries=10_000)
        async with logging_to(loki(collector), memory, log_dir=tmp_path) as runtime:
            await log_slowly(runtime, range(3000))
            await eventually(lambda: runtime.stats().sinks["loki"].spooled_entries > 0)
            await eventually(lambda: runtime.stats().sinks["memory"].ledger.delivered == 3000)
            assert runtime.stats().sinks["memory"].spooled_entries == 0

    async def test_a_file_that_cannot_be_written_spills_too(self, tmp_path: Path):
        (tmp_path / "blocked.log").mkdir()
        options = FileOptions(path=Path("blocked.log"), queue=spill())
        async with logging_to(options, log_dir=tmp_path) as runtime:
            await log_slowly(runtime, range(4000))
            await eventually(lambda: sink_stats(runtime).spooled_entries > 0)
            (tmp_path / "blocked.log").rmdir()
            assert await runtime.flush(20.0)
        lines = (tmp_path / "blocked.log").read_text().splitlines()
        assert [orjson.loads(line)["message"] for line in lines] == messages(range(4000))

    async def test_memory_stays_under_its_bound_however_much_is_logged(
        self, collector: ScriptedCollector, tmp_path: Path
    ):
        queue = spill(max_entries=100_000, max_bytes=1024 * 1024)
        async with logging_to(loki(collector, queue=queue), log_dir=tmp_path) as runtime:
            most = 0
            for number in range(20_000):
                log.info("n %d", number, filler="x" * 200)
                if number % 50 == 0:
                    await runtime.wait_ready()
                    most = max(most, sink_stats(runtime).queued_bytes)
            assert most <= 1024 * 1024
            await eventually(lambda: sink_stats(runtime).spooled_entries > 15_000)
            assert sink_stats(runtime).ledger.dropped_total == 0
            up(collector)
            assert await runtime.flush(30.0)
            assert stored(collector) == messages(range(20_000))


class TestReload:
    async def test_a_sink_with_other_options_goes_on_with_what_is_on_disk(
        self, collector: ScriptedCollector, tmp_path: Path
    ):
        async with logging_to(loki(collector), log_dir=tmp_path) as runtime:
            await log_slowly(runtime, range(4000))
            await eventually(lambda: sink_stats(runtime).spooled_entries > 2000)
            changed = loki(collector, batch_max_entries=100, queue=spill(max_entries=2000))
            await runtime.reload(runtime.config.model_copy(update={"sinks": (changed,)}))
            await log_slowly(runtime, range(4000, 5000))
            up(collector)
            assert await runtime.flush(20.0)
            assert list(dict.fromkeys(stored(collector))) == messages(range(5000))
            stats = sink_stats(runtime)
            assert (stats.ledger.routed, stats.ledger.delivered, stats.ledger.recovered) == (5000, 5000, 0)
            assert stats.ledger.balanced

    async def test_a_sink_that_is_removed_leaves_its_entries_for_its_return(
        self, collector: ScriptedCollector, tmp_path: Path
    ):
        async with logging_to(loki(collector), log_dir=tmp_path, shutdown_timeout=0.2) as runtime:
            before = runtime.config
            await log_slowly(runtime, range(4000))
            await runtime.reload(before.model_copy(update={"sinks": (MemoryOptions(),)}))
            gone = runtime.stats().sinks["loki"]
            assert (gone.ledger.spooled, gone.ledger.dropped_total) == (4000, 0)
            assert gone.ledger.balanced
            up(collector)
            await runtime.reload(before)
            assert await runtime.flush(20.0)
            assert stored(collector) == messages(range(4000))
            assert runtime.stats().sinks["loki"].ledger.recovered == 4000


PROGRAM = """
import asyncio, sys
from pathlib import Path
from metaexpert.logger import LoggerConfig, LokiOptions, QueueOptions, get_logger, setup_logging

url, folder, begin, end, how = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
log = get_logger("child")
queue = QueueOptions(max_entries=1000, overflow="spill")
sink = LokiOptions(url=url, backoff_first=0.02, backoff_max=0.1, batch_max_age=0.02, batch_max_entries=200, queue=queue)
config = LoggerConfig(log_level="DEBUG", log_dir=folder, log_to_console=False, log_to_file=False, sinks=(sink,),
                      shutdown_timeout=10.0 if how == "deliver" else 0.3)

async def main():
    async with setup_logging(config) as runtime:
        for number in range(begin, end):
            log.info("n %d", number)
            if number % 50 == 0:
                await runtime.wait_ready()
        if how == "wait":
            # three batches are with the worker, all else goes to disk
            while runtime.stats().sinks["loki"].spooled_entries < end - begin - 300:
                await asyncio.sleep(0.01)
            print(runtime.stats().sinks["loki"].spooled_entries, flush=True)
            await asyncio.Event().wait()
        if how == "deliver":
            assert await runtime.flush(30.0)
    ledger = runtime.stats().sinks["loki"].ledger
    assert ledger.balanced, ledger
    print(ledger.recovered, ledger.delivered, ledger.spooled, ledger.dropped_total)

asyncio.run(main())
"""


async def program(collector: ScriptedCollector, folder: Path, seqs: range, how: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", PROGRAM, collector.url, str(folder), str(seqs.start), str(seqs.stop), how,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def ended(process: asyncio.subprocess.Process) -> list[int]:
    """What it printed last: recovered, delivered, spooled, dropped."""
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    return [int(word) for word in out.split()]


class TestProcesses:
    async def test_what_one_leaves_at_its_stop_the_next_delivers_first(
        self, collector: ScriptedCollector, tmp_path: Path
    ):
        first = await ended(await program(collector, tmp_path, range(5000), "stop"))
        assert first == [0, 0, 5000, 0]
        second = await ended(await program(collector, tmp_path, range(5000, 6000), "stop"))
        assert second == [5000, 0, 6000, 0]
        up(collector)
        third = await ended(await program(collector, tmp_path, range(6000, 7000), "deliver"))
        assert third == [6000, 7000, 0, 0]
        assert stored(collector) == messages(range(7000))
        assert not any((tmp_path / "spool").iterdir())

    @pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
    async def test_what_was_on_disk_outlives_sigkill(self, collector: ScriptedCollector, tmp_path: Path):
        killed = await program(collector, tmp_path, range(5000), "wait")
        assert killed.stdout is not None
        assert await asyncio.wait_for(killed.stdout.readline(), 60)
        queue = tmp_path / "spool" / "loki-loki"
        await eventually(lambda: queue_state(queue).entries == 5000, seconds=30)  # those its worker has included
        killed.send_signal(signal.SIGKILL)
        await killed.wait()
        up(collector)
        recovered, delivered, left, dropped = await ended(await program(collector, tmp_path, range(0), "deliver"))
        assert (recovered, left, dropped) == (5000, 0, 0)
        assert delivered >= 5000  # with what tells of the crash
        assert [text for text in stored(collector) if text.startswith("n ")] == messages(range(5000))

    async def test_the_queue_of_a_live_process_is_left_alone(self, collector: ScriptedCollector, tmp_path: Path):
        living = await program(collector, tmp_path, range(3000), "wait")
        assert living.stdout is not None
        try:
            assert int(await asyncio.wait_for(living.stdout.readline(), 60)) > 0
            before = spool_files(tmp_path)
            other = await ended(await program(collector, tmp_path, range(3000, 3100), "stop"))
            assert other[0] == 0
            assert set(before) <= set(spool_files(tmp_path))
        finally:
            living.kill()
            await living.wait()


FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from metaexpert.logger import LoggerConfig, LokiOptions, QueueOptions, get_logger, setup_logging

url, folder = sys.argv[1], Path(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
log = get_logger("child")
queue = QueueOptions(max_entries=1000, overflow="spill")
sink = LokiOptions(url=url, backoff_first=0.02, backoff_max=0.1, batch_max_age=0.02, batch_max_entries=200, queue=queue)
config = LoggerConfig(log_level="DEBUG", log_dir=folder, log_to_console=False, log_to_file=False, sinks=(sink,))

async def main():
    async with setup_logging(config) as runtime:
        for number in range(5000):
            log.log(10 if number % 2 else 30, "n %d", number)
            if number % 50 == 0:
                await asyncio.sleep(0.001)
        stats = runtime.stats().sinks["loki"]
        assert stats.ledger.balanced, stats
        assert stats.spool_failures > 0, stats
        print(stats.last_error, flush=True)
        print(stats.ledger.dropped_total, stats.spooled_entries, flush=True)
        sys.stdin.readline()
        while runtime.stats().sinks["loki"].queued_entries or runtime.stats().sinks["loki"].spooled_entries:
            await runtime.flush(30.0)
        stats = runtime.stats().sinks["loki"]
        assert stats.ledger.balanced, stats
        print(stats.ledger.delivered, stats.ledger.gaps, stats.ledger.dropped_total, flush=True)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no RLIMIT_FSIZE")
async def test_a_disk_that_is_full_makes_the_room_shed_its_lowest_and_say_so(
    collector: ScriptedCollector, tmp_path: Path
):
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", FULL_DISK, collector.url, str(tmp_path),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    told = (await asyncio.wait_for(child.stdout.readline(), 60)).decode()
    assert told.startswith("disk queue: File too large"), told + (await child.communicate())[1].decode()
    dropped, spooled = map(int, (await child.stdout.readline()).split())
    assert dropped > 0
    assert spooled > 0
    up(collector)
    out, err = await asyncio.wait_for(child.communicate(b"go on\n"), 60)
    assert child.returncode == 0, err.decode()
    assert b"disk queue of loki: File too large" in err
    delivered, gaps, dropped = map(int, out.split())
    assert gaps > 0
    assert delivered == 5000 + gaps - dropped
    entries = [one.entry for request in collector.requests for one in pushed(request)]
    ordinary = [entry for entry in entries if entry["log_type"] == "general"]
    assert sum(entry["extra"]["dropped"] for entry in entries if entry["log_type"] == "gap") == dropped
    for level in ("DEBUG", "WARNING"):
        numbers = [int(entry["message"][2:]) for entry in ordinary if entry["level"] == level]
        assert numbers == sorted(set(numbers))
    lost = {level: 2500 - sum(entry["level"] == level for entry in ordinary) for level in ("DEBUG", "WARNING")}
    assert lost["DEBUG"] > lost["WARNING"], "the lowest goes first"


class TestGrow:
    async def test_a_burst_beyond_the_soft_bounds_is_kept(self, tmp_path: Path):
        queue = QueueOptions(max_entries=100, max_bytes=256 * 1024, overflow="grow", grow_max_bytes=64 * 1024 * 1024)
        async with logging_to(MemoryOptions(max_entries=100_000, queue=queue), log_dir=tmp_path) as runtime:
            for number in range(50_000):  # without a turn for the loop
                log.debug("n %d", number)
            assert await runtime.flush(30.0)
            assert sink_stats(runtime).ledger.delivered == 50_000
            assert runtime.stats().ingress.dropped == {}

    async def test_it_grows_to_its_cap_and_sheds_there(self, collector: ScriptedCollector, tmp_path: Path):
        cap = 4 * 1024 * 1024
        queue = QueueOptions(max_entries=100, max_bytes=256 * 1024, overflow="grow", grow_max_bytes=cap)
        sink = loki(collector, queue=queue, spool=NO_SPOOL)
        async with logging_to(sink, log_dir=tmp_path, shutdown_timeout=0.2) as runtime:
            most = 0
            for number in range(20_000):
                log.info("n %d", number)
                if number % 50 == 0:
                    await asyncio.sleep(0)
                    most = max(most, sink_stats(runtime).queued_bytes)
            await eventually(lambda: runtime.stats().ingress.queued_entries == 0)
            stats = sink_stats(runtime)
            assert cap * 0.95 < stats.queued_bytes <= cap * 1.25  # with the reserve, where reports of losses go
            assert most <= cap * 1.25
            assert stats.ledger.dropped_total > 0
            assert stats.ledger.balanced
            assert not (tmp_path / "spool").exists()

    async def test_bulk_producers_wait_at_the_soft_bounds(self, collector: ScriptedCollector, tmp_path: Path):
        queue = QueueOptions(max_entries=100, overflow="grow")
        sink = loki(collector, queue=queue, spool=NO_SPOOL)
        async with logging_to(sink, log_dir=tmp_path, shutdown_timeout=0.2) as runtime:
            for number in range(100):
                log.info("n %d", number)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(runtime.wait_ready(), 0.2)
            up(collector)
            await asyncio.wait_for(runtime.wait_ready(), 20)
