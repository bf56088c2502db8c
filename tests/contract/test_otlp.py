"""OTLP/HTTP: what is sent, decoded by OpenTelemetry's own package, and what every answer means."""

import os
import socket
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from support.eventually import eventually
from support.otlp import Exported, exported, partial_success
from support.running_logger import logging_to, sink_stats
from support.scripted_collector import Received, Reply, ScriptedCollector, serving, status

from metaexpert.exceptions import ConfigError
from metaexpert.logger import LedgerSnapshot, OtlpOptions, get_logger, log_context

log = get_logger("contract.otlp")

STORED = status(200)
TRACE_ID = "5b8efff798038103d269b633813fc60c"
SPAN_ID = "eee19b7ec3c1b174"


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a test leaves on disk is no other test's."""
    monkeypatch.chdir(tmp_path)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ScriptedCollector]:
    async with serving(ScriptedCollector(STORED)) as collector:
        yield collector


@pytest.fixture(params=["protobuf", "json"])
def protocol(request: pytest.FixtureRequest) -> str:
    return request.param


def options(server: ScriptedCollector, **more: Any) -> OtlpOptions:
    """A sink that cuts its batches only on flush, and tries again at once."""
    values: dict[str, Any] = {"batch_max_age": 30.0, "backoff_first": 0.01, "backoff_max": 0.02, "timeout": 5.0}
    return OtlpOptions(**(values | {"url": server.url, **more}))


def records(server: ScriptedCollector) -> list[Exported]:
    return [record for request in server.requests for record in exported(request)]


def bodies(request: Received) -> list[str]:
    return [record.body for record in exported(request)]


