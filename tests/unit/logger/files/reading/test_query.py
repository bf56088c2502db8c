"""Queries and conditions: what they keep, and what they say about what cannot be understood."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from support.readable_logs import START_NS, json_line, text_line

from metaexpert.logger.files.reading.conditions import Condition
from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.files.reading.query import Query, QueryError

WHERE = Path("a.log")


def entry(**values: Any) -> LogEntry:
    return LogEntry(orjson.dumps(values), WHERE, START_NS, values)


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("symbol=BTCUSDT", {"extra": {"symbol": "BTCUSDT"}}, True),
        ("symbol==BTCUSDT", {"trade_data": {"symbol": "BTCUSDT"}}, True),
        ("symbol=BTCUSDT", {"extra": {"symbol": "ETHUSDT"}}, False),
        ("symbol=BTCUSDT", {}, False),
        ("symbol!=BTCUSDT", {}, True),
        ("price=1.0", {"extra": {"price": "1.00"}}, True),
        ("price=1", {"extra": {"price": 1.0}}, True),
        ("price=1e2", {"extra": {"price": 100}}, True),
        ("price>43000", {"extra": {"price": "43000.000000000000000001"}}, True),
        ("price>43000", {"extra": {"price": "9"}}, False),
        ("price>43000", {"extra": {"price": "high"}}, False),
        ("price>=43000", {"extra": {"price": 43000}}, True),
        ("price<-1", {"extra": {"price": -1.5}}, True),
        ("price<=high", {"extra": {"price": "abc"}}, True),
        ("price<=high", {"extra": {"price": 5}}, False),
        ("ok=true", {"extra": {"ok": True}}, True),
        ("ok=1", {"extra": {"ok": True}}, False),
        ("none=null", {"extra": {"none": None}}, True),
        ("list=[1,2]", {"extra": {"list": [1, 2]}}, True),
        ("message~^fill.d$", {"message": "filled"}, True),
        ("message!~fill", {"message": "filled"}, False),
        ("extra.order.id=7", {"extra": {"order": {"id": 7}}}, True),
        ("order.id=7", {"extra": {"order": {"id": 7}}}, True),
        ("trade_data.order_id=7", {"extra": {"order_id": "8"}, "trade_data": {"order_id": "7"}}, True),
        ("a.b=1", {"extra": {"a.b": 1}}, True),
        ("a.b=1", {"extra": {"a": 1}}, False),
        ("symbol exists", {"extra": {"symbol": None}}, True),
        ("symbol exists", {}, False),
        ("symbol missing", {}, True),
        ("level>=WARNING", {"level": "ERROR"}, True),
        ("level>=warning", {"level": "INFO"}, False),
        ("level=INFO", {"level": "INFO"}, True),
        ("level=info", {"level": "INFO"}, True),
        ("level=INFO", {"level": "info"}, True),
        ("level=warn", {"level": "WARNING"}, True),
        ("level=Warning", {"level": "WARN"}, True),
        ("level=fatal", {"level": "CRITICAL"}, True),
        ("level=20", {"level": "INFO"}, True),
        ("level=35", {"level": "Level 35"}, True),
        ("level=info", {"level": "LOUD"}, False),
        ("level=LOUD", {"level": "LOUD"}, True),
        ("level!=info", {"level": "INFO"}, False),
        ("level!=info", {"level": "ERROR"}, True),
        ("level=info", {}, False),
        ("level>=warn", {"level": "ERROR"}, True),
        ("level>=warning", {"level": "CRITICAL"}, True),
        ("level>error", {"level": "ERROR"}, False),
        ("level<30", {"level": "INFO"}, True),
        ("level~^WARN", {"level": "WARNING"}, True),
        ("log_type=general", {"log_type": "general"}, True),
        ("log_type=General", {"log_type": "general"}, True),
        ("log_type=general", {}, True),
        ("log_type=TRADE", {"log_type": "trade"}, True),
        ("log_type=trade", {}, False),
        ("log_type!=trade", {}, True),
        ("log_type=mine", {"log_type": "mine"}, True),
        ("log_type exists", {}, False),
        ("extra.order.id.part=7", {"extra": {"order": {"id": {"part": "7.0"}}}}, True),
        ("extra.order.id exists", {"extra": {"order": {}}}, False),
        ("n=99999999999999999999999", {"extra": {"n": "99999999999999999999999.0"}}, True),
    ],
)
def test_conditions(condition: str, values: dict[str, Any], *, expected: bool):
    assert Condition.parsed(condition).holds(entry(**values)) is expected


@pytest.mark.parametrize("written", ["symbol", "=1", "", "a b c", "!=3", "symbol perhaps"])
def test_a_condition_that_is_none_is_told_with_what_is_allowed(written: str):
    with pytest.raises(QueryError, match=r"is not understood: write it as name=value"):
        Condition.parsed(written)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"level": "LOUD"}, "level 'LOUD' is not known: use DEBUG"),
        ({"since": "soon"}, "since 'soon' is not understood: use \"15m\""),
        ({"until": "2026-02-30"}, "until '2026-02-30' is not understood"),
        ({"since": "1m", "until": "2m"}, "since .1m. is not before until .2m."),
        ({"grep": "("}, "grep '\\(' is no regular expression"),
        ({"where": ["message~("]}, "condition on message: '\\(' is no regular expression"),
        ({"where": ["level>LOUD"]}, "'LOUD' is no level"),
    ],
)
def test_what_cannot_be_understood_is_named(asked: dict[str, Any], told: str):
    with pytest.raises(QueryError, match=told):
        Query.parsed(**asked)


def test_log_types_are_meant_in_any_case():
    assert kept(Query.parsed(log_type=["Trade", "AUDIT"]), json_line(START_NS, log_type="audit"))


@pytest.mark.parametrize("condition", ["level>=error", "level=ERROR", "level>warning", "level=40"])
def test_a_condition_on_the_level_rules_lines_out_by_their_bytes(condition: str):
    assert Query.parsed(where=[condition], level="INFO").least_level in {31, 40}


def test_a_line_of_text_tells_the_log_type_of_trade_entries_alone():
    trade, other = text_line(START_NS, message="order_placed BUY 1 event=order_placed"), text_line(START_NS)
    for query in (Query.parsed(log_type=["trade"]), Query.parsed(where=["log_type=trade"])):
        assert kept(query, trade)
        assert not kept(query, other)
    assert kept(Query.parsed(log_type=["general"]), other)


def kept(query: Query, line: bytes) -> bool:
    values = orjson.loads(line) if line[:1] == b"{" else None
    return query.accepts(LogEntry(line, WHERE, START_NS, values))


def test_level_logger_type_and_time():
    line = json_line(START_NS, "WARNING", logger="expert.feed", log_type="trade")
    assert kept(Query.parsed(level="warning", logger=["expert"], log_type=["trade"]), line)
    assert not kept(Query.parsed(level="ERROR"), line)
    assert not kept(Query.parsed(level=31), line)
    assert not kept(Query.parsed(logger=["exp"]), line), "a logger's name is taken by its parts"
    assert not kept(Query.parsed(log_type=["audit", "general"]), line)
    assert kept(Query.parsed(since="2026-11-23", until="2026-11-24"), line)
    assert not kept(Query.parsed(until="2026-11-23"), line), "the moment of until is no longer kept"
    assert not kept(Query.parsed(since="2026-11-23", zone=ZoneInfo("America/New_York")), line)


def test_a_level_nobody_knows_counts_as_info_and_a_numbered_one_by_its_number():
    assert kept(Query.parsed(level="INFO"), json_line(START_NS, "LOUD"))
    assert not kept(Query.parsed(level="WARNING"), json_line(START_NS, "LOUD"))
    assert kept(Query.parsed(level="WARNING"), json_line(START_NS, "Level 35"))
    assert kept(Query.parsed(level="CRITICAL"), json_line(START_NS, "FATAL"))


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("für", b'{"message":"f\\u00fcr"}'),
        ("für", '{"message":"für"}'.encode()),
        ("a/b", b'{"message":"a\\/b"}'),
        ('say "hi"', b'{"message":"say \\"hi\\""}'),
        ("\U0001f600", b'{"message":"\\ud83d\\ude00"}'),
        (r'"message":"a\\/b"', b'{"message":"a\\/b"}'),
    ],
)
def test_text_is_found_as_it_stands_and_as_it_is_meant(pattern: str, line: bytes):
    assert kept(Query.parsed(grep=pattern), line)


def test_capitals_are_ignored_when_asked():
    assert kept(Query.parsed(grep="TICK", ignore_case=True), text_line(START_NS))
    assert not kept(Query.parsed(grep="TICK"), text_line(START_NS))


@pytest.mark.parametrize(
    ("pattern", "ignore_case", "text", "found"),
    [
        ("f.r$", False, "für", True),
        ("^f..r$", False, "für", False),
        ("fü{2}r", False, "füür", True),
        ("FÜR", True, "für", True),
        ("f[uü]r", False, "für", True),
        ("f[ü]r", True, "FÜR", True),
        ("f.*r", False, "f\U0001f600ür", True),
        (r"f\.r", False, "für", False),
        ("f[.]r", False, "f.r", True),
        ("f[.]r", False, "fxr", False),
    ],
)
def test_patterns_are_of_characters_not_bytes(pattern: str, *, ignore_case: bool, text: str, found: bool):
    query = Query.parsed(grep=pattern, ignore_case=ignore_case)
    assert query.text is not None
    assert bool(query.text.search(text.encode())) is found


def test_what_bytes_cannot_exclude_is_told():
    with pytest.raises(QueryError, match="is not supported"):
        Query.parsed(grep="[^ü]")
