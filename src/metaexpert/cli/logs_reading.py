"""What the commands that read logs share: which entries, of which files, in whose clock, and how a command ends.

A command is made with `reads_logs`: its parameter `choice` becomes the options every such command has, and what can go
wrong becomes a line on stderr and a status.

Exit status: 0 something was found, or done; 1 what is asked for cannot be read, or the configuration is in the way;
2 wrong usage; 3 nothing was found; 130 interrupted. A reader who closes the pipe has seen enough: status 0, no word.
"""

import inspect
import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from errno import EINVAL
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, Final, final

import typer

from metaexpert.cli.local_zone import LocalZone
from metaexpert.cli.logs_operations import DONE, FAULT, safe_output, tell
from metaexpert.cli.logs_places import configured_places, plain_places

if TYPE_CHECKING:
    from metaexpert.logger.files.reading.query import Query
    from metaexpert.logger.files.reading.report import ReadReport
    from metaexpert.logger.files.reading.sources import Source

USAGE: Final = 2
NOTHING: Final = 3
INTERRUPTED: Final = 130

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_TYPES: Final = ("general", "trade", "audit", "gap", "recovery", "error")
_SEVERAL: Final = frozenset({"places", "where", "logger", "log_type"})
_SHOWN_PLACES: Final = 3
_SHOWN_BYTES: Final = 80
_USUAL_RATIO: Final = 10
"""How much smaller log files are when they are compressed."""


def _levels(incomplete: str) -> list[str]:
    names = [level.lower() for level in LEVELS] if incomplete.islower() else LEVELS
    return [name for name in names if name.startswith(incomplete)]


def _log_types(incomplete: str) -> list[str]:
    return [log_type for log_type in LOG_TYPES if log_type.startswith(incomplete)]


def _log_names(incomplete: str) -> list[str]:
    """The logs there are in the configuration's folder."""
    from metaexpert.logger.files.names import LogFile  # noqa: PLC0415 - the command line imports what it needs when it runs

    try:
        files = [LogFile.parsed(path) for place in plain_places() for path in place.iterdir()]
    except OSError:
        return []
    return sorted({file.log.name for file in files if file is not None and file.log.name.startswith(incomplete)})


FILTERS: Final = "Which entries"
OUTPUT: Final = "Output"
"""The panels of `--help`."""


@final
@dataclass(frozen=True, slots=True)
class Choice:
    """Which entries of which files a command is about, as its options say.

    Attributes:
        places: folders, logs and single files; the configuration's folders when empty.
        utc: times are UTC, given and shown; else those of the machine's zone.
        color: whether to colour; None for on a terminal, unless NO_COLOR is set.
    """

    places: Annotated[
        list[Path],
        typer.Argument(
            show_default=False, help="Folders, logs and files to read; the configuration's log_dir when left out."
        ),
    ] = field(default_factory=list[Path])
    level: Annotated[
        str | None,
        typer.Option("--level", "-l", help="From this level on.", autocompletion=_levels, rich_help_panel=FILTERS),
    ] = None
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            help="From this time on: 2026-11-23, 2026-11-23T17:15, 17:15, 15m, 2h, 3d, yesterday.",
            rich_help_panel=FILTERS,
        ),
    ] = None
    until: Annotated[
        str | None, typer.Option("--until", help="Before this time, given like --since.", rich_help_panel=FILTERS)
    ] = None
    where: Annotated[
        list[str],
        typer.Option(
            "--where",
            "-w",
            help="A condition on a field, such as symbol=BTCUSDT or latency_ms>100; all given ones hold.",
            rich_help_panel=FILTERS,
        ),
    ] = field(default_factory=list[str])
    logger: Annotated[
        list[str],
        typer.Option("--logger", help="Of this logger and those below it; several allowed.", rich_help_panel=FILTERS),
    ] = field(default_factory=list[str])
    log_type: Annotated[
        list[str],
        typer.Option(
            "--log-type",
            "-t",
            help="Of this log type; several allowed.",
            autocompletion=_log_types,
            rich_help_panel=FILTERS,
        ),
    ] = field(default_factory=list[str])
    log: Annotated[
        str | None,
        typer.Option(
            "--log",
            help="Of this log alone, such as trades.log; all logs when left out.",
            autocompletion=_log_names,
            rich_help_panel=FILTERS,
        ),
    ] = None
    utc: Annotated[bool, typer.Option("--utc", help="Times are UTC, not the machine's.", rich_help_panel=OUTPUT)] = (
        False
    )
    color: Annotated[
        bool | None,
        typer.Option(
            "--color/--no-color",
            show_default=False,
            help="Colours; when left out, on a terminal unless NO_COLOR is set.",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    file: Annotated[
        Path | None, typer.Option("--file", help="A TOML file, instead of metaexpert.toml or pyproject.toml here.")
    ] = None

    @property
    def zone(self) -> tzinfo:
        """The zone of times, given and shown."""
        return UTC if self.utc else LocalZone()

    def query(self, *, grep: str | None = None, ignore_case: bool = False) -> "Query":
        """Which entries are meant.

        Raises:
            QueryError: an option's value is not usable; `reads_logs` tells it.
        """
        from metaexpert.logger.files.reading.query import Query  # noqa: PLC0415 - as above

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
        return self.places or configured_places(self.file)

    def sources(self) -> "tuple[Source, ...]":
        """The files to read; none at all ends the command.

        Raises:
            typer.Exit: there is none; it has been told where was looked.
        """
        from metaexpert.logger.files.reading.sources import sources_in  # noqa: PLC0415 - as above

        places = self.all_places()
        found = sources_in(places, self.log)
        if not found:
            named = f" of {self.log}" if self.log else ""
            tell(f"no log files{named} in {', '.join(map(str, places))}")
            raise typer.Exit(NOTHING)
        return found


def total_bytes(sources: "Sequence[Source]") -> int:
    """About how much there is to read, uncompressed, for a progress bar."""
    return sum(each.size_bytes * (_USUAL_RATIO if each.packing else 1) for each in sources)


def tell_damaged(report: "ReadReport") -> None:
    """Say on stderr what could not be read, and where the first such lines are; they never end a command."""
    from metaexpert.logger.formats.controls import neutralised  # noqa: PLC0415 - as above

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
    own = [*inspect.signature(command, eval_str=True).parameters.values()][1:]
    shared = _parameters_of_choice()

    @wraps(command)
    def run(*_: Any, **given: Any) -> None:
        choice = Choice(**{each.name: given.pop(each.name) for each in shared})
        with ending_well():
            command(choice, **given)  # pyright: ignore[reportCallIssue] - typer calls by name alone

    keywords = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*own, *shared)]
    run.__dict__["__signature__"] = inspect.Signature(keywords)
    run.__annotations__ = {}
    return run


def _parameters_of_choice() -> list[inspect.Parameter]:
    signature = inspect.signature(Choice, eval_str=True)
    return [each.replace(default=[]) if each.name in _SEVERAL else each for each in signature.parameters.values()]


@contextmanager
def ending_well() -> Generator[None]:
    """What a reading command may meet, as its exit status.

    Raises:
        typer.Exit: with the status the module's docstring tells.
    """
    from metaexpert.exceptions import MetaExpertError  # noqa: PLC0415 - as above

    safe_output()
    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except MetaExpertError as error:
        _tell_error(error)
        raise typer.Exit(_status_of(error)) from None
    except OSError as error:
        if _is_closed_pipe(error):
            _drop_output()
            raise typer.Exit(DONE) from None
        _tell_error(error)
        raise typer.Exit(FAULT) from None


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
