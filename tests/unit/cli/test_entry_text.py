"""An entry as people read it: exact lines, nothing that drives a terminal, times that `--since` takes again."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from support.log_lines import error_line, log_line, trade_line

from metaexpert.cli.entry_text import Clock, EntryText, picked_json, shown
from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.files.reading.moments import moment_ns, stamp_ns


def entry_of(line: dict[str, Any] | bytes) -> LogEntry:
    encoded = line if isinstance(line, bytes) else orjson.dumps(line)
    time_ns = stamp_ns(line["timestamp"]) if isinstance(line, dict) else 0
    assert time_ns is not None
    return LogEntry(encoded, Path("expert.log"), time_ns)


def text(line: dict[str, Any] | bytes, **options: Any) -> str:
    return EntryText(UTC, **options)(entry_of(line))


def test_a_line_has_time_level_logger_message_and_fields():
    line = log_line(1, "connected", extra={"exchange": "binance", "latency_ms": 3.2, "note": "two words", "none": None})
    assert text(line) == (
        "2026-11-23T17:15:01.123456Z INFO     expert.feed: connected "
        'exchange=binance latency_ms=3.2 note="two words" none=null'
    )


def test_a_traceback_and_a_stack_stand_indented_below():
    told = text(error_line(2, "feed lost", "refused", stack_info="Stack (most recent call last):\n  here"))
    assert told.splitlines() == [
        "2026-11-23T17:15:02.123456Z ERROR    expert.feed: feed lost",
        "    Traceback (most recent call last):",
        '      File "/app/feed.py", line 42, in connect',
        "        raise failure",
        "    ConnectionError: refused",
        "    Stack (most recent call last):",
        "      here",
    ]


def test_an_exception_without_traceback_shows_what_there_is():
    line = log_line(1, "lost", "ERROR", exception={"type": "OSError", "message": "gone"})
    assert text(line).splitlines()[1:] == ["    OSError: gone"]


def test_a_trade_event_shows_the_fields_its_message_does_not_say():
    said = {"event": "order_filled", "side": "BUY", "quantity": "0.50", "symbol": "BTCUSDT", "price": "43100.1"}
    line = trade_line(3, "order_filled BUY 0.50 BTCUSDT at 43100.1", **said, order_id="A-1", fee="0.0005")
    assert text(line) == (
        "2026-11-23T17:15:03.123456Z INFO     expert.feed: order_filled BUY 0.50 BTCUSDT at 43100.1 "
        "strategy_id=1001 order_id=A-1 fee=0.0005"
    )


def test_a_field_of_a_trade_that_says_something_else_than_the_message_is_shown():
    line = trade_line(3, "order_filled BUY 0.50 BTCUSDT at 43100.1", order_id="A-1", price="43100.2")
    assert text(line).endswith("order_id=A-1 price=43100.2")


def test_other_log_types_are_named():
    assert "expert.feed: [audit] risk limit raised" in text(log_line(1, "risk limit raised", log_type="audit"))


@pytest.mark.parametrize("where", ["message", "logger", "field", "key", "traceback", "log_type"])
def test_nothing_in_a_log_drives_the_terminal(where: str):
    evil = "\x1b]0;owned\x07\x1b[31m\r\nforged\u202e\x9b"
    places: dict[str, dict[str, Any]] = {
        "message": log_line(1, evil),
        "logger": log_line(1, "x", logger=evil),
        "field": log_line(1, "x", extra={"a": evil, "b": {"c": evil}}),
        "key": log_line(1, "x", extra={evil: 1}),
        "traceback": log_line(1, "x", exception={"type": "E", "message": evil, "traceback": evil}),
        "log_type": log_line(1, "x", log_type=evil),
    }
    told = text(places[where])
    assert not {"\x1b", "\x07", "\r", "\u202e", "\x9b"}.intersection(told)
    assert all(line.startswith(("2026-11-23T", "    ")) for line in told.splitlines())


def test_colours_say_the_level_and_change_no_word():
    line = log_line(1, "connected", "WARNING", extra={"n": 1})
    coloured = text(line, colours=True)
    assert "\x1b[33mWARNING \x1b[0m" in coloured
    plain = coloured
    for code in ("\x1b[33m", "\x1b[0m", "\x1b[2m", "\x1b[36m"):
        plain = plain.replace(code, "")
    assert plain == text(line)


def test_picked_fields_are_shown_alone_in_their_order():
    line = trade_line(3, "order_filled", order_id="A-1", price="43100.1")
    told = text(line, fields=["price", "time", "strategy_id", "level", "nothing", "trade_data.order_id"])
    assert told == (
        "price=43100.1 2026-11-23T17:15:03.123456Z strategy_id=1001 INFO     nothing=- trade_data.order_id=A-1"
    )


def test_json_is_the_line_as_it_stands_or_the_picked_fields():
    entry = entry_of(b'{"timestamp": "2026-11-23T17:15:01Z",  "message":"x", "n":1.50}')
    assert picked_json(entry) == entry.line
    assert picked_json(entry, ["n", "time", "gone"]) == b'{"n":1.5,"time":"2026-11-23T17:15:01Z","gone":null}'


def test_a_text_line_looks_as_the_file_has_it_and_is_json_when_asked():
    line = b'2026-11-23T17:15:01.123456Z INFO     expert.feed: tick symbol=BTCUSDT n=3 note="two words"'
    time_ns = stamp_ns("2026-11-23T17:15:01.123456Z")
    assert time_ns is not None
    entry = LogEntry(line, Path("expert.log"), time_ns)
    assert EntryText(UTC)(entry) == line.decode()
    assert orjson.loads(picked_json(entry))["extra"] == {"symbol": "BTCUSDT", "n": 3, "note": "two words"}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("plain", "plain"),
        ("", '""'),
        ("a=b", '"a=b"'),
        ('"', '"""'),
        (None, "null"),
        ([1, "a"], '[1,"a"]'),
        (True, "true"),
    ],
)
def test_values_are_told_apart(value: object, told: str):
    assert shown(value) == told


def test_times_are_told_in_the_zone_with_its_offset_and_can_be_given_back():
    clock, zone = Clock(ZoneInfo("Europe/Berlin")), ZoneInfo("Europe/Berlin")
    summer, winter = (int(datetime(2026, month, 1, tzinfo=UTC).timestamp()) * 10**9 + 5000 for month in (7, 12))
    assert clock(summer) == "2026-07-01T02:00:00.000005+02:00"
    assert clock(winter) == "2026-12-01T01:00:00.000005+01:00"
    assert clock.to_the_second(winter) == "2026-12-01T01:00:00+01:00"
    assert [moment_ns(clock(each), datetime.now(UTC), zone) for each in (summer, winter)] == [summer, winter]


def test_the_hour_that_comes_twice_is_told_apart():
    clock = Clock(ZoneInfo("Europe/Berlin"))
    first = int(datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()) * 10**9
    assert [clock.to_the_second(first), clock.to_the_second(first + 3600 * 10**9)] == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:30:00+01:00",
    ]
