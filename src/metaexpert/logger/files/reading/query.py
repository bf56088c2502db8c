"""What entries to keep: by level, time, logger, log type, conditions and text; pure but for asking the clock once."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final, final

from metaexpert.logger.files.reading.conditions import Condition, QueryError, log_type_of
from metaexpert.logger.files.reading.entries import LogEntry, level_number_of
from metaexpert.logger.files.reading.moments import moment_ns
from metaexpert.logger.files.reading.patterns import bytes_pattern

__all__ = ["Condition", "Query", "QueryError"]

_ESCAPE: Final = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_TIMES: Final = (
    'use "15m", "2h", "3d" (that long ago), "now", "today", "yesterday", a day such as 2026-11-23, an hour of today '
    "such as 10:30, or a time such as 2026-11-23T10:00, with an offset (Z, +01:00) if it is not of the zone in force"
)


@final
@dataclass(frozen=True, slots=True)
class Query:
    """What to keep; everything given must hold.

    Attributes:
        level: the lowest level kept, as stdlib numbers it.
        since_ns: the first moment kept, nanoseconds since the epoch.
        until_ns: the first moment no longer kept.
        loggers: names of loggers kept, each with all below it; empty for all.
        log_types: log types kept; empty for all.
        where: conditions on values.
        text: what must be found in the line as it stands, or, where the line has JSON escapes, in what they mean.
    """

    level: int | None = None
    since_ns: int | None = None
    until_ns: int | None = None
    loggers: tuple[str, ...] = ()
    log_types: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()
    text: re.Pattern[bytes] | None = None

    @classmethod
    def parsed(
        cls,
        *,
        level: str | int | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        where: Iterable[str] = (),
        logger: Iterable[str] = (),
        log_type: Iterable[str] = (),
        grep: str | None = None,
        ignore_case: bool = False,
        zone: tzinfo | None = None,
        now: datetime | None = None,
    ) -> "Query":
        """The query a person wrote.

        Args:
            level: a name or a number.
            since: the first moment kept: "15m" or "2h" (that long ago), "today", "yesterday", a day, an ISO 8601 time.
            until: the moment before which entries are kept, written likewise.
            where: conditions such as `symbol=BTCUSDT`, `price>43000`, `message~regex`, `order_id exists`.
            logger: loggers, each with all below it.
            log_type: log types, in any case.
            grep: a regular expression to find in the line.
            ignore_case: whether `grep` takes capitals for small letters.
            zone: of days and of times without an offset; UTC if not given.
            now: the present, in place of the clock's.

        Raises:
            QueryError: something of it cannot be understood; the message names what is allowed.
        """
        present, zone = now or datetime.now(UTC), zone or UTC
        query = cls(
            level=None if level is None else _level(level),
            since_ns=_moment("since", since, present, zone),
            until_ns=_moment("until", until, present, zone),
            loggers=tuple(logger),
            log_types=tuple(map(log_type_of, log_type)),
            where=tuple(Condition.parsed(each) for each in where),
            text=None if grep is None else bytes_pattern(grep, ignore_case=ignore_case),
        )
        if query.since_ns is not None and query.until_ns is not None and query.since_ns >= query.until_ns:
            raise QueryError(f"since ({since}) is not before until ({until}): nothing is between them")
        return query

    @property
    def asks_log_type(self) -> bool:
        """Whether it matters of which log type an entry is, which a line of text hardly tells."""
        return bool(self.log_types) or any(each.is_of_log_type for each in self.where)

    @property
    def least_level(self) -> int | None:
        """The level below which nothing is kept, by `level` or by a condition; None where everything may be."""
        levels = [int(each.number) + (each.operator == ">") for each in self.where if _is_from(each) and each.number]
        return max([*levels, *([] if self.level is None else [self.level])], default=None)

    def accepts(self, entry: LogEntry) -> bool:
        """Whether to keep an entry."""
        return (
            (self.level is None or entry.level_number >= self.level)
            and (self.since_ns is None or entry.time_ns >= self.since_ns)
            and (self.until_ns is None or entry.time_ns < self.until_ns)
            and (not self.loggers or self._is_logger(entry.logger))
            and (not self.log_types or entry.log_type in self.log_types)
            and (self.text is None or found_in(self.text, entry.line))
            and (not self.where or all(condition.holds(entry) for condition in self.where))
        )

    def _is_logger(self, name: str) -> bool:
        return any(name == each or name.startswith(f"{each}.") for each in self.loggers)


def _is_from(condition: Condition) -> bool:
    return condition.is_of_level and condition.operator in {"=", ">", ">="}


def found_in(pattern: re.Pattern[bytes], line: bytes) -> bool:
    """Whether a pattern is found in a line as it stands, or in what its JSON escapes mean."""
    if pattern.search(line):
        return True
    return b"\\" in line and pattern.search(unescaped(line)) is not None


def unescaped(line: bytes) -> bytes:
    """A line with its JSON escapes resolved."""
    text = _ESCAPE.sub(_meant, line.decode("utf-8", "replace"))
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _meant(match: re.Match[str]) -> str:
    number, character = match.groups()
    return chr(int(number, 16)) if number else _ESCAPED.get(character, character)


def _level(level: str | int) -> int:
    if isinstance(level, int):
        return level
    number = int(level) if level.isdecimal() else level_number_of(level)
    if number is None:
        raise QueryError(f"level {level!r} is not known: use DEBUG, INFO, WARNING, ERROR, CRITICAL or a number")
    return number


def _moment(name: str, written: str | datetime | None, now: datetime, zone: tzinfo) -> int | None:
    if written is None:
        return None
    text = written.isoformat() if isinstance(written, datetime) else written
    moment = moment_ns(text, now, zone)
    if moment is None:
        raise QueryError(f"{name} {text!r} is not understood: {_TIMES}")
    return moment
