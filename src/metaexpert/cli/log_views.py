"""The SQL that makes log files the views `logs`, `trades` and `errors`: only what a query names is read; pure.

`logs` has one row for each entry: of an entry that stands in several files the others are left out by its id. What a
query names and no entry has as a key of its own is one of the entry's fields, looked up where `LogEntry.find` does.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast, final

from metaexpert.cli.query_engine import identifier, literal

JSON: Final = "JSON"
TEXT: Final = "VARCHAR"

KEYS: Final = {
    "timestamp": TEXT,
    "level": TEXT,
    "logger": TEXT,
    "message": TEXT,
    "module": TEXT,
    "function": TEXT,
    "line": TEXT,
    "log_type": TEXT,
    "severity": TEXT,
    "process": TEXT,
    "thread": TEXT,
    "task": TEXT,
    "id": TEXT,
    "seq": TEXT,
    "monotonic_ns": TEXT,
    "extra": JSON,
    "trade_data": JSON,
    "error_context": JSON,
    "exception": JSON,
    "stack_info": TEXT,
}
"""The keys of a JSON line, as they are read from it."""

_LEVEL_NUMBER: Final = (
    "CASE upper(lines.level) WHEN 'DEBUG' THEN 10 WHEN 'INFO' THEN 20 WHEN 'WARNING' THEN 30 WHEN 'WARN' THEN 30 "
    "WHEN 'ERROR' THEN 40 WHEN 'CRITICAL' THEN 50 WHEN 'FATAL' THEN 50 WHEN 'TRACE' THEN 5 "
    "ELSE coalesce(TRY_CAST(regexp_extract(upper(lines.level), '^LEVEL (\\d+)$', 1) AS INTEGER), 20) END"
)
_TIME_NS: Final = "epoch_ns(TRY_CAST(lines.timestamp AS TIMESTAMP_NS))"
_LOG_TYPE: Final = "coalesce(lines.log_type, 'general')"


@final
@dataclass(frozen=True, slots=True)
class ColumnOf:
    """A column of the views.

    Attributes:
        needs: the keys it is made of.
        sql: how.
    """

    needs: tuple[str, ...]
    sql: str


def _number(key: str) -> ColumnOf:
    return ColumnOf((key,), f"TRY_CAST(lines.{key} AS BIGINT)")


def _as_it_is(key: str) -> ColumnOf:
    return ColumnOf((key,), f"lines.{key}")


COLUMNS: Final[dict[str, ColumnOf]] = {
    "timestamp": ColumnOf(("timestamp",), "TRY_CAST(lines.timestamp AS TIMESTAMPTZ)"),
    "time_ns": ColumnOf(("timestamp",), _TIME_NS),
    "level": _as_it_is("level"),
    "level_number": ColumnOf(("level",), _LEVEL_NUMBER),
    "logger": _as_it_is("logger"),
    "message": _as_it_is("message"),
    "log_type": ColumnOf(("log_type",), _LOG_TYPE),
    "extra": _as_it_is("extra"),
    "trade_data": _as_it_is("trade_data"),
    "error_context": _as_it_is("error_context"),
    "exception": _as_it_is("exception"),
    "stack_info": _as_it_is("stack_info"),
    "module": _as_it_is("module"),
    "function": _as_it_is("function"),
    "line": _number("line"),
    "severity": _as_it_is("severity"),
    "process": _number("process"),
    "thread": _number("thread"),
    "task": _as_it_is("task"),
    "seq": _number("seq"),
    "monotonic_ns": _number("monotonic_ns"),
    "id": _as_it_is("id"),
}
"""The columns of `logs`, in the order `SELECT *` shows them."""

PLACES: Final = {
    "file": ColumnOf(("filename",), "lines.filename"),
    "log": ColumnOf(("filename",), "(SELECT log FROM _files WHERE _files.filename = lines.filename)"),
}
"""Where an entry stands: columns only where a query names them, since an entry may stand in several files."""

AMOUNTS: Final = (
    "price",
    "quantity",
    "executed_price",
    "executed_quantity",
    "remaining_quantity",
    "entry_price",
    "fee",
)
_TRADE_TEXTS: Final = ("event", "order_id", "client_order_id", "exchange", "symbol", "side")
AMOUNT: Final = "DECIMAL(38, 12)"
"""Leaves room for products of two of them, of 14 digits before the point."""

_FIELD_TABLES: Final = ("extra", "trade_data", "error_context")
_ERRORS: Final = {
    "error_type": "json_extract_string(exception, '$.type')",
    "error_message": "json_extract_string(exception, '$.message')",
    "traceback": "json_extract_string(exception, '$.traceback')",
}
"""What `errors` has beside the columns of `logs`."""


@final
@dataclass(frozen=True, slots=True)
class Named:
    """What a query names.

    Attributes:
        columns: names of columns, and parts of dotted ones.
        everything: whether it asks for all columns, with a star or as a whole row.
        views: which tables.
    """

    columns: frozenset[str]
    everything: bool
    views: frozenset[str]

    @classmethod
    def of(cls, tree: object) -> "Named":
        """What the syntax tree names that DuckDB's json_serialize_sql makes of a query."""
        names, singles, tables = set[str](), set[str](), set[str]()
        everything = False
        for node in _nodes(tree):
            column_names = node.get("column_names")
            if isinstance(column_names, list):
                parts = [str(part).lower() for part in cast("list[object]", column_names)]
                names.update(parts)
                singles.update(parts if len(parts) == 1 else ())
            kind = str(node.get("type"))  # of a constant it is an object
            if kind in {"STAR", "SHOW_REF", "PIVOT"} or node.get("class") == "STAR":
                everything = True
            if kind == "BASE_TABLE":
                tables.update({str(node.get("table_name", "")).lower(), str(node.get("alias", "")).lower()})
            names.update(str(name).lower() for name in cast("list[object]", node.get("using_columns") or []))
        return cls(frozenset(names), everything or not singles.isdisjoint(tables), frozenset(tables))


