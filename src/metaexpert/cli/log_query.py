"""One query over log files: which of them DuckDB reads itself, the views it needs, its rows, and what was damaged.

DuckDB reads lines of JSON itself, compressed ones too. What it cannot read (text, other shapes of JSON, paths it takes
for wildcards) comes to it through our reader, and lies in its memory, or beyond that on disk, while the query runs.
Nothing can be read but these files, and nothing written but the file the result goes to.
"""

import os
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import batched, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast, final

import orjson

from metaexpert.cli.log_views import Filters, Named, Views, read_json
from metaexpert.cli.query_engine import copy_to_parquet, engine, shut_off
from metaexpert.logger.files.ownership import is_written
from metaexpert.logger.files.reader import Query, Reader
from metaexpert.logger.files.reading.blocks import blocks_of
from metaexpert.logger.files.reading.bounds import range_in
from metaexpert.logger.files.reading.conditions import QueryError
from metaexpert.logger.files.reading.report import ReadReport
from metaexpert.logger.files.reading.text_entries import HEAD
from metaexpert.logger.files.reading.trade_events import TradeEvent

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from metaexpert.logger.files.reading.entries import LogEntry
    from metaexpert.logger.files.reading.sources import Source

_LOOKED_AT_BYTES: Final = 64 * 1024
_LOOKED_AT_LINES: Final = 200
_LOOKED_AT_FILES: Final = 64
_LOADED_ENTRIES: Final = 5000
_FETCHED_ROWS: Final = 1000
_MOST_FIELDS: Final = 200
_LARGEST_INT: Final = 2**63

_MISSING: Final = re.compile(
    r'Referenced column "([^"]+)" not found|does not have a column named "([^"]+)"|'
    r'Column "([^"]+)" (?:referenced that exists in the SELECT clause|does not exist on)'
)
"""How DuckDB says that a name is no column."""

_WILDCARD: Final = re.compile(r"[*?\[\]{}]")
"""What DuckDB takes for a pattern in a path."""


