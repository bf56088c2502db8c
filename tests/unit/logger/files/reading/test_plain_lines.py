"""Blocks of lines taken in by column: only where every line says what it says as we write it."""

from pathlib import Path

import orjson
import pytest
from support.log_lines import BOOT_ID, error_line, log_line

from metaexpert.logger.files.reading.plain_lines import PlainLines

PATH = Path("expert.log")


def block(*lines: bytes) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def line(seq: int = 1, **more: object) -> bytes:
    return orjson.dumps(log_line(seq, "tick") | more)


def test_what_they_say_by_column():
    data = block(
        line(1), orjson.dumps(error_line(2, "lost", "refused")), line(3, extra={"a": [1, {"b": '"id":"x-9"'}]})
    )
    lines = PlainLines.of(PATH, data)
    assert lines is not None
    assert (lines.boot_id, lines.numbers, lines.levels) == (BOOT_ID, [1, 2, 3], ["INFO", "ERROR", "INFO"])
    assert (lines.first_ns, lines.last_ns, lines.time_ns(1)) == (
        1_795_454_101_123_456_789,
        1_795_454_103_123_456_789,
        1_795_454_102_123_456_789,
    )
    assert lines.told_by("level", "ERROR") == {1}
    assert (lines.entry(1).message, lines.entry(1).entry_id) == ("lost", f"{BOOT_ID}-2")


def test_a_line_that_is_not_ended_is_one():
    lines = PlainLines.of(PATH, line(1) + b"\n" + line(2))
    assert lines is not None
    assert lines.numbers == [1, 2]


@pytest.mark.parametrize(
    "other",
    [
        b'{"timestamp":"2026-11-23T17:15:01.123456789Z","level":"INFO","id":"1a2097fe9ce0bcd01-2","extra":{"a":tru}}',
        b"",
        b"[1]",
        b'"text"',
        b"2026-11-23T17:20:01.000000Z INFO     demo: text",
        line(2, timestamp="2026-11-23T17:15:01Z"),
        line(2, timestamp="2026-13-23T17:15:01.123456789Z"),
        line(2, timestamp="2026-11-23T17:15:01.+23456789Z"),
        line(2, timestamp=1_795_454_101),
        line(2, level=20),
        line(2, id="0a2097fe9ce0bcd01-2"),
        line(2, id=f"{BOOT_ID}-"),
        line(2, id=f"{BOOT_ID}--2"),
        line(2, id=f"{BOOT_ID}-999999999999999"),
        line(2, id=f"{BOOT_ID}-\u0662"),
        line(2, id="of another kind"),
        orjson.dumps({"timestamp": "2026-11-23T17:15:01.123456789Z", "level": "INFO"}),
        line(2, message="m" * 1_100_000),
        line(2).replace(b"tick", b"\xff"),
    ],
    ids=range(19),
)
def test_one_that_says_it_otherwise_leaves_all_to_be_looked_at_one_by_one(other: bytes):
    assert PlainLines.of(PATH, block(line(1), line(3))) is not None
    assert PlainLines.of(PATH, block(line(1), other, line(3))) is None
