"""An entry read back from a log file: its line as it stands there, and what it says, decoded at first use."""

from pathlib import Path
from typing import Any, Final, cast, final

import orjson

from metaexpert.logger.files.reading.levels import CRITICAL, INFO, WARNING, numbers
from metaexpert.logger.files.reading.text_entries import text_values
from metaexpert.logger.log_types import GENERAL

_LEVELS: Final[dict[str, int]] = {"WARN": WARNING, "FATAL": CRITICAL, "TRACE": 5}
_NESTED: Final = ("extra", "trade_data", "error_context")
MISSING: Final = object()
"""What `LogEntry.find` answers for a name the entry does not have."""


def level_number_of(name: str) -> int | None:
    """The number of a level's name as stdlib logging, or a text "Level 35", gives it; None for one nobody knows."""
    known = numbers().get(name, _LEVELS.get(name))
    if known is None and name.upper() != name:
        known = level_number_of(name.upper())
    if known is None and name.upper().startswith("LEVEL ") and name[6:].isdecimal():
        return int(name[6:])
    return known


@final
class LogEntry:
    """One entry of a log file.

    Attributes:
        line: its bytes without the newline; a text entry's traceback lines are among them.
        source: the file it stands in.
        time_ns: when it was logged, UTC, nanoseconds since the epoch; an entry without a time has that of the one
            before it in its file.
        order: what entries sort by: their time, and their id where times are equal.
    """

    __slots__ = ("_values", "line", "order", "source", "time_ns")

    def __init__(
        self, line: bytes, source: Path, time_ns: int, values: dict[str, Any] | None = None, entry_id: str | None = None
    ) -> None:
        self.line = line
        self.source = source
        self.time_ns = time_ns
        name = entry_id or ""
        self.order = (time_ns, len(name), name)
        self._values = values

    @property
    def is_json(self) -> bool:
        """Whether it stands in its file as JSON."""
        return self.line[:1] == b"{"

    @property
    def values(self) -> dict[str, Any]:
        """The JSON object; of a text line the same keys, as far as it tells them."""
        if self._values is None:
            self._values = orjson.loads(self.line) if self.is_json else text_values(self.line)
        return self._values

    @property
    def level(self) -> str:
        """The level's name; empty when the entry has none."""
        return self._text("level")

    @property
    def level_number(self) -> int:
        """The level as stdlib numbers it; that of INFO for a name nobody knows."""
        return level_of(self.level)

    @property
    def logger(self) -> str:
        """The logger's name; empty when the entry has none."""
        return self._text("logger")

    @property
    def message(self) -> str:
        """The message; empty when the entry has none."""
        return self._text("message")

    @property
    def log_type(self) -> str:
        """The log type; "general" where the line does not tell."""
        return self._text("log_type") or GENERAL

    @property
    def entry_id(self) -> str | None:
        """The stable id (`boot_id-seq`); None where the line has none, as text lines."""
        return self.order[2] or None

    def without_values(self) -> "LogEntry":
        """Itself, with its values to be decoded again when they are asked for: entries wait in a tenth of the room."""
        self._values = None
        return self

    @property
    def extra(self) -> dict[str, Any]:
        """The fields; empty when there are none."""
        return self._object("extra")

    @property
    def trade_data(self) -> dict[str, Any]:
        """The fields of a trade event; empty for other entries."""
        return self._object("trade_data")

    def value(self, name: str) -> Any:
        """What the entry says under a name; None when it says nothing.

        Args:
            name: looked up at the top, then among the fields, the trade data and the error's context; a name with dots
                leads into objects: "extra.symbol", "trade_data.order_id".
        """
        found = self.find(name)
        return None if found is MISSING else found

    def find(self, name: str) -> Any:
        """As `value`, but `MISSING` where the entry does not have the name, which tells it from null."""
        values = self.values
        if name in values:
            return values[name]
        for key in _NESTED:
            nested = self._object(key)
            if name in nested:
                return nested[name]
        return self._within(name) if "." in name else MISSING

    def _within(self, name: str) -> Any:
        head, _, rest = name.partition(".")
        found: Any = self.find(head)
        for part in rest.split("."):
            if not isinstance(found, dict) or part not in found:
                return MISSING
            found = cast("dict[str, Any]", found)[part]
        return cast("object", found)

    def _text(self, key: str) -> str:
        value = self.values.get(key)
        return value if isinstance(value, str) else ""

    def _object(self, key: str) -> dict[str, Any]:
        value = self.values.get(key)
        return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType] - a user's value

    def __repr__(self) -> str:
        return f"LogEntry({self.line[:80]!r}, source={str(self.source)!r})"


_numbers: Final[dict[str, int]] = {}
_MAX_NUMBERS: Final = 256


def level_of(name: str) -> int:
    """The number of a level's name; that of INFO for one nobody knows."""
    number = _numbers.get(name)
    if number is None:
        found = level_number_of(name)
        number = INFO if found is None else found
        if len(_numbers) < _MAX_NUMBERS:
            _numbers[name] = number
    return number
