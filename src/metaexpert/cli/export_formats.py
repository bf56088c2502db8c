"""Entries of log files in the formats `metaexpert logs export` writes; pure.

- ndjson: the lines as they stand in the log; of text logs what they say, as JSON.
- csv: a header and a row an entry (RFC 4180). A cell a spreadsheet would take for a formula begins with an apostrophe,
  control characters but newlines are written as escapes.
- ecs: a document a line, as the Elasticsearch sink sends them.
- otel: an export request a line (https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/), as the OTLP sink
  sends them in JSON.
- splunk: an event a line, as the Splunk sink sends them.
- cef: an event a line in ArcSight's Common Event Format.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any, Final, final

import orjson

from metaexpert.cli.entry_text import picked_json
from metaexpert.cli.tables import csv_text
from metaexpert.logger.files.reading.captures import capture_of, run_of
from metaexpert.logger.files.reading.entries import MISSING
from metaexpert.logger.formats.controls import harmless

if TYPE_CHECKING:
    from metaexpert.logger.files.reading.entries import LogEntry
    from metaexpert.logger.formats.otlp_records import Records
    from metaexpert.logger.identity import Identity

CSV_COLUMNS: Final = (
    "timestamp", "level", "logger", "log_type", "message", "id", "extra", "trade_data", "error_context", "exception"
)  # fmt: skip
_REQUEST_ENTRIES: Final = 500
_MAX_RUNS: Final = 256

type Export = Callable[[Iterable["LogEntry"]], Iterator[bytes]]
"""What makes entries the bytes of a file, piece by piece."""


def ndjson(fields: Sequence[str]) -> Export:
    """Lines as they stand in the log, or objects of the picked fields."""
    return lambda entries: (picked_json(entry, fields) + b"\n" for entry in entries)


def csv_rows(fields: Sequence[str]) -> Export:
    """A header and rows; objects and lists in a cell are JSON."""
    names = fields or CSV_COLUMNS
    return lambda entries: (_row(cells) for cells in _rows(names, entries))


def _rows(names: Sequence[str], entries: "Iterable[LogEntry]") -> Iterator[Sequence[str]]:
    for number, entry in enumerate(entries):
        if not number:
            yield names
        yield [_cell(entry, name) for name in names]


def _cell(entry: "LogEntry", name: str) -> str:
    value: Any = entry.find("timestamp" if name == "time" else name)
    if value is MISSING or value is None:
        return ""
    return csv_text(value) if isinstance(value, str) else harmless(orjson.dumps(value)).decode()


def _row(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode("utf-8", "backslashreplace")


@final
class Origin:
    """Who wrote the entries, as far as their lines do not tell.

    Args:
        service: name of the expert or service.
        host: name of the machine.
        environment: such as `production`; left out when empty.
    """

    def __init__(self, service: str, host: str, environment: str) -> None:
        self.environment = environment
        self._service = service
        self._host = host

    def identity(self, boot_id: str, pid: int) -> "Identity":
        """The process that wrote an entry."""
        from metaexpert.logger.identity import Identity  # noqa: PLC0415 - the command line imports what it needs when it runs

        return Identity(service=self._service, boot_id=boot_id, pid=pid, host=self._host)


@final
class _PerRun[T]:
    """What is made once for each run of those at hand.

    Args:
        make: makes it, of boot id and process id.
    """

    def __init__(self, make: Callable[[str, int], T]) -> None:
        self._make = make
        self._made: dict[tuple[str, int], T] = {}

    def __call__(self, run: tuple[str, int]) -> T:
        made = self._made.get(run)
        if made is None:
            if len(self._made) >= _MAX_RUNS:
                self._made.clear()
            made = self._made[run] = self._make(*run)
        return made


def ecs(origin: Origin) -> Export:
    """Documents of the Elastic Common Schema."""
    from metaexpert.logger.formats.ecs import EcsDocuments  # noqa: PLC0415 - as above

    documents = _PerRun(lambda boot_id, pid: EcsDocuments(origin.identity(boot_id, pid), origin.environment))
    return lambda entries: (documents(run_of(entry))(capture_of(entry)) + b"\n" for entry in entries)


def splunk(origin: Origin) -> Export:
    """Events of Splunk's HTTP Event Collector."""
    from metaexpert.logger.formats.json_lines import JsonLines  # noqa: PLC0415 - as above
    from metaexpert.logger.formats.splunk_events import SplunkEvents  # noqa: PLC0415 - as above

    def events(boot_id: str, pid: int) -> SplunkEvents:
        identity = origin.identity(boot_id, pid)
        return SplunkEvents(identity, JsonLines(identity))

    made = _PerRun(events)
    return lambda entries: (made(run_of(entry))(capture_of(entry)) + b"\n" for entry in entries)


def cef(origin: Origin) -> Export:
    """Events in ArcSight's Common Event Format."""
    from metaexpert.logger.formats.cef import CefLines  # noqa: PLC0415 - as above

    made = _PerRun(lambda boot_id, pid: CefLines(origin.identity(boot_id, pid)))
    return lambda entries: (made(run_of(entry))(capture_of(entry)) + b"\n" for entry in entries)


def otel(origin: Origin) -> Export:
    """Export requests of some hundred records each."""
    from metaexpert.logger.formats.otlp_json import Json  # noqa: PLC0415 - as above
    from metaexpert.logger.formats.otlp_records import Records  # noqa: PLC0415 - as above

    records = _PerRun(lambda boot_id, pid: Records(origin.identity(boot_id, pid), Json()))
    return lambda entries: (_request(group, records, origin) for group in batched(entries, _REQUEST_ENTRIES))


def _request(entries: "Iterable[LogEntry]", records: "_PerRun[Records]", origin: Origin) -> bytes:
    from metaexpert.logger.formats.otlp_json import JsonEnvelope  # noqa: PLC0415 - as above
    from metaexpert.logger.formats.otlp_model import resource_attributes  # noqa: PLC0415 - as above

    envelope, runs = JsonEnvelope(), dict[tuple[str, int], dict[bytes, list[bytes]]]()
    for entry in entries:
        run = run_of(entry)
        part = records(run)(capture_of(entry))
        at = envelope.scope_bytes(part)
        runs.setdefault(run, {}).setdefault(part[:at], []).append(part[at:])
    groups = [
        (resource_attributes(origin.identity(*run), origin.environment, {}), scopes) for run, scopes in runs.items()
    ]
    return envelope.request(groups) + b"\n"
