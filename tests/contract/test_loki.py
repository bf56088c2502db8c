"""The Loki sink speaks the push API as Loki does, and takes each of its answers for what it means."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest
import pytest_asyncio
from aiohttp import web
from support.eventually import eventually
from support.fake_sinks import capture
from support.running_logger import logging_to, sink_stats
from support.scripted_collector import Pushed, Received, Reply, ScriptedCollector, pushed, serving, status

from metaexpert.logger import LokiOptions, get_logger
from metaexpert.logger.batch import Batch
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Jobs, Worker
from metaexpert.logger.sinks.http import HttpClient
from metaexpert.logger.sinks.loki import LokiSink
from metaexpert.logger.typed_logger import error_logger

log = get_logger("contract.loki")

STORED = status(204)
TOO_OLD = (
    'entry for stream \'{level="INFO", service="tests"}\' has timestamp too old: 2026-01-01T00:00:00Z, '
    "oldest acceptable timestamp is: 2026-01-08T00:00:00Z"
)
RATE_LIMITED = (
    "Ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec) while attempting to ingest '10' lines"
)


@pytest_asyncio.fixture
async def loki() -> AsyncIterator[ScriptedCollector]:
    async with serving(ScriptedCollector(STORED)) as collector:
        yield collector


def options(loki: ScriptedCollector, **more: Any) -> LokiOptions:
    """A sink that cuts its batches only on flush, and tries again at once."""
    values: dict[str, Any] = {
        "url": loki.url,
        "batch_max_age": 30.0,
        "backoff_first": 0.01,
        "backoff_max": 0.02,
        "timeout": 5.0,
    }
    values |= more
    return LokiOptions(**values)


def all_pushed(loki: ScriptedCollector) -> list[Pushed]:
    return [entry for request in loki.requests for entry in pushed(request)]


class LokiModel:
    """Stores as Loki does: `refuses` names entries it will not take; the same stream, time and line is kept once.

    Args:
        whole: a refused entry makes the whole request fail (malformed); else its neighbours are stored (limits).
    """

    def __init__(self, refuses: Callable[[Pushed], bool], *, whole: bool) -> None:
        self.stored: list[Pushed] = []
        self.stored_keys: set[tuple[str, str, str]] = set()
        self._refuses = refuses
        self._whole = whole

    async def reply(self, _request: web.Request, received: Received) -> web.StreamResponse:
        entries = pushed(received)
        refused = [entry for entry in entries if self._refuses(entry)]
        for entry in entries if not (refused and self._whole) else ():
            if not self._refuses(entry) and entry.key not in self.stored_keys:
                self.stored_keys.add(entry.key)
                self.stored.append(entry)
        if not refused:
            return web.Response(status=204)
        text = "loghttp.PushRequest.Streams: unmarshalerDecoder: …" if self._whole else TOO_OLD
        return web.Response(status=400, text=text)

    @property
    def messages(self) -> list[str]:
        return [entry.entry["message"] for entry in self.stored]


class TestRequest:
    async def test_entries_go_to_the_push_path_as_json(self, loki: ScriptedCollector):
        async with logging_to(options(loki)) as runtime:
            log.info("hello", symbol="BTCUSDT")
            assert await runtime.flush()
        (request,) = loki.requests
        assert (request.method, request.path) == ("POST", "/loki/api/v1/push")
        assert request.headers["Content-Type"] == "application/json"
        assert "Content-Encoding" not in request.headers

    async def test_the_url_may_carry_a_path_of_its_own(self, loki: ScriptedCollector):
        async with logging_to(options(loki, url=f"{loki.url}/gateway/")) as runtime:
            log.info("hello")
            assert await runtime.flush()
        assert [request.path for request in loki.requests] == ["/gateway/loki/api/v1/push"]

    async def test_a_value_is_nanoseconds_as_a_string_the_line_and_string_metadata(self, loki: ScriptedCollector):
        async with logging_to(options(loki)) as runtime:
            log.info("hello", symbol="BTCUSDT", order_id=17, depth=3)
            assert await runtime.flush()
        (value,) = orjson.loads(loki.requests[0].body)["streams"][0]["values"]
        time_ns, line, metadata = value
        entry = orjson.loads(line)
        assert time_ns.isdecimal()
        assert entry["timestamp"].endswith(f".{time_ns[-9:]}Z")
        assert entry["message"] == "hello"
        assert entry["extra"] == {"symbol": "BTCUSDT", "order_id": 17, "depth": 3}
        assert metadata == {"entry_id": entry["id"], "symbol": "BTCUSDT", "order_id": "17"}

    async def test_metadata_is_found_in_trade_fields_too(self, loki: ScriptedCollector):
        async with logging_to(options(loki)) as runtime:
            log.trade.order_placed(order_id=8, symbol="ETHUSDT", side="BUY", quantity="0.1", price="2000.10")
            assert await runtime.flush()
        (entry,) = all_pushed(loki)
        assert entry.metadata == {"entry_id": entry.entry["id"], "order_id": "8", "symbol": "ETHUSDT"}
        assert entry.labels["log_type"] == "trade"

    async def test_metadata_is_found_in_an_errors_context_too(self, loki: ScriptedCollector):
        async with logging_to(options(loki)) as runtime:
            error_logger(log).error("failed", order_id="9", symbol="ETHUSDT")
            assert await runtime.flush()
        (entry,) = all_pushed(loki)
        assert entry.metadata == {"entry_id": entry.entry["id"], "order_id": "9", "symbol": "ETHUSDT"}

    async def test_the_metadata_option_rules_what_becomes_metadata(self, loki: ScriptedCollector):
        async with logging_to(options(loki, metadata=("venue",))) as runtime:
            log.info("hello", symbol="BTCUSDT", venue="binance", order_id=None)
            assert await runtime.flush()
        (entry,) = all_pushed(loki)
        assert entry.metadata == {"entry_id": entry.entry["id"], "venue": "binance"}

    async def test_labels_are_few_the_configured_ones_service_level_and_log_type(self, loki: ScriptedCollector):
        async with logging_to(options(loki, labels={"env": "paper"})) as runtime:
            log.warning("careful", symbol="BTCUSDT")
            assert await runtime.flush()
        (entry,) = all_pushed(loki)
        assert entry.labels == {"service": "tests", "env": "paper", "level": "WARNING", "log_type": "general"}

    def test_what_overtakes_a_disk_queue_has_a_stream_of_its_own(self):
        """Loki takes nothing that is an hour behind the newest of its stream."""
        named = LokiOptions(url="http://127.0.0.1:9", labels={"env": "paper"})
        sink = LokiSink(named, HttpClient(named, Worker(Jobs(), "loki")), lambda _: b"{}", Identity(service="tests"))
        batch = Batch([capture(1, log_type="trade")], [b"[]"])
        batch.live = True
        live, usual = (
            orjson.loads(sink.body(one))["streams"][0]["stream"] for one in (batch, Batch(batch.entries, batch.parts))
        )
        assert live == {**usual, "replay": "ahead"}

    async def test_each_stream_holds_its_entries_in_the_order_of_the_calls(self, loki: ScriptedCollector):
        async with logging_to(options(loki)) as runtime:
            for number in range(50):
                log.log(10 * (1 + number % 3), "n %d", number)
            assert await runtime.flush()
        (request,) = loki.requests
        streams = orjson.loads(request.body)["streams"]
        assert sorted(stream["stream"]["level"] for stream in streams) == ["DEBUG", "INFO", "WARNING"]
        for stream in streams:
            times = [int(value[0]) for value in stream["values"]]
            numbers = [int(orjson.loads(value[1])["message"][2:]) for value in stream["values"]]
            assert times == sorted(times)
            assert numbers == sorted(numbers)

    async def test_any_text_arrives_as_valid_json(self, loki: ScriptedCollector):
        odd = 'quote " backslash \\ newline \n nul \x00 escape \x1b[31m emoji 😀 surrogate \ud800 end'
        async with logging_to(options(loki)) as runtime:
            log.info(odd, symbol=odd, order_id=float("nan"))
            assert await runtime.flush()
        (entry,) = all_pushed(loki)
        assert entry.entry["message"].startswith('quote " backslash \\')
        assert "😀" in entry.entry["message"]
        assert isinstance(entry.metadata["symbol"], str)


class TestAnswers:
    @pytest.mark.parametrize("code", [200, 204])
    async def test_stored(self, loki: ScriptedCollector, code: int):
        loki.default = status(code)
        async with logging_to(options(loki)) as runtime:
            log.info("one")
            log.info("two")
            assert await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.ledger.rejected, stats.retries) == (2, 0, 0)
        assert stats.state == "active"
        assert len(loki.requests) == 1

    async def test_a_malformed_request_is_bisected_until_the_offender_stands_alone(self, loki: ScriptedCollector):
        model = LokiModel(lambda entry: entry.entry["message"] == "offender", whole=True)
        loki.default = model.reply
        async with logging_to(options(loki)) as runtime:
            for number in range(33):
                log.info("offender" if number == 20 else f"good {number}")
            assert not await runtime.flush()
            ledger = sink_stats(runtime).ledger
        assert (ledger.delivered, ledger.rejected, ledger.routed) == (32, 1, 33)
        assert ledger.balanced
        assert model.messages == [f"good {number}" for number in range(33) if number != 20]
        assert len(loki.requests) <= 2 * 33

    async def test_a_refused_entry_beside_stored_ones_is_rejected_alone_and_the_stored_ones_stay_single(
        self, loki: ScriptedCollector
    ):
        model = LokiModel(lambda entry: entry.entry.get("extra", {}).get("old", False), whole=False)
        loki.default = model.reply
        async with logging_to(options(loki)) as runtime:
            for number in range(20):
                log.info("n %d", number, old=number in {3, 11})
            assert not await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.ledger.rejected) == (18, 2)
        assert stats.ledger.balanced
        assert stats.last_error is not None
        assert "too old" in stats.last_error
        assert sorted(model.messages) == sorted(f"n {number}" for number in range(20) if number not in {3, 11})
        # what was sent again was sent in the same bytes, or Loki would have stored it twice
        assert len({entry.entry["id"] for entry in model.stored}) == len(model.stored) == 18

    async def test_where_loki_says_that_it_refused_all_none_is_looked_for(self, loki: ScriptedCollector):
        """After a long outage thousands of entries are too old: one answer settles what came in one stream."""

        async def too_far_behind(_request: web.Request, received: Received) -> web.StreamResponse:
            count = len(pushed(received))
            ignored = "".join(
                f"entry with timestamp {at} ignored, reason: 'entry too far behind',\n" for at in range(10)
            )
            text = f"{ignored}user 'fake', total ignored: {count} out of {count} for stream: {{level=\"INFO\"}}"
            return web.Response(status=400, text=text)

        loki.default = too_far_behind
        async with logging_to(options(loki)) as runtime:
            for number in range(500):
                log.info("n %d", number)
            assert not await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.rejected, len(loki.requests)) == (500, 1)
        assert "too far behind" in (stats.last_error or "")

    @pytest.mark.parametrize(
        "text",
        ["total ignored: 3 out of 20", "total ignored: 10 out of 10", "total ignored: 20 out of 20\n" * 2],
        ids=["some", "all of one stream", "all of several streams"],
    )
    async def test_anything_else_that_it_says_of_them_settles_none(self, loki: ScriptedCollector, text: str):
        loki.then(status(400, text))
        async with logging_to(options(loki)) as runtime:
            for number in range(20):
                log.info("n %d", number)
            assert await runtime.flush()
            assert sink_stats(runtime).ledger.delivered == 20

    async def test_no_valid_stream_is_rejected(self, loki: ScriptedCollector):
        loki.default = status(422, "error at least one valid stream is required for ingestion\n")
        async with logging_to(options(loki)) as runtime:
            log.info("one")
            assert not await runtime.flush()
            assert sink_stats(runtime).ledger.rejected == 1
        assert len(loki.requests) == 1

    async def test_an_invalid_tenant_is_rejected(self, loki: ScriptedCollector):
        loki.default = status(400, "tenant ID 'a|b' contains invalid character '|'")
        async with logging_to(options(loki, tenant="a|b")) as runtime:
            log.info("one")
            log.info("two")
            assert not await runtime.flush()
            ledger = sink_stats(runtime).ledger
        assert (ledger.rejected, ledger.balanced) == (2, True)

    @pytest.mark.parametrize(
        ("code", "text"),
        [
            (429, RATE_LIMITED),
            (429, "Maximum active stream limit exceeded, reduce the number of active streams"),
            (500, "empty ring"),
            (502, "bad gateway"),
            (503, "service unavailable"),
            (504, "context deadline exceeded"),
        ],
    )
    async def test_a_passing_trouble_is_tried_again_with_the_same_bytes(
        self, loki: ScriptedCollector, code: int, text: str
    ):
        loki.then(status(code, text), status(code, text))
        async with logging_to(options(loki)) as runtime:
            for number in range(10):
                log.info("n %d", number)
            assert await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.retries, stats.state) == (10, 2, "active")
        assert len({request.raw for request in loki.requests}) == 1
        assert len(loki.requests) == 3

    async def test_while_it_is_troubled_the_sink_says_so(self, loki: ScriptedCollector):
        loki.default = status(500, "empty ring")
        async with logging_to(options(loki)) as runtime:
            log.error("now")
            await eventually(lambda: sink_stats(runtime).retries >= 1)
            assert sink_stats(runtime).state in {"degraded", "failed"}
            assert "empty ring" in (sink_stats(runtime).last_error or "")
            await eventually(lambda: sink_stats(runtime).state == "failed")
            assert sink_stats(runtime).ledger.in_flight == 1
            loki.default = STORED
            assert await runtime.flush()
            assert sink_stats(runtime).state == "active"

    @pytest.mark.parametrize(
        "refusal",
        [
            status(413, "request body too large, limit: 4194304 bytes"),
            status(500, "rpc error: grpc: received message larger than max (5000000 vs. 4194304)"),
        ],
        ids=["413", "grpc limit"],
    )
    async def test_a_body_too_large_is_halved_until_it_passes(self, loki: ScriptedCollector, refusal: Reply):
        async def only_one_entry(request: web.Request, received: Received) -> web.StreamResponse:
            return await (STORED if len(pushed(received)) == 1 else refusal)(request, received)

        loki.default = only_one_entry
        async with logging_to(options(loki)) as runtime:
            for number in range(16):
                log.info("n %d", number)
            assert await runtime.flush()
            ledger = sink_stats(runtime).ledger
        assert (ledger.delivered, ledger.rejected) == (16, 0)
        taken = [pushed(request)[0].entry["message"] for request in loki.requests if len(pushed(request)) == 1]
        assert taken == [f"n {number}" for number in range(16)]

    async def test_one_entry_too_large_alone_is_rejected_and_its_neighbours_arrive(self, loki: ScriptedCollector):
        async def small_bodies(request: web.Request, received: Received) -> web.StreamResponse:
            reply = status(413, "request body too large") if len(received.body) > 5_000 else STORED
            return await reply(request, received)

        loki.default = small_bodies
        async with logging_to(options(loki)) as runtime:
            for number in range(8):
                log.info("n %d %s", number, "x" * 20_000 if number == 5 else "")
            assert not await runtime.flush()
            ledger = sink_stats(runtime).ledger
        assert (ledger.delivered, ledger.rejected) == (7, 1)

    @pytest.mark.parametrize(("code", "text"), [(401, "no org id"), (403, "forbidden"), (404, "404 page not found")])
    async def test_what_an_operator_must_mend_pauses_and_drops_nothing(
        self, loki: ScriptedCollector, code: int, text: str
    ):
        loki.default = status(code, text)
        async with logging_to(options(loki, backoff_max=0.05)) as runtime:
            for number in range(10):
                log.info("n %d", number)
            assert not await runtime.flush(timeout=0.3)
            stats = sink_stats(runtime)
            assert stats.state == "failed"
            assert (stats.ledger.in_flight, stats.ledger.rejected, stats.ledger.dropped_total) == (10, 0, 0)
            assert str(code) in (stats.last_error or "")
            loki.default = STORED
            assert await runtime.flush()
            assert sink_stats(runtime).ledger.delivered == 10

    async def test_a_pause_asks_rarely(self, loki: ScriptedCollector):
        """Credentials do not mend themselves in milliseconds: the longest wait applies from the first refusal on."""
        loki.default = status(401, "no org id")
        async with logging_to(options(loki, backoff_max=30.0), shutdown_timeout=0.05) as runtime:
            log.error("now")
            await eventually(lambda: loki.requests)
            assert not await runtime.flush(timeout=0.3)
            assert len(loki.requests) == 1
