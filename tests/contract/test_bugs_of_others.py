"""What other loggers, agents and shippers get wrong, each ruled out for every kind of collector it can happen to."""

import ast
import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
import pytest_asyncio
from aiohttp import web
from pydantic import BaseModel
from support.certificates import Certificates, make_certificates
from support.eventually import eventually
from support.hec import TOKEN
from support.holding_collector import HoldingCollector
from support.otlp import exported
from support.running_logger import logging_to, sink_stats, unbalanced
from support.scripted_collector import Received, ScriptedCollector, documents, json_reply, pushed, serving, status

import metaexpert.logger
from metaexpert.logger import (
    Batch,
    Capture,
    CustomOptions,
    Delivered,
    ElasticsearchOptions,
    HttpOptions,
    LoggingRuntime,
    LokiOptions,
    NdjsonOptions,
    OtlpOptions,
    Outcome,
    QueueOptions,
    SinkParts,
    SplunkOptions,
    SpoolOptions,
    get_logger,
)
from metaexpert.logger.options.base import Options

KINDS = ("loki", "elasticsearch", "otlp", "splunk")
SOURCE = Path(metaexpert.logger.__file__).parent

log = get_logger("contract.bugs_of_others")


@pytest_asyncio.fixture(params=KINDS)
async def collector(request: pytest.FixtureRequest) -> AsyncIterator[HoldingCollector]:
    async with serving(HoldingCollector(request.param)) as served:
        assert isinstance(served, HoldingCollector)
        yield served


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[HoldingCollector]:
    async with serving(HoldingCollector("elasticsearch")) as served:
        assert isinstance(served, HoldingCollector)
        yield served


def log_some(count: int) -> None:
    for number in range(count):
        log.info("n %d", number)


def assert_each_once(collector: HoldingCollector, runtime: LoggingRuntime, count: int) -> None:
    """The collector holds so many entries, each once, and the ledger says that they were stored."""
    assert list(collector.held.values()) == [1] * count
    ledger = sink_stats(runtime).ledger
    assert (ledger.delivered + ledger.duplicate, ledger.rejected, ledger.dropped_total) == (count, 0, 0)
    assert unbalanced(runtime) == []


