"""Through outages of a collector in a process of its own every entry arrives once, and ledgers equal its counts."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from support.eventually import eventually
from support.running_logger import logging_to, unbalanced

from metaexpert.demo.collector.client import CollectorClient, HeldEntries
from metaexpert.demo.collector_process import CollectorProcess
from metaexpert.logger import (
    ElasticsearchOptions,
    FileOptions,
    LoggingRuntime,
    LokiOptions,
    QueueOptions,
    SpoolOptions,
    get_logger,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

log = get_logger("integration.outages")

QUICK: dict[str, Any] = {"backoff_first": 0.02, "backoff_max": 0.1, "batch_max_age": 0.05, "timeout": 0.5}
ROUNDS, PER_ROUND = 20, 50
TARGETS = ("loki", "elasticsearch")
IN_MEMORY = SpoolOptions(enabled=False)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def collector() -> AsyncIterator[CollectorClient]:
    """One process for all tests here; entries are told apart by the run that wrote them."""
    async with CollectorProcess.start() as client:
        yield client


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest) -> str:
    return request.param


def options(target: str, url: str, **more: Any) -> LokiOptions | ElasticsearchOptions:
    values = {**QUICK, "url": url, **more}
    return LokiOptions(**values) if target == "loki" else ElasticsearchOptions(**values, index="outages")


def file_in(folder: Path) -> FileOptions:
    return FileOptions(path=folder / "expert.log")


async def log_some(rounds: int = ROUNDS) -> None:
    """Entries of all kinds, over a little while."""
    for number in range(rounds * PER_ROUND):
        log.log(10 * (1 + number % 4), "n %d", number, order_id=number, depth=[1, 2, 3])
        if number % PER_ROUND == 0:
            log.trade.order_placed(order_id=number, symbol="BTCUSDT", side="BUY", quantity="0.1", price="43100.5")
            await asyncio.sleep(0.005)


def ids_in(path: Path) -> list[str]:
    return [orjson.loads(line)["id"] for line in path.read_bytes().splitlines()]


class Comparison:
    """One run: what the file holds, what the collector holds of it, what the ledger says."""

    def __init__(self, runtime: LoggingRuntime, target: str, held: HeldEntries, path: Path) -> None:
        boot_id = runtime.identity.boot_id
        self.written = ids_in(path)
        self.held = [entry_id for entry_id in held.kinds if entry_id.startswith(boot_id)]
        self.conflicting = [entry_id for entry_id in held.conflicting if entry_id.startswith(boot_id)]
        self.copies = {key: count for key, count in held.copies.items() if key.startswith(boot_id)}
        self.stats = runtime.stats().sinks[target]
        self.ledger = self.stats.ledger

    def assert_everything_arrived_once(self) -> None:
        assert Counter(self.held) == Counter(self.written)
        assert self.conflicting == []
        assert self.ledger.balanced
        assert (self.ledger.in_flight, self.ledger.rejected, self.ledger.dropped_total) == (0, 0, 0)
        assert self.ledger.delivered + self.ledger.duplicate == len(self.held)


async def run_through(
    collector: CollectorClient, target: str, folder: Path, mode: str, **fault: Any
) -> tuple[Comparison, LoggingRuntime]:
    """Log while `mode` lasts, and until everything is settled after it."""
    runtime = logging_to(options(target, collector.url), file_in(folder), shutdown_timeout=20.0)
    async with runtime:
        log.info("before")
        assert await runtime.flush()
        await collector.faults(target, mode, **fault)
        await log_some()
        if "requests" not in fault and "seconds" not in fault:
            # an open end: until it was felt
            await eventually(lambda: runtime.stats().sinks[target].batches >= 3)
            await collector.faults(target, "ok")
        await runtime.flush(timeout=20.0)
    await collector.faults(target, "ok")
    assert unbalanced(runtime) == []
    held = await collector.entries(target)
    return Comparison(runtime, target, held, folder / "expert.log"), runtime


@pytest.mark.parametrize(
    ("mode", "fault"),
    [
        ("503", {"requests": 4}),
        ("429", {"requests": 3, "retry_after": 0}),
        ("500", {"seconds": 0.4}),
        ("hang", {"seconds": 1.2}),
        ("reset", {"requests": 5}),
        ("garbage", {"requests": 3}),
        ("413", {"max_bytes": 4000}),
        ("lost_ack", {"requests": 3}),
        ("401", {"requests": 2}),
        ("404", {"seconds": 0.3}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_after_an_outage_every_entry_is_there_once(
    collector: CollectorClient, target: str, tmp_path: Path, mode: str, fault: dict[str, Any]
):
    compared, _ = await run_through(collector, target, tmp_path, mode, **fault)
    compared.assert_everything_arrived_once()
    assert compared.stats.retries + compared.stats.batches > 2
    if mode != "413":
        assert compared.stats.retries >= 1


@pytest.mark.parametrize("mode", ["partial", "short"])
async def test_bulk_answers_that_fail_some_items_lose_none(collector: CollectorClient, tmp_path: Path, mode: str):
    compared, _ = await run_through(collector, "elasticsearch", tmp_path, mode, requests=6)
    compared.assert_everything_arrived_once()
    assert compared.stats.retries >= 1
    if mode == "partial":
        # what was stored beside the refused items is not sent again
        assert compared.ledger.duplicate == 0


async def test_lines_that_loki_refuses_for_good_are_counted_and_their_neighbours_arrive_once(
    collector: CollectorClient, tmp_path: Path
):
    compared, _ = await run_through(collector, "loki", tmp_path, "partial")
    ledger = compared.ledger
    assert ledger.balanced
    assert ledger.rejected > 0
    assert ledger.delivered == len(compared.held)
    assert ledger.delivered + ledger.rejected == len(compared.written)
    assert set(compared.held) <= set(compared.written)
    assert compared.conflicting == []


async def test_one_outage_after_another(collector: CollectorClient, target: str, tmp_path: Path):
    runtime = logging_to(options(target, collector.url), file_in(tmp_path), shutdown_timeout=20.0)
    async with runtime:
        for mode in ("503", "reset", "lost_ack", "429", "hang", "garbage", "401"):
            await collector.faults(target, mode, requests=2, seconds=0.6 if mode == "hang" else None)
            await log_some(rounds=4)
            assert await runtime.flush(timeout=15.0), mode
        assert runtime.stats().sinks[target].state == "active"
    held = await collector.entries(target)
    Comparison(runtime, target, held, tmp_path / "expert.log").assert_everything_arrived_once()


class TestIndependence:
    async def test_a_dead_collector_delays_neither_the_file_nor_a_log_call(
        self, collector: CollectorClient, target: str, tmp_path: Path
    ):
        """Without a disk queue, so that much is dropped besides, and each entry of it accounted for."""
        queue = QueueOptions(max_entries=500)
        sink = options(target, collector.url, queue=queue, spool=IN_MEMORY, timeout=30.0)
        await collector.faults(target, "hang")
        runtime = logging_to(sink, file_in(tmp_path), shutdown_timeout=10.0)
        async with runtime:
            log.info("n -1")
            longest_seconds = 0.0
            for number in range(5000):
                started = time.perf_counter()
                log.info("n %d", number)
                longest_seconds = max(longest_seconds, time.perf_counter() - started)
                if number % 100 == 0:
                    await asyncio.sleep(0.001)
            await eventually(lambda: runtime.stats().sinks["file"].ledger.delivered == 5001, seconds=5.0)
            assert runtime.stats().sinks[target].ledger.delivered == 0
            # generous: a log call that waited for the collector would wait for ever
            assert longest_seconds < 0.5
            await collector.faults(target, "ok")
            await eventually(lambda: runtime.stats().sinks[target].ledger.in_flight == 0, seconds=10.0)
        assert unbalanced(runtime) == []
        held = await collector.entries(target)
        ledger = runtime.stats().sinks[target].ledger
        boot_id = runtime.identity.boot_id
        mine = [entry_id for entry_id in held.kinds if entry_id.startswith(boot_id)]
        assert len(mine) == ledger.delivered + ledger.duplicate
        assert ledger.dropped_total >= 5001 - 500
        assert sum(gap_of(gap)["dropped"] for gap in held.gaps if gap_id(gap).startswith(boot_id)) == (
            ledger.dropped_total
        )
        # the file misses nothing; only gap entries, which speak of one sink, are that sink's alone
        assert len(set(mine) - set(ids_in(tmp_path / "expert.log"))) == ledger.gaps

    async def test_with_a_disk_queue_a_dead_collector_costs_no_entry_either(
        self, collector: CollectorClient, target: str, tmp_path: Path
    ):
        queue = QueueOptions(max_entries=500)
        sink = options(target, collector.url, queue=queue, timeout=30.0)
        await collector.faults(target, "hang")
        runtime = logging_to(sink, file_in(tmp_path), shutdown_timeout=10.0)
        async with runtime:
            for number in range(5000):
                log.info("n %d", number)
                if number % 50 == 0:
                    await asyncio.wait_for(runtime.wait_ready(), 10.0)
            await eventually(lambda: runtime.stats().sinks["file"].ledger.delivered == 5000)
            await eventually(lambda: runtime.stats().sinks[target].spooled_entries > 4000)
            assert runtime.stats().sinks[target].ledger.delivered == 0
            await collector.faults(target, "ok")
            assert await runtime.flush(20.0)
        held = await collector.entries(target)
        Comparison(runtime, target, held, tmp_path / "expert.log").assert_everything_arrived_once()

    @pytest.mark.parametrize("spool", [SpoolOptions(), IN_MEMORY], ids=["disk", "memory"])
    async def test_a_dead_collector_delays_no_other_collector(
        self, collector: CollectorClient, tmp_path: Path, spool: SpoolOptions
    ):
        """At the stop its entries go to disk; without a disk queue the journal keeps those that must not be lost."""
        await collector.faults("loki", "hang")
        sinks = [options(target, collector.url, timeout=30.0, spool=spool) for target in TARGETS]
        total = ROUNDS * (PER_ROUND + 1)
        kept = total if spool.enabled else ROUNDS * PER_ROUND // 4 + ROUNDS
        runtime = logging_to(*sinks, log_dir=tmp_path, shutdown_timeout=0.5)
        async with runtime:
            await log_some()
            await eventually(lambda: runtime.stats().sinks["elasticsearch"].ledger.delivered == total)
        await collector.faults("loki", "ok")
        assert unbalanced(runtime) == []
        ledger = runtime.stats().sinks["loki"].ledger
        assert (ledger.spooled, ledger.dropped_total) == (kept, total - kept)
        assert {reason for _, reason in ledger.dropped} == (set() if spool.enabled else {"shutdown"})
        runtime = logging_to(*sinks, log_dir=tmp_path)
        async with runtime:
            assert await runtime.flush(20.0)
        assert (runtime.stats().sinks["loki"].ledger.recovered, unbalanced(runtime)) == (kept, [])

    async def test_stopping_beside_a_dead_collector_keeps_its_deadline(self, collector: CollectorClient, target: str):
        await collector.faults(target, "hang")
        runtime = logging_to(options(target, collector.url, timeout=30.0), shutdown_timeout=0.3)
        async with runtime:
            await log_some(rounds=2)
            started = time.monotonic()
        took = time.monotonic() - started
        await collector.faults(target, "ok")
        assert took < 2.0
        assert runtime.stats().sinks[target].ledger.balanced


def gap_of(gap: Any) -> dict[str, Any]:
    return gap["extra"]


def gap_id(gap: Any) -> str:
    return gap.get("id") or gap["event"]["id"]
