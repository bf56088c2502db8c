"""DuckDB, shut off from everything but the files it is to read: what runs the SQL of `logs query`, and writes Parquet.

It keeps nothing: the database is in memory, and what does not fit there goes to a folder of its own, for its owner
alone, that is deleted at the end. Extensions are neither loaded nor fetched.
"""

import os
import re
import tempfile
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from metaexpert.exceptions import MetaExpertError
from metaexpert.logger.files.reading.conditions import QueryError

if TYPE_CHECKING:
    from types import ModuleType

    from duckdb import DuckDBPyConnection

_BATCH_ROWS: Final = 5000
_MODE: Final = 0o600
_MOST_DIGITS: Final = 38
"""Of a decimal in Parquet and in DuckDB."""

_INTERRUPTED: Final = "Query interrupted"

_CONFIG: Final = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}


class QueryFailedError(MetaExpertError):
    """A query cannot be run, or its result not be written; the message says why."""


def engine() -> "ModuleType":
    """DuckDB.

    Raises:
        QueryFailedError: it is not installed.
    """
    try:
        import duckdb  # noqa: PLC0415 - an extra, imported where it is used
    except ImportError:
        message = "this needs DuckDB, which is not installed: pip install 'metaexpert[query]'"
        raise QueryFailedError(message) from None
    return duckdb


@contextmanager
def database() -> "Generator[DuckDBPyConnection]":
    """An empty database.

    Raises:
        QueryError: the query's text cannot be understood, or names what there is not.
        QueryFailedError: something else goes wrong in it.
    """
    duckdb = engine()
    with tempfile.TemporaryDirectory(prefix="metaexpert-query-", ignore_cleanup_errors=True) as folder:
        connection: DuckDBPyConnection = duckdb.connect(":memory:", config=_CONFIG)
        try:
            connection.execute(f"SET temp_directory = {literal(str(Path(folder) / 'spilled'))}")
            connection.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
            yield connection
        except duckdb.InterruptException:
            raise KeyboardInterrupt from None
        except RuntimeError as error:
            if str(error) == _INTERRUPTED:  # how DuckDB tells of Ctrl-C while it is at work
                raise KeyboardInterrupt from None
            raise
        except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException) as error:
            raise QueryError(first_lines(str(error))) from error
        except duckdb.Error as error:
            raise QueryFailedError(first_lines(str(error))) from error
        finally:
            connection.close()


def shut_off(connection: "DuckDBPyConnection", paths: Iterable[Path]) -> None:
    """Allow nothing outside any more but these files, for good: what a query says cannot change it."""
    allowed = ", ".join(literal(os.fspath(path)) for path in paths)
    connection.execute(f"SET allowed_paths = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def literal(text: str) -> str:
    """A text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


# ---- Parquet -----------------------------------------------------------------------------------------------------


@contextmanager
def replaced(path: Path) -> Generator[Path]:
    """An empty file to write what becomes `path` in the end, whole or not at all.

    Raises:
        OSError: there can be no file.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        part.chmod(_MODE)  # logs of money are for their owner
        yield part
        part.replace(path)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def copy_to_parquet(connection: "DuckDBPyConnection", view: str, part: Path) -> None:
    """Write what a view holds to a file that is there."""
    options = "FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false"
    sql = f"COPY (SELECT * FROM {identifier(view)}) TO {literal(os.fspath(part))} ({options})"
    connection.execute(sql)


def write_parquet(path: Path, fields: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows of texts and numbers to a Parquet file.

    Args:
        path: of the file; one that is there is replaced.
        fields: names and types as SQL has them; a DECIMAL gets the digits its values need, or stays text.
        rows: by these names.

    Raises:
        QueryFailedError: DuckDB is not installed, or cannot write it.
        OSError: the file cannot be made.
    """
    digits = {name: (0, 0) for name, kind in fields.items() if kind == "DECIMAL"}
    with database() as connection, replaced(path) as part:
        columns = ", ".join(f"{identifier(name)} VARCHAR" for name in fields)
        connection.execute(f"CREATE TABLE texts ({columns})")
        insert = f"INSERT INTO texts SELECT {', '.join('unnest(?::VARCHAR[])' for _ in fields)}"
        for batch in batched(rows, _BATCH_ROWS):
            texts = [[_text(row[name]) for row in batch] for name in fields]
            connection.execute(insert, texts)
            for name, values in zip(fields, texts, strict=True):
                if name in digits:
                    digits[name] = _digits_of(values, *digits[name])
        casts = ", ".join(_cast(name, kind, digits.get(name)) for name, kind in fields.items())
        connection.execute(f"CREATE VIEW result AS SELECT {casts} FROM texts")
        copy_to_parquet(connection, "result", part)


def _text(value: object) -> str | None:
    import orjson  # noqa: PLC0415 - only when a file is written

    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    return None if value is None else str(value)


def _digits_of(values: Iterable[str | None], whole: int, fraction: int) -> tuple[int, int]:
    """The most digits before and after the point."""
    for value in values:
        before, _, after = (value or "").lstrip("-").partition(".")
        whole, fraction = max(whole, len(before)), max(fraction, len(after))
    return whole, fraction


def _cast(name: str, kind: str, digits: tuple[int, int] | None) -> str:
    if digits is not None:
        whole, fraction = digits
        fits = whole + fraction <= _MOST_DIGITS
        kind = f"DECIMAL({max(whole + fraction, 1)}, {fraction})" if fits else "VARCHAR"
    return f"CAST({identifier(name)} AS {kind}) AS {identifier(name)}"


def first_lines(message: str, most: int = 3) -> str:
    """What an error says, without the excerpt of the query that DuckDB adds below."""
    lines = [line for line in re.split(r"\n\s*\n", message)[0].splitlines() if line.strip()]
    return "\n".join(lines[:most])
