"""Against real receivers of OTLP/HTTP: what counts as delivered came out at the other end, record by record.

An OpenTelemetry collector (rotel) is started where it could be installed; the endpoints of Loki and VictoriaLogs are
used where METAEXPERT_TEST_LOKI_URL (or METAEXPERT_TEST_LOKI_BINARY) and METAEXPERT_TEST_VICTORIALOGS_URL name them, any
other receiver where METAEXPERT_TEST_OTLP_URL does: of that one only its answers are seen.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import orjson
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from support.eventually import eventually
from support.lost_answers import relaying
from support.otlp import Exported, exported_by
from support.real_servers import OtlpCollector
from support.running_logger import ids, logging_to

from metaexpert.logger import LoggingRuntime, MemoryOptions, OtlpOptions, get_logger
from metaexpert.logger.sinks.memory import MemorySink

VICTORIALOGS_URL = os.environ.get("METAEXPERT_TEST_VICTORIALOGS_URL", "").rstrip("/")
OTHER_URL = os.environ.get("METAEXPERT_TEST_OTLP_URL", "").rstrip("/")
TRACE_ID = "5b8efff798038103d269b633813fc60c"
SPAN_ID = "eee19b7ec3c1b174"

pytestmark = pytest.mark.slow

log = get_logger("real.otlp")


@pytest.fixture
def service() -> str:
    """A service nobody wrote as before."""
    return f"real-{uuid4().hex[:12]}"


@pytest.fixture(params=["protobuf", "json"])
def protocol(request: pytest.FixtureRequest) -> str:
    return request.param


def runtime_to(url: str, service: str, folder: Path, *, shutdown_timeout: float = 20.0, **more: Any) -> LoggingRuntime:
    sink = OtlpOptions(url=url, backoff_first=0.05, backoff_max=0.5, batch_max_age=0.2, **more)
    memory = MemoryOptions(max_entries=100_000)
    return logging_to(sink, memory, log_name=service, log_dir=folder, shutdown_timeout=shutdown_timeout)


def kept(runtime: LoggingRuntime) -> list[dict[str, Any]]:
    memory = runtime.sinks["memory"]
    assert isinstance(memory, MemorySink)
    return memory.entries


async def log_much(runtime: LoggingRuntime) -> list[dict[str, Any]]:
    """Log all kinds of entries, see that they count as delivered, and return them."""
    for number in range(2000):
        log.log(10 * (1 + number % 4), "n %d", number, symbol="BTCUSDT", order_id=number, price=0.5 * number)
    log.trade.order_placed(order_id=1, symbol="BTCUSDT", side="BUY", quantity="0.1", price="1.50")
    log.info('quote " newline \n emoji 😀 surrogate \ud800', depth={"a": [1, 2.5, "x"], "b": {"c": True}}, nothing=None)
    log.critical("traced", trace_id=TRACE_ID, span_id=SPAN_ID, exc_info=ValueError("no price"))
    assert await runtime.flush(timeout=20.0)
    written = kept(runtime)
    ledger = runtime.stats().sinks["otlp"].ledger
    assert (ledger.delivered, ledger.rejected) == (len(written), 0)
    return written


def passed_on(collector: OtlpCollector, service: str) -> list[Exported]:
    """What the collector sent on of a service."""
    records = [
        record for body in collector.exported() for record in exported_by(ExportLogsServiceRequest.FromString(body))
    ]
    return [record for record in records if record.resource["service.name"] == service]


async def test_a_collector_passes_on_every_record_as_it_was(
    real_otlp: OtlpCollector, service: str, tmp_path: Path, protocol: str
):
    async with runtime_to(real_otlp.url, service, tmp_path, protocol=protocol, environment="test") as runtime:
        written = await log_much(runtime)
    await eventually(lambda: len(passed_on(real_otlp, service)) >= len(written), seconds=30.0)
    found = passed_on(real_otlp, service)
    assert Counter(record.uid for record in found) == Counter(ids(written))
    by_id = {entry["id"]: entry for entry in written}
    for record in found:
        entry = by_id[record.uid]
        assert (record.body, record.scope) == (entry["message"], entry["logger"])
        assert record.severity_text == entry["level"]
        for key, value in {**entry.get("extra", {}), **entry.get("trade_data", {})}.items():
            if key not in {"trace_id", "span_id"}:
                assert record.attributes[key] == value, key
        assert record.resource["deployment.environment.name"] == "test"
    (traced,) = [record for record in found if record.body == "traced"]
    assert (traced.trace_id, traced.span_id, traced.severity) == (TRACE_ID, SPAN_ID, 21)
    assert traced.attributes["exception.type"] == "ValueError"


async def test_a_lost_answer_costs_no_record(real_otlp: OtlpCollector, service: str, tmp_path: Path):
    """A collector passes on what it gets twice twice; readers tell by log.record.uid."""
    async with relaying(real_otlp.url) as relay:
        relay.then(relay.lose)
        async with runtime_to(relay.url, service, tmp_path) as runtime:
            for number in range(500):
                log.info("n %d", number)
            assert await runtime.flush(timeout=20.0)
            written = ids(kept(runtime))
    await eventually(lambda: {record.uid for record in passed_on(real_otlp, service)} == {*written}, seconds=30.0)


async def test_a_wrong_path_drops_nothing(real_otlp: OtlpCollector, service: str, tmp_path: Path):
    async with runtime_to(f"{real_otlp.url}/nowhere", service, tmp_path, shutdown_timeout=0.1) as runtime:
        log.info("waits")
        assert not await runtime.flush(timeout=1.0)
        await eventually(lambda: runtime.stats().sinks["otlp"].state == "failed")
        ledger = runtime.stats().sinks["otlp"].ledger
        assert (ledger.rejected, ledger.dropped_total) == (0, 0)


# ---- Loki ----------------------------------------------------------------------------------------------------------


async def until[T](ask: Callable[[], Awaitable[list[T]]], expected: int, seconds: float = 20.0) -> list[T]:
    """What is found, asked again until there is enough of it."""
    deadline = time.monotonic() + seconds
    while True:
        found = await ask()
        if len(found) >= expected or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.2)


async def in_loki(url: str, selector: str) -> list[tuple[dict[str, str], int, str]]:
    """Labels and metadata together, time in nanoseconds, and the line, of what a query finds."""
    parameters = {"query": selector, "limit": "5000", "start": str(time.time_ns() - 3600 * 10**9)}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20.0)) as session,
        session.get(f"{url}/loki/api/v1/query_range", params=parameters) as response,
    ):
        assert response.status == 200, await response.text()
        result = orjson.loads(await response.read())["data"]["result"]
    return [(each["stream"], int(value[0]), value[1]) for each in result for value in each["values"]]


async def test_lokis_own_endpoint_stores_every_record(loki_url: str, service: str, tmp_path: Path, protocol: str):
    url = f"{loki_url}/otlp"
    async with runtime_to(url, service, tmp_path, protocol=protocol, environment="test") as runtime:
        written = await log_much(runtime)
    found = await until(lambda: in_loki(loki_url, f'{{service_name="{service}"}}'), len(written))
    assert Counter(labels["log_record_uid"] for labels, _, _ in found) == Counter(ids(written))
    by_id = {entry["id"]: entry for entry in written}
    for labels, time_ns, line in found:
        entry = by_id[labels["log_record_uid"]]
        assert line == entry["message"]
        assert f"{time_ns % 10**9:09d}Z" == entry["timestamp"].rpartition(".")[2]
        assert (labels["severity_text"], labels["scope_name"]) == (entry["level"], entry["logger"])
        assert labels["deployment_environment_name"] == "test"
    (traced,) = [labels for labels, _, line in found if line == "traced"]
    assert (traced["trace_id"], traced["span_id"]) == (TRACE_ID, SPAN_ID)
    (placed,) = await in_loki(loki_url, f'{{service_name="{service}"}} | log_type="trade"')
    assert (placed[0]["price"], placed[0]["order_id"]) == ("1.50", "1")


# ---- VictoriaLogs --------------------------------------------------------------------------------------------------

needs_victorialogs = pytest.mark.skipif(
    not VICTORIALOGS_URL, reason="METAEXPERT_TEST_VICTORIALOGS_URL names no VictoriaLogs to test against"
)


async def in_victorialogs(service: str) -> list[dict[str, str]]:
    """Every line of a service, flattened as the server shows it."""
    query = {"query": f'"service.name":="{service}"'}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20.0)) as session,
        session.post(f"{VICTORIALOGS_URL}/select/logsql/query", data=query) as response,
    ):
        return [orjson.loads(line) for line in (await response.read()).splitlines()]


@needs_victorialogs
async def test_victorialogs_stores_every_record(service: str, tmp_path: Path):
    async with runtime_to(f"{VICTORIALOGS_URL}/insert/opentelemetry", service, tmp_path) as runtime:
        written = await log_much(runtime)
    found = await until(lambda: in_victorialogs(service), len(written))
    assert Counter(line["log.record.uid"] for line in found) == Counter(ids(written))
    by_id = {entry["id"]: entry for entry in written}
    for line in found:
        entry = by_id[line["log.record.uid"]]
        assert line["_msg"] == entry["message"]
        assert line["_time"].rstrip("Z") == entry["timestamp"].rstrip("Z").rstrip("0")
        assert line.get("symbol") == {**entry.get("extra", {}), **entry.get("trade_data", {})}.get("symbol")
    (traced,) = [line for line in found if line["_msg"] == "traced"]
    assert (traced["trace_id"], traced["span_id"]) == (TRACE_ID, SPAN_ID)


@needs_victorialogs
async def test_json_which_victorialogs_does_not_take_drops_nothing_and_goes_as_protobuf_later(
    service: str, tmp_path: Path
):
    url = f"{VICTORIALOGS_URL}/insert/opentelemetry"
    async with runtime_to(url, service, tmp_path, protocol="json", shutdown_timeout=1.0) as runtime:
        log.error("waits", symbol="BTCUSDT")
        assert not await runtime.flush(timeout=1.0)
        stats = runtime.stats().sinks["otlp"]
        assert (stats.state, stats.ledger.rejected) == ("failed", 0)
        assert "json encoding isn't supported" in (stats.last_error or "")
        await runtime.reload(
            runtime.config.model_copy(update={"sinks": runtime_to(url, service, tmp_path).config.sinks})
        )
        assert await runtime.flush(timeout=20.0)
    (line,) = await until(lambda: in_victorialogs(service), 1)
    assert (line["_msg"], line["symbol"]) == ("waits", "BTCUSDT")


# ---- any other -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not OTHER_URL, reason="METAEXPERT_TEST_OTLP_URL names no receiver of OTLP/HTTP to test against")
async def test_another_receiver_takes_every_record(service: str, tmp_path: Path, protocol: str):
    async with runtime_to(OTHER_URL, service, tmp_path, protocol=protocol) as runtime:
        await log_much(runtime)
