"""The embedded collector judges as the real Loki and Elasticsearch do; statuses and texts after their documentation."""

import asyncio
import contextlib
import gzip
import io
import os
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio

from metaexpert.demo.collector.app import Collector
from metaexpert.demo.collector.client import CollectorClient
from metaexpert.demo.collector.server import serving
from metaexpert.demo.collector_process import CollectorError, CollectorProcess

BULK_PATH = "/_bulk?filter_path=errors,items.*.status,items.*.error"


class Client:
    """One collector and a session to it."""

    def __init__(self, collector: CollectorClient, session: aiohttp.ClientSession) -> None:
        self.collector = collector
        self.session = session

    async def push(self, *streams: dict[str, Any], **headers: str) -> tuple[int, str]:
        return await self.post("/loki/api/v1/push", orjson.dumps({"streams": list(streams)}), **headers)

    async def bulk(self, *lines: object, path: str = BULK_PATH) -> tuple[int, dict[str, Any]]:
        body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
        status, answer = await self.post(path, body, Content_Type="application/x-ndjson")
        return status, orjson.loads(answer)

    async def post(self, path: str, body: bytes, **headers: str) -> tuple[int, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.post(self.collector.url + path, data=io.BytesIO(body), headers=named) as response:
            return response.status, await response.text()

    async def loki_ids(self) -> list[str]:
        return list((await self.collector.entries("loki")).kinds)


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    """A collector on a real socket in this process: the judgements are the same, and it starts at once."""
    async with (
        serving(Collector()) as port,
        CollectorClient(f"http://127.0.0.1:{port}", os.getpid()) as collector,
        aiohttp.ClientSession() as session,
    ):
        yield Client(collector, session)


def value(entry_id: str, time_ns: int | None = None, *, padding: str = "", **fields: object) -> list[Any]:
    line = orjson.dumps({"id": entry_id, "level": "INFO", "log_type": "general", "message": padding, **fields}).decode()
    return [str(time_ns or time.time_ns()), line, {"entry_id": entry_id}]


def stream(*values: list[Any], **labels: str) -> dict[str, Any]:
    return {"stream": labels or {"service": "test"}, "values": list(values)}


def create(entry_id: str, index: str = "metaexpert") -> dict[str, Any]:
    return {"create": {"_index": index, "_id": entry_id}}


def document(message: str = "hello", **fields: object) -> dict[str, Any]:
    return {"@timestamp": "2026-08-01T10:00:00.123456789Z", "message": message, "log.level": "INFO", **fields}


class TestLoki:
    async def test_a_stored_push_is_answered_204_without_a_body(self, client: Client):
        assert await client.push(stream(value("a-1"), value("a-2"))) == (204, "")
        assert await client.loki_ids() == ["a-1", "a-2"]

    async def test_gzip_is_understood_and_bad_gzip_refused(self, client: Client):
        body = orjson.dumps({"streams": [stream(value("a-1"))]})
        good = await client.post("/loki/api/v1/push", gzip.compress(body), Content_Encoding="gzip")
        bad = await client.post("/loki/api/v1/push", body, Content_Encoding="gzip")
        torn = await client.post("/loki/api/v1/push", gzip.compress(body)[:-9], Content_Encoding="gzip")
        assert (good[0], bad[0], torn[0]) == (204, 400, 400)
        assert await client.loki_ids() == ["a-1"]

    @pytest.mark.parametrize(
        "malformed",
        [
            b"{",
            b'{"streams":{}}',
            b'{"streams":[{"stream":{"a":"b"},"values":[[1,"line"]]}]}',
            b'{"streams":[{"stream":{"a":"b"},"values":[["2026-08-01T10:00:00Z","line"]]}]}',
            b'{"streams":[{"stream":{"a":"b"},"values":[["1","line",{"n":1}]]}]}',
            b'{"streams":[{"stream":{"a":"b"},"values":[["1","\\ud800"]]}]}',
            b'{"streams":[{"stream":{"a-b":"c"},"values":[["1","line"]]}]}',
            b'{"streams":[{"stream":{},"values":[["1","line"]]}]}',
        ],
        ids=["json", "streams", "numeric time", "text time", "metadata", "surrogate", "label name", "no label"],
    )
    async def test_a_malformed_request_stores_nothing(self, client: Client, malformed: bytes):
        good = orjson.dumps({"streams": [stream(value("a-1"))]})
        mixed = good[:-2] + b"," + malformed[12:] if malformed.startswith(b'{"streams":[') else malformed
        status, text = await client.post("/loki/api/v1/push", mixed)
        assert status == 400
        assert text.strip()
        assert await client.loki_ids() == []

    async def test_a_request_without_streams_is_422(self, client: Client):
        assert await client.push() == (422, "error at least one valid stream is required for ingestion\n")

    @pytest.mark.parametrize(
        ("offender", "reason"),
        [
            (value("bad", time.time_ns() - 8 * 24 * 3600 * 10**9), "timestamp too old"),
            (value("bad", time.time_ns() + 20 * 60 * 10**9), "timestamp too new"),
            (value("bad", padding="x" * 300_000), "max entry size '262144' bytes exceeded"),
            ([str(time.time_ns()), "{}", {"big": "x" * 70_000}], "structured metadata too large"),
            ([str(time.time_ns()), "{}", {f"k{i}": "v" for i in range(129)}], "too many structured metadata labels"),
        ],
        ids=["old", "new", "line", "metadata bytes", "metadata keys"],
    )
    async def test_an_entry_beyond_a_limit_is_refused_alone(self, client: Client, offender: list[Any], reason: str):
        status, text = await client.push(stream(value("a-1"), offender, value("a-2")))
        assert status == 400
        assert reason in text
        assert "total ignored: 1 out of 3 for stream: {service=" in text
        assert await client.loki_ids() == ["a-1", "a-2"]

    async def test_up_to_an_hour_behind_the_streams_newest_is_accepted(self, client: Client):
        newest = time.time_ns()
        assert (await client.push(stream(value("newest", newest))))[0] == 204
        assert (await client.push(stream(value("behind", newest - 59 * 60 * 10**9))))[0] == 204
        status, text = await client.push(stream(value("too far", newest - 61 * 60 * 10**9)))
        assert (status, "entry too far behind" in text) == (400, True)
        assert (await client.push(stream(value("elsewhere", newest - 61 * 60 * 10**9), service="other")))[0] == 204

    async def test_sixteen_labels_refuse_that_stream_only(self, client: Client):
        labels = {f"l{number}": "v" for number in range(16)}
        status, text = await client.push(stream(value("a-1"), **labels), stream(value("a-2")))
        assert (status, "has 16 label names; limit 15" in text) == (400, True)
        assert await client.loki_ids() == ["a-2"]

    async def test_the_same_stream_time_and_line_is_kept_once(self, client: Client):
        push = stream(value("a-1", 10**9 * int(time.time())))
        assert [(await client.push(push))[0] for _ in range(3)] == [204, 204, 204]
        held = await client.collector.entries("loki")
        assert (len(held), held.copies, held.conflicting) == (1, {"a-1": 3}, ())

    async def test_the_same_id_with_other_bytes_is_a_conflict(self, client: Client):
        await client.push(stream(value("a-1", padding="one")))
        await client.push(stream(value("a-1", padding="two")))
        assert (await client.collector.entries("loki")).conflicting == ("a-1",)

    async def test_a_body_over_four_mebibytes_is_413(self, client: Client):
        status, text = await client.push(stream(*(value(f"a-{i}", padding="x" * 200_000) for i in range(22))))
        assert (status, text.startswith("request body too large")) == (413, True)

    async def test_levels_log_types_and_gaps_are_kept(self, client: Client):
        gap = {"sink": "loki", "dropped": 3, "by_level": {"DEBUG": 3}}
        await client.push(
            stream(
                value("a-1", level="ERROR"),
                value("a-2", log_type="trade"),
                value("a-3", level="WARNING", log_type="gap", extra=gap),
            )
        )
        held = await client.collector.entries("loki")
        assert held.kinds == {"a-1": ("ERROR", "general"), "a-2": ("INFO", "trade"), "a-3": ("WARNING", "gap")}
        assert [entry["extra"] for entry in held.gaps] == [gap]


class TestBulk:
    async def test_each_item_is_answered_in_order(self, client: Client):
        status, answer = await client.bulk(
            create("a-1"), document(), create("a-2"), document(**{"@timestamp": "soon"}), create("a-1"), document()
        )
        items = [item["create"] for item in answer["items"]]
        assert (status, answer["errors"]) == (200, True)
        assert [item["status"] for item in items] == [201, 400, 409]
        assert items[0] == {"status": 201}
        assert items[1]["error"]["type"] == "document_parsing_exception"
        assert items[2]["error"]["type"] == "version_conflict_engine_exception"
        held = await client.collector.entries("elasticsearch")
        assert (list(held.kinds), held.copies) == (["a-1"], {"a-1": 2})

    async def test_without_filter_path_items_are_whole(self, client: Client):
        _, answer = await client.bulk(create("a-1"), document(), path="/_bulk")
        assert answer["errors"] is False
        assert answer["items"][0]["create"]["_id"] == "a-1"
        assert answer["items"][0]["create"]["result"] == "created"

    async def test_ids_are_unique_per_index_only(self, client: Client):
        _, answer = await client.bulk(create("a-1", "one"), document(), create("a-1", "two"), document())
        assert [item["create"]["status"] for item in answer["items"]] == [201, 201]

    async def test_the_path_names_the_default_index(self, client: Client):
        _, answer = await client.bulk({"create": {"_id": "a-1"}}, document(), path="/orders/_bulk")
        assert answer["items"][0]["create"]["_index"] == "orders"

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b'{"create":{"_index":"i","_id":"1"}}\n{"@timestamp":1}', "must be terminated by a newline"),
            (b"", "request body is required"),
            (
                b'{"create":{"_index":"i","_id":"1"}}\n{"@timestamp":1}\nnonsense\n{}\n',
                "Malformed action/metadata line",
            ),
            (b'{"create":{"_index":"i"}}\n', "no source is associated"),
            (b'{"create":{"_id":"1"}}\n{}\n', "index is missing"),
        ],
        ids=["newline", "empty", "action", "source", "index"],
    )
    async def test_a_request_level_mistake_stores_nothing(self, client: Client, body: bytes, reason: str):
        status, answer = await client.post("/_bulk", body, Content_Type="application/x-ndjson")
        assert (status, reason in answer) == (400, True)
        assert len(await client.collector.entries("elasticsearch")) == 0

    async def test_a_wrong_content_type_is_406(self, client: Client):
        assert (await client.post("/_bulk", b"{}\n", Content_Type="text/plain"))[0] == 406

    async def test_a_document_that_is_no_json_fails_alone(self, client: Client):
        body = b'{"create":{"_index":"i","_id":"1"}}\n{"a":\n{"create":{"_index":"i","_id":"2"}}\n{"@timestamp":1}\n'
        _, answer = await client.post("/_bulk", body, Content_Type="application/x-ndjson")
        assert [item["create"]["status"] for item in orjson.loads(answer)["items"]] == [400, 201]

    async def test_a_data_stream_needs_a_timestamp_and_takes_create_only(self, client: Client):
        index = "logs-metaexpert-default"
        _, answer = await client.bulk(create("a-1", index), {}, {"index": {"_index": index, "_id": "a-2"}}, document())
        assert [item.popitem()[1]["status"] for item in answer["items"]] == [400, 400]

    async def test_bad_gzip_is_refused(self, client: Client):
        headers = {"Content_Type": "application/x-ndjson", "Content_Encoding": "gzip"}
        assert (await client.post("/_bulk", b"not gzip", **headers))[0] == 400

    async def test_gap_documents_are_kept_whole(self, client: Client):
        gap = document("dropped 3 entries", **{"event.dataset": "metaexpert.gap", "extra": {"dropped": 3}})
        await client.bulk(create("a-1"), gap)
        held = await client.collector.entries("elasticsearch")
        assert (held.kinds, held.gaps) == ({"a-1": ("INFO", "gap")}, (gap,))

    async def test_nested_ecs_fields_tell_level_and_log_type(self, client: Client):
        nested = {"@timestamp": 1, "log": {"level": "error"}, "event": {"dataset": "metaexpert.trade"}}
        await client.bulk(create("a-1"), nested)
        assert (await client.collector.entries("elasticsearch")).kinds == {"a-1": ("ERROR", "trade")}