class TestRequest:
    async def test_records_are_posted_to_the_path_of_logs(self, server: ScriptedCollector, protocol: str):
        more = {"url": f"{server.url}/otlp/", "headers": {"X-Scope": "a"}, "bearer_token": "token-1"}
        async with logging_to(options(server, protocol=protocol, **more)) as runtime:
            log.info("one")
            assert await runtime.flush()
        (request,) = server.requests
        assert (request.method, request.path) == ("POST", "/otlp/v1/logs")
        expected = {"protobuf": "application/x-protobuf", "json": "application/json"}
        assert request.headers["Content-Type"] == expected[protocol]
        assert (request.headers["X-Scope"], request.headers["Authorization"]) == ("a", "Bearer token-1")
        assert bodies(request) == ["one"]

    async def test_an_entry_is_a_record_of_the_data_model(self, server: ScriptedCollector, protocol: str):
        async with logging_to(options(server, protocol=protocol)) as runtime:
            log.warning("spread of %s", "BTCUSDT", symbol="BTCUSDT", size=3)
            assert await runtime.flush()
            boot_id = runtime.identity.boot_id
        (record,) = records(server)
        assert (record.scope, record.body) == ("contract.otlp", "spread of BTCUSDT")
        assert (record.severity, record.severity_text) == (13, "WARNING")
        assert record.time_ns == record.observed_ns > 1_700_000_000 * 10**9
        assert record.uid == f"{boot_id}-{record.uid.rpartition('-')[2]}"
        code = test = type(self).test_an_entry_is_a_record_of_the_data_model.__code__
        assert record.attributes["code.file.path"] == code.co_filename
        assert record.attributes["code.function.name"] == test.co_qualname
        assert record.attributes["code.line.number"] == code.co_firstlineno + 2
        assert isinstance(record.attributes["thread.id"], int)
        assert record.attributes["asyncio.task.name"].startswith("Task-")
        assert record.attributes["log_type"] == "general"
        assert (record.attributes["symbol"], record.attributes["size"]) == ("BTCUSDT", 3)
        assert (record.trace_id, record.span_id, record.flags) == ("", "", 0)

    async def test_the_resource_is_the_process(self, server: ScriptedCollector, protocol: str):
        more = {"environment": "live", "resource": {"service.namespace": "desk", "shard": 3, "dry": True, "x": 0.5}}
        async with logging_to(options(server, protocol=protocol, **more)) as runtime:
            log.info("one")
            assert await runtime.flush()
            boot_id = runtime.identity.boot_id
        assert records(server)[0].resource == {
            "service.name": "tests",
            "service.instance.id": boot_id,
            "host.name": socket.gethostname(),
            "process.pid": os.getpid(),
            "deployment.environment.name": "live",
            "service.namespace": "desk",
            "shard": 3,
            "dry": True,
            "x": 0.5,
        }

    async def test_what_the_user_says_of_the_resource_wins(self, server: ScriptedCollector, protocol: str):
        more = {"resource": {"service.name": "mine", "service.instance.id": "ema-1"}}
        async with logging_to(options(server, protocol=protocol, **more)) as runtime:
            log.info("one")
            assert await runtime.flush()
        resource = records(server)[0].resource
        assert (resource["service.name"], resource["service.instance.id"]) == ("mine", "ema-1")

    async def test_records_stand_below_the_scope_of_their_logger_in_order(
        self, server: ScriptedCollector, protocol: str
    ):
        other = get_logger("contract.otlp.x" + "y" * 300)
        async with logging_to(options(server, protocol=protocol)) as runtime:
            for number in range(4):
                (other if number % 2 else log).info("n %d", number)
            assert await runtime.flush()
        (request,) = server.requests
        assert [(record.scope, record.body) for record in exported(request)] == [
            ("contract.otlp", "n 0"),
            ("contract.otlp", "n 2"),
            (other.name, "n 1"),
            (other.name, "n 3"),
        ]

    @pytest.mark.parametrize(
        ("level", "number", "text"),
        [
            (5, 1, "Level 5"),
            (10, 5, "DEBUG"),
            (15, 5, "Level 15"),
            (20, 9, "INFO"),
            (30, 13, "WARNING"),
            (40, 17, "ERROR"),
            (50, 21, "CRITICAL"),
            (60, 21, "Level 60"),
        ],
    )
    async def test_severities(self, server: ScriptedCollector, protocol: str, level: int, number: int, text: str):
        own = get_logger("contract.otlp.severities")
        own.setLevel(1)
        async with logging_to(options(server, protocol=protocol, level="NOTSET"), log_level="NOTSET") as runtime:
            own.log(level, "one")
            assert await runtime.flush()
        (record,) = records(server)
        assert (record.severity, record.severity_text) == (number, text)

    async def test_every_kind_of_value(self, server: ScriptedCollector, protocol: str):
        values: dict[str, Any] = {
            "text": "ü😀\0\n",
            "empty": "",
            "yes": True,
            "no": False,
            "zero": 0,
            "negative": -1,
            "least": -(2**63),
            "largest": 2**63 - 1,
            "price": 43100.5,
            "tiny": 5e-324,
            "nothing": None,
            "nested": {"a": [1, [2.5, {"b": None}], {}], "c": {}},
        }
        async with logging_to(options(server, protocol=protocol)) as runtime:
            log.info("one", **values, decimal=Decimal("0.10"), unsigned=2**64 - 1, huge=2**70)
            assert await runtime.flush()
        attributes = records(server)[0].attributes
        assert {key: attributes[key] for key in values} == values
        assert [type(attributes[key]) for key in ("yes", "zero", "price")] == [bool, int, float]
        assert (attributes["decimal"], attributes["unsigned"], attributes["huge"]) == (
            "0.10",
            str(2**64 - 1),
            str(2**70),
        )

    async def test_text_that_is_no_unicode_is_sent_readable(self, server: ScriptedCollector, protocol: str):
        async with logging_to(options(server, protocol=protocol)) as runtime:
            get_logger("odd \ud800").info("surrogate \ud800 end", **{"key \udfff": "\ud800"})
            assert await runtime.flush()
        (record,) = records(server)
        assert (record.body, record.scope) == ("surrogate \\ud800 end", "odd \\ud800")
        assert record.attributes["key \\udfff"] == "\\ud800"

    async def test_an_exception_has_the_conventions_names(self, server: ScriptedCollector, protocol: str):
        async with logging_to(options(server, protocol=protocol)) as runtime:
            try:
                int("no price")
            except ValueError:
                log.exception("failed", stack_info=True)
            assert await runtime.flush()
        attributes = records(server)[0].attributes
        assert (attributes["exception.type"], attributes["exception.message"]) == (
            "ValueError",
            "invalid literal for int() with base 10: 'no price'",
        )
        assert attributes["exception.stacktrace"].startswith("Traceback")
        assert attributes["code.stacktrace"].startswith("Stack")

    async def test_own_data_are_attributes_and_win_over_bound_ones(self, server: ScriptedCollector, protocol: str):
        async with logging_to(options(server, protocol=protocol)) as runtime:
            bound = log.bind(symbol="from bind", log_type="mine", **{"thread.id": "mine", "": 1})
            bound.trade.order_placed(
                order_id=8, symbol="ETHUSDT", side="BUY", quantity=Decimal("0.10"), price="2000.10", log_type="x"
            )
            assert await runtime.flush()
        attributes = records(server)[0].attributes
        assert (attributes["order_id"], attributes["symbol"]) == (8, "ETHUSDT")
        assert (attributes["quantity"], attributes["price"]) == ("0.10", "2000.10")
        assert (attributes["log_type"], attributes["trade_data.log_type"]) == ("trade", "x")
        assert (attributes["extra.symbol"], attributes["extra.log_type"]) == ("from bind", "mine")
        assert (attributes["extra.thread.id"], attributes["extra."]) == ("mine", 1)

    async def test_valid_trace_ids_of_the_context_are_the_records_own(self, server: ScriptedCollector, protocol: str):
        async with logging_to(options(server, protocol=protocol)) as runtime:
            with log_context(trace_id=TRACE_ID.upper(), span_id=SPAN_ID, trace_flags="01"):
                log.info("one", symbol="BTCUSDT")
            log.info("two", trace_id=TRACE_ID, trace_flags=300)
            assert await runtime.flush()
        one, two = records(server)
        assert (one.trace_id, one.span_id, one.flags) == (TRACE_ID, SPAN_ID, 1)
        assert {"trace_id", "span_id", "trace_flags"}.isdisjoint(one.attributes)
        assert (two.trace_id, two.span_id, two.flags, two.attributes["trace_flags"]) == (TRACE_ID, "", 0, 300)

    @pytest.mark.parametrize("trace_id", ["", "0" * 32, "5b8e", "x" * 32, 7, None, TRACE_ID + "00"])
    async def test_what_is_no_trace_id_stays_a_field(self, server: ScriptedCollector, protocol: str, trace_id: Any):
        async with logging_to(options(server, protocol=protocol)) as runtime:
            log.info("one", trace_id=trace_id, span_id=SPAN_ID)
            assert await runtime.flush()
        (record,) = records(server)
        assert (record.trace_id, record.span_id) == ("", "")
        assert (record.attributes["trace_id"], record.attributes["span_id"]) == (trace_id, SPAN_ID)

    async def test_fields_can_be_left_out(self, server: ScriptedCollector, protocol: str):
        kept = {"exclude": ["extra.secret", "exception"]}
        async with logging_to(options(server, protocol=protocol, keys=kept)) as runtime:
            log.error("one", secret=1, shown=2, exc_info=ValueError("x"))
            assert await runtime.flush()
        attributes = records(server)[0].attributes
        assert attributes["shown"] == 2
        assert {"secret", "exception.type"}.isdisjoint(attributes)

    async def test_a_large_batch_is_compressed_and_closed_at_its_size(self, server: ScriptedCollector, protocol: str):
        async with logging_to(options(server, protocol=protocol, batch_max_bytes=100_000)) as runtime:
            for number in range(1000):
                log.info("n %d %s", number, "x" * 400)
            assert await runtime.flush()
        assert len(server.requests) > 3
        assert {request.headers.get("Content-Encoding") for request in server.requests[:-1]} == {"gzip"}
        # a batch is cut at the end of a step of the dispatcher, 64 entries of some 1,200 bytes
        assert max(len(request.body) for request in server.requests) < 100_000 + 2 * 64 * 1200
        assert [record.body.split()[1] for record in records(server)] == [str(number) for number in range(1000)]

    async def test_each_attempt_has_the_same_bytes(self, server: ScriptedCollector, protocol: str):
        server.then(status(503), server.close, status(429))
        async with logging_to(options(server, protocol=protocol)) as runtime:
            for number in range(200):
                log.info("n %d %s", number, "x" * 200, symbol="BTCUSDT")
            assert await runtime.flush()
        assert len(server.requests) == 4
        assert len({request.raw for request in server.requests}) == 1

    @pytest.mark.parametrize(
        "resource", [{"": 1}, {"a": None}, {"a": [1]}, {"a": 2**63}, {"a": float("inf")}, {"a": {}}], ids=repr
    )
    def test_a_resource_that_is_none_is_refused(self, resource: dict[str, Any]):
        with pytest.raises(ConfigError, match=r"OtlpOptions\.resource"):
            OtlpOptions(url="http://127.0.0.1", resource=resource)


