"""Against a running OpenSearch (or Elasticsearch): what counts as delivered can be read back, document by document.

METAEXPERT_TEST_OPENSEARCH_URL may name its address, for instance http://127.0.0.1:9200; else one is started where
`scripts/dev.py servers` could install it. Indices of the tests' own are made and removed.
"""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import aiohttp
import orjson
import pytest
import pytest_asyncio
from support.lost_answers import relaying
from support.running_logger import ids, logging_to

from metaexpert.logger import ElasticsearchOptions, LoggingRuntime, MemoryOptions, get_logger
from metaexpert.logger.sinks.memory import MemorySink

pytestmark = pytest.mark.slow

log = get_logger("real.opensearch")


class Server:
    """The server's own interface, to prepare and to look."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session
        self.run = uuid4().hex[:12]
        self.index = f"metaexpert-tests-{self.run}"
        self.stream = f"logs-metaexpert-{self.run}"

    async def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": "application/json"}
        async with self._session.request(method, self.url + path, data=data, headers=headers) as response:
            return orjson.loads(await response.read())

    async def make_data_stream(self) -> None:
        """Backed by a template in which users' fields are one object each."""
        version = (await self.ask("GET", "/"))["version"]
        one_object = {"type": "flat_object" if version.get("distribution") == "opensearch" else "flattened"}
        properties = {
            "@timestamp": {"type": "date_nanos"},
            "message": {"type": "text"},
            "extra": one_object,
            "trade_data": one_object,
        }
        template = {
            "index_patterns": [self.stream],
            "data_stream": {},
            "priority": 500,
            "template": {"settings": {"number_of_replicas": 0}, "mappings": {"properties": properties}},
        }
        answer = await self.ask("PUT", f"/_index_template/{self.stream}", template)
        assert answer.get("acknowledged"), answer

    async def documents(self, index: str) -> dict[str, dict[str, Any]]:
        """Every document of `index` by its id."""
        await self.ask("POST", f"/{index}/_refresh")
        answer = await self.ask("POST", f"/{index}/_search", {"size": 10_000, "query": {"match_all": {}}})
        found = [(hit["_id"], hit["_source"]) for hit in answer["hits"]["hits"]]
        assert len({entry_id for entry_id, _ in found}) == len(found)
        return dict(found)

    async def clean(self) -> None:
        """Remove what was made."""
        await self.ask("DELETE", f"/_data_stream/{self.stream}")
        await self.ask("DELETE", f"/_index_template/{self.stream}")
        await self.ask("DELETE", f"/{self.index}")


@pytest_asyncio.fixture
async def server(opensearch_url: str) -> AsyncIterator[Server]:
    async with aiohttp.ClientSession() as session:
        under_test = Server(opensearch_url, session)
        yield under_test
        await under_test.clean()


def runtime_to(url: str, index: str, **more: Any) -> LoggingRuntime:
    values: dict[str, Any] = {"backoff_first": 0.05, "backoff_max": 0.5, "batch_max_age": 0.2, **more}
    sink = ElasticsearchOptions(url=url, index=index, **values)
    return logging_to(sink, MemoryOptions(max_entries=100_000), shutdown_timeout=20.0)


def kept(runtime: LoggingRuntime) -> list[dict[str, Any]]:
    memory = runtime.sinks["memory"]
    assert isinstance(memory, MemorySink)
    return memory.entries


