"""The Elasticsearch sink speaks the bulk API as the server does, and judges every item by its own result."""

import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import pytest_asyncio
from aiohttp import web
from support.eventually import eventually
from support.notices import told
from support.running_logger import logging_to, sink_stats
from support.scripted_collector import (
    BulkDocument,
    Received,
    ScriptedCollector,
    documents,
    json_reply,
    serving,
    status,
)

from metaexpert.logger import ElasticsearchOptions, get_logger
from metaexpert.logger.outcome import Delivered, Partial, Retry
from metaexpert.logger.sinks import elasticsearch
from metaexpert.logger.sinks.http import Answer

log = get_logger("contract.elasticsearch")

OVERLOADED = {"type": "es_rejected_execution_exception", "reason": "rejected execution of coordinating operation"}
BAD_DATE = {"type": "document_parsing_exception", "reason": "[1:1] failed to parse field [@timestamp] of type [date]"}
BLOCKED = {"type": "cluster_block_exception", "reason": "index [logs] blocked by: [FORBIDDEN/8/index write (api)];"}
CLOSED = {"type": "index_closed_exception", "reason": "closed"}
NO_SHARDS = {
    "type": "validation_exception",
    "reason": "this action would add [2] shards, but this cluster has [1000]/[1000] maximum normal shards open",
}
BAD_NAME = {"type": "invalid_index_name_exception", "reason": "Invalid index name [LOGS], must be lowercase"}
NO_INDEX = {"type": "index_not_found_exception", "reason": "no such index [logs]"}
CONFLICT = {"type": "version_conflict_engine_exception", "reason": "document already exists (current version [1])"}


