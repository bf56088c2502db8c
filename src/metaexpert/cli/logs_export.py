"""`metaexpert logs export`: entries as ECS, OpenTelemetry, Splunk, CEF, CSV or JSON lines."""

from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from metaexpert.cli.declared import Option
from metaexpert.cli.logs_operations import loaded, tell
from metaexpert.cli.logs_output import Output
from metaexpert.cli.logs_printing import picked
from metaexpert.cli.logs_progress import Progress
from metaexpert.cli.logs_reading import NOTHING, Choice, reads_logs, tell_damaged, total_bytes
from metaexpert.cli.options import OUTPUT

if TYPE_CHECKING:
    from metaexpert.cli.export_formats import Export


class ExportFormat(StrEnum):
    """What entries can be exported as."""

    ECS = "ecs"
    OTEL = "otel"
    SPLUNK = "splunk"
    CEF = "cef"
    CSV = "csv"
    NDJSON = "ndjson"


@reads_logs
def export(
    choice: Choice,
    *,
    format: Annotated[ExportFormat, Option(("--format",), "What to write.")],  # noqa: A002 - the option's name
    output: Annotated[
        Path | None,
        Option(("--output", "-o"), "A file, there only once it is whole; stdout when left out."),
    ] = None,
    fields: Annotated[
        str | None,
        Option(("--fields",), "Of csv the columns, of ndjson the keys, such as time,level,symbol,price.", OUTPUT),
    ] = None,
    service: Annotated[
        str | None,
        Option(("--service",), "Of ecs, otel, splunk and cef the service; the configuration's log_name when left out."),
    ] = None,
    host: Annotated[
        str | None, Option(("--host",), "Of ecs, otel, splunk and cef the host's name; this machine's when left out.")
    ] = None,
    environment: Annotated[str, Option(("--environment",), "Of ecs and otel the environment.")] = "",
) -> None:
    """Write entries for other programs: ecs, otel (OTLP in JSON lines), splunk, cef, csv or ndjson, by time.

    Status 3 where there is no such entry; no file is written then.
    """
    from metaexpert.cli.whole_file import WholeFile  # noqa: PLC0415 - the command line imports what it needs when it runs
    from metaexpert.logger.files.reader import Reader  # noqa: PLC0415 - as above

    encode = _encoder(choice, format, fields, (service, host, environment))
    sources = choice.sources()
    reader = Reader(sources, choice.query())
    with ExitStack() as stack:
        progress = Progress("exporting", total_bytes(sources), lambda: reader.report.bytes)
        stack.enter_context(progress)
        to = stack.enter_context(WholeFile(output) if output else Output(paged=False, progress=progress))
        for data in encode(reader):
            to.write(data)
    tell_damaged(reader.report)
    if not reader.report.kept:
        raise SystemExit(NOTHING)
    if output:
        tell(f"{reader.report.kept} {'entry' if reader.report.kept == 1 else 'entries'} written to {output}")


def _encoder(
    choice: Choice, wanted: ExportFormat, fields: str | None, origin: tuple[str | None, str | None, str]
) -> "Export":
    from metaexpert.cli import export_formats as formats  # noqa: PLC0415 - as above

    names = picked(fields)
    if wanted is ExportFormat.CSV:
        return formats.csv_rows(names)
    if wanted is ExportFormat.NDJSON:
        return formats.ndjson(names)
    if names:
        from metaexpert.logger.files.reading.query import QueryError  # noqa: PLC0415 - as above

        raise QueryError(f"{wanted} has keys of its own; --fields is for csv and ndjson")
    import socket  # noqa: PLC0415 - as above

    service, host, environment = origin
    writer = formats.Origin(service or loaded(choice.file, None).log_name, host or socket.gethostname(), environment)
    made = {
        ExportFormat.ECS: formats.ecs,
        ExportFormat.OTEL: formats.otel,
        ExportFormat.SPLUNK: formats.splunk,
        ExportFormat.CEF: formats.cef,
    }
    return made[wanted](writer)
