"""`metaexpert logs tail`: the last entries, and with `-f` those that are written from now on."""

from typing import TYPE_CHECKING, Annotated

from metaexpert.cli.declared import Option
from metaexpert.cli.logs_operations import tell
from metaexpert.cli.logs_output import Output, colours_wanted
from metaexpert.cli.logs_printing import printing
from metaexpert.cli.logs_reading import NOTHING, Choice, reads_logs, tell_damaged
from metaexpert.cli.options import EntriesAsJson, Fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from metaexpert.logger.files.reading.entries import LogEntry
    from metaexpert.logger.files.reading.report import ReadReport


@reads_logs
def tail(
    choice: Choice,
    *,
    following: Annotated[
        bool, Option(("--follow", "-f"), "Go on with entries as they are written, until Ctrl-C.")
    ] = False,
    lines: Annotated[int, Option(("--lines", "-n"), "How many entries.", least=0)] = 10,
    fields: Fields = None,
    as_json: EntriesAsJson = False,
) -> None:
    """Show the last entries of all processes, merged by time, and with -f those to come.

    New files of rotations and of processes that start are followed too. Status 3 where there is no such entry.
    """
    from metaexpert.logger.files.reading.report import ReadReport  # noqa: PLC0415 - the command line imports what it needs when it runs

    report, query = ReadReport(), choice.query()
    as_bytes = printing(choice, fields, as_json=as_json, colours=colours_wanted(choice.color))
    entries: Iterable[LogEntry]
    if following:
        from metaexpert.logger.files.reading.follow import follow  # noqa: PLC0415 - as above

        _tell_absence(choice)
        entries = follow(
            choice.all_places(), query, log=choice.log, count=lines, report=report, wait=_telling_meanwhile(report)
        )
    else:
        from metaexpert.logger.files.reading.tail import last  # noqa: PLC0415 - as above

        entries = last(choice.sources(), query, lines, report=report)
    printed = 0
    try:
        with Output(paged=not following) as out:
            for printed, entry in enumerate(entries, 1):  # noqa: B007 - counted
                out.write(as_bytes(entry))
                if following:
                    out.flush()
    finally:
        tell_damaged(report)
    if not printed:
        raise SystemExit(NOTHING)


def _telling_meanwhile(report: "ReadReport") -> "Callable[[float], None]":
    """Waits between two looks, and tells what the one before came upon that could not be read."""
    import time  # noqa: PLC0415 - as above

    def wait(seconds: float) -> None:
        tell_damaged(report.taken())
        time.sleep(seconds)

    return wait


def _tell_absence(choice: Choice) -> None:
    """Say what is waited for, where there is no log yet: a name may be mistyped."""
    from metaexpert.logger.files.reading.sources import ReadError, sources_in  # noqa: PLC0415 - as above

    for place in choice.all_places():
        try:
            found = sources_in([place], choice.log)
        except ReadError as error:
            tell(f"{error}; waiting for it")
            continue
        if not found:
            tell(f"no log files{f' of {choice.log}' if choice.log else ''} in {place} yet; waiting for them")
