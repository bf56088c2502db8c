"""JSON lines over HTTP: what is sent, under which key, and what every answer means."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio
from aiohttp import web
from support.eventually import eventually
from support.fake_sinks import capture, captures
from support.running_logger import logging_to, sink_stats
from support.scripted_collector import Received, ScriptedCollector, serving, status

from metaexpert.exceptions import ConfigError
from metaexpert.logger import Batch, NdjsonOptions, get_logger
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Jobs, Worker
from metaexpert.logger.sinks.http import HttpClient
from metaexpert.logger.sinks.ndjson import NdjsonSink

log = get_logger("contract.ndjson")

STORED = status(200)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ScriptedCollector]:
    async with serving(ScriptedCollector(STORED)) as collector:
        yield collector


def options(server: ScriptedCollector, **more: Any) -> NdjsonOptions:
    """A sink that cuts its batches only on flush, and tries again at once."""
    values: dict[str, Any] = {"batch_max_age": 30.0, "backoff_first": 0.01, "backoff_max": 0.02, "timeout": 5.0}
    values |= {"url": server.url, **more}
    return NdjsonOptions(**values)


def lines(request: Received) -> list[dict[str, Any]]:
    """The entries of a request, in order."""
    assert request.body.endswith(b"\n")
    return [orjson.loads(line) for line in request.body.removesuffix(b"\n").split(b"\n")]


def messages(request: Received) -> list[str]:
    return [line["message"] for line in lines(request)]


class TestRequest:
    async def test_entries_are_posted_as_lines_of_json(self, server: ScriptedCollector):
        async with logging_to(options(server)) as runtime:
            log.info("one", symbol="BTCUSDT")
            log.trade.order_placed(order_id=8, symbol="ETHUSDT", side="BUY", quantity="0.1", price="2000.10")
            assert await runtime.flush()
            boot_id = runtime.identity.boot_id
        (request,) = server.requests
        first, second = lines(request)
        assert (request.method, request.path) == ("POST", "/")
        assert request.headers["Content-Type"] == "application/x-ndjson"
        assert (first["message"], first["extra"], first["level"]) == ("one", {"symbol": "BTCUSDT"}, "INFO")
        assert (second["log_type"], second["trade_data"]["price"]) == ("trade", "2000.10")
        assert first["id"] == f"{boot_id}-{first['seq']}"

    async def test_path_and_parameters_are_the_configured_ones(self, server: ScriptedCollector):
        query = {"_stream_fields": "service,level", "_msg_field": "message", "note": "a b&c=ü+%"}
        async with logging_to(options(server, path="/insert/jsonline", query=query)) as runtime:
            log.info("one")
            assert await runtime.flush()
        seen: list[web.Request] = []

        async def look(request: web.Request, received: Received) -> web.StreamResponse:
            seen.append(request)
            return await STORED(request, received)

        server.default = look
        async with logging_to(options(server, url=f"{server.url}/gate/", path="/in", query=query)) as runtime:
            log.info("two")
            assert await runtime.flush()
        assert server.requests[0].path.startswith("/insert/jsonline?_stream_fields=service")
        assert (seen[0].path, dict(seen[0].query)) == ("/gate/in", query)

    async def test_the_content_type_may_be_another(self, server: ScriptedCollector):
        async with logging_to(options(server, content_type="application/json")) as runtime:
            log.info("one")
            assert await runtime.flush()
        assert server.requests[0].headers["Content-Type"] == "application/json"

    async def test_lines_may_be_ecs_documents(self, server: ScriptedCollector):
        async with logging_to(options(server, format="ecs", environment="paper")) as runtime:
            log.warning("one", symbol="BTCUSDT")
            assert await runtime.flush()
        (line,) = lines(server.requests[0])
        assert (line["message"], line["log"]["level"], line["extra"]) == ("one", "warning", {"symbol": "BTCUSDT"})
        assert line["service"] == {"name": "tests", "environment": "paper"}

    async def test_a_large_batch_is_compressed_and_closed_at_its_size(self, server: ScriptedCollector):
        async with logging_to(options(server, batch_max_bytes=100_000)) as runtime:
            for number in range(1000):
                log.info("n %d %s", number, "x" * 400)
            assert await runtime.flush()
        assert len(server.requests) > 3
        assert {request.headers.get("Content-Encoding") for request in server.requests[:-1]} == {"gzip"}
        # a batch is cut at the end of a step of the dispatcher, 64 entries of some 900 bytes
        assert max(len(request.body) for request in server.requests) < 100_000 + 2 * 64 * 900
        assert [text for request in server.requests for text in messages(request)] == [
            f"n {number} {'x' * 400}" for number in range(1000)
        ]

    async def test_any_text_is_one_line_of_valid_json(self, server: ScriptedCollector):
        odd = 'quote " newline \n return \r separator \u2028 nul \x00 emoji 😀 surrogate \ud800 end'
        async with logging_to(options(server)) as runtime:
            log.info(odd, odd=odd, nothing=float("nan"))
            log.info("")
            assert await runtime.flush()
        first, second = lines(server.requests[0])
        assert first["message"].startswith('quote " newline \n return')
        assert "😀" in first["extra"]["odd"]
        assert second["message"] == ""

    @pytest.mark.parametrize("path", ["insert", "", "/a?b=c", "/a#b", "/a b", "/a\n"])
    def test_a_path_that_is_none_is_refused_with_the_remedy(self, path: str):
        with pytest.raises(ConfigError, match=r"NdjsonOptions\.path .*parameters belong in query"):
            NdjsonOptions(url="http://127.0.0.1", path=path)


class TestKey:
    """A server may de-duplicate by the key: the same for each attempt of a batch, another for every other batch."""

    async def test_each_attempt_of_a_batch_has_the_same_bytes_and_key(self, server: ScriptedCollector):
        server.then(status(503), server.close, status(429))
        async with logging_to(options(server)) as runtime:
            for number in range(200):
                log.info("n %d %s", number, "x" * 200)
            assert await runtime.flush()
            log.info("another")
            assert await runtime.flush()
            assert sink_stats(runtime).retries == 3
        *attempts, another = server.requests
        assert len(attempts) == 4
        assert len({request.raw for request in attempts}) == 1
        (key,) = {request.headers["Idempotency-Key"] for request in attempts}
        assert another.headers["Idempotency-Key"] != key
        assert key[0] == key[-1] == '"'
        assert len(key) == 34

    async def test_the_parts_of_a_cut_batch_have_keys_of_their_own(self, server: ScriptedCollector):
        async def small_ones(request: web.Request, received: Received) -> web.StreamResponse:
            return await (STORED if len(lines(received)) <= 2 else status(413))(request, received)

        server.default = small_ones
        async with logging_to(options(server)) as runtime:
            for number in range(8):
                log.info("n %d", number)
            assert await runtime.flush()
        # what was refused for its size told how large the rest may be
        assert [len(lines(request)) for request in server.requests] == [8, 4, 2, 2, 2, 2]
        assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 6

    async def test_entries_of_an_earlier_run_read_back_from_disk_have_another_key(self):
        """Their numbers may be those of this run's entries, and their sizes too."""
        named = NdjsonOptions(url="http://127.0.0.1:9")
        sink = NdjsonSink(named, HttpClient(named, Worker(Jobs(), "a")), lambda _: b"{}", Identity(service="one"))
        now, before = capture(1, time_ns=2_000), capture(1, time_ns=1_000)
        assert sink.key(Batch([now], [b"{}"])) != sink.key(Batch([before], [b"{}"]))

    async def test_two_sinks_and_two_runs_never_share_a_key(self):
        entries = captures(range(1, 4))
        keys: set[str] = set()
        for identity in (Identity(service="one"), Identity(service="one")):
            for name in ("a", "b"):
                named = NdjsonOptions(name=name, url="http://127.0.0.1:9")
                sink = NdjsonSink(named, HttpClient(named, Worker(Jobs(), name)), lambda _: b"{}", identity)
                keys |= {sink.key(Batch(entries[:count], [b"{}"] * count)) for count in (1, 2, 3)}
        assert len(keys) == 12


