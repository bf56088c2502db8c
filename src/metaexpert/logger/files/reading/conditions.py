"""Conditions on an entry's values, as a person writes them: `symbol=BTCUSDT`, `price>43000`, `message~regex`; pure.

Numbers and strings that are numbers compare as decimals, so that 1.0, "1.00" and 1 are one; other values compare as
text. A level compares by its severity, in any case and as any of its names; a log type is meant in any case, and is
that of `LogEntry.log_type` where the line does not tell one. A condition on a name the entry does not have does not
hold, but for `!=`, `!~` and `missing`.
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final, final

import orjson

from metaexpert.exceptions import MetaExpertError
from metaexpert.logger.files.reading.entries import MISSING, LogEntry, level_number_of
from metaexpert.logger.log_types import (
    ALERT,
    AUDIT,
    CLOCK,
    FAILURE,
    GAP,
    GENERAL,
    PERFORMANCE,
    RECOVERY,
    TRADE,
)

_WRITTEN: Final = re.compile(r"\s*([^\s=!<>~]+)\s*(!=|>=|<=|!~|==|=|>|<|~)(.*)", re.DOTALL)
_PRESENCE: Final = re.compile(r"\s*([^\s=!<>~]+)\s+(exists|missing)\s*")
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_MAX_NUMBER_CHARACTERS: Final = 100
_LOG_TYPES: Final = frozenset({GENERAL, TRADE, AUDIT, GAP, RECOVERY, FAILURE, PERFORMANCE, CLOCK, ALERT})
_LEVEL: Final = "level"
_LOG_TYPE: Final = "log_type"
_ALLOWED: Final = (
    "write it as name=value, name!=value, name>value, name>=value, name<value, name<=value, name~regex, name!~regex, "
    '"name exists" or "name missing"'
)


class QueryError(MetaExpertError):
    """What was asked for cannot be understood; the message names it and what is allowed."""


@final
@dataclass(frozen=True, slots=True)
class Condition:
    """One condition.

    Attributes:
        name: what of the entry, as `LogEntry.value` looks it up.
        operator: one of =, !=, >, >=, <, <=, ~, !~, exists, missing.
        text: what to compare with; empty for exists and missing.
    """

    name: str
    operator: str
    text: str = ""
    number: Decimal | None = field(init=False, compare=False)
    pattern: re.Pattern[str] | None = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if self.is_of_log_type:
            object.__setattr__(self, "text", log_type_of(self.text))
        object.__setattr__(self, "number", self._number())
        object.__setattr__(self, "pattern", self._pattern())

    @classmethod
    def parsed(cls, written: str) -> "Condition":
        """The condition a person wrote.

        Raises:
            QueryError: it is none.
        """
        match = _PRESENCE.fullmatch(written)
        if match:
            return cls(match.group(1), match.group(2))
        match = _WRITTEN.fullmatch(written)
        if not match:
            raise QueryError(f"condition {written!r} is not understood: {_ALLOWED}")
        name, operator, text = match.groups()
        return cls(name, "=" if operator == "==" else operator, text.strip() if operator not in {"~", "!~"} else text)

    @property
    def is_of_level(self) -> bool:
        """Whether levels are compared, by their numbers."""
        return self.name == _LEVEL and self.number is not None and self.operator in {"=", "!=", ">", ">=", "<", "<="}

    @property
    def is_of_log_type(self) -> bool:
        """Whether log types are compared."""
        return self.name == _LOG_TYPE and self.operator not in {"exists", "missing"}

    def _number(self) -> Decimal | None:
        if self.name != _LEVEL or self.operator in {"~", "!~", "exists", "missing"}:
            return decimal_of(self.text)
        level = int(self.text) if _is_digits(self.text) else level_number_of(self.text)
        if level is None and self.operator not in {"=", "!="}:
            raise QueryError(f"condition on level: {self.text!r} is no level; use DEBUG, INFO, WARNING, ERROR, …")
        return None if level is None else Decimal(level)

    def _pattern(self) -> re.Pattern[str] | None:
        if self.operator not in {"~", "!~"}:
            return None
        try:
            return re.compile(self.text)
        except re.error as error:
            raise QueryError(f"condition on {self.name}: {self.text!r} is no regular expression: {error}") from None

    def holds(self, entry: LogEntry) -> bool:
        """Whether the entry meets it."""
        value = entry.log_type if self.is_of_log_type else entry.find(self.name)
        has = value is not MISSING
        match self.operator:
            case "exists" | "missing":
                return has is (self.operator == "exists")
            case "=" | "!=":
                equals = self._is_level if self.is_of_level else self._equals
                return (has and equals(value)) is (self.operator == "=")
            case "~" | "!~":
                return (has and self._matches(value)) is (self.operator == "~")
            case _:
                return has and self._ordered(entry.level_number if self.is_of_level else value)

    def _equals(self, value: Any) -> bool:
        if text_of(value) == self.text:
            return True
        return self.number is not None and decimal_of(value) == self.number

    def _is_level(self, value: Any) -> bool:
        """Whether it is a level of this number; one that nobody knows is none."""
        number = level_number_of(value) if isinstance(value, str) else None
        return self._equals(value) if number is None else number == self.number

    def _matches(self, value: Any) -> bool:
        return self.pattern is not None and self.pattern.search(text_of(value)) is not None

    def _ordered(self, value: Any) -> bool:
        number = decimal_of(value)
        if number is not None and self.number is not None:
            return _in_order(number, self.operator, self.number)
        if self.number is None and isinstance(value, str):
            return _in_order(value, self.operator, self.text)
        return False


def _in_order[T: (Decimal, str)](left: T, operator: str, right: T) -> bool:
    match operator:
        case ">":
            return left > right
        case ">=":
            return left >= right
        case "<":
            return left < right
        case _:
            return left <= right


def log_type_of(written: str) -> str:
    """The log type a person means: those there are in any case, others as they are."""
    return written.lower() if written.lower() in _LOG_TYPES else written


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def decimal_of(value: Any) -> Decimal | None:
    """A number, or a string that is one, as a decimal; None for everything else."""
    if isinstance(value, bool):
        return None
    text = value.strip() if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""
    if len(text) > _MAX_NUMBER_CHARACTERS or not _NUMBER.fullmatch(text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def text_of(value: Any) -> str:
    """A value as conditions see it: strings as they are, all else as JSON."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
