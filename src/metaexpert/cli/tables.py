"""Results as people and other programs read them: aligned columns, CSV, times spent; pure.

Whatever a log holds, what a table shows has no control characters: they are written as escapes.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple

_SIZING_ROWS: Final = 1000
"""Rows a table's widths are taken from; later ones may be wider."""

_FORMULA_BEGINS: Final = frozenset("=@\t\n\uff1d\uff20\uff0b\uff0d")
"""What some spreadsheet takes for a formula's beginning: also the wide forms of these signs, and of plus and minus."""

_NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_WIDEST: Final = 120
_BOLD: Final = "\x1b[1m"
_RESET: Final = "\x1b[0m"
_SPACES: Final = "  "
_UNITS: Final = (("d", 86_400), ("h", 3600), ("min", 60))


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        name: its heading.
        right: whether cells are aligned right, as numbers are.
    """

    name: str
    right: bool = False


def table_lines(columns: Sequence[Column], rows: Iterable[Sequence[str]], *, colours: bool = False) -> Iterator[str]:
    """A table's lines, its heading first.

    Args:
        columns: what the rows have.
        rows: their cells; looked at ahead for the columns' widths, but not kept.
        colours: whether the heading is bold.
    """
    shown = (tuple(map(_cell, row)) for row in rows)
    first = list(islice(shown, _SIZING_ROWS))
    widths = [
        max(_width(column.name), *(_width(row[at]) for row in first), 0) if first else _width(column.name)
        for at, column in enumerate(columns)
    ]
    head = _line(columns, [column.name for column in columns], widths)
    yield f"{_BOLD}{head}{_RESET}" if colours else head
    for row in chain(first, shown):
        yield _line(columns, row, widths)


def _cell(text: str) -> str:
    from metaexpert.logger.formats.text import neutralised  # noqa: PLC0415 - only when a table is printed

    text = neutralised(text)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _line(columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int]) -> str:
    parts = (
        f"{_padding(cell, width)}{cell}" if column.right else f"{cell}{_padding(cell, width)}"
        for column, cell, width in zip(columns, cells, widths, strict=True)
    )
    return _SPACES.join(parts).rstrip()


def _padding(cell: str, width: int) -> str:
    return " " * (width - _width(cell))


def _width(text: str) -> int:
    """Columns of the terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - only for texts that need it

    return cell_len(text)


def csv_line(cells: Iterable[object]) -> str:
    """A line of CSV as RFC 4180 says, without its end; None is an empty cell, and nothing is a formula."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(["" if cell is None else csv_text(str(cell)) for cell in cells])
    return buffer.getvalue()


def csv_text(text: str) -> str:
    """A cell's text that drives no terminal and that no spreadsheet runs (https://owasp.org/www-community/attacks/CSV_Injection)."""
    from metaexpert.logger.formats.text import neutralised  # noqa: PLC0415 - only when CSV is printed

    text = "\n".join(map(neutralised, text.split("\n")))
    is_formula = text[:1] in _FORMULA_BEGINS or (text[:1] in {"+", "-"} and not _NUMBER.fullmatch(text))
    return f"'{text}" if is_formula else text


def duration_text(duration_ns: int | None) -> str:
    """A time span for people: `8.1 ms`, `2.35 s`, `3 min 5 s`, `2 h 3 min`; empty for None."""
    if duration_ns is None:
        return ""
    if duration_ns < 0:
        return f"-{duration_text(-duration_ns)}"
    for unit, ns in (("µs", 1000), ("ms", 1_000_000), ("s", 1_000_000_000)):
        if duration_ns < min(ns * 1000, 60_000_000_000):
            return f"{_three_digits(duration_ns / ns)} {unit}"
    return _long_text(round(duration_ns / 1_000_000_000))


def _three_digits(number: float) -> str:
    return f"{number:.0f}" if number >= 99.95 else f"{number:.3g}"  # noqa: PLR2004 - three digits


def _long_text(seconds: int) -> str:
    """The two largest units of a span of minutes or more."""
    parts: list[str] = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count or parts:
            parts.append(f"{count} {unit}")
    return " ".join([*parts, f"{seconds} s"][:2])


def count_text(count: int, what: str, several: str | None = None) -> str:
    """`1 entry`, `2 entries`: a count and what is counted."""
    return f"{count:,} {what if count == 1 else several or f'{what}s'}"