class Bulk:
    """An index: `judge` gives the status and error of a document it does not simply store."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}
        self.arrived: list[str] = []
        self.judge: Callable[[BulkDocument], tuple[int, object] | None] = lambda _: None

    async def reply(self, _request: web.Request, received: Received) -> web.StreamResponse:
        results = [(document.action, self._take(document)) for document in documents(received)]
        errors = any("error" in result for _, result in results)
        return web.json_response({"errors": errors, "items": [{action: result} for action, result in results]})

    def _take(self, document: BulkDocument) -> dict[str, Any]:
        verdict = self.judge(document)
        if verdict is not None:
            return {"status": verdict[0], "error": verdict[1]}
        if document.entry_id in self.held:
            return {"status": 409, "error": CONFLICT}
        self.held[document.entry_id] = document.source
        self.arrived.append(document.source["message"])
        return {"status": 201}


class Cluster(ScriptedCollector):
    """A scripted collector whose default is a working index."""

    def __init__(self) -> None:
        self.index = Bulk()
        super().__init__(self.index.reply)


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[Cluster]:
    collector = Cluster()
    async with serving(collector):
        yield collector


def options(cluster: Cluster, **more: Any) -> ElasticsearchOptions:
    """A sink that cuts its batches only on flush, and tries again at once."""
    values: dict[str, Any] = {
        "url": cluster.url,
        "index": "logs-metaexpert-tests",
        "batch_max_age": 30.0,
        "backoff_first": 0.01,
        "backoff_max": 0.02,
        "timeout": 5.0,
    }
    values |= more
    return ElasticsearchOptions(**values)


def numbers(messages: list[str]) -> list[int]:
    return [int(message.removeprefix("n ")) for message in messages]


def by_number(verdicts: Mapping[int, tuple[int, object]]) -> Callable[[BulkDocument], tuple[int, object] | None]:
    """Judge the document of message "n <number>"."""
    return lambda document: verdicts.get(int(document.source["message"].removeprefix("n ")))


class TestRequest:
    async def test_documents_go_to_the_bulk_path_as_ndjson(self, cluster: Cluster):
        async with logging_to(options(cluster)) as runtime:
            log.info("hello")
            assert await runtime.flush()
        (request,) = cluster.requests
        assert request.method == "POST"
        assert request.path == "/_bulk?filter_path=errors,items.*.status,items.*.error"
        assert request.headers["Content-Type"] == "application/x-ndjson"
        assert "Content-Encoding" not in request.headers
        assert request.body.endswith(b"\n")
        assert not request.body.endswith(b"\n\n")

    async def test_each_document_is_created_in_the_index_under_its_entry_id(self, cluster: Cluster):
        async with logging_to(options(cluster)) as runtime:
            log.info("one")
            log.info("two")
            assert await runtime.flush()
            boot_id = runtime.identity.boot_id
        operations = documents(cluster.requests[0])
        assert [operation.action for operation in operations] == ["create", "create"]
        assert [operation.index for operation in operations] == ["logs-metaexpert-tests"] * 2
        for operation in operations:
            event = operation.source["event"]
            assert operation.entry_id == event["id"] == f"{boot_id}-{event['sequence']}"

    async def test_a_document_speaks_ecs(self, cluster: Cluster):
        async with logging_to(options(cluster, environment="paper")) as runtime:
            try:
                int("no such symbol")
            except ValueError:
                log.exception("order failed", symbol="BTCUSDT", depth={"bids": [1, 2]})
            assert await runtime.flush()
        (document,) = [operation.source for operation in documents(cluster.requests[0])]
        assert document["@timestamp"].endswith("Z")
        assert len(document["@timestamp"]) == len("2026-01-01T00:00:00.123456789Z")
        assert document["message"] == "order failed"
        assert document["log"]["level"] == "error"
        assert document["log"]["logger"] == "contract.elasticsearch"
        assert document["log"]["origin"]["function"] == "test_a_document_speaks_ecs"
        assert document["service"] == {"name": "tests", "environment": "paper"}
        assert document["ecs"]["version"]
        assert document["host"]["name"]
        assert document["process"]["pid"] > 0
        assert document["error"]["type"] == "ValueError"
        assert document["error"]["message"] == "invalid literal for int() with base 10: 'no such symbol'"
        assert "Traceback" in document["error"]["stack_trace"]
        assert document["extra"] == {"symbol": "BTCUSDT", "depth": {"bids": [1, 2]}}

    async def test_trade_fields_stay_one_object(self, cluster: Cluster):
        async with logging_to(options(cluster)) as runtime:
            log.trade.order_filled(order_id=1, symbol="BTCUSDT", side="SELL", quantity="0.50", price="43100.10")
            assert await runtime.flush()
        (document,) = [operation.source for operation in documents(cluster.requests[0])]
        assert document["event"]["dataset"] == "metaexpert.trade"
        assert document["trade_data"] == {
            "event": "order_filled",
            "order_id": 1,
            "symbol": "BTCUSDT",
            "side": "SELL",
            "quantity": "0.50",
            "price": "43100.10",
        }

    async def test_any_text_stays_one_line_of_valid_json(self, cluster: Cluster):
        odd = 'quote " backslash \\ newline \n nul \x00 emoji 😀 surrogate \ud800 end'
        async with logging_to(options(cluster)) as runtime:
            log.info(odd, text=odd)
            log.info("neighbour")
            assert await runtime.flush()
        first, second = documents(cluster.requests[0])
        assert "😀" in first.source["message"]
        assert second.source["message"] == "neighbour"

    async def test_a_logger_name_that_is_no_unicode_stops_nothing(self, cluster: Cluster):
        async with logging_to(options(cluster)) as runtime:
            get_logger("strategy.\ud800").info("odd name")
            log.info("neighbour")
            assert await runtime.flush()
        assert cluster.index.arrived == ["odd name", "neighbour"]

    @pytest.mark.parametrize("index", ["<logs-{now/d}>", 'quo"te\\', "two\nlines", "журнал"])
    async def test_an_index_name_is_quoted(self, cluster: Cluster, index: str):
        async with logging_to(options(cluster, index=index)) as runtime:
            log.info("hello")
            assert await runtime.flush()
        (operation,) = documents(cluster.requests[0])
        assert operation.index == index
        assert cluster.requests[0].path.startswith("/_bulk?")


class TestItems:
    async def test_all_stored(self, cluster: Cluster):
        async with logging_to(options(cluster)) as runtime:
            for number in range(20):
                log.info("n %d", number)
            assert await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.ledger.duplicate, stats.retries, stats.state) == (20, 0, 0, "active")
        assert numbers(cluster.index.arrived) == list(range(20))

    @pytest.mark.parametrize("code", [429, 500, 503])
    async def test_an_overloaded_item_is_sent_again_alone(self, cluster: Cluster, code: int):
        once = {2, 5}

        def judge(document: BulkDocument) -> tuple[int, object] | None:
            number = int(document.source["message"].removeprefix("n "))
            if number in once:
                once.remove(number)
                return code, OVERLOADED
            return None

        cluster.index.judge = judge
        async with logging_to(options(cluster)) as runtime:
            for number in range(8):
                log.info("n %d", number)
            assert await runtime.flush()
            stats = sink_stats(runtime)
        first, second = ([d.source["message"] for d in documents(request)] for request in cluster.requests)
        assert numbers(first) == list(range(8))
        assert numbers(second) == [2, 5]
        assert (stats.ledger.delivered, stats.ledger.duplicate, stats.retries) == (8, 0, 1)

    @pytest.mark.parametrize("error", [BAD_DATE, "failed to parse", None], ids=["object", "string", "absent"])
    async def test_400_rejects_that_document_and_its_neighbours_are_stored(self, cluster: Cluster, error: object):
        cluster.index.judge = by_number({3: (400, error)})
        async with logging_to(options(cluster)) as runtime:
            for number in range(6):
                log.info("n %d", number)
            assert not await runtime.flush()
            stats = sink_stats(runtime)
        assert len(cluster.requests) == 1
        assert (stats.ledger.delivered, stats.ledger.rejected, stats.ledger.balanced) == (5, 1, True)
        assert "400" in (stats.last_error or "")
        if isinstance(error, dict):
            assert "document_parsing_exception" in (stats.last_error or "")

    @pytest.mark.parametrize(
        ("code", "error"),
        [(403, BLOCKED), (404, NO_INDEX), (400, CLOSED), (400, NO_SHARDS), (400, BAD_NAME)],
        ids=["blocked", "missing", "closed", "no shards left", "bad name"],
    )
    async def test_a_blocked_or_missing_index_pauses_and_drops_nothing(
        self, cluster: Cluster, code: int, error: object
    ):
        cluster.index.judge = by_number({1: (code, error), 4: (code, error)})
        async with logging_to(options(cluster, backoff_max=0.05)) as runtime:
            for number in range(6):
                log.info("n %d", number)
            assert not await runtime.flush(timeout=0.3)
            stats = sink_stats(runtime)
            assert stats.state == "failed"
            assert (stats.ledger.delivered, stats.ledger.in_flight, stats.ledger.rejected) == (4, 2, 0)
            cluster.index.judge = by_number({})
            assert await runtime.flush()
            ledger = sink_stats(runtime).ledger
        assert (ledger.delivered, ledger.balanced) == (6, True)

    async def test_every_kind_at_once(self, cluster: Cluster):
        """201, 409, 429, 400 and 403 beside each other in one answer: each is taken for what it is."""
        passing = {2: (429, OVERLOADED), 4: (403, BLOCKED), 5: (503, "unavailable_shards_exception")}
        lasting = {1: (409, CONFLICT), 3: (400, BAD_DATE)}
        cluster.index.judge = by_number({**passing, **lasting})
        async with logging_to(options(cluster, backoff_max=0.2)) as runtime:
            for number in range(7):
                log.info("n %d", number)
            assert not await runtime.flush(timeout=0.05)
            await eventually(lambda: sink_stats(runtime).retries >= 1)
            ledger = sink_stats(runtime).ledger
            assert (ledger.delivered, ledger.duplicate, ledger.rejected, ledger.in_flight) == (2, 1, 1, 3)
            assert ledger.balanced
            cluster.index.judge = by_number(lasting)
            assert not await runtime.flush(), "the flush that ran out of time had not told of the refused one"
            assert await runtime.flush()
            ledger = sink_stats(runtime).ledger
        assert (ledger.delivered, ledger.duplicate, ledger.rejected, ledger.balanced) == (5, 1, 1, True)
        assert numbers([d.source["message"] for d in documents(cluster.requests[1])]) == [2, 4, 5]

    async def test_the_items_only_key_counts_whatever_action_it_names(self, cluster: Cluster):
        cluster.then(
            json_reply(
                {
                    "errors": True,
                    "items": [
                        {"index": {"status": 201}},
                        {"index": {"status": 400, "error": BAD_DATE}},
                        {"update": {"status": 200}},
                    ],
                }
            )
        )
        async with logging_to(options(cluster)) as runtime:
            for number in range(3):
                log.info("n %d", number)
            assert not await runtime.flush()
            ledger = sink_stats(runtime).ledger
        assert (ledger.delivered, ledger.rejected) == (2, 1)

    async def test_errors_false_does_not_outweigh_an_items_own_status(self, cluster: Cluster):
        cluster.then(json_reply({"errors": False, "items": [{"create": {"status": 429, "error": OVERLOADED}}]}))
        async with logging_to(options(cluster)) as runtime:
            log.info("n 0")
            assert await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.retries) == (1, 1)
        assert numbers(cluster.index.arrived) == [0]

    @pytest.mark.parametrize(
        "answer",
        [
            {"errors": False, "items": [{"create": {"status": 201}}]},
            {"errors": False, "items": []},
            {"errors": False},
            {"errors": False, "items": [{"create": {"status": 201}}] * 4},
            {"errors": False, "items": [{}, {}, {}]},
            {"errors": False, "items": [{"create": {}}] * 3},
            {"errors": False, "items": None},
            {"errors": False, "items": [{"create": None}] * 3},
            {"errors": False, "items": [{"create": {"status": "soon"}}] * 3},
            ["nothing", "of", "ours"],
            None,
        ],
        ids=[
            "fewer",
            "none",
            "no items",
            "more",
            "empty items",
            "no status",
            "null items",
            "null result",
            "text status",
            "list",
            "null",
        ],
    )
    async def test_an_answer_that_does_not_account_for_every_document_is_tried_again(
        self, cluster: Cluster, answer: object
    ):
        cluster.then(json_reply(answer))
        async with logging_to(options(cluster)) as runtime:
            for number in range(3):
                log.info("n %d", number)
            assert await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.retries) == (3, 1)
        assert len({request.raw for request in cluster.requests}) == 1

    async def test_a_clone_that_never_accounts_for_every_document_raises_the_alarm(
        self, cluster: Cluster, capfd: pytest.CaptureFixture[str]
    ):
        cluster.default = json_reply({"errors": False, "items": []})
        async with logging_to(options(cluster), shutdown_timeout=0.05) as runtime:
            log.info("n 0")
            assert not await runtime.flush(timeout=0.05)
            await eventually(lambda: sink_stats(runtime).state == "failed")
            assert "0 results for 1 documents" in await told(capfd)


class TestCompressedAnswers:
    """They are not asked for; a proxy may compress nevertheless."""

    @pytest.mark.parametrize(
        ("name", "bits"), [("gzip", zlib.MAX_WBITS | 16), ("deflate", zlib.MAX_WBITS), ("deflate", -zlib.MAX_WBITS)]
    )
    async def test_they_are_read(self, cluster: Cluster, name: str, bits: int):
        async def packed(_request: web.Request, received: Received) -> web.StreamResponse:
            assert received.headers["Accept-Encoding"] == "identity"
            items = [{"create": {"status": 201}} for _ in documents(received)]
            packing = zlib.compressobj(wbits=bits)
            body = packing.compress(orjson.dumps({"errors": False, "items": items})) + packing.flush()
            return web.Response(body=body, headers={"Content-Encoding": name})

        cluster.default = packed
        async with logging_to(options(cluster)) as runtime:
            log.info("n 0")
            log.info("n 1")
            assert await runtime.flush()
            assert sink_stats(runtime).retries == 0

    async def test_what_is_not_compressed_as_it_says_is_no_answer(self, cluster: Cluster):
        cluster.then(status(200, b'{"errors":false', Content_Encoding="gzip"))
        async with logging_to(options(cluster)) as runtime:
            log.info("n 0")
            assert await runtime.flush()
            assert sink_stats(runtime).retries == 1


class TestRequests:
    @pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
    async def test_a_passing_trouble_is_tried_again_with_the_same_bytes(self, cluster: Cluster, code: int):
        refusal = json_reply({"error": {"type": "exception", "reason": "busy"}, "status": code}, code)
        cluster.then(refusal, refusal)
        async with logging_to(options(cluster)) as runtime:
            for number in range(10):
                log.info("n %d", number)
            assert await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.retries) == (10, 2)
        assert len({request.raw for request in cluster.requests}) == 1

    @pytest.mark.parametrize("code", [400, 413])
    async def test_a_request_refused_whole_is_halved_until_the_offender_stands_alone(self, cluster: Cluster, code: int):
        async def judge(request: web.Request, received: Received) -> web.StreamResponse:
            offends = any("offender" in document.source["message"] for document in documents(received))
            return await (status(code, "") if offends else cluster.index.reply)(request, received)

        cluster.default = judge
        async with logging_to(options(cluster)) as runtime:
            for number in range(21):
                log.info("offender" if number == 13 else f"n {number}")
            assert not await runtime.flush()
            ledger = sink_stats(runtime).ledger
        assert (ledger.delivered, ledger.duplicate, ledger.rejected) == (20, 0, 1)
        assert numbers(cluster.index.arrived) == [number for number in range(21) if number != 13]

    async def test_a_body_that_is_answered_by_closing_is_halved_until_it_passes(self, cluster: Cluster):
        """OpenSearch closes the connection under a body it will not read, without a word."""

        async def small_only(request: web.Request, received: Received) -> web.StreamResponse:
            return await (cluster.index.reply if len(documents(received)) <= 3 else cluster.close)(request, received)

        cluster.default = small_only
        async with logging_to(options(cluster)) as runtime:
            for number in range(12):
                log.info("n %d", number)
            assert await runtime.flush()
            ledger = sink_stats(runtime).ledger
        assert (ledger.delivered, ledger.rejected) == (12, 0)
        assert numbers(cluster.index.arrived) == list(range(12))

    async def test_a_document_alone_is_not_given_up_for_closed_connections(self, cluster: Cluster):
        """A broken network looks the same, and a network mends."""
        cluster.then(*[cluster.close] * 6)
        async with logging_to(options(cluster)) as runtime:
            log.info("n 0")
            assert await runtime.flush()
            ledger = sink_stats(runtime).ledger
        assert (ledger.delivered, ledger.rejected) == (1, 0)

    async def test_a_hanging_server_is_asked_again_with_the_same_bytes(self, cluster: Cluster):
        """A timeout says nothing about the size: the batch is not cut for it."""
        cluster.then(cluster.hang, cluster.hang, cluster.hang)
        async with logging_to(options(cluster, timeout=0.1)) as runtime:
            for number in range(8):
                log.info("n %d", number)
            assert await runtime.flush()
        assert len({request.raw for request in cluster.requests}) == 1
        assert numbers(cluster.index.arrived) == list(range(8))

    @pytest.mark.parametrize("code", [401, 403, 404])
    async def test_what_an_operator_must_mend_pauses_and_drops_nothing(self, cluster: Cluster, code: int):
        cluster.default = json_reply({"error": {"type": "security_exception", "reason": "no"}, "status": code}, code)
        async with logging_to(options(cluster, backoff_max=0.05)) as runtime:
            for number in range(5):
                log.info("n %d", number)
            assert not await runtime.flush(timeout=0.2)
            stats = sink_stats(runtime)
            assert stats.state == "failed"
            assert (stats.ledger.in_flight, stats.ledger.rejected) == (5, 0)
            cluster.default = cluster.index.reply
            assert await runtime.flush()
            assert sink_stats(runtime).ledger.delivered == 5

    async def test_html_with_status_200_is_no_success(self, cluster: Cluster):
        cluster.then(status(200, "<html>It works!</html>", Content_Type="text/html"), status(200, b""))
        async with logging_to(options(cluster)) as runtime:
            log.info("n 0")
            assert await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.retries) == (1, 2)
        assert numbers(cluster.index.arrived) == [0]

    async def test_an_answer_cut_off_half_way_is_tried_again(self, cluster: Cluster):
        cluster.then(cluster.half_answer)
        async with logging_to(options(cluster)) as runtime:
            log.info("n 0")
            assert await runtime.flush()
        assert numbers(cluster.index.arrived) == [0]

    async def test_documents_of_one_request_are_in_the_order_of_the_calls(self, cluster: Cluster):
        async with logging_to(options(cluster)) as runtime:
            for number in range(60):
                log.log(10 * (1 + number % 3), "n %d", number)
            assert await runtime.flush()
        sources = [orjson.dumps(document.source) for document in documents(cluster.requests[0])]
        assert len(sources) == 60
        assert numbers(cluster.index.arrived) == list(range(60))


class TestAnswerInOneLook:
    """Nearly every answer says that all was created; parsing thousands of items would hold up the loop."""

    CREATED = b'{"create":{"status":201}}'

    def answer(self, items: list[bytes], errors: bytes = b"false", before: bytes = b"") -> Answer:
        return Answer(200, b'{%b"errors":%b,"items":[%b]}' % (before, errors, b",".join(items)))

    @pytest.fixture
    def parsed(self, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
        """The answers that were parsed."""
        bodies: list[bytes] = []

        def loads(body: bytes) -> Any:
            bodies.append(body)
            return orjson.loads(body)

        monkeypatch.setattr(elasticsearch, "orjson", SimpleNamespace(loads=loads))
        return bodies

    @pytest.mark.parametrize("before", [b"", b'"took":30,'])
    def test_all_created_is_read_without_parsing(self, parsed: list[bytes], before: bytes):
        answer = self.answer([self.CREATED] * 2000, before=before)
        assert elasticsearch.classify(answer, 2000) == Delivered()
        assert parsed == []

    @pytest.mark.parametrize("items", [0, 1999, 2001])
    def test_another_number_of_items_is_seen(self, parsed: list[bytes], items: int):
        outcome = elasticsearch.classify(self.answer([self.CREATED] * items), 2000)
        assert isinstance(outcome, Retry)
        assert f"{items} results for 2000 documents" in outcome.reason
        assert len(parsed) == 1

    def test_errors_are_looked_into_whatever_else_is_said(self, parsed: list[bytes]):
        busy = b'{"create":{"status":429,"error":{"type":"busy","reason":"said {\\"status\\":201}}"}}}'
        outcome = elasticsearch.classify(self.answer([self.CREATED, busy, self.CREATED], errors=b"true"), 3)
        assert isinstance(outcome, Partial)
        assert outcome.retry == (1,)
        assert len(parsed) == 1

    def test_an_answer_that_contradicts_itself_is_believed_item_by_item(self, parsed: list[bytes]):
        refused = b'{"create":{"status":400,"error":"bad"}}'
        outcome = elasticsearch.classify(self.answer([self.CREATED, refused]), 2)
        assert isinstance(outcome, Partial)
        assert [rejection.position for rejection in outcome.rejected] == [1]
        assert elasticsearch.classify(self.answer([self.CREATED] * 2, errors=b"true"), 2) == Delivered()
        assert len(parsed) == 2
