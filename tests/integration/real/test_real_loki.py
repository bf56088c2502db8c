"""Against a running Grafana Loki: what counts as delivered can be read back, entry by entry.

METAEXPERT_TEST_LOKI_URL names its address, for instance http://127.0.0.1:3100, or METAEXPERT_TEST_LOKI_BINARY the
program to start.
"""

import asyncio
import time
from collections import Counter
from typing import Any
from uuid import uuid4

import aiohttp
import orjson
import pytest
from support.fake_sinks import capture
from support.lost_answers import relaying
from support.running_logger import ids, logging_to

from metaexpert.logger import LoggingRuntime, LokiOptions, MemoryOptions, get_logger
from metaexpert.logger.ingress import next_seq
from metaexpert.logger.logger import port
from metaexpert.logger.sinks.memory import MemorySink

DAY_NS = 24 * 3600 * 1_000_000_000

pytestmark = pytest.mark.slow

log = get_logger("real.loki")


@pytest.fixture
def service() -> str:
    """A service nobody wrote as before."""
    return f"real-{uuid4().hex[:12]}"


def runtime_to(url: str, service: str, **more: Any) -> LoggingRuntime:
    loki = LokiOptions(url=url, backoff_first=0.05, backoff_max=0.5, batch_max_age=0.2, **more)
    return logging_to(loki, MemoryOptions(max_entries=100_000), log_name=service, shutdown_timeout=20.0)


def kept(runtime: LoggingRuntime) -> list[dict[str, Any]]:
    memory = runtime.sinks["memory"]
    assert isinstance(memory, MemorySink)
    return memory.entries


type StoredLine = tuple[dict[str, str], int, dict[str, Any]]
"""Labels and metadata as the server shows them together, time in nanoseconds, the decoded line."""


async def query(url: str, service: str, expected: int, *, page: int = 5000, seconds: float = 15.0) -> list[StoredLine]:
    """Everything stored for `service`; asked again until at least `expected` lines show."""
    deadline = time.monotonic() + seconds
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20.0)) as session:
        while True:
            found = await _pages(session, url, service, page)
            if len(found) >= expected or time.monotonic() > deadline:
                return found
            await asyncio.sleep(0.2)


async def _pages(session: aiohttp.ClientSession, url: str, service: str, page: int) -> list[StoredLine]:
    """An answer holds `page` lines at most; the next page begins at the last one's time, and overlaps there."""
    found: dict[tuple[int, str, int], StoredLine] = {}
    start = time.time_ns() - 2 * 3600 * 1_000_000_000
    while True:
        parameters = {
            "query": f'{{service="{service}"}}',
            "start": str(start),
            "end": str(time.time_ns() + 600_000_000_000),
            "limit": str(page),
            "direction": "forward",
        }
        async with session.get(f"{url}/loki/api/v1/query_range", params=parameters) as response:
            answer = orjson.loads(await response.read())
        lines = [
            (stream["stream"], int(value[0]), orjson.loads(value[1]))
            for stream in answer["data"]["result"]
            for value in stream["values"]
        ]
        copies: Counter[tuple[int, str]] = Counter()
        for line in lines:
            key = (line[1], line[2]["id"])
            found[*key, copies[key]] = line  # the same line twice within one page is twice in the store
            copies[key] += 1
        if len(lines) < page:
            return list(found.values())
        start = max(line[1] for line in lines)


def found_ids(found: list[StoredLine]) -> list[str]:
    return [entry["id"] for _, _, entry in found]