def answering(code: int, message: Any, *, as_json: bool) -> Reply:
    """An answer with a protobuf message as its body."""
    if as_json:
        return status(code, json_format.MessageToJson(message), Content_Type="application/json")
    return status(code, message.SerializeToString(), Content_Type="text/plain; charset=utf-8")


class TestSuccess:
    @pytest.mark.parametrize(
        ("code", "body"),
        [
            (200, b""),
            (200, b"{}"),
            (200, b'{"partialSuccess":{}}'),
            (200, b'{"partialSuccess":null}'),
            (200, b"null"),
            (200, b"\n\x00"),
            (201, b'{"partialSuccess":{"rejectedLogRecords":"0"}}'),
            (202, b""),
            (204, b""),
        ],
    )
    async def test_all_are_delivered(self, server: ScriptedCollector, protocol: str, code: int, body: bytes):
        server.default = status(code, body)
        async with logging_to(options(server, protocol=protocol)) as runtime:
            log.info("one")
            log.info("two")
            assert await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.retries, stats.state, stats.last_error) == (2, 0, "active", None)
        assert len(server.requests) == 1

    @pytest.mark.parametrize("as_json", [False, True])
    async def test_what_is_rejected_is_counted_and_never_sent_again(self, server: ScriptedCollector, as_json: bool):
        """Nobody says which records those are: those that matter most are taken to be among them."""
        server.default = answering(200, partial_success(2, "too\nold"), as_json=as_json)
        async with logging_to(options(server)) as runtime:
            for number in range(4):
                log.info("n %d", number)
            log.trade.order_placed(order_id=8, symbol="ETHUSDT", side="BUY", quantity="0.1", price="2000.10")
            assert not await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.ledger.rejected, stats.ledger.balanced) == (3, 2, True)
        assert len(server.requests) == 1
        assert stats.last_error == "200 2 of 5 records rejected, which is not said: too old"

    async def test_more_rejected_than_sent_is_all_of_them(self, server: ScriptedCollector):
        server.default = answering(200, partial_success(9), as_json=False)
        async with logging_to(options(server)) as runtime:
            log.info("one")
            assert not await runtime.flush()
            assert (sink_stats(runtime).ledger.rejected, sink_stats(runtime).ledger.delivered) == (1, 0)

    @pytest.mark.parametrize("as_json", [False, True])
    async def test_a_warning_is_shown_and_costs_nothing(self, server: ScriptedCollector, as_json: bool):
        server.default = answering(200, partial_success(0, "use gzip"), as_json=as_json)
        async with logging_to(options(server)) as runtime:
            log.info("one")
            assert await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.last_error) == (1, "use gzip")

    @pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"OK", b"[]", b"\x0a\xff", b'{"partialSuccess":3}'])
    async def test_a_page_that_is_no_answer_of_otlp_acknowledges_nothing(self, server: ScriptedCollector, body: bytes):
        server.then(status(200, body))
        async with logging_to(options(server)) as runtime:
            log.info("one")
            assert await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.ledger.rejected, stats.retries) == (1, 0, 1)
        assert "no answer of OTLP" in (stats.last_error or "")
        assert len(server.requests) == 2

    async def test_what_loki_discards_by_policy_is_rejected(self, server: ScriptedCollector):
        server.default = status(260, "blocked")
        async with logging_to(options(server)) as runtime:
            log.info("one")
            log.info("two")
            assert not await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.rejected, stats.ledger.delivered, len(server.requests)) == (2, 0, 1)


