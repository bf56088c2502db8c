"""A loop that the user's code blocks while threads log: entries wait within bounds, and what is too much is told."""

import asyncio
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.faults import HEALTHY, ids_in, whole_lines
from support.running_logger import ids, logging_to, unbalanced

from metaexpert.logger import FileOptions, LoggingRuntime, MemoryOptions, Overflow, QueueOptions, get_logger
from metaexpert.logger.stats import IngressStats

log = get_logger("integration.faults.busy")

THREADS = 4
BLOCKED_SECONDS = 1.5


class Threads:
    """Threads that log while the loop is blocked.

    Attributes:
        longest_call_seconds: of all their log calls.
        raised: what came out of any of them.
    """

    def __init__(self, each: int, seconds: float) -> None:
        self.longest_call_seconds = 0.0
        self.raised: list[BaseException] = []
        self._each = each
        self._pause_seconds = seconds / each
        self._threads = [threading.Thread(target=self._log, args=(number,)) for number in range(THREADS)]

    def _log(self, thread: int) -> None:
        try:
            for number in range(self._each):
                started = time.perf_counter()
                log.log(10 * (1 + number % 4), "n %d", number, thread_number=thread)
                self.longest_call_seconds = max(self.longest_call_seconds, time.perf_counter() - started)
                time.sleep(self._pause_seconds)
        except BaseException as error:  # noqa: BLE001 - that is what is tested
            self.raised.append(error)

    def run_while_the_loop_is_blocked(self) -> None:
        """Start them and wait in the loop's own thread, as code does that forgot that it runs in one."""
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join()
        assert self.raised == []


def running(path: Path, queue: QueueOptions) -> LoggingRuntime:
    return logging_to(FileOptions(path=path), MemoryOptions(name=HEALTHY, max_entries=100_000), queue=queue)


def memory_ids(runtime: LoggingRuntime) -> list[str]:
    sink: Any = runtime.sinks[HEALTHY]
    return ids(sink.entries)


def entries_in(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in whole_lines(path)]


def assert_in_order_within_each_thread(entries: list[dict[str, Any]]) -> None:
    numbers: defaultdict[int, list[int]] = defaultdict(list)
    for entry in entries:
        if entry["log_type"] == "general":
            numbers[entry["extra"]["thread_number"]].append(int(entry["message"][2:]))
    assert all(each == sorted(each) for each in numbers.values())


async def test_below_the_bound_nothing_is_lost(tmp_path: Path):
    path = tmp_path / "expert.log"
    async with running(path, QueueOptions()) as runtime:
        threads = Threads(500, BLOCKED_SECONDS)
        threads.run_while_the_loop_is_blocked()
        waiting = runtime.stats().ingress
        assert waiting.queued_entries == waiting.accepted == 500 * THREADS
        assert waiting.queued_bytes > 0
        # a call that waited for the loop would have waited until the end
        assert threads.longest_call_seconds < BLOCKED_SECONDS
        assert await runtime.flush()
        assert runtime.stats().ingress.queued_entries == 0
    assert runtime.stats().ingress.dropped == {}
    assert unbalanced(runtime) == []
    entries = entries_in(path)
    assert ids(entries) == memory_ids(runtime)
    assert len(entries) == 500 * THREADS
    assert_in_order_within_each_thread(entries)


def assert_bounded(ingress: IngressStats, queue: QueueOptions, errors: int) -> None:
    """Twice what a sink may hold, in bytes a quarter more; errors without room in memory wait in the journal, all."""
    assert "ERROR" not in {level for level, _ in ingress.dropped}
    assert ingress.queued_entries - errors <= 2 * queue.max_entries
    assert ingress.queued_bytes <= 2 * queue.max_bytes * 1.25


@pytest.mark.parametrize(
    "queue",
    [QueueOptions(max_entries=300), QueueOptions(max_bytes=256 * 1024)],
    ids=["entries", "bytes"],
)
async def test_above_the_bound_the_rest_is_refused_counted_and_told(tmp_path: Path, queue: QueueOptions):
    path = tmp_path / "expert.log"
    async with running(path, queue) as runtime:
        Threads(1000, BLOCKED_SECONDS).run_while_the_loop_is_blocked()
        blocked = runtime.stats().ingress
        assert_bounded(blocked, queue, errors=250 * THREADS)
        refused = sum(blocked.dropped.values())
        assert {reason for _, reason in blocked.dropped} == {"ingress full"}
        assert refused > 0
        # the last room is the higher levels': what is refused of them is no more than of those below
        by_level = [blocked.dropped.get((level, "ingress full"), 0) for level in ("DEBUG", "INFO", "WARNING", "ERROR")]
        assert by_level == sorted(by_level, reverse=True)
        assert blocked.accepted + refused == 1000 * THREADS
        assert not await runtime.flush()
        log.info("n 1000", thread_number=0)
        assert await runtime.flush()
        assert {sink.state for sink in runtime.stats().sinks.values()} == {"active"}
    assert unbalanced(runtime) == []
    entries = entries_in(path)
    told = [entry["extra"] for entry in entries if entry["log_type"] == "gap" and entry["extra"]["sink"] == "ingress"]
    assert sum(gap["dropped"] for gap in told) == refused
    merged: Counter[str] = Counter()
    for gap in told:
        merged.update(gap["by_level"])
    assert merged == Counter({level: count for (level, _), count in blocked.dropped.items()})
    for name, held in (("file", ids_in(path)), (HEALTHY, memory_ids(runtime))):
        ledger = runtime.stats().sinks[name].ledger
        assert len(held) == len(set(held)) == ledger.delivered
        assert ledger.routed == blocked.accepted + 1 + ledger.gaps
        assert ledger.rejected == 0
    assert_in_order_within_each_thread(entries)


async def test_threads_that_would_wait_for_room_wait_no_longer_than_they_may(tmp_path: Path):
    """Policy `block`, and nobody to make room: no deadlock between the loop that waits for them and their waiting."""
    queue = QueueOptions(max_entries=20, overflow=Overflow.BLOCK, block_timeout=0.02)
    path = tmp_path / "expert.log"
    async with running(path, queue) as runtime:
        await asyncio.sleep(0)  # the dispatcher has begun
        threads = Threads(30, 0.03)
        threads.run_while_the_loop_is_blocked()
        blocked = runtime.stats().ingress
        assert_bounded(blocked, queue, errors=7 * THREADS)
        assert blocked.accepted + sum(blocked.dropped.values()) == 30 * THREADS
        await runtime.flush()
    assert unbalanced(runtime) == []
    ledger = runtime.stats().sinks["file"].ledger
    assert len(ids_in(path)) == ledger.delivered
    assert_in_order_within_each_thread(entries_in(path))