class TestFaults:
    @pytest.mark.parametrize("status", [260, 401, 403, 404, 429, 500, 502, 503, 504])
    async def test_a_status_is_shown_to_the_target_alone_until_it_ends(self, client: Client, status: int):
        await client.collector.faults("loki", str(status))
        assert (await client.push(stream(value("a-1"))))[0] == status
        assert (await client.bulk(create("a-1"), document()))[0] == 200
        await client.collector.faults("loki", "ok")
        assert (await client.push(stream(value("a-2"))))[0] == 204
        assert await client.loki_ids() == ["a-2"]

    async def test_retry_after_comes_with_the_status(self, client: Client):
        await client.collector.faults("elasticsearch", "429", retry_after=2)
        url = f"{client.collector.url}/_bulk"
        async with client.session.post(url, data=b"{}\n", headers={"Content-Type": "application/x-ndjson"}) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "2")
            assert (await response.json())["error"]["type"] == "es_rejected_execution_exception"

    async def test_a_fault_ends_after_its_requests(self, client: Client):
        await client.collector.faults("loki", "503", requests=2)
        assert [(await client.push(stream(value("a-1"))))[0] for _ in range(3)] == [503, 503, 204]

    async def test_a_fault_ends_after_its_time(self, client: Client):
        await client.collector.faults("loki", "503", seconds=0.05)
        deadline = time.monotonic() + 5
        while (status := (await client.push(stream(value("a-1"))))[0]) == 503:
            assert time.monotonic() < deadline
        assert status == 204

    async def test_ready_tells_of_a_fault(self, client: Client):
        async with client.session.get(f"{client.collector.url}/ready") as response:
            assert response.status == 200
        await client.collector.faults("loki", "429")
        async with client.session.get(f"{client.collector.url}/ready") as response:
            assert response.status == 503

    async def test_a_hanging_request_is_served_when_the_fault_ends(self, client: Client):
        await client.collector.faults("loki", "hang")
        pending = asyncio.create_task(client.push(stream(value("a-1"))))
        while (await client.collector.stats())["hanging"] == 0:
            assert not pending.done()
        await client.collector.faults("loki", "ok")
        assert (await pending)[0] == 204

    async def test_a_client_that_gave_up_on_a_hang_leaves_nothing(self, client: Client):
        await client.collector.faults("loki", "hang")
        timeout = aiohttp.ClientTimeout(total=0.1)
        async with aiohttp.ClientSession(timeout=timeout) as impatient:
            with pytest.raises(TimeoutError):
                await Client(client.collector, impatient).push(stream(value("a-1")))
        deadline = time.monotonic() + 5
        while (await client.collector.stats())["hanging"]:
            assert time.monotonic() < deadline
        await client.collector.faults("loki", "ok")
        assert await client.loki_ids() == []

    @pytest.mark.parametrize(("mode", "stored"), [("reset", []), ("lost_ack", ["a-1"])])
    async def test_a_dropped_connection(self, client: Client, mode: str, stored: list[str]):
        await client.collector.faults("loki", mode, requests=1)
        with pytest.raises(aiohttp.ClientError):
            await client.push(stream(value("a-1")))
        assert await client.loki_ids() == stored

    async def test_garbage_is_no_http_from_loki_and_html_from_bulk(self, client: Client):
        await client.collector.faults("all", "garbage")
        with pytest.raises(aiohttp.ClientError):
            await client.push(stream(value("a-1")))
        status, text = await client.post("/_bulk", b"{}\n", Content_Type="application/x-ndjson")
        assert (status, text.startswith("<html>")) == (200, True)

    async def test_413_lets_smaller_bodies_pass(self, client: Client):
        await client.collector.faults("all", "413", max_bytes=500)
        many, one = stream(*(value(f"a-{i}") for i in range(20))), stream(value("a-1"))
        assert [(await client.push(request))[0] for request in (many, one)] == [413, 204]

    async def test_partial_refuses_some_lines_for_good_and_stores_the_rest(self, client: Client):
        await client.collector.faults("loki", "partial")
        values = [value(f"a-{number}", time.time_ns() + number) for number in range(100)]
        status, text = await client.push(stream(*values))
        stored = await client.loki_ids()
        assert (status, "entry too far behind" in text) == (400, True)
        assert 0 < len(stored) < 100
        assert f"total ignored: {100 - len(stored)} out of 100" in text
        await client.push(stream(*values))
        assert await client.loki_ids() == stored

    async def test_partial_bulk_mixes_429_into_a_200(self, client: Client):
        await client.collector.faults("elasticsearch", "partial")
        lines = [line for number in range(6) for line in (create(f"a-{number}"), document())]
        status, answer = await client.bulk(*lines)
        statuses = [item["create"]["status"] for item in answer["items"]]
        assert (status, sorted(statuses)) == (200, [201] * 4 + [429] * 2)

    async def test_short_answers_fewer_items_than_sent(self, client: Client):
        await client.collector.faults("elasticsearch", "short")
        _, answer = await client.bulk(create("a-1"), document(), create("a-2"), document())
        assert (answer["errors"], len(answer["items"])) == (False, 1)

    @pytest.mark.parametrize(
        ("target", "mode", "seconds"), [("loki", "sulk", 1), ("splunk", "503", 1), ("loki", "503", -1)]
    )
    async def test_an_unknown_fault_is_refused(self, client: Client, target: str, mode: str, seconds: float):
        with pytest.raises(CollectorError, match="400"):
            await client.collector.faults(target, mode, seconds=seconds)


