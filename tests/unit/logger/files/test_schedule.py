"""When a file ends by the clock: in every zone, over summer time, leap days and the day that Samoa left out."""

import math
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from metaexpert.logger.files.schedule import DAY_SECONDS, Schedule, local, utc, zone_of

HOUR = 3600
NAMES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Pacific/Apia",  # 2011-12-30 was left out
    "Asia/Kathmandu",
    "America/St_Johns",
)


def at(text: str) -> float:
    """Seconds since the epoch of an ISO time with its offset."""
    return datetime.fromisoformat(text).timestamp()


def ends(schedule: Schedule, begun: str, count: int, name: str = "UTC") -> list[str]:
    """When the next files end, each begun as the one before ends, as clocks of a zone show it."""
    moment, shown = at(begun), list[str]()
    for _ in range(count):
        moment = schedule.after(moment)
        shown.append(datetime.fromtimestamp(moment, ZoneInfo(name)).isoformat())
    return shown


def daily(*hours: float, zone: str = "UTC") -> Schedule:
    return Schedule(at_seconds=tuple(int(hour * HOUR) for hour in hours), zone=zone_of(ZoneInfo(zone)))


class TestTimesOfDay:
    def test_each_comes_once_a_day(self):
        assert ends(daily(0, 12), "2026-02-27T18:00:00+00:00", 3) == [
            "2026-02-28T00:00:00+00:00",
            "2026-02-28T12:00:00+00:00",
            "2026-03-01T00:00:00+00:00",
        ]

    def test_leap_days_are_days(self):
        assert ends(daily(0), "2028-02-28T12:00:00+00:00", 2) == [
            "2028-02-29T00:00:00+00:00",
            "2028-03-01T00:00:00+00:00",
        ]

    def test_a_file_begun_at_the_moment_itself_ends_at_the_next_one(self):
        assert ends(daily(0), "2026-01-01T00:00:00+00:00", 1) == ["2026-01-02T00:00:00+00:00"]

    def test_days_are_those_of_the_zone(self):
        assert ends(daily(0, zone="America/New_York"), "2026-01-01T04:59:59+00:00", 2, "America/New_York") == [
            "2026-01-01T00:00:00-05:00",
            "2026-01-02T00:00:00-05:00",
        ]

    def test_one_that_the_clocks_pass_over_comes_at_the_end_of_the_gap(self):
        schedule = daily(2, 2.5, zone="Europe/Berlin")
        assert ends(schedule, "2026-03-28T12:00:00+00:00", 3, "Europe/Berlin") == [
            "2026-03-29T03:00:00+02:00",
            "2026-03-30T02:00:00+02:00",
            "2026-03-30T02:30:00+02:00",
        ]

    def test_one_that_clocks_show_twice_comes_once(self):
        assert ends(daily(2.5, zone="Europe/Berlin"), "2026-10-24T12:00:00+00:00", 2, "Europe/Berlin") == [
            "2026-10-25T02:30:00+02:00",
            "2026-10-26T02:30:00+01:00",
        ]

    def test_a_day_that_a_country_left_out(self):
        assert ends(daily(6, zone="Pacific/Apia"), "2011-12-29T10:00:00-10:00", 2, "Pacific/Apia") == [
            "2011-12-31T00:00:00+14:00",
            "2011-12-31T06:00:00+14:00",
        ]


class TestIntervals:
    def test_they_begin_anew_at_midnight(self):
        schedule = Schedule(every_seconds=7 * HOUR)
        assert ends(schedule, "2026-01-01T06:30:00+00:00", 5) == [
            "2026-01-01T07:00:00+00:00",
            "2026-01-01T14:00:00+00:00",
            "2026-01-01T21:00:00+00:00",
            "2026-01-02T00:00:00+00:00",
            "2026-01-02T07:00:00+00:00",
        ]

    def test_midnight_is_the_zones(self):
        schedule = Schedule(every_seconds=DAY_SECONDS, zone=zone_of(ZoneInfo("Asia/Kathmandu")))
        assert ends(schedule, "2026-01-01T00:00:00+00:00", 1, "Asia/Kathmandu") == ["2026-01-02T00:00:00+05:45"]

    def test_hours_that_come_twice_are_two(self):
        schedule = Schedule(every_seconds=HOUR, zone=zone_of(ZoneInfo("Europe/Berlin")))
        assert ends(schedule, "2026-10-25T01:30:00+02:00", 4, "Europe/Berlin") == [
            "2026-10-25T02:00:00+02:00",
            "2026-10-25T02:00:00+01:00",
            "2026-10-25T03:00:00+01:00",
            "2026-10-25T04:00:00+01:00",
        ]

    def test_a_longer_interval_comes_to_no_time_twice(self):
        schedule = Schedule(every_seconds=2 * HOUR, zone=zone_of(ZoneInfo("Europe/Berlin")))
        assert ends(schedule, "2026-10-25T01:30:00+02:00", 2, "Europe/Berlin") == [
            "2026-10-25T02:00:00+02:00",
            "2026-10-25T04:00:00+01:00",
        ]

    def test_what_the_clocks_pass_over_comes_at_the_end_of_the_gap_once(self):
        schedule = Schedule(every_seconds=HOUR // 4, zone=zone_of(ZoneInfo("Europe/Berlin")))
        assert ends(schedule, "2026-03-29T01:45:00+01:00", 2, "Europe/Berlin") == [
            "2026-03-29T03:00:00+02:00",
            "2026-03-29T03:15:00+02:00",
        ]


def test_an_age_is_counted_from_the_first_entry():
    assert Schedule(max_age_seconds=90.5).after(1000.25) == 1090.75


def test_the_earliest_of_all_counts():
    schedule = Schedule(at_seconds=(HOUR,), every_seconds=3 * HOUR, max_age_seconds=2.5 * HOUR)
    assert ends(schedule, "2026-01-01T00:30:00+00:00", 4) == [
        "2026-01-01T01:00:00+00:00",
        "2026-01-01T03:00:00+00:00",
        "2026-01-01T05:30:00+00:00",
        "2026-01-01T06:00:00+00:00",
    ]


def test_without_any_of_them_it_is_never():
    assert Schedule().after(0.0) == math.inf


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="needs a zone of the process's own")
def test_the_machines_zone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        begun = at("2026-03-08T05:30:00+00:00")
        hourly = Schedule(at_seconds=(9000,), every_seconds=5 * HOUR, zone=local)
        named = Schedule(at_seconds=(9000,), every_seconds=5 * HOUR, zone=zone_of(ZoneInfo("America/New_York")))
        assert hourly.after(begun) == named.after(begun) == at("2026-03-08T03:00:00-04:00")
    finally:
        monkeypatch.undo()
        time.tzset()


