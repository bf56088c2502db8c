"""What a sink takes: by level, log type and logger for whole routes, by field and message for single entries.

Pure. An answer depends on the entry alone, so that the same entry is taken or left whenever it is asked about.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, cast, final

import orjson

from metaexpert.logger.entry import DETAILS, TRADE_DATA, Capture, extra_json

SEARCHED_CHARACTERS: Final = 4096
"""How far into a message a pattern looks; patterns run on the event loop."""

type Scalar = str | int | float | bool
type FieldTest = Callable[[Capture], bool]
type Takes = Callable[[Capture], bool]
"""Whether a sink takes an entry at all."""


@final
class Prefixes:
    """Logger names in the hierarchy: "app" names "app" and "app.x", not "apple".

    Args:
        names: the names; an empty one names every logger.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._everything = "" in names
        self._exact = frozenset(names)
        self._below = tuple(f"{name}." for name in names)

    def __contains__(self, logger: str) -> bool:
        return self._everything or logger in self._exact or logger.startswith(self._below)


@final
class Admission:
    """The static part of a sink's filter: level, log type, logger.

    Args:
        level: lowest level.
        log_types: the log types taken; None for all.
        include: names of loggers taken, with all below them; None for all.
        exclude: names of loggers left out, with all below them.
        levels: lowest level by logger name, in place of `level`; the longest name that fits decides.

    Attributes:
        by_logger: whether the answer depends on the logger at all.
    """

    def __init__(
        self,
        level: int = 0,
        log_types: tuple[str, ...] | None = None,
        *,
        include: tuple[str, ...] | None = None,
        exclude: tuple[str, ...] = (),
        levels: Mapping[str, int] | None = None,
    ) -> None:
        self._level = level
        self._log_types = log_types
        self._include = None if include is None else Prefixes(include)
        self._exclude = Prefixes(exclude)
        self._levels = [
            (Prefixes((name,)), floor)
            for name, floor in sorted((levels or {}).items(), key=lambda item: len(item[0]), reverse=True)
        ]
        self.by_logger = include is not None or bool(exclude) or bool(levels)

    def __call__(self, level: int, log_type: str, logger: str) -> bool:
        """Whether entries of this level, log type and logger are taken."""
        if self._log_types is not None and log_type not in self._log_types:
            return False
        if self.by_logger and not self._takes(logger):
            return False
        return level >= (self._floor(logger) if self._levels else self._level)

    def _takes(self, logger: str) -> bool:
        return (self._include is None or logger in self._include) and logger not in self._exclude

    def _floor(self, logger: str) -> int:
        return next((floor for prefixes, floor in self._levels if logger in prefixes), self._level)


@final
class FieldCondition:
    """A condition on one field of an entry: bound, from the context, the call's own, or of a trade event.

    Args:
        name: the field; a dotted name also reaches into nested objects.
        wanted: the values of which it must have one, as they stand in JSON; None when any will do.
        exists: whether it must be there.
    """

    def __init__(self, name: str, wanted: tuple[Scalar, ...] | None = None, *, exists: bool = True) -> None:
        self._name = name
        self._mark = orjson.dumps(name.split(".", 1)[0])[:-1]
        self._wanted = None if wanted is None else frozenset(map(_typed, wanted))
        self._exists = exists

    def __call__(self, entry: Capture) -> bool:
        """Whether it holds."""
        details = entry[DETAILS]
        trade_data = b"" if details is None else details[TRADE_DATA]
        fields, context = entry[7], entry[8]
        # most entries lack the field: the bytes say so without being decoded
        if self._mark not in fields and self._mark not in context and self._mark not in trade_data:
            return not self._exists
        found = [
            value
            for encoded in (extra_json(fields, context), trade_data)
            if encoded
            for value in values_at(orjson.loads(encoded), self._name)
        ]
        if self._wanted is None:
            return bool(found) is self._exists
        return any(_is_scalar(value) and _typed(value) in self._wanted for value in found)


def values_at(fields: object, name: str) -> list[Any]:
    """What stands under a dotted name, however the dots are shared between keys and levels."""
    if not isinstance(fields, dict):
        return []
    table = cast("dict[str, Any]", fields)
    found = [table[name]] if name in table else []
    for at, character in enumerate(name):
        if character == "." and name[:at] in table:
            found += values_at(table[name[:at]], name[at + 1 :])
    return found


@final
class EntryFilter:
    """The part of a sink's filter that looks into each entry.

    Args:
        include_fields: conditions that must all hold.
        exclude_fields: conditions of which none may hold.
        include_messages: patterns of which one must be found in the message; any message when empty.
        exclude_messages: patterns of which none may be found in it.
    """

    def __init__(
        self,
        *,
        include_fields: tuple[FieldTest, ...] = (),
        exclude_fields: tuple[FieldTest, ...] = (),
        include_messages: tuple[str, ...] = (),
        exclude_messages: tuple[str, ...] = (),
    ) -> None:
        self._include_fields = include_fields
        self._exclude_fields = exclude_fields
        self._include_messages = tuple(map(re.compile, include_messages))
        self._exclude_messages = tuple(map(re.compile, exclude_messages))

    def __call__(self, entry: Capture) -> bool:
        """Whether the sink takes the entry."""
        return self._message_fits(entry[4][:SEARCHED_CHARACTERS]) and self._fields_fit(entry)

    def _message_fits(self, message: str) -> bool:
        if self._include_messages and not any(pattern.search(message) for pattern in self._include_messages):
            return False
        return not any(pattern.search(message) for pattern in self._exclude_messages)

    def _fields_fit(self, entry: Capture) -> bool:
        return all(holds(entry) for holds in self._include_fields) and not any(
            holds(entry) for holds in self._exclude_fields
        )


def _typed(value: Scalar) -> tuple[bool, Scalar]:
    """A value that differs from True and False when it is 1 or 0."""
    return isinstance(value, bool), value


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float | bool)
