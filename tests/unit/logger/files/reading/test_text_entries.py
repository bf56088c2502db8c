"""Text lines read back as far as they tell."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger.files.reading.blocks import Block
from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.files.reading.precheck import Precheck
from metaexpert.logger.files.reading.query import Query
from metaexpert.logger.files.reading.report import ReadReport
from metaexpert.logger.files.reading.scan import Scanner
from metaexpert.logger.files.reading.text_entries import text_values
from metaexpert.logger.formats.text import TextLines

if TYPE_CHECKING:
    from metaexpert.logger.entry import Capture

CODE = (lambda: None).__code__
TIME_NS = 1_795_392_000_123_456_000


def written(message: str, fields: dict[str, Any], *, colors: bool = False, exception: bytes = b"") -> bytes:
    details = (exception, b"", b"") if exception else None
    members = orjson.dumps(fields)[1:-1]
    capture: Capture = (
        1, TIME_NS, logging.WARNING, "expert.feed", message, CODE, 0, members, b"", 1, None, "general", details, 0, 0
    )  # fmt: skip
    return TextLines(use_colors=colors)(capture)


def read(line: bytes) -> LogEntry:
    (entry,) = Scanner(Query(), Precheck.of(Query()), Path("a"), ReadReport()).kept(Block(0, line + b"\n"))
    return entry


def test_an_entry_is_read_back():
    fields = {
        "symbol": "BTCUSDT",
        "latency_ms": 3.2,
        "n": 7,
        "note": "a b=c",
        "ok": True,
        "none": None,
        "x": [1, {"a": 2}],
    }
    entry = read(written("tick received", fields))
    assert (entry.time_ns, entry.level, entry.logger) == (TIME_NS, "WARNING", "expert.feed")
    assert (entry.message, entry.extra, entry.entry_id) == ("tick received", fields, None)


def test_colours_are_no_part_of_it():
    entry = read(written("tick", {"a": 1}, colors=True))
    assert (entry.time_ns, entry.level, entry.message, entry.extra) == (TIME_NS, "WARNING", "tick", {"a": 1})


def test_a_traceback_belongs_to_the_entry_above_it():
    traceback = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\nValueError: not: this'
    exception = orjson.dumps({"type": "ValueError", "message": "not: this", "traceback": traceback})
    entry = read(written("failed", {"a": 1}, exception=exception))
    assert entry.values["exception"] == {"type": "ValueError", "message": "not: this", "traceback": traceback}
    assert (entry.message, entry.extra) == ("failed", {"a": 1})


def test_a_decimal_string_loses_no_digit():
    assert read(written("m", {"price": "43000.10", "quantity": "0.50000000000000000001"})).extra == {
        "price": "43000.10",
        "quantity": "0.50000000000000000001",
    }


@pytest.mark.parametrize("message", ["a=b is here", "x = y", "", "ends with:", "a: b", "100% [1 2"])
def test_messages_that_look_like_more(message: str):
    assert read(written(message, {"a": 1})).message == message


@given(
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="=")),
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,8}", fullmatch=True),
        st.integers(-(2**53), 2**53)
        | st.booleans()
        | st.none()
        | st.from_regex(r"[A-Z]{1,9}( [A-Z]{1,5})?", fullmatch=True),
        max_size=4,
    ),
)
def test_what_is_written_is_read(message: str, fields: dict[str, Any]):
    values = text_values(written(message, fields))
    assert values.get("extra", {}) == fields
    assert values["level"] == "WARNING"
    if message.isprintable():
        assert values["message"] == message
