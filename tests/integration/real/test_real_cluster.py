"""The files of examples/deploy against real servers: templates are taken, every query finds what the sinks wrote."""

import asyncio
import time
from collections.abc import Generator
from typing import Any
from uuid import uuid4

import aiohttp
import orjson
import pytest
from support.deploy import SAVED_OBJECTS, TEMPLATES, PanelQuery, SavedQuery, panel_queries, read_json, saved_queries
from support.every_kind import gap, log_every_kind
from support.running_logger import logging_to

from metaexpert.logger import ElasticsearchOptions, LokiOptions, get_logger
from metaexpert.logger.port import port

pytestmark = pytest.mark.slow

_PATIENCE_SECONDS = 30.0


ALL_ENTRIES = 16
"""What `write_every_kind` logs."""

NUMBERS = {"Experts logging": 1.0, "Errors": 4.0, "Fills": 2.0, "Dropped entries": 5.0}
"""What a panel of one number shows afterwards; others show more than nothing."""

SERIES = {
    "Entries by level": {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"},
    "Entries by log type": {"general", "trade", "audit", "gap", "error"},
    "Exceptions": {"ValueError", "ConnectionError"},
    "Fills by symbol": {"BTCUSDT", "ETHUSDT"},
    "Trade events": {"order_placed", "order_filled", "order_cancelled", "position_changed"},
}
"""What a panel of several series is divided by; others show the service."""

LINES = {"What was dropped, and where": 1, "Orders and audit": 8, "Lines": ALL_ENTRIES}

FOUND = {
    "metaexpert-errors": 4,
    "metaexpert-orders": 8,
    "metaexpert-gaps": 1,
    "metaexpert-errors-by-service": 4,
    "metaexpert-errors-by-type": 2,
    "metaexpert-trade-events": 7,
    "metaexpert-fills": 2,
    "metaexpert-fills-by-symbol": 2,
}
"""Documents a saved object finds; others find all."""

EVENTS = {"order_placed": 2, "order_filled": 2, "order_cancelled": 2, "position_changed": 1}


def write_every_kind() -> None:
    log_every_kind()
    port.ingress.put(gap())


async def _written(sink: LokiOptions | ElasticsearchOptions, service: str) -> None:
    async with logging_to(sink, log_name=service, shutdown_timeout=20.0) as runtime:
        write_every_kind()
        assert await runtime.flush(timeout=20.0)
        (stats,) = runtime.stats().sinks.values()
    assert (stats.ledger.delivered, stats.ledger.rejected) == (ALL_ENTRIES, 0)


async def asked(url: str, method: str, path: str, body: object = None, **parameters: str) -> dict[str, Any]:
    """The server's answer, which has to be a good one."""
    data = None if body is None else orjson.dumps(body)
    async with (
        aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as session,
        session.request(method, url + path, data=data, params=parameters) as response,
    ):
        answer = await response.read()
        assert response.status == 200, f"{method} {path} {parameters}: {response.status} {answer.decode()}"
        return orjson.loads(answer)


# ---- Loki ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def expert(loki_url: str) -> str:
    """A service that has written one entry of every kind."""
    service = f"cluster-{uuid4().hex[:12]}"
    asyncio.run(_written(LokiOptions(url=loki_url, labels={"env": "live"}, batch_max_age=0.05), service))
    return service


@pytest.mark.parametrize("query", panel_queries(), ids=lambda query: query.panel)
async def test_a_panel_of_grafana_shows_what_was_written(query: PanelQuery, expert: str, loki_url: str):
    expression = query.filled(service=expert, env="live")
    ranged = query.kind in {"logs", "timeseries"}
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        now = time.time_ns()
        span = (
            {"start": str(now - 600 * 10**9), "end": str(now + 10**9), "step": "60", "limit": "100"} if ranged else {}
        )
        path = "/loki/api/v1/query_range" if ranged else "/loki/api/v1/query"
        result = (await asked(loki_url, "GET", path, query=expression, **span))["data"]["result"]
        if _shows(query, result):
            break
        assert time.monotonic() < deadline, (expression, result)  # what was pushed a moment ago is found a moment later
        await asyncio.sleep(0.3)
    assert not [each for each in result if "__error__" in each.get("stream", each.get("metric"))]


def _shows(query: PanelQuery, result: list[dict[str, Any]]) -> bool:
    if query.kind == "logs":
        return sum(len(stream["values"]) for stream in result) == LINES[query.panel]
    if query.kind == "stat":
        numbers = [float(each["value"][1]) for each in result]
        return numbers == [NUMBERS[query.panel]] if query.panel in NUMBERS else numbers != [] and numbers[0] > 0
    divided_by = {name for each in result for name in each["metric"].values()}
    return divided_by == SERIES[query.panel] if query.panel in SERIES else len(divided_by) == 1


# ---- OpenSearch, Elasticsearch -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def flavour(opensearch_url: str) -> int:
    """Which of the two files fits the server: Elasticsearch's or OpenSearch's."""
    version = asyncio.run(asked(opensearch_url, "GET", "/"))["version"]
    return int(version.get("distribution") == "opensearch")


@pytest.fixture(scope="module")
def stream(opensearch_url: str, flavour: int) -> Generator[str]:
    """A data stream by the shipped template that holds a document of every kind of entry."""
    name = f"cluster-{uuid4().hex[:12]}"
    try:
        asyncio.run(_make_stream(opensearch_url, name, read_json(TEMPLATES[flavour])))
        yield name
    finally:
        asyncio.run(_remove_stream(opensearch_url, name))


async def _make_stream(url: str, name: str, template: dict[str, Any]) -> None:
    template["index_patterns"] = [f"{name}*"]
    template["template"]["settings"]["index"].pop("lifecycle", None)  # its policy is not there
    await asked(url, "PUT", f"/_index_template/{name}", template)
    await _written(ElasticsearchOptions(url=url, index=name, environment="live", batch_max_age=0.05), "bot")
    await asked(url, "POST", f"/{name}/_refresh")


async def _remove_stream(url: str, name: str) -> None:
    await asked(url, "DELETE", f"/_data_stream/{name}")
    await asked(url, "DELETE", f"/_index_template/{name}")


async def test_the_template_makes_a_data_stream_with_its_mapping(stream: str, opensearch_url: str, flavour: int):
    (found,) = (await asked(opensearch_url, "GET", f"/_data_stream/{stream}"))["data_streams"]
    assert found["template"] == stream
    ((_, index),) = (await asked(opensearch_url, "GET", f"/{stream}/_mapping")).items()
    wanted = read_json(TEMPLATES[flavour])["template"]["mappings"]["properties"]
    got = index["mappings"]["properties"]
    assert got.keys() == wanted.keys(), "nothing was mapped that the template does not name"
    assert {name: got[name]["type"] for name in ("extra", "trade_data", "error_context", "@timestamp")} == {
        name: wanted[name]["type"] for name in ("extra", "trade_data", "error_context", "@timestamp")
    }


async def test_values_of_any_type_fit_one_field(stream: str, opensearch_url: str):
    """What would break an ordinary mapping: a number, then a word, then an object under one name."""
    log = get_logger("strategy.sizes")
    sink = ElasticsearchOptions(url=opensearch_url, index=stream, batch_max_age=0.05)
    async with logging_to(sink, shutdown_timeout=20.0) as runtime:
        for size in (3, "large", {"bid": 1.5}, [1, "a"], None):
            log.info("size", size=size)
        assert await runtime.flush(timeout=20.0)
        (stats,) = runtime.stats().sinks.values()
    assert (stats.ledger.delivered, stats.ledger.rejected) == (5, 0)


@pytest.mark.parametrize("number", range(max(len(saved_queries(path)) for path in SAVED_OBJECTS)))
async def test_a_saved_object_finds_what_was_written(stream: str, opensearch_url: str, flavour: int, number: int):
    queries = saved_queries(SAVED_OBJECTS[flavour])
    if number >= len(queries):
        pytest.skip("this server's file has fewer")
    query = queries[number]
    body = query.body() | {"track_total_hits": True}
    body["query"] = {"bool": {"must": [body["query"], {"term": {"service.name": "bot"}}]}}
    answer = await asked(opensearch_url, "POST", f"/{stream}/_search", body)
    assert answer["hits"]["total"]["value"] == FOUND.get(query.name, ALL_ENTRIES)
    _check_buckets(query, answer)


def _check_buckets(query: SavedQuery, answer: dict[str, Any]) -> None:
    if not query.aggregations:
        return
    (first,) = answer["aggregations"].values()
    assert sum(bucket["doc_count"] for bucket in first["buckets"]) == answer["hits"]["total"]["value"]
    if query.name == "metaexpert-trade-events":
        counts: dict[str, int] = {}
        for bucket in first["buckets"]:
            inner = bucket["3"]["buckets"]
            named = inner.items() if isinstance(inner, dict) else [(each["key"], each) for each in inner]
            for event, each in named:
                counts[event] = counts.get(event, 0) + each["doc_count"]
        assert counts == EVENTS
