"""Against a running VictoriaLogs: what counts as delivered can be read back, line by line.

Set METAEXPERT_TEST_VICTORIALOGS_URL to its address, for instance http://127.0.0.1:9428.
"""

import asyncio
import os
import time
from collections import Counter
from typing import Any
from uuid import uuid4

import aiohttp
import orjson
import pytest
from support.lost_answers import relaying
from support.running_logger import ids, logging_to

from metaexpert.logger import LoggingRuntime, MemoryOptions, NdjsonOptions, get_logger
from metaexpert.logger.sinks.memory import MemorySink

VARIABLE = "METAEXPERT_TEST_VICTORIALOGS_URL"
URL = os.environ.get(VARIABLE, "")

pytestmark = [
    pytest.mark.skipif(not URL, reason=f"{VARIABLE} names no VictoriaLogs to test against"),
    pytest.mark.slow,
]

log = get_logger("real.victorialogs")


@pytest.fixture
def run() -> str:
    """The value of a field nobody wrote before."""
    return f"real-{uuid4().hex[:12]}"


def runtime_to(url: str, run: str, *, shutdown_timeout: float = 20.0, **more: Any) -> LoggingRuntime:
    query = {"_stream_fields": "run,level", "_msg_field": "message", "_time_field": "timestamp"}
    if more.get("format") == "ecs":
        query |= {"_stream_fields": "run,log.level", "_time_field": "@timestamp"}
    values: dict[str, Any] = {"path": "/insert/jsonline", "query": query | {"extra_fields": f"run={run}"}}
    sink = NdjsonOptions(url=url, backoff_first=0.05, backoff_max=0.5, batch_max_age=0.2, **(values | more))
    return logging_to(sink, MemoryOptions(max_entries=100_000), shutdown_timeout=shutdown_timeout)


def kept(runtime: LoggingRuntime) -> list[dict[str, Any]]:
    memory = runtime.sinks["memory"]
    assert isinstance(memory, MemorySink)
    return memory.entries


async def stored(run: str, expected: int, seconds: float = 15.0) -> list[dict[str, str]]:
    """Every line of this run, flattened as the server shows it; asked again until at least `expected` show."""
    deadline = time.monotonic() + seconds
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20.0)) as session:
        while True:
            async with session.post(f"{URL}/select/logsql/query", data={"query": f'run:="{run}"'}) as response:
                found = [orjson.loads(line) for line in (await response.read()).splitlines()]
            if len(found) >= expected or time.monotonic() > deadline:
                return found
            await asyncio.sleep(0.2)


async def test_everything_delivered_is_found_by_its_id(run: str):
    async with runtime_to(URL, run) as runtime:
        for number in range(3000):
            log.log(10 * (1 + number % 4), "n %d", number, symbol="BTCUSDT", order_id=number)
        log.trade.order_placed(order_id=1, symbol="BTCUSDT", side="BUY", quantity="0.1", price="1.50")
        log.info('quote " newline \n emoji 😀 surrogate \ud800', depth={"a": [1, 2.5, None]})
        assert await runtime.flush(timeout=20.0)
        written = kept(runtime)
        ledger = runtime.stats().sinks["ndjson"].ledger
    assert (ledger.delivered, ledger.rejected) == (len(written), 0)
    found = await stored(run, len(written))
    assert Counter(line["id"] for line in found) == Counter(ids(written))
    by_id = {entry["id"]: entry for entry in written}
    for line in found:
        entry = by_id[line["id"]]
        assert line["_msg"] == entry["message"]
        assert line["_time"].rstrip("Z") == entry["timestamp"].rstrip("Z").rstrip("0")
        assert line["_stream"] == f'{{level="{entry["level"]}",run="{run}"}}'
        assert line.get("extra.symbol") == entry.get("extra", {}).get("symbol")
    (placed,) = [line for line in found if line["log_type"] == "trade"]
    assert placed["trade_data.price"] == "1.50"


async def test_ecs_lines_are_found_by_their_own_names(run: str):
    async with runtime_to(URL, run, format="ecs") as runtime:
        log.warning("careful", symbol="BTCUSDT")
        assert await runtime.flush(timeout=20.0)
    (line,) = await stored(run, 1)
    assert (line["_msg"], line["log.level"], line["extra.symbol"]) == ("careful", "warning", "BTCUSDT")


async def test_a_lost_answer_costs_no_entry(run: str):
    """VictoriaLogs keeps what is sent twice twice; readers de-duplicate by the id."""
    async with relaying(URL) as relay:
        relay.then(relay.lose)
        async with runtime_to(relay.url, run) as runtime:
            for number in range(500):
                log.info("n %d", number)
            assert await runtime.flush(timeout=20.0)
            written = ids(kept(runtime))
    sent = {request.headers["Idempotency-Key"] for request in relay.requests}
    assert len(sent) == len(relay.requests) - 1
    found = await stored(run, 500)
    assert {line["id"] for line in found} == set(written)


async def test_a_wrong_path_drops_nothing(run: str):
    async with runtime_to(URL, run, path="/insert/jsonlines", shutdown_timeout=0.1) as runtime:
        log.info("waits")
        assert not await runtime.flush(timeout=1.0)
        stats = runtime.stats().sinks["ndjson"]
        assert (stats.state, stats.ledger.in_flight, stats.ledger.rejected) == ("failed", 1, 0)
        assert "unsupported path" in (stats.last_error or "")
