"""Which errors are the same one: what varies from one to the next does not count, what tells kinds apart does."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from support.log_lines import error_line, log_line

from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.files.reading.fingerprints import fingerprint_of, normalised


def entry_of(line: dict[str, Any]) -> LogEntry:
    return LogEntry(orjson.dumps(line), Path("expert.log"), 0)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("order 12345 failed after 3.2 s", "order <n> failed after <n> s"),
        ("connect to 10.0.0.1:8080 refused", "connect to <n> refused"),
        ("""no 'BTC USDT' in "book" """, "no <text> in <text> "),
        ("it's five o'clock", "it's five o'clock"),
        ("order 6f9619ff-8b86-d011-b42d-00c04fc964ff gone", "order <id> gone"),
        ("at 0x7f3a9c000010", "at <id>"),
        ("digest 3f2a9c1e77 differs", "digest <id> differs"),
        ("a facade is added", "a facade is added"),
        ("since 2026-11-23T17:15:42.123Z", "since <time>"),
        ("on 2026-11-23", "on <time>"),
        ("first\nsecond 2", "first"),
        ("x" * 10_000, "x" * 512),
        ("-1.5e-7 of -0", "<n> of <n>"),
    ],
)
def test_what_varies_is_replaced(message: str, expected: str):
    assert normalised(message) == expected


def test_same_errors_have_one_fingerprint_whatever_line_id_and_logger():
    first = fingerprint_of(entry_of(error_line(1, "lost", "to 10.0.0.1 refused")))
    later = fingerprint_of(entry_of(error_line(9, "gone", "to 10.0.0.9 refused", logger="other")))
    assert first == later
    assert (first.kind, first.place, first.message) == ("ConnectionError", "feed.connect", "to <n> refused")
    assert len(first.digest) == 8


@pytest.mark.parametrize(
    "other",
    [
        error_line(1, "lost", "refused", "TimeoutError"),
        error_line(1, "lost", "reset"),
        log_line(1, "lost", "ERROR"),
    ],
)
def test_other_types_messages_and_places_are_other_kinds(other: dict[str, Any]):
    assert fingerprint_of(entry_of(other)).digest != fingerprint_of(entry_of(error_line(1, "lost", "refused"))).digest


def test_the_place_is_the_last_frame_of_the_exception_that_came_out():
    told = {
        "type": "ValueError",
        "message": "second",
        "traceback": (
            'Traceback (most recent call last):\n  File "/a/inner.py", line 1, in parse\nKeyError: 1\n\n'
            "During handling of the above exception, another exception occurred:\n\n"
            'Traceback (most recent call last):\n  File "C:\\\\b\\\\outer.py", line 9, in load\nValueError: second\n'
        ),
    }
    assert fingerprint_of(entry_of(log_line(1, "x", "ERROR", exception=told))).place == "outer.load"


def test_without_exception_the_place_is_where_it_was_logged_else_the_logger():
    assert fingerprint_of(entry_of(log_line(1, "x"))).place == "feed.run"
    assert fingerprint_of(entry_of({"message": "x", "logger": "other"})).place == "other"


@pytest.mark.parametrize("exception", [None, "text", 3, [], {"type": 3}, {"traceback": ["x"]}])
def test_strange_exceptions_have_a_fingerprint_too(exception: object):
    assert fingerprint_of(entry_of(log_line(1, "x", exception=exception))).digest
