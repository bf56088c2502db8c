"""What the commands that read logs share: which entries, of which files, in whose clock, and how a command ends.

A command is made with `reads_logs`: its parameter `choice` becomes the options every such command has, and what can go
wrong becomes a line on stderr and a status.

Exit status: 0 something was found, or done; 1 what is asked for cannot be read, or the configuration is in the way;
2 wrong usage; 3 nothing was found; 130 interrupted. A file that cannot be read makes it 1, once all others are read. A
reader who closes the pipe has seen enough: status 0, no word.
"""

import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import MISSING, dataclass, field, fields
from datetime import UTC, tzinfo
from errno import EINVAL
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Final, final

from metaexpert.cli.declared import PARAMETERS, parameters_of
from metaexpert.cli.local_zone import LocalZone
from metaexpert.cli.logs_operations import DONE, FAULT, safe_output, tell
from metaexpert.cli.options import (
    Color,
    ConfigFile,
    Level,
    LoggerName,
    LogName,
    LogType,
    Places,
    Since,
    Until,
    Utc,
    Where,
)

if TYPE_CHECKING:
    from metaexpert.logger.files.reading.query import Query
    from metaexpert.logger.files.reading.report import ReadReport
    from metaexpert.logger.files.reading.sources import Source

USAGE: Final = 2
NOTHING: Final = 3
INTERRUPTED: Final = 130

_SHOWN_PLACES: Final = 3
_SHOWN_BYTES: Final = 80
_USUAL_RATIO: Final = 10
"""How much smaller log files are when they are compressed."""


@final
@dataclass(frozen=True, slots=True)
class Choice:
    """Which entries of which files a command is about, as its options say.

    Attributes:
        places: folders, logs and single files; the configuration's folders when empty.
        utc: times are UTC, given and shown; else those of the machine's zone.
        color: whether to colour; None for on a terminal, unless NO_COLOR is set.
    """

    places: Places = None
    level: Level = None
    since: Since = None
    until: Until = None
    where: Where = field(default_factory=list[str])
    logger: LoggerName = field(default_factory=list[str])
    log_type: LogType = field(default_factory=list[str])
    log: LogName = None
    utc: Utc = False
    color: Color = None
    file: ConfigFile = None

    @property
    def zone(self) -> tzinfo:
        """The zone of times, given and shown."""
        return UTC if self.utc else LocalZone()

    def query(self, *, grep: str | None = None, ignore_case: bool = False) -> "Query":
        """Which entries are meant.

        Raises:
            QueryError: an option's value is not usable; `reads_logs` tells it.
        """
        from metaexpert.logger.files.reading.query import Query  # noqa: PLC0415 - the command line imports what it needs when it runs

        return Query.parsed(
            level=self.level,
            since=self.since,
            until=self.until,
            where=self.where,
            logger=self.logger,
            log_type=self.log_type,
            grep=grep,
            ignore_case=ignore_case,
            zone=self.zone,
        )

    def all_places(self) -> list[Path]:
        """Where to read: what was named, else the configuration's folders."""
        from metaexpert.cli.logs_places import configured_places  # noqa: PLC0415 - as above

        return self.places or configured_places(self.file)

    def sources(self) -> "tuple[Source, ...]":
        """The files to read; none at all ends the command.

        Raises:
            SystemExit: there is none; it has been told where was looked.
        """
        from metaexpert.logger.files.reading.sources import sources_in  # noqa: PLC0415 - as above

        places = self.all_places()
        found = sources_in(places, self.log)
        if not found:
            named = f" of {self.log}" if self.log else ""
            tell(f"no log files{named} in {', '.join(map(str, places))}")
            raise SystemExit(NOTHING)
        return found


def total_bytes(sources: "Sequence[Source]") -> int:
    """About how much there is to read, uncompressed, for a progress bar."""
    return sum(each.size_bytes * (_USUAL_RATIO if each.packing else 1) for each in sources)


_unread: ContextVar[list[str]] = ContextVar("_unread")
"""Files that the command which runs could not read."""


def tell_damaged(report: "ReadReport") -> None:
    """Say on stderr what could not be read, and where the first such lines are.

    Damaged lines never end a command; files that could not be read make its status 1 in the end.
    """
    from metaexpert.logger.formats.controls import neutralised  # noqa: PLC0415 - as above

    for fault in report.faults:
        tell(f"error: {neutralised(fault)}")
    _unread.get([]).extend(report.faults)
    for note in report.notes:
        tell(f"note: {neutralised(note)}")
    if report.damaged:
        lines = "line was" if report.damaged == 1 else "lines were"
        tell(f"{report.damaged} damaged {lines} skipped:")
        for place in report.places[:_SHOWN_PLACES]:
            told = f"  {place.path.name} at byte {place.offset}: {place.reason}"
            line = place.line[:_SHOWN_BYTES].decode("utf-8", "replace")
            tell(neutralised(f"{told}: {line}" if line else told))
        if report.damaged > _SHOWN_PLACES:
            tell("  …")


def reads_logs[**P](command: Callable[Concatenate[Choice, P], None]) -> Callable[..., None]:
    """A command with the options of `Choice` in place of its first parameter, `choice`.

    An error we raise on purpose is told on stderr; one of usage ends the command with status 2, others with 1.
    """
    own = parameters_of(command)[1:]
    shared = parameters_of(Choice, _DEFAULTS)

    @wraps(command)
    def run(**given: Any) -> None:
        choice = Choice(**{each.name: given.pop(each.name) for each in shared})
        with ending_well(), _telling_by_status():
            command(choice, **given)  # pyright: ignore[reportCallIssue] - called by name alone

    run.__dict__[PARAMETERS] = (*own, *shared)
    return run


_DEFAULTS: Final[dict[str, Any]] = {
    each.name: each.default if each.default is not MISSING else [] for each in fields(Choice)
}


@contextmanager
def _telling_by_status() -> Generator[None]:
    """Where files could not be read, the status is that of a fault, whatever was found in the others."""
    unread = list[str]()
    token = _unread.set(unread)
    try:
        yield
    except SystemExit as ended:
        if not unread or ended.code not in {DONE, NOTHING}:
            raise
    finally:
        _unread.reset(token)
    if unread:
        raise SystemExit(FAULT)


@contextmanager
def ending_well() -> Generator[None]:
    """What a reading command may meet, as its exit status.

    Raises:
        SystemExit: with the status the module's docstring tells.
    """
    from metaexpert.exceptions import MetaExpertError  # noqa: PLC0415 - as above

    safe_output()
    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except MetaExpertError as error:
        _tell_error(error)
        raise SystemExit(_status_of(error)) from None
    except OSError as error:
        if _is_closed_pipe(error):
            _drop_output()
            raise SystemExit(DONE) from None
        _tell_error(error)
        raise SystemExit(FAULT) from None


def _is_closed_pipe(error: OSError) -> bool:
    """Whether it says that nobody reads the output any more; Windows says that an argument is invalid."""
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == EINVAL and not error.filename)


def _drop_output() -> None:
    """Let what is still buffered go nowhere, so that the interpreter's exit does not fail on it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _status_of(error: Exception) -> int:
    from metaexpert.logger.files.reading.query import QueryError  # noqa: PLC0415 - as above

    return USAGE if isinstance(error, QueryError) else FAULT


def _tell_error(error: Exception) -> None:
    for line in str(error).splitlines():
        tell(f"error: {line}")
