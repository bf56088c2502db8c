"""What a stdlib record becomes, and which records are taken."""

import logging
from contextvars import copy_context
from typing import Any

import orjson
import pytest

from metaexpert.logger import log_context
from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.entry import DETAILS, LogEntry
from metaexpert.logger.formats.ecs import EcsDocuments
from metaexpert.logger.formats.json_lines import JsonLines
from metaexpert.logger.formats.text import TextLines
from metaexpert.logger.identity import Identity
from metaexpert.logger.port import port
from metaexpert.logger.site import line_of
from metaexpert.logger.stdlib import OwnRecord, RecordBridge, log_record, take
from metaexpert.logger.values import MAX_ENTRY_BYTES


def record(message: object = "m", *args: Any, level: int = logging.INFO, **more: Any) -> logging.LogRecord:
    made = logging.LogRecord("theirs", level, "/their/module.py", 12, message, args, None, "function")
    made.__dict__.update(more)
    return made


def taken() -> list[LogEntry]:
    return [LogEntry(each) for each in port.ingress.take(1000)]


def only(given: logging.LogRecord) -> LogEntry:
    take(given)
    (entry,) = taken()
    return entry


def test_time_place_thread_and_task_are_the_records_own():
    capture = only(record(created=1_700_000_000.25, thread=7, taskName="theirs")).capture
    assert capture[1] == 1_700_000_000_250_000_000
    assert (capture[5].co_filename, capture[5].co_name) == ("/their/module.py", "function")
    assert line_of(capture[5], capture[6]) == 12
    assert (capture[9], capture[10]) == (7, "theirs")


def test_what_every_record_has_is_no_field():
    made = record("m")
    logging.Formatter("%(asctime)s %(message)s").format(made)  # leaves `message` and `asctime` behind
    assert only(made).extra() == {}
    assert only(record("m", venue="binance")).extra() == {"venue": "binance"}


def test_the_context_gives_way_to_extra():
    with log_context(a=1, b=1):
        assert only(record("m", a=2)).extra() == {"a": 2, "b": 1}


def test_arguments_of_each_kind():
    assert only(record("%s and %s", 1, 2)).message == "1 and 2"
    assert only(record("%(a)s", {"a": 1})).message == "1"
    none = record("100 %")
    none.args = None
    assert only(none).message == "100 %"


def test_an_exception_and_a_stack_as_given():
    with pytest.raises(ValueError, match="no number") as caught:
        int("no number")
    made = record("m", exc_info=(caught.type, caught.value, caught.tb), stack_info="Stack:\n  here")
    details = only(made).capture[DETAILS]
    assert details is not None
    assert orjson.loads(details[0])["type"] == "ValueError"
    assert orjson.loads(details[1]) == "Stack:\n  here"


def test_an_entry_of_a_huge_record_is_bounded():
    entry = only(record("x" * 10_000_000, field="y" * 10_000_000, stack_info="z" * 10_000_000))
    assert entry.size < 3 * MAX_ENTRY_BYTES
    assert len(entry.message.encode()) < MAX_ENTRY_BYTES


def test_a_record_without_thread_task_or_place():
    made = record(thread=None, taskName=None, funcName=None, pathname="", lineno=0)
    capture = only(made).capture
    assert (capture[9], capture[10]) == (0, None)


def test_one_made_before_tasks_had_names_is_taken_too():
    made = record()
    del made.taskName
    assert only(made).capture[10] is None


def test_records_of_the_pipelines_own_work_are_counted_and_go_no_further():
    before = port.ingress.self_logged

    def own() -> None:
        current_fields.set(PIPELINE)
        take(record())

    copy_context().run(own)
    assert taken() == []
    assert port.ingress.self_logged == before + 1


def test_the_bridge_takes_no_records_made_of_entries_and_no_lock():
    bridge = RecordBridge()
    bridge.handle(OwnRecord("ours", logging.INFO, "", 0, "m", (), None))
    assert taken() == []
    assert bridge.handle(record())
    bridge.emit(record())
    assert len(taken()) == 2


def test_what_is_no_call_is_logged_as_one_would_be(caplog: Any):
    own = OwnRecord("theirs", logging.WARNING, __file__, 1, "m", (), None)
    log_record(own)
    assert [entry.message for entry in taken()] == ["m"]
    assert [each.getMessage() for each in caplog.records] == ["m"]
    logging.getLogger("theirs").setLevel(logging.ERROR)
    log_record(own)
    assert taken() == []


def test_a_key_that_encoding_changes_stands_once_too():
    with log_context(**{"\\udc80": "context", "kept": 1}):
        more: dict[str, Any] = {"\udc80": "extra"}
        entry = only(record(**more))
    assert orjson.loads(b"{%b}" % entry.capture[7]) == {"\\udc80": "extra"}
    assert orjson.loads(b"{%b}" % entry.capture[8]) == {"kept": 1}


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("created", None),
        ("created", float("nan")),
        ("created", 1e30),
        ("created", -1.0),
        ("thread", "MainThread"),
        ("levelno", 20.5),
        ("levelno", 10**30),
        ("name", None),
        ("name", 5),
        ("taskName", 5),
        ("lineno", "twelve"),
        ("lineno", 2**70),
        ("pathname", None),
        ("funcName", 5),
        ("stack_info", 5),
        ("exc_info", 7),
        ("exc_text", 7),
        ("args", 7),
        ("msg", None),
    ],
)
def test_an_odd_attribute_neither_raises_nor_costs_the_entry(attribute: str, value: object):
    """Records may come from another process or be made by hand, as `logging.makeLogRecord` makes them."""
    made = record("m", level=logging.WARNING)
    made.__dict__[attribute] = value
    entry = only(made)
    told = orjson.loads(JsonLines(Identity(service="s"))(entry.capture))
    assert TextLines(use_colors=False)(entry.capture)
    assert EcsDocuments(Identity(service="s"))(entry.capture)
    assert attribute == "msg" or told["message"].startswith("m")
    assert told["timestamp"]