def _nodes(tree: object) -> "Iterable[dict[str, Any]]":
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield cast("dict[str, Any]", node)
            waiting.extend(cast("dict[str, Any]", node).values())
        elif isinstance(node, list):
            waiting.extend(cast("list[Any]", node))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the command's options keep, as SQL has it."""

    level: int | None = None
    since_ns: int | None = None
    until_ns: int | None = None
    loggers: Sequence[str] = ()
    log_types: Sequence[str] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """The keys it looks at."""
        looked_at = {
            "level": self.level is not None,
            "timestamp": self.since_ns is not None or self.until_ns is not None,
            "logger": bool(self.loggers),
            "log_type": bool(self.log_types),
        }
        return tuple(key for key, looks in looked_at.items() if looks)

    def conditions(self) -> "Iterable[str]":
        """What has to hold."""
        if self.level is not None:
            yield f"{_LEVEL_NUMBER} >= {self.level}"
        if self.since_ns is not None:
            yield f"{_TIME_NS} >= {self.since_ns}"
        if self.until_ns is not None:
            yield f"{_TIME_NS} < {self.until_ns}"
        if self.loggers:
            below = (f"starts_with(lines.logger, {literal(f'{each}.')})" for each in self.loggers)
            same = (f"lines.logger = {literal(each)}" for each in self.loggers)
            yield f"({' OR '.join((*same, *below))})"
        if self.log_types:
            yield f"{_LOG_TYPE} IN ({', '.join(map(literal, self.log_types))})"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """The views a query needs.

    Attributes:
        files: what DuckDB reads itself.
        named: what the query names.
        fields: fields it names, and the types of their columns.
        filters: what the command's options keep of what DuckDB reads.
        distinct: whether an entry that stands in several files counts once.
    """

    files: Sequence[str]
    named: Named
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    filters: Filters = field(default_factory=Filters)
    distinct: bool = True

    def statements(self) -> "Iterable[str]":
        """What defines them."""
        yield f"CREATE OR REPLACE VIEW logs AS {self._logs()}"
        yield f"CREATE OR REPLACE VIEW trades AS {self._trades()}"
        yield f"CREATE OR REPLACE VIEW errors AS {self._errors()}"

    def _columns(self) -> dict[str, ColumnOf]:
        wanted = set(self.named.columns)
        if "trades" in self.named.views:
            wanted |= {"log_type"}
        if "errors" in self.named.views:
            wanted |= {"level_number"} | ({"exception"} if wanted & set(_ERRORS) else set[str]())
            wanted |= {"exception"} if self.named.everything else set[str]()
        shown = {name: made for name, made in COLUMNS.items() if self.named.everything or name in wanted}
        places = {name: made for name, made in PLACES.items() if name in wanted}
        fields = {name: _field(name, kind) for name, kind in self._fields().items()}
        return {**shown, **places, **fields}

    def _fields(self) -> dict[str, str]:
        if "trades" not in self.named.views:
            return dict(self.fields)
        everything = self.named.everything
        texts = {name: TEXT for name in _TRADE_TEXTS if everything or name in self.named.columns}
        amounts = {name: TEXT for name in AMOUNTS if everything or name in self.named.columns}
        return {**texts, **self.fields, **amounts}

    def _logs(self) -> str:
        columns = self._columns()
        keys = dict.fromkeys(key for column in columns.values() for key in column.needs)
        if self.distinct:
            keys["id"] = None
        keys |= dict.fromkeys(self.filters.needs)
        shown = [f"{column.sql} AS {identifier(name)}" for name, column in columns.items()]
        kept = "".join(f" AND {each}" for each in self.filters.conditions())
        lines = f"({self._lines([key for key in keys if key in KEYS])}) AS lines WHERE true{kept}"
        if not self.distinct:
            return f"SELECT {', '.join(shown) or _ONE} FROM {lines}"
        # entries without an id are one each; equal ids stand on equal lines, so that DuckDB may filter first
        each = ["lines.id AS _id", "CASE WHEN lines.id IS NULL THEN nextval('_unnamed') END AS _unnamed"]
        inner = f"SELECT DISTINCT {', '.join([*shown, *each])} FROM {lines}"
        return f"SELECT {', '.join(map(identifier, columns)) or _ONE} FROM ({inner})"

    def _lines(self, keys: Sequence[str]) -> str:
        read = [self._read(keys)] if self.files else []
        picked = ", ".join([*(_from_line(key) for key in keys), "filename"])
        return " UNION ALL ".join([*read, f"SELECT {picked} FROM _read_lines"])

    def _read(self, keys: Sequence[str]) -> str:
        shown = ", ".join([*map(identifier, keys), "filename"])
        columns = ", ".join(f"{identifier(key)}: {literal(KEYS[key])}" for key in dict.fromkeys(["timestamp", *keys]))
        is_entry = "CASE WHEN timestamp IS NULL THEN nextval('_damaged') < 0 ELSE true END"
        return f"SELECT {shown} FROM {read_json(self.files, columns)} WHERE {is_entry}"

    def _trades(self) -> str:
        amounts = [name for name in AMOUNTS if name in self._fields()]
        replaced = ", ".join(f"TRY_CAST({name} AS {AMOUNT}) AS {name}" for name in amounts)
        has_type = "log_type" in self._columns()
        columns = f"* REPLACE ({replaced})" if replaced else "*"
        return f"SELECT {columns} FROM logs{_where(has_type, 'log_type', _IS_TRADE)}"

    def _errors(self) -> str:
        columns = self._columns()
        added = [f"{sql} AS {name}" for name, sql in _ERRORS.items() if "exception" in columns]
        is_error = _where("level_number" in columns, "level_number", ">= 40")
        return f"SELECT {', '.join(['*', *added])} FROM logs{is_error}"