class TestRefusal:
    @pytest.mark.parametrize("code", [429, 502, 503, 504])
    async def test_a_passing_trouble_is_tried_again(self, server: ScriptedCollector, protocol: str, code: int):
        server.then(status(code, "busy"), status(code, "busy"))
        async with logging_to(options(server, protocol=protocol)) as runtime:
            log.info("one")
            assert await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.retries, stats.state) == (1, 2, "active")

    async def test_retry_after_is_heeded(self, server: ScriptedCollector):
        server.then(status(429, "slow down", Retry_After="1"))
        async with logging_to(options(server)) as runtime:
            log.error("now")
            await eventually(lambda: len(server.requests) == 2)
            assert await runtime.flush()
        first, second = server.requests
        assert second.at - first.at >= 1.0

    @pytest.mark.parametrize("code", [400, 413])
    @pytest.mark.parametrize("as_json", [False, True])
    async def test_a_refused_batch_is_cut_until_the_offender_stands_alone(
        self, server: ScriptedCollector, code: int, as_json: bool
    ):
        stored: list[str] = []

        async def reply(request: web.Request, received: Received) -> web.StreamResponse:
            if "offender" in bodies(received):
                refusal = answering(code, Status(code=3, message="no, thank\nyou"), as_json=as_json)
                return await refusal(request, received)
            stored.extend(bodies(received))
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

    @pytest.mark.parametrize("code", [400, 413])
    async def test_a_batch_too_large_is_halved_and_all_of_it_stored(self, server: ScriptedCollector, code: int):
        """The collector answers 400 where a body is too large."""

        async def small_ones(request: web.Request, received: Received) -> web.StreamResponse:
            return await (STORED if len(bodies(received)) <= 5 else status(code))(request, received)

        server.default = small_ones
        async with logging_to(options(server)) as runtime:
            for number in range(40):
                log.info("n %d", number)
            assert await runtime.flush()
            assert sink_stats(runtime).ledger.delivered == 40

    async def test_a_limit_that_the_collector_tells_with_400_is_remembered(self, server: ScriptedCollector):
        """Else each batch would be refused first."""
        too_large = answering(400, Status(code=3, message="http: request body too large"), as_json=False)

        async def small_ones(request: web.Request, received: Received) -> web.StreamResponse:
            return await (STORED if len(received.body) <= 4000 else too_large)(request, received)

        server.default = small_ones
        async with logging_to(options(server)) as runtime:
            refused: list[int] = []
            for _ in range(2):
                for number in range(40):
                    log.info("n %02d", number)
                assert await runtime.flush()
                refused.append(sum(len(request.body) > 4000 for request in server.requests))
        assert refused[0] == refused[1] > 0

    @pytest.mark.parametrize(
        ("code", "text"),
        [
            *((code, "ask the operator") for code in (301, 307, 401, 403, 404, 405, 415)),
            (400, "json encoding isn't supported for opentelemetry format. Use protobuf encoding"),
            (400, 'unsupported path requested: "/v1/logs"'),
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
            await eventually(lambda: sink_stats(runtime).state == "failed")
            ledger = sink_stats(runtime).ledger
            assert (ledger.rejected, ledger.dropped_total) == (0, 0)
            assert str(code) in (sink_stats(runtime).last_error or "")
            server.default = STORED
            assert await runtime.flush()
            assert sink_stats(runtime).ledger.delivered == 10

    @pytest.mark.parametrize("code", [408, 418, 500, 501, 505])
    async def test_what_may_not_be_sent_again_is_not_but_for_what_must_not_be_lost(
        self, server: ScriptedCollector, protocol: str, code: int
    ):
        server.then(answering(code, Status(message="broken"), as_json=False))
        async with logging_to(options(server, protocol=protocol)) as runtime:
            log.info("ordinary")
            log.error("error")
            log.trade.order_placed(order_id=8, symbol="ETHUSDT", side="BUY", quantity="0.1", price="2000.10")
            assert not await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.ledger.rejected, stats.ledger.balanced) == (2, 1, True)
        first, second = server.requests
        assert bodies(first) == ["ordinary", "error", "order_placed BUY 0.1 ETHUSDT at 2000.10"]
        assert bodies(second) == bodies(first)[1:]

    async def test_ordinary_entries_alone_are_rejected_at_once(self, server: ScriptedCollector):
        server.default = status(500, "broken")
        async with logging_to(options(server)) as runtime:
            log.info("one")
            log.info("two")
            assert not await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.rejected, stats.last_error, len(server.requests)) == (2, "500 broken", 1)

    async def test_a_protected_entry_that_is_itself_the_cause_holds_up_the_others_for_a_while_only(
        self, server: ScriptedCollector
    ):
        """A receiver's permanent trouble with one entry looks like its own: 500."""

        async def reply(request: web.Request, received: Received) -> web.StreamResponse:
            return await (status(500, "broken") if "offender" in bodies(received) else STORED)(request, received)

        server.default = reply
        async with logging_to(options(server)) as runtime:
            for number in range(9):
                log.error("offender" if number == 4 else f"good {number}")
            await eventually(lambda: _settled(sink_stats(runtime).ledger, 9))
            ledger = sink_stats(runtime).ledger
        assert (ledger.delivered, ledger.rejected, ledger.balanced) == (8, 1, True)
        assert sum(bodies(request) == ["offender"] for request in server.requests) == 10

    async def test_a_receiver_that_is_mended_meanwhile_gets_every_protected_entry(self, server: ScriptedCollector):
        server.then(*[status(500, "broken")] * 8)
        async with logging_to(options(server)) as runtime:
            for number in range(9):
                log.error("n %d", number)
            await eventually(lambda: _settled(sink_stats(runtime).ledger, 9))
            ledger = sink_stats(runtime).ledger
        assert (ledger.delivered, ledger.rejected) == (9, 0)

    async def test_a_refusal_of_megabytes_is_shown_in_part(self, server: ScriptedCollector):
        server.default = status(400, b"\x08\x01" * 1_000_000)
        async with logging_to(options(server)) as runtime:
            log.info("one")
            assert not await runtime.flush()
            assert len(sink_stats(runtime).last_error or "") < 300


def _settled(ledger: LedgerSnapshot, entries: int) -> bool:
    return ledger.delivered + ledger.rejected == entries