class TestWatch:
    async def test_a_text_is_found_in_bodies_packed_or_not_in_headers_and_addresses(self, client: Client):
        await client.collector.watch_for({"a": "needle", "b": "other"})
        push = orjson.dumps({"streams": [stream(value("a-1", padding="needle"))]})
        path = "/loki/api/v1/push"
        await client.post(path, push)
        await client.post(path, gzip.compress(push), Content_Encoding="gzip")
        await client.post(path, b"{}", X_Token="needle")
        await client.post(f"{path}?key=needle", b"{}")
        await client.post(path, b"{}")
        stats = await client.collector.stats()
        assert stats["loki"]["found"] == {"a": 4, "b": 0}
        assert stats["elasticsearch"]["found"] == {"a": 0, "b": 0}

    async def test_what_fails_was_received_all_the_same(self, client: Client):
        await client.collector.watch_for({"a": "needle"})
        await client.collector.faults("elasticsearch", "503")
        await client.bulk(create("a-1"), document("needle"))
        assert (await client.collector.stats())["elasticsearch"]["found"] == {"a": 1}

    async def test_what_is_no_object_is_refused(self, client: Client):
        for body in (b"[]", b"nonsense"):
            status, _ = await client.post("/admin/watch", body)
            assert status == 400


class TestProcess:
    async def test_it_ends_with_its_context(self):
        async with CollectorProcess.start() as collector:
            assert await _listens(collector.url)
        assert not await _listens(collector.url)

    async def test_it_stores_and_ends_on_request(self):
        async with CollectorProcess.start() as collector, aiohttp.ClientSession() as session:
            assert (await Client(collector, session).push(stream(value("a-1"))))[0] == 204
            assert len(await collector.entries("loki")) == 1
            await collector.shutdown()
            await wait_until_gone(collector.url)

    async def test_it_ends_when_its_parent_dies(self):
        """The parent is killed and cannot say goodbye: the collector sees its standard input end."""
        script = (
            "import asyncio\n"
            "from metaexpert.demo.collector_process import CollectorProcess\n"
            "async def main():\n"
            "    async with CollectorProcess.start() as collector:\n"
            "        print(collector.url, flush=True)\n"
            "        await asyncio.Event().wait()\n"
            "asyncio.run(main())\n"
        )
        parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
        assert parent.stdout is not None
        url = (await parent.stdout.readline()).decode().strip()
        assert await _listens(url)
        parent.kill()
        await parent.communicate()
        await wait_until_gone(url)

    async def test_bad_arguments_are_an_error_of_start(self):
        with pytest.raises(CollectorError, match="ended before it listened"):
            async with CollectorProcess.start("--no-such-option"):
                pass

    async def test_a_client_outside_its_context_says_so(self):
        with pytest.raises(CollectorError, match="async with"):
            await CollectorClient("http://127.0.0.1:1", 0).stats()


async def wait_until_gone(url: str, seconds: float = 10) -> None:
    """Whether a process has ended can't be asked on every platform; that nobody listens any more can."""
    deadline = time.monotonic() + seconds
    while await _listens(url):
        assert time.monotonic() < deadline, f"{url} still answers"
        await asyncio.sleep(0.01)


async def _listens(url: str) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    except ConnectionError:
        return False
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return True