_IS_TRADE: Final = "= 'trade'"
_ONE: Final = "1 AS _one"
"""A column for a query that names none, such as one that counts."""


def _where(known: bool, name: str, condition: str) -> str:  # noqa: FBT001 - said right beside what it is about
    return f" WHERE {name} {condition}" if known else ""


def read_json(files: Sequence[str], columns: str) -> str:
    """The table function that reads lines of JSON; a line that is none is a row of NULLs."""
    listed = ", ".join(map(literal, files))
    return (
        f"read_json([{listed}], columns = {{{columns}}}, format = 'newline_delimited', records = true, "
        "ignore_errors = true, filename = true, hive_partitioning = false)"
    )


def _from_line(key: str) -> str:
    arrow = "->" if KEYS[key] == JSON else "->>"
    return f"(line {arrow} '$.{key}') AS {identifier(key)}"


def _field(name: str, kind: str) -> ColumnOf:
    path = literal('$."' + name.replace("\\", "\\\\").replace('"', '\\"') + '"')
    found = ", ".join(f"json_extract_string(lines.{table}, {path})" for table in _FIELD_TABLES)
    sql = f"coalesce({found})"
    return ColumnOf(_FIELD_TABLES, sql if kind == TEXT else f"TRY_CAST({sql} AS {kind})")