async def every_other_item(cluster: HoldingCollector, request: web.Request, received: Received) -> web.StreamResponse:
    """Store every other document, and be too busy for the rest."""
    arrived = cluster.arrived(received)
    cluster.held.update(arrived[::2])
    refused = {"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "queue full"}}
    items = [{"create": refused if number % 2 else {"status": 201}} for number in range(len(arrived))]
    return await json_reply({"errors": True, "items": items})(request, received)


async def test_one_stored_item_does_not_settle_its_neighbours(cluster: HoldingCollector):
    """Elsewhere one 201 among the items marks the whole chunk done, and its siblings that got 429 are lost."""
    cluster.then(lambda request, received: every_other_item(cluster, request, received))
    async with logging_to(cluster.options()) as runtime:
        log_some(11)
        assert await runtime.flush()
        assert_each_once(cluster, runtime, 11)
        assert sink_stats(runtime).ledger.duplicate == 0


async def test_partial_failures_are_sent_again_without_an_option(cluster: HoldingCollector):
    """Elsewhere that is off by default: what was refused in part is gone unless somebody knew of the option."""
    cluster.then(lambda request, received: every_other_item(cluster, request, received))
    async with logging_to(ElasticsearchOptions(url=cluster.url)) as runtime:
        log_some(9)
        assert await runtime.flush()
        assert_each_once(cluster, runtime, 9)


async def test_an_id_that_exists_is_no_failure(cluster: HoldingCollector):
    """Elsewhere a 409 counts as a failure: what an attempt stored whose answer was lost is reported as lost."""

    async def store_and_close(request: web.Request, received: Received) -> web.StreamResponse:
        await cluster.accept(request, received)
        return await cluster.close(request, received)

    cluster.then(store_and_close)
    async with logging_to(cluster.options()) as runtime:
        log_some(7)
        assert await runtime.flush()
        assert_each_once(cluster, runtime, 7)
        assert (sink_stats(runtime).ledger.duplicate, sink_stats(runtime).state) == (7, "active")


async def test_a_good_looking_status_with_which_data_is_discarded_is_no_success():
    """Elsewhere Loki's 260 (ingestion is blocked) is one of the 2xx, and what was thrown away counts as sent."""
    async with serving(ScriptedCollector(status(260, "blocked by policy"))) as loki:
        async with logging_to(LokiOptions(url=loki.url)) as runtime:
            log_some(5)
            assert not await runtime.flush()
            ledger = sink_stats(runtime).ledger
            assert (ledger.delivered, ledger.rejected) == (0, 5)
            assert "blocked by policy" in (sink_stats(runtime).last_error or "")
        assert len(loki.requests) == 1


async def test_accepted_is_not_yet_stored():
    """Elsewhere Splunk's 200 counts as stored, which says only that a request looks valid."""
    async with serving(HoldingCollector("splunk")) as splunk:
        assert isinstance(splunk, HoldingCollector)
        splunk.then(json_reply({"text": "Success", "code": 0, "ackId": 7}))  # accepted, and then forgotten
        async with logging_to(splunk.options(ack_timeout=0.2)) as runtime:
            log_some(5)
            assert await runtime.flush()
            assert_each_once(splunk, runtime, 5)


async def test_however_often_an_attempt_fails_entries_are_not_given_up(collector: HoldingCollector):
    """Elsewhere entries are dropped after some minutes, and count as sent; with the usual waits this lasts an hour."""
    collector.misbehave(status(503, "down"))
    options = collector.options(backoff_first=0.001, backoff_max=0.002, spool=SpoolOptions(enabled=False))
    async with logging_to(options) as runtime:
        log_some(10)
        await eventually(lambda: sink_stats(runtime).retries >= 200, 30.0)
        ledger = sink_stats(runtime).ledger
        assert (ledger.delivered, ledger.in_flight, ledger.dropped_total) == (0, 10, 0)
        collector.mend()
        assert await runtime.flush()
        assert_each_once(collector, runtime, 10)


async def test_a_timeout_that_is_accepted_is_kept(collector: HoldingCollector):
    """Elsewhere `export_timeout` is taken and never looked at: a collector that hangs holds the exporter for ever."""
    collector.then(collector.hang)
    began = time.monotonic()
    async with logging_to(collector.options(timeout=0.3)) as runtime:
        log.error("n 0")
        await eventually(lambda: sink_stats(runtime).retries >= 1)
        assert "no answer within 0.3 s" in (sink_stats(runtime).last_error or "")
        assert time.monotonic() - began >= 0.3
        assert await runtime.flush()


def _option_classes(above: type[BaseModel]) -> list[type[BaseModel]]:
    return list(chain.from_iterable([each, *_option_classes(each)] for each in above.__subclasses__()))


def test_every_option_is_read_somewhere():
    """Elsewhere options are accepted, documented and unused."""
    read: set[str] = set()
    for path in SOURCE.parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        read |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        read |= {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
    classes = [each for each in _option_classes(Options) if each.__module__.startswith("metaexpert.")]
    assert len(classes) >= 15
    unread = {f"{each.__name__}.{name}" for each in classes for name in each.model_fields if name not in read}
    assert unread == set()


async def test_entries_share_requests(collector: HoldingCollector):
    """Elsewhere each entry is a POST of its own, and a burst takes as long as the network needs for all of them."""
    async with logging_to(collector.options(batch_max_age=30.0)) as runtime:
        log_some(1000)
        assert await runtime.flush()
        assert_each_once(collector, runtime, 1000)
    assert len([request for request in collector.requests if collector.arrived(request)]) <= 2


def _times_ns(collector: HoldingCollector, received: Received) -> list[int]:
    """When a request says that its entries happened, nanoseconds."""
    match collector.kind:
        case "loki":
            return [int(entry.time_ns) for entry in pushed(received)]
        case "elasticsearch":
            texts = [document.source["@timestamp"] for document in documents(received)]
            return [int(datetime.fromisoformat(text).timestamp() * 1e9) for text in texts]
        case "splunk":
            return [int(float(event["time"]) * 1e9) for event in map(orjson.loads, received.body.splitlines())]
        case _:
            return [record.time_ns for record in exported(received)]


async def test_the_time_is_the_entrys_and_not_that_of_sending(collector: HoldingCollector):
    """Elsewhere entries get the time at which they were sent: after an outage all of it seems to have happened then."""
    collector.misbehave(status(503, "down"))
    async with logging_to(collector.options()) as runtime:
        before = time.time_ns()
        log.error("n 0")
        after = time.time_ns()
        await eventually(lambda: sink_stats(runtime).retries >= 3)
        collector.mend()
        assert await runtime.flush()
    sent = [request for request in collector.requests if collector.arrived(request)][-1]
    (at,) = _times_ns(collector, sent)
    microsecond = 1000  # what a double leaves of a time since 1970
    assert before - microsecond <= at <= after + microsecond


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("options", [LokiOptions, ElasticsearchOptions, OtlpOptions, SplunkOptions, NdjsonOptions])
async def test_a_certificate_that_nobody_vouches_for_is_refused(options: type[HttpOptions], certificates: Certificates):
    """Elsewhere verification is off, or is turned off by a helpful default: anybody may read the credentials."""
    async with serving(ScriptedCollector(status(200)), certificates.server_context()) as server:
        secret: dict[str, Any] = {"token": TOKEN} if options is SplunkOptions else {"bearer_token": TOKEN}
        async with logging_to(options(url=server.url, **secret), shutdown_timeout=0.1) as runtime:
            log.error("n 0")
            await eventually(lambda: sink_stats(runtime).state == "failed")
            assert "certificate" in (sink_stats(runtime).last_error or "")
        assert server.requests == []


class _FaultySink:
    """Fails in as many ways as code can, once each, and then keeps what it is given."""

    def __init__(self, parts: SinkParts) -> None:
        self.encode = parts.json_line
        self.kept: list[Capture] = []
        self._faults = [
            RuntimeError("a bug"),
            asyncio.CancelledError(),
            TimeoutError(),
            MemoryError(),
            KeyError("x"),
            None,
        ]

    async def write(self, batch: Batch) -> Outcome:
        if self._faults:
            fault = self._faults.pop(0)
            if fault is None:
                return cast("Outcome", "nonsense")
            raise fault
        self.kept += batch.entries
        return Delivered()

    async def close(self) -> None:
        return


async def test_a_worker_that_failed_goes_on():
    """Elsewhere a worker that dies of one exception is gone, and everything after it is dropped in silence."""
    made: list[_FaultySink] = []

    def new_sink(parts: SinkParts) -> _FaultySink:
        made.append(_FaultySink(parts))
        return made[-1]

    options = CustomOptions(name="faulty", new_sink=new_sink, backoff_first=0.001, backoff_max=0.002)
    async with logging_to(options) as runtime:
        log_some(20)
        assert await runtime.flush()
        stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.retries) == (20, 6)
    assert len(made[0].kept) == 20


async def test_flush_says_what_the_collector_says(collector: HoldingCollector):
    """Elsewhere flush returns success without looking: the program ends, and what it logged last is nowhere."""
    collector.misbehave(status(503, "down"))
    async with logging_to(collector.options()) as runtime:
        log_some(10)
        assert await runtime.flush(timeout=0.1) is False
        assert collector.held == {}
        collector.mend()
        assert await runtime.flush() is True
        assert_each_once(collector, runtime, 10)


async def test_an_outage_takes_no_more_memory_than_it_may(collector: HoldingCollector):
    """Elsewhere the queue grows for as long as an outage lasts, until the program is killed."""
    collector.misbehave(status(503, "down"))
    room = QueueOptions(max_entries=200, max_bytes=1024 * 1024)
    options = collector.options(spool=SpoolOptions(enabled=False))
    async with logging_to(options, queue=room, shutdown_timeout=0.1) as runtime:
        for _ in range(50):
            log_some(100)
            await eventually(lambda: runtime.stats().ingress.queued_entries == 0)
            stats = sink_stats(runtime)
            assert stats.queued_entries <= room.max_entries * 1.5
            assert stats.queued_bytes <= room.max_bytes * 1.5
        assert sink_stats(runtime).ledger.dropped_total > 3000
        assert unbalanced(runtime) == []
