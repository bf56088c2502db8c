"""`metaexpert logs stats`: how much log files hold, of what, at which rate, and what is missing from them."""

from typing import Annotated

import typer

from metaexpert.cli.logs_output import Output, colours_wanted
from metaexpert.cli.logs_progress import Progress
from metaexpert.cli.logs_reading import NOTHING, Choice, reads_logs, tell_damaged, total_bytes
from metaexpert.cli.options import OUTPUT


@reads_logs
def stats(
    choice: Choice,
    *,
    top: Annotated[int, typer.Option("--top", min=0, help="How many kinds of errors.")] = 10,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document instead of tables.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Count what log files hold, by log and process: levels, rates, errors, drops, missing numbers, clock steps.

    Entries count once in a log, and in each log they stand in. Status 3 where there is no entry.
    """
    from metaexpert.cli.stats_text import as_document, as_lines  # noqa: PLC0415 - the command line imports what it needs when it runs
    from metaexpert.logger.files.reading.counting import counted  # noqa: PLC0415 - as above
    from metaexpert.logger.files.reading.report import ReadReport  # noqa: PLC0415 - as above

    sources, report = choice.sources(), ReadReport()
    with Progress("reading", total_bytes(sources), lambda: report.bytes):
        found = counted(sources, choice.query(), report)
    if as_json:
        import orjson  # noqa: PLC0415 - as above

        from metaexpert.logger.formats.controls import harmless  # noqa: PLC0415 - as above

        with Output(paged=False) as out:
            out.write(harmless(orjson.dumps(as_document(found, top), option=orjson.OPT_INDENT_2)) + b"\n")
    else:
        with Output() as out:
            for line in as_lines(found, top, choice.zone, colours=colours_wanted(choice.color)):
                out.line(line)
    tell_damaged(report)
    if not any(writer.entries for writer in found.writers.values()):
        raise SystemExit(NOTHING)
