"""The machine's zone: its offset at each moment, also in the hour that comes twice and the one there is not."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from metaexpert.cli.local_zone import LocalZone

pytestmark = pytest.mark.skipif(not hasattr(time, "tzset"), reason="the process's zone cannot be changed here")


@pytest.fixture
def berlin() -> Iterator[LocalZone]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "CET-1CEST,M3.5.0,M10.5.0/3"
    time.tzset()
    yield LocalZone()
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(
    ("utc", "local"),
    [
        ("2026-07-01T10:00", "2026-07-01T12:00:00+02:00"),
        ("2026-12-01T10:00", "2026-12-01T11:00:00+01:00"),
        ("2026-10-25T00:30", "2026-10-25T02:30:00+02:00"),
        ("2026-10-25T01:30", "2026-10-25T02:30:00+01:00"),
        ("2026-03-29T01:30", "2026-03-29T03:30:00+02:00"),
    ],
)
def test_moments_are_told_with_the_offset_of_that_moment(berlin: LocalZone, utc: str, local: str):
    moment = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    told = moment.astimezone(berlin)
    assert told.isoformat() == local
    assert told.astimezone(UTC) == moment


def test_a_time_somebody_writes_is_of_this_zone(berlin: LocalZone):
    assert datetime(2026, 7, 1, 12, tzinfo=berlin).utcoffset() == timedelta(hours=2)
    assert datetime(2026, 7, 1, 12, tzinfo=berlin).timestamp() == datetime(2026, 7, 1, 10, tzinfo=UTC).timestamp()
    assert datetime(2026, 7, 1, tzinfo=berlin).tzname() == "CEST"