# ---- any schedule at any time --------------------------------------------------------------------------------------

zones = st.sampled_from(NAMES)
days_around_changes = st.builds(
    lambda day, minute: datetime.combine(day, time_of_day(), UTC).timestamp() + minute * 60,
    st.dates(date(2005, 1, 1), date(2035, 1, 1))
    | st.sampled_from(
        [
            date(2026, 3, 29),
            date(2026, 10, 25),
            date(2026, 3, 8),
            date(2026, 11, 1),
            date(2026, 4, 5),
            date(2026, 10, 4),
            date(2011, 12, 29),
            date(2011, 12, 30),
            date(2028, 2, 29),
        ]
    ),
    st.integers(-36 * 60, 36 * 60),
)


def first_shown(wall: datetime, info: ZoneInfo) -> float:
    """By what `datetime` knows: when clocks show a time first, or, where they pass over it, when they do."""
    moment = wall.replace(tzinfo=info, fold=0)
    if moment.astimezone(UTC).astimezone(info).replace(tzinfo=None) == wall:
        return moment.timestamp()
    minute = moment.timestamp() - 26 * HOUR
    while datetime.fromtimestamp(minute, info).replace(tzinfo=None) < wall:
        minute += 60
    return minute


@given(name=zones, begun_at=days_around_changes, minute=st.integers(0, 24 * 60 - 1))
def test_times_of_day_are_those_the_clocks_show(name: str, begun_at: float, minute: int):
    info = ZoneInfo(name)
    day = datetime.fromtimestamp(begun_at, info).date()
    wanted = [
        first_shown(datetime.combine(day + timedelta(days=days), time_of_day(minute // 60, minute % 60)), info)
        for days in range(-2, 4)
    ]
    expected = min(moment for moment in wanted if moment > begun_at)
    assert Schedule(at_seconds=(minute * 60,), zone=zone_of(info)).after(begun_at) == expected


def marks(info: ZoneInfo, every_minutes: int, begun_at: float) -> Iterator[float]:
    """Minute by minute: when clocks come to a mark, or pass over one, and how it is when they are put back."""
    zone, every = zone_of(info), every_minutes * 60
    passed = begun_at + zone(begun_at)
    minute = begun_at // 60 * 60
    while True:
        before, minute = minute + zone(minute), minute + 60
        wall = minute + zone(minute)
        back = before + 60 - wall
        if back > 0 and every <= back:
            passed = wall - 60
        if any(_is_mark(between, every) for between in range(int(passed // 60 * 60) + 60, int(wall) + 60, 60)):
            yield minute
        passed = max(passed, wall)


def _is_mark(wall: int, every: int) -> bool:
    return wall % DAY_SECONDS % every == 0


@given(name=zones, begun_at=days_around_changes, every_minutes=st.sampled_from([1, 7, 15, 30, 45, 60, 90, 120, 1440]))
def test_intervals_end_at_the_marks_the_clocks_come_to(name: str, begun_at: float, every_minutes: int):
    info = ZoneInfo(name)
    zone = zone_of(info)
    assume(name != "Pacific/Apia" or datetime.fromtimestamp(begun_at, UTC).year != 2011)  # by the minute it is slow
    assume(all(zone(begun_at) >= zone(begun_at - hours * HOUR) for hours in (0.5, 1)))  # not in a time shown twice
    schedule = Schedule(every_seconds=every_minutes * 60, zone=zone)
    found = schedule.after(begun_at)
    expected = next(marks(info, every_minutes, begun_at))
    assert found == expected


@given(
    name=zones,
    begun_at=st.floats(0, 4e9),
    times=st.lists(st.integers(0, DAY_SECONDS - 1), max_size=3),
    every=st.none() | st.integers(1, DAY_SECONDS),
    age=st.none() | st.floats(1, 1e6),
)
def test_a_file_ends_later_than_it_begins_and_within_two_days_of_any_time(
    name: str, begun_at: float, times: list[int], every: int | None, age: float | None
):
    schedule = Schedule(at_seconds=tuple(times), every_seconds=every, max_age_seconds=age, zone=zone_of(ZoneInfo(name)))
    end = schedule.after(begun_at)
    assert end > begun_at
    if times or every:
        assert end <= begun_at + 2 * DAY_SECONDS + HOUR
    assert schedule.after(begun_at) == end


def test_utc_needs_no_zone():
    assert utc(1e9) == 0
    assert Schedule(at_seconds=(0,)).after(1.0) == DAY_SECONDS