@final
class LogQuery:
    """A query; `prepare` comes first.

    Args:
        connection: an empty database.
        sql: the query's text.
        sources: the files.
        query: which entries of them.
        refused: paths DuckDB could not read; our reader does, as far as it can.
        distinct: whether an entry that stands in several files counts once.
        utc: whether days and times are UTC's, not the machine's.

    Attributes:
        reader: what reads for DuckDB what it cannot read; its report says what it came upon.
        spared: files that are not read, since the query's times rule them out.
        unknown: fields the query names that no entry looked at has.
    """

    def __init__(
        self,
        connection: "DuckDBPyConnection",
        sql: str,
        sources: "Sequence[Source]",
        query: Query,
        refused: Container[str] = (),
        *,
        distinct: bool = True,
        utc: bool = False,
    ) -> None:
        self._is_utc = utc
        self._refused = refused
        self._connection = connection
        self._sql = sql
        self._sources = sources
        self._query = query
        self._distinct = distinct
        self._native: list[Source] = []
        self._kinds: dict[str, set[str]] = {}
        self._columns: list[tuple[str, str]] = []
        self.reader = Reader([], query, distinct=distinct)
        self.unknown: list[str] = []
        self.spared = 0

    # ---- before it runs ------------------------------------------------------------------------------------------

    def prepare(self, output: Path | None = None) -> None:
        """Load what DuckDB cannot read, shut it off, and define the views.

        Args:
            output: the one file that may be written.

        Raises:
            QueryError: the text is no single SELECT, or names what there is not.
        """
        self._sql = _one_select(self._connection, self._sql)
        named = _named(self._connection, self._sql)
        self._tell_apart()
        self._define_tables()
        self._load()
        if self._is_utc:
            self._connection.execute("SET TimeZone = 'UTC'")
        paths = [Path(os.path.abspath(source.path)) for source in self._native]  # noqa: PTH100 - links stay as they are
        shut_off(self._connection, paths if output is None else [*paths, output])
        self._define_views(named)

    def _tell_apart(self) -> None:
        """Which files DuckDB reads, which our reader, and which nobody."""
        read_for_it: list[Source] = []
        sources = [source for source in self._sources if range_in(source, self._query) is not None]
        self.spared = len(self._sources) - len(sources)
        sampled_every = max(1, len(sources) // _LOOKED_AT_FILES)
        for number, source in enumerate(sources):
            lines = _first_lines(source)
            if self._is_native(source, lines):
                self._native.append(source)
            else:
                read_for_it.append(source)
            if number % sampled_every == 0:
                self._look_at(lines)
        self.reader = Reader(read_for_it, self._query, distinct=self._distinct)

    def _is_native(self, source: "Source", lines: Sequence[bytes]) -> bool:
        name = _name(source)
        return (
            not self._query.where
            and name not in self._refused
            and _WILDCARD.search(name) is None
            and _are_json_lines(lines)
        )

    def _look_at(self, lines: Sequence[bytes]) -> None:
        """Note which fields there are, and what their values are."""
        for line in lines[:_LOOKED_AT_LINES]:
            values = _object_in(line)
            for table in ("extra", "trade_data", "error_context"):
                for name, value in cast("dict[str, Any]", values.get(table) or {}).items():
                    self._kinds.setdefault(name, set()).add(_kind_of(value))

    def _define_tables(self) -> None:
        for statement in (
            "CREATE SEQUENCE _damaged",
            "CREATE SEQUENCE _unnamed",
            "CREATE TABLE _read_lines (filename VARCHAR, line JSON)",
            "CREATE TABLE _files (filename VARCHAR, log VARCHAR)",
        ):
            self._connection.execute(statement)
        for batch in batched(self._sources, _LOADED_ENTRIES):
            self._insert("_files", [_name(source) for source in batch], [source.log for source in batch])

    def _load(self) -> None:
        for batch in batched(self.reader, _LOADED_ENTRIES):
            self._note_fields(batch)
            names = [os.path.abspath(each.source) for each in batch]  # noqa: PTH100 - links stay as they are
            self._insert("_read_lines", names, [_line_of(each) for each in batch])

    def _note_fields(self, entries: "Sequence[LogEntry]") -> None:
        for entry in entries[:_LOOKED_AT_LINES]:
            for name, value in entry.extra.items():
                self._kinds.setdefault(name, set()).add(_kind_of(value))

    def _insert(self, table: str, first: list[str], second: list[str]) -> None:
        sql = f"INSERT INTO {table} SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[])"
        self._connection.execute(sql, [first, second])

    def _define_views(self, named: Named) -> None:
        """Define the views, adding a field for each name that DuckDB does not find among the columns."""
        duckdb, fields = engine(), dict[str, str]()
        while True:
            self._define(
                Views(
                    files=[_name(source) for source in self._native],
                    named=named,
                    fields=fields,
                    filters=self._filters(),
                    distinct=self._distinct,
                )
            )
            try:
                described = self._connection.execute(f"DESCRIBE SELECT * FROM (\n{self._sql}\n) AS result").fetchall()
            except duckdb.BinderException as error:
                name = _missing_in(str(error))
                if name is None or name in fields or len(fields) >= _MOST_FIELDS:
                    raise
                fields[name] = _type_of(self._kinds.get(name, set()))
                if name not in self._kinds:
                    self.unknown.append(name)
            else:
                self._columns = [(str(row[0]), str(row[1])) for row in described]
                return

    def _define(self, views: Views) -> None:
        for statement in views.statements():
            self._connection.execute(statement)

    def _filters(self) -> Filters:
        asked = self._query
        return Filters(
            level=asked.level,
            since_ns=asked.since_ns,
            until_ns=asked.until_ns,
            loggers=asked.loggers,
            log_types=asked.log_types,
        )

    # ---- its result ----------------------------------------------------------------------------------------------

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Names and types of the result's columns."""
        return self._columns

    @property
    def result(self) -> str:
        """The query as a table; its columns are c0, c1 and so on."""
        names = ", ".join(f"c{number}" for number in range(len(self._columns)))
        return f"(\n{self._sql}\n) AS result({names})"

    def rows(self, *, as_json: bool = False) -> Iterator[tuple[str | None, ...]]:
        """The rows as text; of JSON texts with `as_json`."""
        kinds = enumerate(kind for _, kind in self._columns)
        # to_json makes a float of a decimal
        is_json = {number: as_json and not kind.startswith("DECIMAL") for number, kind in kinds}
        cells = ", ".join(f"to_json(c{at})::VARCHAR" if made else f"c{at}::VARCHAR" for at, made in is_json.items())
        cursor = self._connection.execute(f"SELECT {cells} FROM {self.result}")
        while batch := cursor.fetchmany(_FETCHED_ROWS):
            yield from batch

    def write_parquet(self, part: Path) -> None:
        """Write the rows to the file that `prepare` allowed."""
        self._connection.execute(f"CREATE VIEW result AS SELECT * FROM (\n{self._sql}\n)")
        copy_to_parquet(self._connection, "result", part)

    def done_bytes(self, total_bytes: int) -> int:
        """About how much of the files DuckDB has read; may be asked from another thread."""
        return int(total_bytes * max(0.0, self._connection.query_progress()) / 100)

    def named_in(self, message: str) -> frozenset[str]:
        """Which of the files DuckDB reads a message names."""
        return frozenset(name for name in map(_name, self._native) if name in message)

    def damaged(self) -> list[tuple[str, int]]:
        """The files with lines DuckDB passed over as no entries, and how many; empty when it met none."""
        last = self._connection.execute(
            "SELECT last_value FROM duckdb_sequences() WHERE sequence_name = '_damaged'"
        ).fetchone()
        if last is None or last[0] is None:
            return []
        found = read_json([_name(source) for source in self._native], "timestamp: 'VARCHAR'")
        counted = self._connection.execute(
            f"SELECT filename, count(*) FROM {found} WHERE timestamp IS NULL GROUP BY 1 ORDER BY 1"
        ).fetchall()
        told = ((Path(name), int(count) - _has_unfinished_line(Path(name))) for name, count in counted)
        return [(path.name, count) for path, count in told if count]


def _one_select(connection: "DuckDBPyConnection", sql: str) -> str:
    """The text of the one SELECT.

    Raises:
        QueryError: it is something else.
    """
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != engine().StatementType.SELECT:
        raise QueryError("only one SELECT can be asked: logs are read, never changed")
    return statements[0].query.strip().rstrip(";")


def _named(connection: "DuckDBPyConnection", sql: str) -> Named:
    row = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()
    tree = orjson.loads(row[0]) if row else {"error": True}
    if tree.get("error"):  # DESCRIBE and the like: all there is
        return Named(frozenset(), everything=True, views=frozenset({"logs", "trades", "errors"}))
    return Named.of(tree)


def _missing_in(message: str) -> str | None:
    match = _MISSING.search(message)
    return next(filter(None, match.groups())) if match else None


def _name(source: "Source") -> str:
    return os.path.abspath(source.path)  # noqa: PTH100 - links stay as they are


def _first_lines(source: "Source") -> list[bytes]:
    # two blocks, since the last entry of what is read at once is one of its own
    blocks = islice(blocks_of(source, 0, None, lambda: _LOOKED_AT_BYTES, ReadReport()), 2)
    return b"".join(block.data for block in blocks).split(b"\n")


def _are_json_lines(lines: Iterable[bytes]) -> bool:
    """Whether a file that begins like this holds JSON lines as we write them."""
    for line in lines:
        if HEAD.match(line):
            return False
        values = _object_in(line)
        if values:
            return isinstance(values.get("timestamp"), str)
    return False


def _object_in(line: bytes) -> dict[str, Any]:
    """The JSON object of a line; empty where there is none."""
    if line[:1] != b"{":
        return {}
    try:
        values = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", values)


def _kind_of(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int():
            return "int" if -_LARGEST_INT <= value < _LARGEST_INT else "text"
        case float():
            return "float"
        case _:
            return "text"


def _type_of(kinds: set[str]) -> str:
    """The type of a column for a field with such values."""
    match sorted(kinds - {"null"}):
        case ["int"]:
            return "BIGINT"
        case ["float"] | ["float", "int"]:
            return "DOUBLE"
        case ["bool"]:
            return "BOOLEAN"
        case _:
            return "VARCHAR"


def _line_of(entry: "LogEntry") -> str:
    """An entry as a line of JSON with the keys the views know."""
    from metaexpert.logger.formats.timestamps import utc_parts  # noqa: PLC0415 - only where there is something to load

    second, fraction = utc_parts(entry.time_ns)
    values = entry.values | {"timestamp": f"{second.decode()}.{fraction.decode()}Z"}
    if not entry.is_json and TradeEvent.of(entry) is not None:
        values |= {"log_type": "trade", "trade_data": entry.extra}
    return orjson.dumps(values).decode()


def _has_unfinished_line(path: Path) -> bool:
    """Whether the last line of a file is being written just now."""
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n" and is_written(path)
    except OSError:
        return False
