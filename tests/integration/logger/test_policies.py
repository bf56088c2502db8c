"""Each overflow policy by its name, through a running runtime and a collector that is down for a while.

A policy decides what gives way in memory, so that these collectors have no disk queue; the last tests are about the
default, where the disk takes what the room does not.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from support.eventually import eventually
from support.running_logger import logging_to, sink_stats
from support.scripted_collector import ScriptedCollector, pushed, serving, status

from metaexpert.logger import LoggingRuntime, LokiOptions, QueueOptions, SpoolOptions, get_logger

log = get_logger("integration.policies")

ROOM = 20
IN_MEMORY = SpoolOptions(enabled=False)
POLICIES = ("drop_lowest", "drop_oldest", "drop_newest", "block", "grow")
WITH_THE_WORKER = 3
"""Batches of one entry that are cut already, and that no policy takes back."""


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[ScriptedCollector]:
    async with serving(ScriptedCollector(status(503))) as serves:
        yield serves


def down(collector: ScriptedCollector, overflow: str, spool: SpoolOptions = IN_MEMORY, **queue: Any) -> LokiOptions:
    return LokiOptions(
        url=collector.url,
        spool=spool,
        backoff_first=0.02,
        backoff_max=0.05,
        batch_max_entries=1,
        queue=QueueOptions(**({"max_entries": ROOM, "overflow": overflow} | queue)),
    )


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def routed(runtime: LoggingRuntime, count: int) -> None:
    await eventually(lambda: sink_stats(runtime).ledger.routed >= count)


async def log_many(runtime: LoggingRuntime, level: int, seqs: range) -> None:
    """One by one, each routed before the next, as at different moments."""
    for number in seqs:
        before = sink_stats(runtime).ledger.routed
        log.log(level, "n %d", number)
        await routed(runtime, before + 1)


async def arrived(runtime: LoggingRuntime, collector: ScriptedCollector) -> list[int]:
    """The ordinary entries that come through once the collector is up."""
    collector.requests.clear()
    collector.default = status(204)
    await runtime.flush(20.0)
    while sink_stats(runtime).queued_entries:
        await runtime.flush(20.0)
    assert sink_stats(runtime).ledger.balanced
    entries = [one.entry for request in collector.requests for one in pushed(request)]
    told = sum(entry["extra"]["dropped"] for entry in entries if entry["log_type"] == "gap")
    assert told == sink_stats(runtime).ledger.dropped_total
    return [int(entry["message"][2:]) for entry in entries if entry["log_type"] == "general"]


async def test_drop_newest_keeps_the_first(collector: ScriptedCollector):
    async with logging_to(down(collector, "drop_newest")) as runtime:
        await log_many(runtime, logging.INFO, range(50))
        assert await arrived(runtime, collector) == list(range(ROOM))


async def test_drop_oldest_keeps_the_last(collector: ScriptedCollector):
    async with logging_to(down(collector, "drop_oldest")) as runtime:
        await log_many(runtime, logging.INFO, range(50))
        kept = await arrived(runtime, collector)
        assert kept == [*range(WITH_THE_WORKER), *range(50 - ROOM + WITH_THE_WORKER, 50)]


async def test_drop_lowest_gives_debug_for_info_and_info_for_warning(collector: ScriptedCollector):
    async with logging_to(down(collector, "drop_lowest")) as runtime:
        for begin, level in ((0, logging.DEBUG), (100, logging.INFO), (200, logging.WARNING)):
            await log_many(runtime, level, range(begin, begin + 10))
        await log_many(runtime, logging.DEBUG, range(300, 310))
        kept = await arrived(runtime, collector)
        assert [number for number in kept if number >= 100] == [*range(103, 110), *range(200, 210)]
        assert kept[:WITH_THE_WORKER] == [0, 1, 2]


async def test_reserved_room_takes_errors_and_trades_though_all_is_full(collector: ScriptedCollector):
    async with logging_to(down(collector, "drop_newest")) as runtime:
        await log_many(runtime, logging.WARNING, range(ROOM))
        log.error("n 100")
        log.error("n 101")
        for number in range(2):
            log.trade.order_cancelled(order_id=number)
        await routed(runtime, ROOM + 4)
        assert sink_stats(runtime).ledger.dropped_total == 0
        assert sink_stats(runtime).queued_entries == ROOM + 4
        kept = await arrived(runtime, collector)
        assert kept == [*range(ROOM), 100, 101]


async def test_block_makes_a_thread_wait_until_there_is_room(collector: ScriptedCollector):
    def produce() -> None:
        for number in range(200):
            log.info("n %d", number)

    async with logging_to(down(collector, "block", block_timeout=30.0)) as runtime:
        producing = asyncio.create_task(asyncio.to_thread(produce))
        await eventually(lambda: sink_stats(runtime).queued_entries >= ROOM)
        assert not producing.done()
        collector.requests.clear()
        collector.default = status(204)
        await asyncio.wait_for(producing, 30)
        assert await runtime.flush(20.0)
        messages = [one.entry["message"] for request in collector.requests for one in pushed(request)]
        assert messages == [f"n {number}" for number in range(200)]
        assert sink_stats(runtime).ledger.dropped_total == 0


async def test_block_gives_up_after_its_timeout_and_sheds_the_lowest(collector: ScriptedCollector):
    def produce() -> None:
        for number in range(ROOM * 3):
            log.info("n %d", number)

    async with logging_to(down(collector, "block", block_timeout=0.01)) as runtime:
        await asyncio.to_thread(produce)
        await eventually(lambda: runtime.stats().ingress.queued_entries == 0)
        refused = sum(runtime.stats().ingress.dropped.values())  # on a slow day the loop lags behind the thread
        dropped = sink_stats(runtime).ledger.dropped_total
        assert dropped > 0
        collector.requests.clear()
        collector.default = status(204)
        while sink_stats(runtime).queued_entries:
            await runtime.flush(20.0)
        entries = [one.entry for request in collector.requests for one in pushed(request)]
        ordinary = [entry for entry in entries if entry["log_type"] == "general"]
        told = sum(entry["extra"]["dropped"] for entry in entries if entry["log_type"] == "gap")
        dropped = sink_stats(runtime).ledger.dropped_total
        assert len(ordinary) == ROOM * 3 - told
        assert told == dropped + refused


async def test_wait_ready_waits_from_the_high_watermark_until_the_low_one(collector: ScriptedCollector):
    queue: dict[str, Any] = {"high_watermark": 0.75, "low_watermark": 0.25}
    async with logging_to(down(collector, "drop_lowest", **queue)) as runtime:
        await log_many(runtime, logging.INFO, range(14))
        await asyncio.wait_for(runtime.wait_ready(), 5)
        await log_many(runtime, logging.INFO, range(14, 15))
        waiting = asyncio.create_task(runtime.wait_ready())
        collector.then(*[status(204)] * 9)
        await eventually(lambda: sink_stats(runtime).queued_entries == 6)
        assert not waiting.done(), "6 of 20 are above the low watermark"
        collector.then(*[status(204)] * 2)
        await asyncio.wait_for(waiting, 10)
        assert sink_stats(runtime).queued_entries <= 5


@pytest.mark.parametrize("overflow", POLICIES)
async def test_without_a_disk_queue_nothing_is_left_on_disk(
    collector: ScriptedCollector, overflow: str, tmp_path: Path
):
    async with logging_to(down(collector, overflow), log_dir=tmp_path, shutdown_timeout=0.1) as runtime:
        await log_many(runtime, logging.INFO, range(30))
    assert left_in(tmp_path) == []
    ledger = sink_stats(runtime).ledger
    assert (ledger.dropped_total, ledger.spooled) == (30 + ledger.gaps, 0)


@pytest.mark.parametrize("overflow", [*POLICIES, "spill"])
async def test_with_one_no_policy_has_to_drop_anything(collector: ScriptedCollector, overflow: str, tmp_path: Path):
    sink = down(collector, overflow, SpoolOptions())
    async with logging_to(sink, log_dir=tmp_path, shutdown_timeout=0.1) as runtime:
        for number in range(50):
            await runtime.wait_ready()  # so that a slow disk costs nothing either
            await log_many(runtime, logging.INFO, range(number, number + 1))
        await eventually(lambda: sink_stats(runtime).spooled_entries > ROOM, what="the disk has what the room has not")
    ledger = sink_stats(runtime).ledger
    assert (ledger.routed, ledger.spooled, ledger.dropped_total) == (50, 50, 0)
    async with logging_to(sink, log_dir=tmp_path) as runtime:
        assert await arrived(runtime, collector) == list(range(50))
        assert sink_stats(runtime).ledger.recovered == 50