class TestAnswers:
    @pytest.mark.parametrize("code", [207, 226, 260])
    async def test_an_unusual_2xx_is_delivered_and_told(self, server: ScriptedCollector, code: int):
        server.default = status(code, "1 of 2")
        async with logging_to(options(server)) as runtime:
            log.info("one")
            log.info("two")
            assert await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.retries) == (2, 0)
        assert f"HTTP {code} 1 of 2" in (stats.last_error or "")

    @pytest.mark.parametrize("code", [200, 201, 202, 204])
    async def test_the_usual_2xx_are_delivered(self, server: ScriptedCollector, code: int):
        server.default = status(code)
        async with logging_to(options(server)) as runtime:
            log.info("one")
            log.info("two")
            assert await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.retries, stats.state) == (2, 0, "active")
        assert len(server.requests) == 1

    @pytest.mark.parametrize("code", [400, 413, 422])
    async def test_a_refused_batch_is_cut_until_the_offender_stands_alone(self, server: ScriptedCollector, code: int):
        stored: list[str] = []

        async def reply(request: web.Request, received: Received) -> web.StreamResponse:
            if "offender" in messages(received):
                return await status(code, "no, thank you")(request, received)
            stored.extend(messages(received))
            return await STORED(request, received)

        server.default = reply
        async with logging_to(options(server)) as runtime:
            for number in range(33):
                log.info("offender" if number == 20 else f"good {number}")
            assert not await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.ledger.rejected, stats.ledger.balanced) == (32, 1, True)
        assert stored == [f"good {number}" for number in range(33) if number != 20]
        assert stats.last_error == f"{code} no, thank you"

    @pytest.mark.parametrize(
        ("code", "text"),
        [
            *((code, "ask the operator") for code in (301, 307, 401, 403, 404, 405, 415)),
            (400, 'unsupported path requested: "/insert/jsonlines"'),
            (400, "error: invalid 'Content-Type'"),
        ],
    )
    async def test_what_an_operator_must_mend_pauses_and_drops_nothing(
        self, server: ScriptedCollector, code: int, text: str
    ):
        server.default = status(code, text)
        async with logging_to(options(server, backoff_max=0.05)) as runtime:
            for number in range(10):
                log.info("n %d", number)
            assert not await runtime.flush(timeout=0.3)
            stats = sink_stats(runtime)
            assert stats.state == "failed"
            assert (stats.ledger.in_flight, stats.ledger.rejected, stats.ledger.dropped_total) == (10, 0, 0)
            assert str(code) in (stats.last_error or "")
            server.default = STORED
            assert await runtime.flush()
            assert sink_stats(runtime).ledger.delivered == 10

    @pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
    async def test_a_passing_trouble_is_tried_again(self, server: ScriptedCollector, code: int):
        server.then(status(code, "busy"), status(code, "busy"))
        async with logging_to(options(server)) as runtime:
            for number in range(10):
                log.info("n %d", number)
            assert await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.retries, stats.state) == (10, 2, "active")
        assert len({request.raw for request in server.requests}) == 1

    async def test_retry_after_is_heeded(self, server: ScriptedCollector):
        server.then(status(429, "slow down", Retry_After="1"))
        async with logging_to(options(server)) as runtime:
            log.error("now")
            await eventually(lambda: len(server.requests) == 2)
            assert await runtime.flush()
        first, second = server.requests
        assert second.at - first.at >= 1.0
