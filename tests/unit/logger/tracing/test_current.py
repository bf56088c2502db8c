"""`trace()`: every entry of the block belongs to one part of a trace, in tasks and threads started there too."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson

from metaexpert.logger import Logger, current_trace, log_context, trace
from metaexpert.logger.entry import Capture
from metaexpert.logger.formats.ecs import EcsDocuments
from metaexpert.logger.formats.otlp_json import Json, JsonEnvelope
from metaexpert.logger.formats.otlp_records import Records
from metaexpert.logger.identity import Identity

type Line = dict[str, Any]
type Lines = Callable[[], list[Line]]

HEADER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
IDENTITY = Identity(service="expert", boot_id="boot", pid=4711, host="box")


def test_entries_of_the_block_have_its_ids_and_others_have_none(log: Logger, lines: Lines):
    with trace() as here:
        log.info("within", a=1)
        log.trade.order_cancelled(order_id="7")
    log.info("outside")
    within, trade, outside = lines()
    assert within["extra"] == {**here.fields, "a": 1}
    assert trade["extra"] == here.fields
    assert "extra" not in outside
    assert current_trace() is None


def test_a_trace_within_a_trace_is_another_part_of_the_same(log: Logger, lines: Lines):
    with trace() as outer:
        with trace() as inner:
            log.info("inner")
        log.info("outer")
    assert inner.trace_id == outer.trace_id
    assert inner.span_id != outer.span_id
    assert [line["extra"]["span_id"] for line in lines()] == [inner.span_id, outer.span_id]


def test_a_header_names_the_trace_and_a_wrong_one_begins_another():
    with trace(HEADER, "foo=1") as here:
        assert (here.trace_id, here.state) == (TRACE, "foo=1")
        with trace() as inner:
            assert (inner.trace_id, inner.state) == (TRACE, "foo=1")
        with trace("nonsense", "foo=1") as other:
            assert other.trace_id != TRACE
            assert other.state == ""


def test_it_follows_tasks_and_threads(runner: asyncio.Runner, log: Logger, lines: Lines):
    async def work() -> None:
        log.info("task")
        await asyncio.to_thread(log.info, "thread")

    async def main() -> None:
        with trace(HEADER):
            task = asyncio.create_task(work())
        log.info("after")
        await task

    runner.run(main())
    found = {line["message"]: line.get("extra", {}).get("trace_id") for line in lines()}
    assert found == {"task": TRACE, "thread": TRACE, "after": None}


def test_what_is_bound_more_closely_counts(log: Logger, lines: Lines):
    with trace(HEADER), log_context(trace_id="mine"):
        log.info("x")
    (line,) = lines()
    assert line["extra"]["trace_id"] == "mine"


def test_the_state_of_others_is_never_logged(log: Logger, lines: Lines):
    with trace(HEADER, "vendor=s3cr3tV4lu3") as here:
        log.info("x", headers="none")
    assert here.headers()["tracestate"] == "vendor=s3cr3tV4lu3"
    assert "s3cr3tV4lu3" not in orjson.dumps(lines()).decode()


class TestFormats:
    def logged(self, written: Callable[..., Capture], **fields: object) -> Capture:
        with trace(HEADER):
            return written(lambda log: log.info("x", **fields))

    def test_ecs_has_places_for_them(self, written: Callable[..., Capture]):
        entry = self.logged(written, a=1)
        found = orjson.loads(EcsDocuments(IDENTITY)(entry))
        assert found["trace"] == {"id": TRACE}
        assert len(found["span"]["id"]) == 16
        assert found["extra"] == {"trace_flags": "01", "a": 1}

    def test_what_is_no_id_stays_among_the_fields(self, written: Callable[..., Capture]):
        for value in ("mine", "0" * 32, 7, TRACE + "0"):
            found = orjson.loads(
                EcsDocuments(IDENTITY)(written(lambda log, value=value: log.info("x", trace_id=value)))
            )
            assert "trace" not in found
            assert found["extra"] == {"trace_id": value}
        deeper = orjson.loads(EcsDocuments(IDENTITY)(written(lambda log: log.info("x", up={"trace_id": TRACE}))))
        assert "trace" not in deeper

    def test_otlp_has_places_for_them(self, written: Callable[..., Capture]):
        part = Records(IDENTITY, Json())(self.logged(written))
        logs = orjson.loads(
            JsonEnvelope().request(
                [({}, {part[: JsonEnvelope().scope_bytes(part)]: [part[JsonEnvelope().scope_bytes(part) :]]})]
            )
        )
        (record,) = logs["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
        assert record["traceId"] == TRACE
        assert len(record["spanId"]) == 16
        assert record["flags"] == 1
        assert not any("trace" in attribute["key"] for attribute in record["attributes"])
