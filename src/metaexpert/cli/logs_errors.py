"""`metaexpert logs errors`: which errors there were, each once, with how often, since when, and an example."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from metaexpert.cli.declared import Option
from metaexpert.cli.logs_output import Output, colours_wanted
from metaexpert.cli.logs_progress import Progress
from metaexpert.cli.logs_reading import NOTHING, Choice, reads_logs, tell_damaged, total_bytes
from metaexpert.cli.options import JsonLines

if TYPE_CHECKING:
    from metaexpert.logger.files.reading.error_groups import ErrorGroup


@reads_logs
def errors(
    choice: Choice,
    *,
    limit: Annotated[int, Option(("--limit", "-n"), "How many kinds of errors to show.", least=1)] = 20,
    traceback: Annotated[
        bool, Option(("--traceback/--no-traceback",), "Show the latest traceback of each kind.")
    ] = True,
    as_json: JsonLines = False,
) -> None:
    """Show which errors there were, the most frequent first: how many, the first, the last, and an example.

    Errors are of one kind when exception type, place and message are the same but for numbers, ids and quoted text.
    Taken are entries from ERROR on; --level changes that. Status 3 where there is none.
    """
    from metaexpert.cli.entry_text import Clock  # noqa: PLC0415 - the command line imports what it needs when it runs
    from metaexpert.cli.error_text import error_lines  # noqa: PLC0415 - as above
    from metaexpert.logger.files.reader import Reader  # noqa: PLC0415 - as above
    from metaexpert.logger.files.reading.error_groups import ErrorGroups  # noqa: PLC0415 - as above

    query = (choice if choice.level else replace(choice, level="ERROR")).query()
    sources, groups = choice.sources(), ErrorGroups()
    reader = Reader(sources, query)
    with Progress("reading", total_bytes(sources), lambda: reader.report.bytes):
        for entry in reader:
            groups.add(entry)
    shown = groups.most_frequent()[:limit]
    colours = colours_wanted(choice.color)
    with Output() as out:
        if as_json:
            for each in shown:
                out.write(group_json(each) + b"\n")
        else:
            for line in error_lines(shown, groups, Clock(choice.zone), colours=colours, with_traceback=traceback):
                out.line(line)
    tell_damaged(reader.report)
    if not groups.entries:
        raise SystemExit(NOTHING)


def group_json(group: "ErrorGroup") -> bytes:
    """A group for scripts."""
    import orjson  # noqa: PLC0415 - as above

    from metaexpert.logger.formats.controls import harmless  # noqa: PLC0415 - as above
    from metaexpert.logger.formats.timestamps import rfc3339  # noqa: PLC0415 - as above

    what = group.fingerprint
    told: dict[str, Any] = {
        "fingerprint": what.digest,
        "count": group.count,
        "type": what.kind or None,
        "place": what.place,
        "message": what.message,
        "first": rfc3339(group.first_ns),
        "last": rfc3339(group.last_ns),
        "loggers": list(group.loggers),
        "example": (group.whole or group.example).values,
    }
    return harmless(orjson.dumps(told))
