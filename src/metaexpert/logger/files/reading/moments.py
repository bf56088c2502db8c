"""Moments: the timestamps of log lines, and times as a person writes them, as nanoseconds since the epoch; pure.

Nanoseconds are kept to the last digit. A time without an offset is UTC in a log line, and in the asked zone where a
person wrote it.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

SECOND_NS: Final = 1_000_000_000

_STAMP: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,12}))?\s*(Z|z|[+-]\d\d(?::?\d\d)?)?"
)
_EPOCH: Final = re.compile(r"\d{1,19}(?:\.\d{1,9})?")
_SPAN: Final = re.compile(r"(?:\d+(?:ms|[smhdw]))+")
_SPAN_PART: Final = re.compile(r"(\d+)(ms|[smhdw])")
_SPAN_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DAYS: Final = {"today": 0, "yesterday": -1, "tomorrow": 1}
_NEWEST_EPOCH_SECONDS: Final = 100_000_000_000
"""A larger number counts milliseconds, or finer: in seconds it is the year 5138."""


@lru_cache(maxsize=4096)
def _second(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND_NS


def stamp_ns(stamp: object) -> int | None:
    """The moment a log line's timestamp names; None where it names none.

    Args:
        stamp: ISO 8601 with any fraction and offset, or a number since the epoch, in seconds or finer.
    """
    if isinstance(stamp, str):
        if len(stamp) == 30 and stamp[19] == "." and stamp[29] == "Z":  # noqa: PLR2004 - as JsonLines writes it
            try:
                return _second(stamp[:19]) + int(stamp[20:29])
            except ValueError:
                return None
        match = _STAMP.fullmatch(stamp)
        if match:
            return _matched_ns(match, UTC)
        return _epoch_ns(stamp) if _EPOCH.fullmatch(stamp) else None
    if isinstance(stamp, int | float) and not isinstance(stamp, bool) and stamp >= 0:
        return _epoch_ns(str(stamp)) if _EPOCH.fullmatch(str(stamp)) else None
    return None


def _epoch_ns(number: str) -> int:
    whole, _, fraction = number.partition(".")
    scale = SECOND_NS
    while scale > 1 and int(whole) * scale >= _NEWEST_EPOCH_SECONDS * SECOND_NS:
        scale //= 1000
    return int(whole) * scale + int((fraction + "0" * 9)[:9]) * scale // SECOND_NS


def _matched_ns(match: re.Match[str], zone: tzinfo) -> int | None:
    day, clock, fraction, offset = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{(offset or '').upper()}")
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return int(moment.timestamp()) * SECOND_NS + int(((fraction or "") + "0" * 9)[:9])


def moment_ns(text: str, now: datetime, zone: tzinfo) -> int | None:
    """The moment a person means; None where the text names none.

    Args:
        text: "15m" (that long ago), "1h30m", "now", "today", "yesterday", a day, an hour of the day ("10:30", today),
            or ISO 8601.
        now: the present, with a zone.
        zone: of days, and of times without an offset.
    """
    text = text.strip()
    if text == "now":
        return _datetime_ns(now)
    if text in _DAYS:
        day = now.astimezone(zone).date() + timedelta(days=_DAYS[text])
        return _datetime_ns(datetime(day.year, day.month, day.day, tzinfo=zone))
    if _SPAN.fullmatch(text):
        seconds = sum(int(count) * _SPAN_SECONDS[unit] for count, unit in _SPAN_PART.findall(text))
        return max(0, _datetime_ns(now) - int(seconds * SECOND_NS))
    if re.fullmatch(r"\d\d:\d\d(:\d\d)?", text):
        text = f"{now.astimezone(zone).date()}T{text}"
    elif re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        text += "T00:00"
    match = _STAMP.fullmatch(text)
    return _matched_ns(match, zone) if match else None


def _datetime_ns(moment: datetime) -> int:
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * SECOND_NS + moment.microsecond * 1000
