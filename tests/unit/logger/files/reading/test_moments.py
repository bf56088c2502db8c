"""Times: of log lines to the nanosecond, and as a person writes them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger.files.reading.moments import moment_ns, stamp_ns
from metaexpert.logger.formats.timestamps import rfc3339

NOW = datetime(2026, 11, 23, 17, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@given(st.integers(0, 4_000_000_000_000_000_000))
def test_a_timestamp_we_write_is_read_back_to_the_nanosecond(time_ns: int):
    assert stamp_ns(rfc3339(time_ns)) == time_ns


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T01:00:01.5+01:00", 1_500_000_000),
        ("1970-01-01 00:00:01,25", 1_250_000_000),
        ("1970-01-01T00:00:01.123456789123Z", 1_123_456_789),
        (1, 1_000_000_000),
        (1.5, 1_500_000_000),
        ("1795392000.25", 1_795_392_000_250_000_000),
        (1795392000250, 1_795_392_000_250_000_000),
        (1795392000250000001, 1_795_392_000_250_000_001),
        ("2026-13-01T00:00:00Z", None),
        ("2026-13-01T00:00:00.123456789Z", None),
        ("soon", None),
        (True, None),
        (-1, None),
        (None, None),
    ],
)
def test_timestamps_of_others(stamp: object, expected: int | None):
    assert stamp_ns(stamp) == expected


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("now", UTC, "2026-11-23T17:30:00Z"),
        ("15m", UTC, "2026-11-23T17:15:00Z"),
        ("1h30m", UTC, "2026-11-23T16:00:00Z"),
        ("2d", UTC, "2026-11-21T17:30:00Z"),
        ("today", UTC, "2026-11-23T00:00:00Z"),
        ("today", BERLIN, "2026-11-22T23:00:00Z"),
        ("yesterday", BERLIN, "2026-11-21T23:00:00Z"),
        ("2026-11-23", BERLIN, "2026-11-22T23:00:00Z"),
        ("2026-07-01", BERLIN, "2026-06-30T22:00:00Z"),
        ("10:30", BERLIN, "2026-11-23T09:30:00Z"),
        ("2026-11-23T10:00", BERLIN, "2026-11-23T09:00:00Z"),
        ("2026-11-23T10:00Z", BERLIN, "2026-11-23T10:00:00Z"),
        ("2026-11-23 10:00:01.5+02:00", UTC, "2026-11-23T08:00:01.5Z"),
    ],
)
def test_what_a_person_writes(text: str, zone: ZoneInfo, expected: str):
    assert moment_ns(text, NOW, zone) == stamp_ns(expected)


@pytest.mark.parametrize("text", ["", "soon", "15", "15 parsecs", "2026-02-30", "25:00"])
def test_what_is_no_time(text: str):
    assert moment_ns(text, NOW, UTC) is None