async def test_everything_delivered_is_found_by_its_id(loki_url: str, service: str):
    async with runtime_to(loki_url, service, labels={"env": "test"}) as runtime:
        for number in range(3000):
            log.log(10 * (1 + number % 4), "n %d", number, symbol="BTCUSDT", order_id=number)
            if number % 100 == 0:
                log.trade.order_placed(order_id=number, symbol="BTCUSDT", side="BUY", quantity="0.1", price="1.5")
        log.info('quote " newline \n emoji 😀 nul \x00 surrogate \ud800', depth={"a": [1, 2.5, None]})
        assert await runtime.flush(timeout=20.0)
        written = kept(runtime)
        ledger = runtime.stats().sinks["loki"].ledger
    assert (ledger.delivered, ledger.rejected) == (len(written), 0)
    found = await query(loki_url, service, len(written))
    assert Counter(found_ids(found)) == Counter(ids(written))
    by_id = {entry["id"]: entry for entry in written}
    for labels, time_ns, entry in found:
        assert entry == by_id[entry["id"]]
        assert labels["entry_id"] == entry["id"]
        assert entry["timestamp"].endswith(f".{time_ns % 1_000_000_000:09d}Z")
        assert (labels["level"], labels["log_type"], labels["env"]) == (entry["level"], entry["log_type"], "test")


async def test_entries_outside_the_accepted_time_are_refused_alone_and_the_others_stay_single(
    loki_url: str, service: str
):
    async with runtime_to(loki_url, service) as runtime:
        refused: list[str] = []
        for number in range(100):
            log.info("n %d", number)
            if number in {10, 11, 60}:
                seq = next_seq()
                age_ns = -DAY_NS if number == 60 else 8 * DAY_NS
                port.ingress.put(capture(seq, message="out of time", time_ns=time.time_ns() - age_ns))
                refused.append(runtime.identity.entry_id(seq))
        assert not await runtime.flush(timeout=20.0)
        written = ids(kept(runtime))
        stats = runtime.stats().sinks["loki"]
    assert (stats.ledger.delivered, stats.ledger.rejected, stats.ledger.balanced) == (100, 3, True)
    found = await query(loki_url, service, 100)
    assert Counter(found_ids(found)) == Counter(set(written) - set(refused))
    assert "timestamp too" in (stats.last_error or "")


async def test_a_line_beyond_the_limit_is_refused_alone(loki_url: str, service: str):
    async with runtime_to(loki_url, service) as runtime:
        for number in range(20):
            log.info("n %d", number)
        port.ingress.put(capture(next_seq(), message="x" * 300_000, size=300_000))
        log.info("n 20")
        assert not await runtime.flush(timeout=20.0)
        stats = runtime.stats().sinks["loki"]
    assert (stats.ledger.delivered, stats.ledger.rejected) == (21, 1)
    found = await query(loki_url, service, 21)
    assert sorted(entry["message"] for _, _, entry in found) == sorted(f"n {number}" for number in range(21))


async def test_what_is_sent_twice_is_stored_once(loki_url: str, service: str):
    async with relaying(loki_url) as relay:
        relay.then(relay.lose, relay.lose)
        async with runtime_to(relay.url, service) as runtime:
            for number in range(500):
                log.info("n %d", number, order_id=number)
            assert await runtime.flush(timeout=20.0)
            written = ids(kept(runtime))
            stats = runtime.stats().sinks["loki"]
    assert (stats.ledger.delivered, stats.retries) == (500, 2)
    found = await query(loki_url, service, 500)
    assert Counter(found_ids(found)) == Counter(written)


async def test_a_rate_limit_is_waited_out_and_nothing_is_lost(loki_url: str, service: str):
    """More than Loki's default 4 MB/s with a burst of 6 MB, at once."""
    filler = "x" * 8000
    async with runtime_to(loki_url, service) as runtime:
        for number in range(1500):
            log.info("n %d", number, filler=filler)
        assert await runtime.flush(timeout=30.0)
        stats = runtime.stats().sinks["loki"]
        written = ids(kept(runtime))
    assert (stats.ledger.delivered, stats.ledger.rejected) == (1500, 0)
    assert stats.retries >= 1
    found = await query(loki_url, service, 1500, page=200)
    assert Counter(found_ids(found)) == Counter(written)
