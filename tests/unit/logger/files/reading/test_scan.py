"""Looking through blocks: what is looked for in bytes first loses nothing, and damage is told, never fatal."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.readable_logs import START_NS, json_line, text_line

from metaexpert.logger.files.reading.blocks import Block
from metaexpert.logger.files.reading.conditions import Condition
from metaexpert.logger.files.reading.precheck import Precheck
from metaexpert.logger.files.reading.query import Query
from metaexpert.logger.files.reading.report import ReadReport
from metaexpert.logger.files.reading.scan import Scanner, form_of

EVERYTHING = Precheck.of(Query())
WORDS = ("BTCUSDT", "tick", "für", "a/b", 'say "x"', "ERROR", "b\\c", "tab\there", "INFO", "43000.10", "1.0")


def kept(query: Query, data: bytes, precheck: Precheck) -> tuple[list[bytes], ReadReport]:
    report = ReadReport()
    entries = Scanner(query, precheck, Path("a"), report).kept(Block(0, data))
    return [entry.line for entry in entries], report


LINES = st.one_of(
    st.builds(
        lambda level, message, symbol, price, time, log_type: json_line(
            START_NS + time, level, message, extra={"symbol": symbol, "price": price}, log_type=log_type
        ),
        st.sampled_from(["DEBUG", "INFO", "WARNING", "ERROR", "LOUD", "Level 35", "info"]),
        st.sampled_from(WORDS),
        st.sampled_from(WORDS),
        st.sampled_from([43000, 43000.1, "43000.10", "high", 1]),
        st.integers(0, 10**9),
        st.sampled_from(["general", "trade", "audit"]),
    ),
    st.builds(
        lambda level, message: b'{"level": "%b", "message": "%b", "extra": {"timestamp":"x"}}' % (level, message),
        st.sampled_from([b"INFO", b"ERROR"]),
        st.sampled_from([b"BTCUSDT", b"f\\u00fcr", b"\\u0042TCUSDT", b"a\\/b"]),
    ),
    st.builds(
        text_line,
        st.just(START_NS),
        st.sampled_from(["INFO", "ERROR"]),
        st.sampled_from(["tick symbol=BTCUSDT price=43000.1", "für", "order_placed BUY 1 event=order_placed"]),
    ),
    st.just(
        text_line(START_NS, "ERROR", "failed") + b"\n    Traceback (most recent call last)\n    ValueError: BTCUSDT"
    ),
    st.sampled_from(
        [b"", b"garbage BTCUSDT", b"\0\0\0", b"{", b'{"message":"BTCUSDT"', b"\xff\xfe", b'{"a":1}}', b"    "]
    ),
    st.just(
        b'{"timestamp":"2026-11-23T00:00:00.000000000Z","level":"ERROR","extra":{"timestamp":'
        b'"2026-11-23T00:00:00.000000000Z","level":"INFO","x":1}}'
    ),
    st.just(b'{"timestamp":"T","extra":{"k":"aaaaaaaaaaaaa","level":"INFO","z":1},"level":"ERROR"}'),
)
OURS = st.builds(
    json_line, st.just(START_NS), st.sampled_from(["DEBUG", "INFO", "WARNING", "ERROR"]), st.sampled_from(WORDS)
)
QUERIES = st.builds(
    Query,
    level=st.sampled_from([None, 20, 30, 35, 40]),
    log_types=st.sampled_from([(), ("trade",), ("general",), ("trade", "audit"), ("audit",)]),
    loggers=st.sampled_from([(), ("expert",)]),
    where=st.lists(
        st.sampled_from(
            [
                "symbol=BTCUSDT",
                "price=43000.1",
                "price>1",
                "message=für",
                "message~t.ck",
                "symbol!=tick",
                "level=ERROR",
                "level>=WARNING",
                "level=info",
                "level=error",
                "level=35",
                "level>warn",
                "level!=info",
                "level<error",
                "level=LOUD",
                "log_type=general",
                "log_type=TRADE",
                "log_type!=trade",
                "log_type~^gen",
                "log_type exists",
                "extra.symbol=a/b",
                "symbol exists",
                "exception.type=ValueError",
                "message=43000.10",
            ]
        ).map(Condition.parsed),
        max_size=2,
    ).map(tuple),
    text=st.sampled_from(
        [
            None,
            "BTCUSDT",
            "für",
            "a/b",
            'say "x"',
            "t.ck",
            "tick|BTC",
            "BTCUSDTx?",
            "(tick)",
            r"b\\c",
            r"\x42TC",
            "B{1}TC",
            "BTCUSDTS*",
            "[B]TCUSDT",
            '"symbol":"BTC',
            "tab\there",
            "^$",
            "USDT$",
        ]
    ).map(lambda each: None if each is None else re.compile(each.encode())),
)


@settings(max_examples=400, deadline=None)
@given(lines=st.lists(LINES, max_size=12) | st.lists(OURS, max_size=12), query=QUERIES, ended=st.booleans())
def test_a_check_of_bytes_loses_no_match(lines: list[bytes], query: Query, *, ended: bool):
    data = b"\n".join(lines) + (b"\n" if ended else b"")
    found, _ = kept(query, data, Precheck.of(query))
    expected, _ = kept(query, data, EVERYTHING)
    assert found == expected


@pytest.mark.parametrize("pattern", ["fill", "für", "f.r", r"\d+ lots"])
def test_a_line_written_with_escapes_is_found(pattern: str):
    data = (
        json_line(START_NS, message="fill für 12 lots")
        + b"\n"
        + rb'{"message":"\u0066ill f\u00fcr \u0031\u0032 lots"}'
        + b"\n"
    )
    query = Query.parsed(grep=pattern)
    assert len(kept(query, data, Precheck.of(query))[0]) == 2


def test_damage_is_told_with_its_place_and_reading_goes_on_behind_it():
    good = json_line(START_NS)
    data = b"\n".join([good, b"not a log line", good[:50], b"\0" * 40, good, b"\xff\xfe\xfd", good, b""])
    lines, report = kept(Query(), data, EVERYTHING)
    assert lines == [good] * 3
    assert (report.lines, report.damaged) == (7, 4)
    assert [data[each.offset : each.offset + len(each.line)] for each in report.places] == [
        each.line for each in report.places
    ]
    assert [each.line for each in report.places] == [b"not a log line", good[:50], b"\0" * 40, b"\xff\xfe\xfd"]


def test_lines_that_a_check_passes_over_are_told_as_damaged_where_their_shape_shows_it():
    good = json_line(START_NS)
    query = Query.parsed(grep="nowhere")
    _, report = kept(query, b"\n".join([good, b"broken", good, good[:20], good, b""]), Precheck.of(query))
    assert (report.lines, report.damaged) == (5, 2)


def test_a_line_of_more_than_a_mebibyte_is_damage():
    data = json_line(START_NS, message="x" * 1024 * 1024) + b"\n" + json_line(START_NS) + b"\n"
    lines, report = kept(Query(), data, EVERYTHING)
    assert (len(lines), report.damaged, len(report.places[0].line)) == (1, 1, 4096)


def test_what_is_not_needed_is_not_decoded():
    query = Query.parsed(level="ERROR", where=["symbol=BTCUSDT"])
    line = json_line(START_NS, "INFO", extra={"symbol": "BTCUSDT"})
    data = (line + b"\n") * 1000 + json_line(START_NS, "ERROR", extra={"symbol": "ETH"}) + b"\n"
    precheck = Precheck.of(query)
    form = form_of(data)
    assert form is not None
    assert len(precheck.spans(data, form[0])) <= 1


def test_lines_end_in_carriage_returns_elsewhere():
    good = json_line(START_NS)
    lines, report = kept(Query(), good + b"\r\n" + good + b"\r\n", EVERYTHING)
    assert (lines, report.damaged) == ([good, good], 0)


def test_an_entry_without_a_time_has_that_of_the_one_before_it():
    data = json_line(START_NS + 5) + b'\n{"message":"bare"}\n' + json_line(START_NS + 9) + b"\n"
    query = Query.parsed(grep="bare")
    for precheck in (EVERYTHING, Precheck.of(query)):
        (entry,) = Scanner(query, precheck, Path("a"), ReadReport()).kept(Block(0, data))
        assert entry.time_ns == START_NS + 5