async def test_everything_delivered_to_a_data_stream_is_found_by_its_id(server: Server):
    await server.make_data_stream()
    async with runtime_to(server.url, server.stream, environment="test") as runtime:
        for number in range(3000):
            log.log(10 * (1 + number % 4), "n %d", number, order_id=number)
            if number % 100 == 0:
                log.trade.order_placed(order_id=number, symbol="BTCUSDT", side="BUY", quantity="0.10", price="1.5")
        log.info('quote " newline \n emoji 😀 nul \x00 surrogate \ud800')
        assert await runtime.flush(timeout=20.0)
        written = kept(runtime)
        ledger = runtime.stats().sinks["elasticsearch"].ledger
    assert (ledger.delivered, ledger.duplicate, ledger.rejected) == (len(written), 0, 0)
    found = await server.documents(server.stream)
    assert sorted(found) == sorted(ids(written))
    for entry in written:
        document = found[entry["id"]]
        assert document["event"]["id"] == entry["id"]
        assert document["message"] == entry["message"]
        assert document["@timestamp"] == entry["timestamp"]
        assert document["log"]["level"] == entry["level"].lower()
        assert document.get("extra") == entry.get("extra")
        assert document.get("trade_data") == entry.get("trade_data")


async def test_no_field_of_the_users_breaks_the_mapping_of_one_object(server: Server):
    await server.make_data_stream()
    values: list[Any] = [1, 2.5, "text", True, None, {"a": 1}, {"a": {"b": [1, "x"]}}, [1, "a", {"d": None}], [], {}]
    async with runtime_to(server.url, server.stream) as runtime:
        for value in values:
            log.info("odd", value=value, **{"dotted.key": value, "empty": ""})
            log.trade.position_changed(symbol="X", quantity="1", note=value)
        assert await runtime.flush(timeout=20.0)
        ledger = runtime.stats().sinks["elasticsearch"].ledger
    assert (ledger.delivered, ledger.rejected) == (2 * len(values), 0)
    assert len(await server.documents(server.stream)) == 2 * len(values)


async def test_a_mapping_error_rejects_its_document_alone(server: Server):
    """In an index with a dynamic mapping a field's first type binds all others."""
    async with runtime_to(server.url, server.index) as runtime:
        log.info("n 0", depth=1)
        assert await runtime.flush(timeout=20.0)
        for number in range(1, 30):
            log.info("n %d", number, depth={"levels": 3} if number in {7, 20} else number)
        assert not await runtime.flush(timeout=20.0)
        stats = runtime.stats().sinks["elasticsearch"]
        written = {entry["id"]: entry["message"] for entry in kept(runtime)}
    assert (stats.ledger.delivered, stats.ledger.rejected, stats.ledger.balanced) == (28, 2, True)
    assert "400" in (stats.last_error or "")
    found = await server.documents(server.index)
    assert sorted(found) == sorted(key for key, message in written.items() if message not in {"n 7", "n 20"})


async def test_what_is_sent_twice_is_stored_once_and_counted_as_a_duplicate(server: Server):
    await server.make_data_stream()
    async with relaying(server.url) as relay:
        relay.then(relay.lose)
        async with runtime_to(relay.url, server.stream, batch_max_age=30.0) as runtime:
            for number in range(400):
                log.info("n %d", number)
            assert await runtime.flush(timeout=20.0)
            written = ids(kept(runtime))
            ledger = runtime.stats().sinks["elasticsearch"].ledger
    assert (ledger.delivered, ledger.duplicate, ledger.balanced) == (0, 400, True)
    assert sorted(await server.documents(server.stream)) == sorted(written)


async def test_a_write_block_pauses_and_everything_arrives_once_it_is_lifted(server: Server):
    await server.ask("PUT", f"/{server.index}", {"settings": {"index.number_of_replicas": 0}})
    await server.ask("PUT", f"/{server.index}/_settings", {"index.blocks.write": True})
    async with runtime_to(server.url, server.index) as runtime:
        for number in range(50):
            log.info("n %d", number)
        assert not await runtime.flush(timeout=1.0)
        stats = runtime.stats().sinks["elasticsearch"]
        assert stats.state == "failed"
        assert (stats.ledger.in_flight, stats.ledger.rejected) == (50, 0)
        await server.ask("PUT", f"/{server.index}/_settings", {"index.blocks.write": False})
        assert await runtime.flush(timeout=20.0)
        ledger = runtime.stats().sinks["elasticsearch"].ledger
    assert (ledger.delivered, ledger.balanced) == (50, True)
    assert len(await server.documents(server.index)) == 50
