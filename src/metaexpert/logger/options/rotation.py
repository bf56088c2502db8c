"""When a log's next file begins, beside its size; and when what was written is brought to the disk."""

import re
from datetime import time
from difflib import get_close_matches
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field

from metaexpert.logger.files.schedule import DAY_SECONDS, Schedule, Zone, local, utc, zone_of
from metaexpert.logger.options.base import Options
from metaexpert.logger.options.keeping import Duration, duration_seconds

_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?")


def _time_of_day(value: object) -> object:
    """A time of day as text; TOML has times of its own."""
    text = value.isoformat() if isinstance(value, time) else value
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        message = 'must be a time of day, hours and minutes, such as "00:00" or "17:30"'
        raise ValueError(message)
    return text


def _zone(value: str) -> str:
    if value not in {"UTC", "local"}:
        try:
            ZoneInfo(value)
        except (KeyError, OSError, ValueError) as error:
            close = get_close_matches(value, available_timezones(), n=1)
            hint = f"did you mean {close[0]!r}?" if close else 'give "UTC", "local" or a name such as "Europe/Berlin"'
            message = f"is no time zone this machine knows; {hint}"
            raise ValueError(message) from error
    return value


def _whole_seconds(value: object) -> object:
    seconds = duration_seconds(value)
    if isinstance(seconds, float) and not seconds.is_integer():
        message = "must be whole seconds"
        raise ValueError(message)
    return seconds


type TimeOfDay = Annotated[str, BeforeValidator(_time_of_day)]
type ZoneName = Annotated[str, AfterValidator(_zone)]
type Interval = Annotated[int, BeforeValidator(_whole_seconds), Field(ge=1, le=DAY_SECONDS)]
type Fsync = Literal["never", "interval", "batch", "protected"]


class RotationOptions(Options):
    """When a log's next file begins, whatever comes first; its size (`max_bytes`) counts beside these.

    A file ends with the last batch written before the moment. Nothing is begun for the sake of the clock alone: a log
    that is silent goes on in its file, and begins the next one with its next entry, so that no file is empty.
    """

    at: tuple[TimeOfDay, ...] = Field(default=(), max_length=96)
    """Times of day, such as `["00:00", "12:00"]`."""
    every: Interval | None = None
    """An interval counted from each midnight, seconds, or with a unit such as `"6h"`; a day at most."""
    max_age: Annotated[Duration, Field(gt=0.0)] | None = None
    """How long after a file's first entry the next one begins, seconds, or with a unit such as `"7d"`."""
    zone: ZoneName = "UTC"
    """Whose times and midnights: `"UTC"`, `"local"` for the machine's, or a name such as `"Europe/Berlin"`."""

    def schedule(self) -> Schedule | None:
        """What these say; None when they say nothing."""
        if not self.at and self.every is None and self.max_age is None:
            return None
        return Schedule(
            at_seconds=tuple(map(_seconds_of, self.at)),
            every_seconds=self.every,
            max_age_seconds=self.max_age,
            zone=self._zone(),
        )

    def _zone(self) -> Zone:
        named: dict[str, Zone] = {"UTC": utc, "local": local}
        return named.get(self.zone) or zone_of(ZoneInfo(self.zone))


def _seconds_of(text: str) -> int:
    moment = time.fromisoformat(text)
    return moment.hour * 3600 + moment.minute * 60 + moment.second
