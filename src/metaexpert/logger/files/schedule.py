"""When a file ends by the clock: at times of day, at intervals, at an age, by the earliest of them. Pure.

Times are seconds since the epoch; a zone is a function that gives its distance from UTC at such a time. A *wall* time
is what clocks on the wall show, as seconds since 1970-01-01T00:00 there. Where clocks are put forward, what falls into
the gap comes at its end; where they are put back, what would come twice comes once, the first time. An interval goes on
within an hour that comes twice, when it is no longer than what is repeated.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, final
from zoneinfo import ZoneInfo

DAY_SECONDS: Final = 86_400

type Zone = Callable[[float], int]
"""How far a zone's clocks are ahead of UTC at a time, seconds."""


def utc(_at: float) -> int:
    """UTC."""
    return 0


def local(at: float) -> int:
    """The machine's zone."""
    return time.localtime(at).tm_gmtoff


def zone_of(info: ZoneInfo) -> Zone:
    """A zone of the IANA database."""

    def offset(at: float) -> int:
        away = datetime.fromtimestamp(at, info).utcoffset()
        return 0 if away is None else int(away.total_seconds())

    return offset


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When files end; whatever comes first.

    Attributes:
        at_seconds: times of day, seconds after midnight on the wall.
        every_seconds: an interval that begins anew at each midnight, at most a day; None for none.
        max_age_seconds: the longest time from a file's first entry; None for any.
        zone: whose days and times.
    """

    at_seconds: tuple[int, ...] = ()
    every_seconds: int | None = None
    max_age_seconds: float | None = None
    zone: Zone = utc

    def after(self, begun_at: float) -> float:
        """When a file whose first entry came at that time is done with; infinite for never."""
        moments = [math.inf]
        if self.at_seconds:
            moments.append(min(_next_time_of_day(self.zone, begun_at, at) for at in self.at_seconds))
        if self.every_seconds is not None:
            moments.append(_next_mark(self.zone, begun_at, self.every_seconds))
        if self.max_age_seconds is not None:
            moments.append(begun_at + self.max_age_seconds)
        return min(moments)


def _next_time_of_day(zone: Zone, after: float, time_of_day: int) -> float:
    day = math.floor((after + zone(after)) / DAY_SECONDS) - 1
    while True:
        moment = _moment_of(zone, day * DAY_SECONDS + time_of_day)
        if moment > after:
            return moment
        day += 1


def _moment_of(zone: Zone, wall: int) -> int:
    """When the clocks on the wall show `wall` for the first time, or pass over it."""
    before, later = zone(wall - DAY_SECONDS), zone(wall + DAY_SECONDS)
    shown = [wall - offset for offset in (before, later) if zone(wall - offset) == offset]
    return min(shown) if shown else _change(zone, wall - later, wall - before)


def _change(zone: Zone, since: int, until: int) -> int:
    """When clocks were put forward or back, after `since` and by `until`, between which that happens once."""
    new = zone(until)
    while since + 1 < until:
        middle = (since + until) // 2
        since, until = (since, middle) if zone(middle) == new else (middle, until)
    return until


def _next_mark(zone: Zone, after: float, every: int) -> float:
    """The next multiple of the interval after midnight that clocks on the wall come to, or pass over."""
    since = math.floor(after)
    while True:
        offset = zone(since)
        mark = _mark_after(since + offset, every) - offset
        if zone(mark) == offset:
            return mark
        change = _change(zone, since, mark)
        new = zone(change)
        if new > offset:
            if _mark_after(change + offset - 1, every) <= change + new:
                return change
        elif every <= offset - new:
            if _mark_after(change + new - 1, every) == change + new:
                return change
        else:  # what clocks show again was passed before
            change += offset - new - 1
        since = change


def _mark_after(wall: int, every: int) -> int:
    """The first midnight, or multiple of the interval after one, later than `wall`."""
    midnight = wall // DAY_SECONDS * DAY_SECONDS
    return min(midnight + ((wall - midnight) // every + 1) * every, midnight + DAY_SECONDS)
