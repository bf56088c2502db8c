"""Which entries a rule is about, which group each belongs to, and the numbers in it; pure.

Alerts' own entries are never looked at: an alert about alerts would feed itself.
"""

import logging
import math
from collections.abc import Iterator
from typing import Any, Final, cast, final

import orjson

from metaexpert.logger.alerts.alert import Group
from metaexpert.logger.entry import (
    ALERT,
    DETAILS,
    EXCEPTION,
    LEVEL,
    LOG_TYPE,
    TRADE_DATA,
    Capture,
    extra_json,
)
from metaexpert.logger.filters import EntryFilter, Prefixes, values_at

_LOGGER: Final = 3
_FIELDS: Final = 7
_CONTEXT: Final = 8
_VALUE_CHARACTERS: Final = 100


@final
class Matcher:
    """Which entries a rule is about.

    Args:
        level: lowest level.
        log_types: log types; None for all.
        loggers: names of loggers, each with all below it; None for all.
        inside: conditions on fields and message; None for none.
    """

    def __init__(
        self,
        level: int,
        log_types: tuple[str, ...] | None = None,
        loggers: tuple[str, ...] | None = None,
        inside: EntryFilter | None = None,
    ) -> None:
        self._level = level
        self._log_types = log_types
        self._loggers = None if loggers is None else Prefixes(loggers)
        self._inside = inside

    def wants(self, level: int, log_type: str) -> bool:
        """Whether entries of this level and log type may be among them."""
        if log_type == ALERT:
            return False
        return level >= self._level and (self._log_types is None or log_type in self._log_types)

    def takes(self, entry: Capture) -> bool:
        """Whether this entry is."""
        return (
            self.wants(entry[LEVEL], entry[LOG_TYPE])
            and (self._loggers is None or entry[_LOGGER] in self._loggers)
            and (self._inside is None or self._inside(entry))
        )


@final
class Grouping:
    """Which group an entry belongs to, by fields of it.

    Args:
        names: fields, with dots into nested ones; `logger`, `level` and `log_type` are the entry's own, `fingerprint`
            is that of its exception where no field is called so.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._fields = tuple(Field(name) for name in names)

    def __call__(self, entry: Capture) -> Group:
        """The group; names the entry knows nothing of are left out."""
        if not self.names:
            return ()
        found = ((field.name, field.text(entry)) for field in self._fields)
        return tuple((name, text) for name, text in found if text is not None)


@final
class Field:
    """One field of entries, wherever they show it.

    Args:
        name: its name; dots reach into nested objects.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._mark = orjson.dumps(name.split(".", 1)[0])[:-1]

    def text(self, entry: Capture) -> str | None:
        """Its value as text, bounded; None where there is none."""
        for value in self._values(entry):
            text = value if isinstance(value, str) else orjson.dumps(value).decode()
            return text[:_VALUE_CHARACTERS]
        return self._own(entry)

    def number(self, entry: Capture) -> float | None:
        """Its value as a number, a Decimal's text among them; None where there is none."""
        for value in self._values(entry):
            if isinstance(value, int | float | str) and not isinstance(value, bool):
                return _number(value)
        return None

    def _own(self, entry: Capture) -> str | None:
        match self.name:
            case "logger":
                return entry[_LOGGER]
            case "log_type":
                return entry[LOG_TYPE]
            case "level":
                return logging.getLevelName(entry[LEVEL])
            case "fingerprint":
                return _fingerprint(entry)
            case _:
                return None

    def _values(self, entry: Capture) -> Iterator[Any]:
        details = entry[DETAILS]
        data = b"" if details is None else details[TRADE_DATA]
        fields, context = entry[_FIELDS], entry[_CONTEXT]
        if self._mark in data:
            yield from values_at(orjson.loads(data), self.name)
        if self._mark in fields or self._mark in context:
            yield from values_at(orjson.loads(extra_json(fields, context)), self.name)


def _number(value: float | str) -> float | None:
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _fingerprint(entry: Capture) -> str | None:
    details = entry[DETAILS]
    if details is None or b'"fingerprint"' not in details[EXCEPTION]:
        return None
    found = cast("dict[str, object]", orjson.loads(details[EXCEPTION])).get("fingerprint")
    return found if isinstance(found, str) else None
