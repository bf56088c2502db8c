"""An entry for people: one line of time, level, logger, message and fields, its traceback indented below; pure.

Whatever a log holds, what is printed has no control characters: they are written as escapes.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, Final, final

import orjson

from metaexpert.logger.files.reading.entries import MISSING
from metaexpert.logger.files.reading.levels import CRITICAL, DEBUG, ERROR, INFO, WARNING
from metaexpert.logger.formats.controls import harmless, neutralised

if TYPE_CHECKING:
    from metaexpert.logger.files.reading.entries import LogEntry

_RESET: Final = "\x1b[0m"
_DIM: Final = "\x1b[2m"
_CYAN: Final = "\x1b[36m"
_BOLD: Final = "\x1b[1m"
_LEVELS: Final = (
    (CRITICAL, "\x1b[1;97;41m"),
    (ERROR, "\x1b[31m"),
    (WARNING, "\x1b[33m"),
    (INFO, "\x1b[32m"),
    (DEBUG, _CYAN),
)
_TOLD_BY_LOOKS: Final = frozenset({"general", "trade", "error"})
"""Log types that need no mark of their own."""

_IN_A_TRADE_MESSAGE: Final = frozenset({"event", "side", "quantity", "symbol", "price"})
_TABLES: Final = ("extra", "trade_data", "error_context")
_SECOND_NS: Final = 1_000_000_000
_MAX_SECONDS: Final = 1024
_MAX_LEVELS: Final = 64
_NEEDS_QUOTES: Final = re.compile('[ ="]|^$')
_UNKNOWN: Final = "-"


@final
class Clock:
    """Times as people read them, to the microsecond, with their offset; written so that `--since` takes them.

    Args:
        zone: in which they are told.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._seconds: dict[int, tuple[str, str]] = {}

    def __call__(self, time_ns: int) -> str:
        """The time, such as `2026-11-23T17:15:42.123456Z`."""
        second, nanoseconds = divmod(time_ns, _SECOND_NS)
        known = self._seconds.get(second)
        if known is None:
            known = self._add(second)
        return f"{known[0]}.{nanoseconds // 1000:06d}{known[1]}"

    def to_the_second(self, time_ns: int) -> str:
        """The time without its fraction."""
        second = time_ns // _SECOND_NS
        return "".join(self._seconds.get(second) or self._add(second))

    def _add(self, second: int) -> tuple[str, str]:
        if len(self._seconds) >= _MAX_SECONDS:
            self._seconds.clear()
        moment = datetime.fromtimestamp(second, UTC).astimezone(self._zone)
        text = moment.isoformat()
        parts = self._seconds[second] = (text[:19], "Z" if text[19:] == "+00:00" else text[19:])
        return parts


@final
class EntryText:
    """Writes entries as people read them.

    Args:
        zone: of the times.
        colours: whether to add ANSI colours.
        fields: what to show instead of the whole entry, in this order.
    """

    def __init__(self, zone: tzinfo, *, colours: bool = False, fields: Sequence[str] = ()) -> None:
        self.clock = Clock(zone)
        self._colours = colours
        self._fields = fields
        self._levels: dict[str, str] = {}

    def __call__(self, entry: "LogEntry") -> str:
        """The entry's line, and what belongs below it; no final newline."""
        if self._fields:
            return " ".join(self._picked(entry, name) for name in self._fields)
        parts = (self._time(entry), self._level(entry), f"{self._logger(entry)}: {self._message(entry)}")
        pairs = [self._pair(name, value) for name, value in _fields_of(entry)]
        return " ".join((*parts, *pairs)) + "".join(_blocks(entry))

    def _time(self, entry: "LogEntry") -> str:
        return self._coloured(self.clock(entry.time_ns), _DIM)

    def _level(self, entry: "LogEntry") -> str:
        name = entry.level
        return self._levels.get(name) or self._add_level(name, entry.level_number)

    def _add_level(self, name: str, number: int) -> str:
        if len(self._levels) >= _MAX_LEVELS:
            self._levels.clear()
        colour = next((each for floor, each in _LEVELS if number >= floor), _DIM)
        text = self._levels[name] = self._coloured(f"{neutralised(name):8}", colour)
        return text

    def _logger(self, entry: "LogEntry") -> str:
        return self._coloured(neutralised(entry.logger), _CYAN)

    def _message(self, entry: "LogEntry") -> str:
        text = neutralised(entry.message)
        if entry.log_type not in _TOLD_BY_LOOKS:
            return f"{self._coloured(f'[{neutralised(entry.log_type)}]', _BOLD)} {text}"
        return self._coloured(text, _BOLD) if entry.trade_data else text

    def _pair(self, name: str, value: object) -> str:
        return self._coloured(f"{neutralised(name)}=", _DIM) + shown(value)

    def _picked(self, entry: "LogEntry", name: str) -> str:
        match name:
            case "time" | "timestamp":
                return self._time(entry)
            case "level":
                return self._level(entry)
            case "logger":
                return self._logger(entry)
            case "message":
                return self._message(entry)
            case _:
                value = entry.find(name)
                return self._pair(name, value) if value is not MISSING else self._pair(name, _UNKNOWN)

    def _coloured(self, text: str, colour: str) -> str:
        return f"{colour}{text}{_RESET}" if self._colours else text


def _fields_of(entry: "LogEntry") -> Iterator[tuple[str, Any]]:
    """The fields to show; of a trade event those its message does not say."""
    values = entry.values
    said = entry.message.split() if "trade_data" in values else ()
    for key in _TABLES:
        table = values.get(key)
        if isinstance(table, dict):
            for name, value in table.items():  # pyright: ignore[reportUnknownVariableType] - a user's values
                if key != "trade_data" or not _is_said(str(name), value, said):  # pyright: ignore[reportUnknownArgumentType]
                    yield str(name), value  # pyright: ignore[reportUnknownArgumentType] - as above


def _is_said(name: str, value: object, words: Sequence[str]) -> bool:
    return name in _IN_A_TRADE_MESSAGE and str(value) in words


def _blocks(entry: "LogEntry") -> Iterator[str]:
    """Traceback and stack, indented."""
    for text in (traceback_of(entry), entry.values.get("stack_info")):
        if isinstance(text, str):
            yield indented(text)


def traceback_of(entry: "LogEntry") -> str | None:
    """The entry's traceback, or what there is of its exception."""
    told = entry.values.get("exception")
    if not isinstance(told, dict):
        return None
    text = told.get("traceback")  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - a line's values
    return text if isinstance(text, str) and text else f"{told.get('type')}: {told.get('message')}"  # pyright: ignore[reportUnknownMemberType]


def indented(block: str) -> str:
    """The lines of a block, each on a line of its own below what it belongs to."""
    return "".join(f"\n    {neutralised(line)}" for line in block.rstrip().splitlines())


def shown(value: object) -> str:
    """A value as people read it: plain words as they are, other text in quotes, all else as JSON."""
    if isinstance(value, str):
        plain = neutralised(value)
        return f'"{plain}"' if _NEEDS_QUOTES.search(plain) else plain
    return neutralised(orjson.dumps(value).decode())


def picked_json(entry: "LogEntry", fields: Iterable[str] = ()) -> bytes:
    """The entry's own line where it is JSON, else what it says as JSON; of `fields` alone when there are any."""
    chosen = {name: entry.value("timestamp" if name == "time" else name) for name in fields}
    if chosen:
        return harmless(orjson.dumps(chosen))
    return harmless(entry.line if entry.is_json else orjson.dumps(entry.values))
