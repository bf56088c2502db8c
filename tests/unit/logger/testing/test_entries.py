"""Entries are found by what was logged, and an entry made by hand is what a log call would have captured."""

import logging

import orjson
import pytest
from support.running_logger import logging_to

from metaexpert.logger import LogEntry, MemoryOptions, get_logger
from metaexpert.logger.entry import DETAILS, EXCEPTION, LOG_TYPE
from metaexpert.logger.port import port
from metaexpert.logger.testing import Entries, MemorySink, memory_entries, new_entry

log = get_logger("unit.entries")


@pytest.fixture
def entries() -> Entries:
    return Entries(
        lambda: [
            {"level": "INFO", "logger": "app", "message": "one", "log_type": "general"},
            {"level": "ERROR", "logger": "app.orders", "message": "two", "log_type": "general", "extra": {"a": [1]}},
            {
                "level": "INFO",
                "logger": "apple",
                "message": "one more",
                "log_type": "trade",
                "extra": {"a": 1},
                "trade_data": {"price": "1.50"},
            },
        ]
    )


def test_they_are_a_sequence(entries: Entries):
    assert len(entries) == 3
    assert entries[0]["message"] == "one"
    assert [entry["message"] for entry in entries[1:]] == ["two", "one more"]
    assert [entry["message"] for entry in entries] == entries.messages == ["one", "two", "one more"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["one", "two", "one more"]),
        ({"message": "one"}, ["one", "one more"]),
        ({"level": "INFO"}, ["one", "one more"]),
        ({"logger": "app"}, ["one", "two"]),
        ({"logger": "app.orders"}, ["two"]),
        ({"log_type": "trade"}, ["one more"]),
        ({"a": 1}, ["one more"]),
        ({"a": [1]}, ["two"]),
        ({"price": "1.50", "level": "INFO"}, ["one more"]),
        ({"price": "1.50", "level": "ERROR"}, []),
        ({"nothing": None}, []),
    ],
)
def test_where_finds_those_of_which_all_is_true(entries: Entries, asked: dict[str, object], found: list[str]):
    assert [entry["message"] for entry in entries.where(**asked)] == found  # type: ignore[arg-type]


def test_only_hands_over_the_one_and_else_shows_what_there_is(entries: Entries):
    assert entries.only(message="two")["level"] == "ERROR"
    with pytest.raises(AssertionError, match=r"2 entries are such .*'one'.*there are: \[INFO app: 'one', ERROR app"):
        entries.only(message="one")
    with pytest.raises(AssertionError, match="0 entries are such"):
        entries.only(message="three")
    assert "INFO apple: 'one more'" in repr(entries)


async def test_what_a_memory_sink_holds_is_seen_by_sink_and_by_runtime():
    async with logging_to(MemoryOptions(), MemoryOptions(name="errors", level="ERROR")) as runtime:
        log.info("one")
        log.error("two", a=1)
        assert await runtime.flush()
        assert memory_entries(runtime).messages == ["one", "two"]
        sink = runtime.sinks["errors"]
        assert isinstance(sink, MemorySink)
        live = memory_entries(sink)
        assert live.only(a=1)["message"] == "two"
        assert memory_entries(runtime, "errors").messages == live.messages
        with pytest.raises(TypeError, match=r"'file' is no memory sink; add MemoryOptions"):
            memory_entries(runtime, "file")


def test_an_entry_made_by_hand_is_what_a_log_call_captures():
    log.warning("careful", api_key="AKIA", nested={"a": [1]})
    logged = port.ingress.take(1)[0]
    made = new_entry("careful", level=logging.WARNING, logger="unit.entries", api_key="AKIA", nested={"a": [1]})
    here, there = LogEntry(made), LogEntry(logged)
    assert (here.message, here.level, here.logger, here.log_type) == (
        there.message,
        there.level,
        there.logger,
        there.log_type,
    )
    assert here.extra() == there.extra() == {"api_key": "[REDACTED]", "nested": {"a": [1]}}
    assert here.seq == there.seq + 1
    assert made[5] is test_an_entry_made_by_hand_is_what_a_log_call_captures.__code__
    assert list(map(type, made)) == list(map(type, logged))


def test_it_carries_an_exception_or_trade_data():
    failed = new_entry("failed", error=ValueError("no"))
    details = failed[DETAILS]
    assert details is not None
    assert orjson.loads(details[EXCEPTION])["message"] == "no"
    placed = new_entry("placed", trade_data={"event": "order_placed", "price": "1.50"})
    assert placed[LOG_TYPE] == "trade"
    assert LogEntry(placed).trade_data() == {"event": "order_placed", "price": "1.50"}
    assert new_entry("audited", log_type="audit", trade_data={"a": 1})[LOG_TYPE] == "audit"
