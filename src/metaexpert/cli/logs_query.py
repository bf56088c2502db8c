"""`metaexpert logs query`: SQL over log files where they are, with DuckDB (extra `query`)."""

import re
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, final

from metaexpert.cli.declared import Argument, Option
from metaexpert.cli.logs_operations import DONE, tell
from metaexpert.cli.logs_output import Output, colours_wanted
from metaexpert.cli.logs_progress import Progress
from metaexpert.cli.logs_reading import NOTHING, Choice, reads_logs, tell_damaged, total_bytes
from metaexpert.cli.options import AsCsv, JsonLines, Parquet
from metaexpert.cli.tables import Column, count_text, csv_line, table_lines
from metaexpert.exceptions import MetaExpertError
from metaexpert.logger.files.reading.conditions import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from metaexpert.cli.log_query import LogQuery

type Columns = list[tuple[str, str]]
"""Names and types."""

type Row = tuple[str | None, ...]

_ATTEMPTS: Final = 3
_SHOWN_FILES: Final = 3

_NUMBERS: Final = re.compile(r"U?(?:TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DOUBLE|FLOAT|BIGNUM|DECIMAL\(.*")


@reads_logs
def query(
    choice: Choice,
    *,
    sql: Annotated[str, Argument('One SELECT, such as "SELECT level, count(*) FROM logs GROUP BY level".')],
    as_json: JsonLines = False,
    as_csv: AsCsv = False,
    parquet: Parquet = None,
    copies: Annotated[
        bool, Option(("--copies",), "Count entries as often as they stand in files: less work for much data.")
    ] = False,
) -> None:
    """Ask the logs with SQL (extra query): live, rotated, compressed and archived files; nothing is imported.

    The views are logs, trades (amounts are decimals) and errors. Their columns are timestamp, time_ns, level,
    level_number, logger, message, log_type, module, function, line, process, thread, task, seq, monotonic_ns, id,
    extra, trade_data, error_context, exception, stack_info, file and log; any other name is a field of the entries,
    such as symbol. Status 3 where there is no row.
    """
    if as_json + as_csv + (parquet is not None) > 1:
        raise QueryError("--json, --csv and --parquet exclude each other")
    form = "json" if as_json else "csv" if as_csv else "table"
    refused: set[str] = set()
    for attempt in count():
        try:
            found = _answered(choice, sql, form, parquet, refused, distinct=not copies)
        except _UnreadableError as error:
            # compressed or archived meanwhile: look again; damaged: our reader gets out of it what there is
            if error.files <= refused and attempt >= _ATTEMPTS:
                raise
            refused |= error.files
        else:
            raise SystemExit(DONE if found else NOTHING)


@final
class _UnreadableError(MetaExpertError):
    """DuckDB cannot read a file, or not any more; nothing has been printed.

    Args:
        message: what it says.
        files: those of its files that it names.
    """

    def __init__(self, message: str, files: frozenset[str]) -> None:
        super().__init__(message)
        self.files = files


def _answered(choice: Choice, sql: str, form: str, parquet: Path | None, refused: set[str], *, distinct: bool) -> bool:
    """Ask the files there are now; whether there was a row.

    Raises:
        _UnreadableError: DuckDB cannot read a file; nothing has been printed.
    """
    from metaexpert.cli.log_query import LogQuery  # noqa: PLC0415 - the command line imports what it needs when it runs
    from metaexpert.cli.query_engine import database, engine, first_lines  # noqa: PLC0415 - as above

    with database() as connection:
        sources = choice.sources()
        size_bytes = total_bytes(sources)
        asked = LogQuery(connection, sql, sources, choice.query(), refused, distinct=distinct, utc=choice.utc)
        try:
            with Progress("querying", size_bytes, lambda: asked.done_bytes(size_bytes)):
                rows = _begun(asked, form, parquet)
        except engine().IOException as error:
            raise _UnreadableError(first_lines(str(error)), asked.named_in(str(error))) from None
        if rows is not None:
            with Output() as out:
                for line in _FORMS[form](asked.columns, rows, colours_wanted(choice.color)):
                    out.line(line)
        _tell(asked)
        return rows is not None or parquet is not None


def _begun(asked: "LogQuery", form: str, parquet: Path | None) -> "Iterable[Row] | None":
    """The rows, the first of which is there; None where there is none, or they went to a file."""
    from metaexpert.cli.query_engine import replaced  # noqa: PLC0415 - as above

    if parquet is not None:
        with replaced(parquet) as part:
            asked.prepare(part)
            asked.write_parquet(part)
        return None
    asked.prepare()
    rows = asked.rows(as_json=form == "json")
    first = next(rows, None)
    return None if first is None else chain([first], rows)


def _tell(asked: "LogQuery") -> None:
    """Say on stderr what is no entry, and which fields were met nowhere."""
    from metaexpert.logger.formats.text import neutralised  # noqa: PLC0415 - as above

    tell_damaged(asked.reader.report)
    damaged = asked.damaged()
    if damaged:
        total = sum(count for _, count in damaged)
        told = ", ".join(f"{name}: {count}" for name, count in damaged[:_SHOWN_FILES])
        more = ", …" if len(damaged) > _SHOWN_FILES else ""
        tell(neutralised(f"{count_text(total, 'damaged line')} skipped: {told}{more}"))
    if asked.unknown:
        tell(neutralised(f"note: no entry looked at has a field {', '.join(asked.unknown)}"))


# ---- forms -------------------------------------------------------------------------------------------------------


def _as_table(columns: Columns, rows: "Iterable[Row]", colours: bool) -> Iterator[str]:  # noqa: FBT001 - as `_FORMS` calls it
    decimals = [at for at, (_, kind) in enumerate(columns) if kind.startswith("DECIMAL")]
    heads = [Column(name, right=_NUMBERS.fullmatch(kind) is not None) for name, kind in columns]
    return table_lines(heads, (_shown(row, decimals) for row in rows), colours=colours)


def _shown(row: Row, decimals: list[int]) -> list[str]:
    cells = ["" if cell is None else cell for cell in row]
    for at in decimals:
        if "." in cells[at]:
            cells[at] = cells[at].rstrip("0").rstrip(".")
    return cells


def _as_csv(columns: Columns, rows: "Iterable[Row]", _: bool) -> Iterator[str]:  # noqa: FBT001 - as above
    yield csv_line(name for name, _ in columns)
    yield from map(csv_line, rows)


def _as_json(columns: Columns, rows: "Iterable[Row]", _: bool) -> Iterator[str]:  # noqa: FBT001 - as above
    import json  # noqa: PLC0415 - as above

    names = [json.dumps(name, ensure_ascii=False) for name, _ in columns]
    for row in rows:
        members = (f"{name}:{'null' if cell is None else cell}" for name, cell in zip(names, row, strict=True))
        yield f"{{{','.join(members)}}}"


_FORMS: "Final[dict[str, Callable[[Columns, Iterable[Row], bool], Iterator[str]]]]" = {
    "table": _as_table,
    "csv": _as_csv,
    "json": _as_json,
}
