"""`metaexpert logs trades`: what became of each order, and of each position, as the trade entries tell it."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Never

import typer

from metaexpert.cli.logs_operations import tell
from metaexpert.cli.logs_output import Output, colours_wanted
from metaexpert.cli.logs_reading import NOTHING, Choice, reads_logs
from metaexpert.cli.options import OUTPUT
from metaexpert.cli.tables import Column, count_text, csv_line, duration_text, table_lines
from metaexpert.cli.trade_rows import CHANGE_FIELDS, ORDER_FIELDS, change_row, digits, order_row

if TYPE_CHECKING:
    from metaexpert.cli.entry_text import Clock
    from metaexpert.cli.trade_reading import Wanted
    from metaexpert.logger.files.reading.order_lifecycle import Order
    from metaexpert.logger.files.reading.position_changes import PositionChange, Positions

_ORDER_COLUMNS: Final = (
    Column("order"),
    Column("symbol"),
    Column("side"),
    Column("state"),
    Column("quantity", right=True),
    Column("filled", right=True),
    Column("average price", right=True),
    Column("fees"),
    Column("begun"),
    Column("first fill", right=True),
    Column("done", right=True),
    Column("remarks"),
)
_POSITION_COLUMNS: Final = (
    Column("symbol"),
    Column("quantity", right=True),
    Column("entry price", right=True),
    Column("changes", right=True),
    Column("last changed"),
    Column("remarks"),
)
_CHANGE_COLUMNS: Final = (
    Column("time"),
    Column("event"),
    Column("symbol"),
    Column("quantity", right=True),
    Column("change", right=True),
    Column("entry price", right=True),
    Column("remarks"),
)
_ENTRY_COLUMNS: Final = (
    Column("time"),
    Column("what"),
    Column("order"),
    Column("symbol"),
    Column("side"),
    Column("quantity", right=True),
    Column("price", right=True),
    Column("actor"),
    Column("reason"),
    Column("corrected"),
)


@dataclass(slots=True)
class _Trades:
    """What was put together."""

    orders: list["Order"]
    positions: "Positions"
    changes: list["PositionChange"] = field(default_factory=list["PositionChange"])
    others: Counter[str] = field(default_factory=Counter[str])

    @property
    def is_empty(self) -> bool:
        return not (self.orders or self.positions.latest or self.others)


@reads_logs
def trades(
    choice: Choice,
    *,
    symbol: Annotated[list[str] | None, typer.Option("--symbol", help="Of this symbol alone; several allowed.")] = None,
    order_id: Annotated[
        list[str] | None, typer.Option("--order-id", help="Of this order alone, by its own id or the client's.")
    ] = None,
    positions: Annotated[
        bool, typer.Option("--positions", help="Each change of a position, in place of orders.")
    ] = False,
    entries: Annotated[
        bool,
        typer.Option(
            "--entries", help="Each trade and audit entry as it was logged, for auditors, in place of orders."
        ),
    ] = False,
    as_table: Annotated[
        bool, typer.Option("--table", help="A table for people: the default.", rich_help_panel=OUTPUT)
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.", rich_help_panel=OUTPUT)] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV, with a heading.", rich_help_panel=OUTPUT)] = False,
    parquet: Annotated[
        Path | None, typer.Option("--parquet", help="Write a Parquet file (extra query).", rich_help_panel=OUTPUT)
    ] = None,
) -> None:
    """Show the life of each order: when it was placed, accepted, filled and done, at what price and for which fees.

    Amounts are exact, and as corrections have them. What cannot have happened as it is told, such as a fill after a
    cancellation, is remarked upon.
    """
    if positions and entries:
        raise typer.BadParameter("--positions and --entries exclude each other")
    if as_table + as_json + as_csv + (parquet is not None) > 1:
        raise typer.BadParameter("--table, --json, --csv and --parquet exclude each other")
    from metaexpert.cli.trade_reading import Wanted  # noqa: PLC0415 - the command line imports what it needs when it runs

    wanted = Wanted(frozenset(symbol or ()), frozenset(order_id or ()))
    table: Callable[[Output], None]
    if entries:
        fields, rows, table = _entries(choice, wanted)
    else:
        found = _gathered(choice, wanted, positions=positions)
        if found.is_empty or (positions and not found.changes):
            _end_without_any()
        fields = CHANGE_FIELDS if positions else ORDER_FIELDS
        rows = map(change_row, found.changes) if positions else map(order_row, found.orders)
        table = partial(_print_tables, found, choice, positions=positions)
    if parquet is not None:
        from metaexpert.cli.query_engine import write_parquet  # noqa: PLC0415 - as above

        write_parquet(parquet, fields, rows)
        return
    with Output() as out:
        if as_json:
            _print_json(out, rows)
        elif as_csv:
            _print_csv(out, list(fields), rows)
        else:
            table(out)


def _end_without_any() -> Never:
    tell("no trade entries")
    raise SystemExit(NOTHING)


# ---- reading -----------------------------------------------------------------------------------------------------


def _gathered(choice: Choice, wanted: "Wanted", *, positions: bool) -> _Trades:
    from metaexpert.cli.trade_reading import trade_events  # noqa: PLC0415 - as above
    from metaexpert.logger.files.reading.order_lifecycle import Orders  # noqa: PLC0415 - as above
    from metaexpert.logger.files.reading.position_changes import Positions  # noqa: PLC0415 - as above

    closed: list[Order] = []
    found, orders = _Trades(closed, Positions()), Orders(closed.append)
    for event in trade_events(choice):
        if not wanted.may_be(event) or orders.add(event):
            continue
        change = found.positions.add(event)
        if change is None:
            found.others[event.name or "without an event"] += 1
        elif positions:
            found.changes.append(change)
    found.orders = [each for each in (*closed, *orders.rest()) if _is_meant(each, wanted)]
    if wanted.order_ids:  # of positions and other events nothing says whose they are
        found.positions, found.changes, found.others = Positions(), [], Counter()
    return found


def _is_meant(order: "Order", wanted: "Wanted") -> bool:
    return (not wanted.symbols or order.symbol in wanted.symbols) and (
        not wanted.order_ids or not wanted.order_ids.isdisjoint({order.order_id, order.client_order_id})
    )


def _entries(
    choice: Choice, wanted: "Wanted"
) -> "tuple[dict[str, str], Iterable[dict[str, Any]], Callable[[Output], None]]":
    """Columns and rows of entries, which are read as they are printed, and what prints them for people."""
    from metaexpert.cli.entry_text import Clock  # noqa: PLC0415 - as above
    from metaexpert.cli.trade_entry_rows import ENTRY_FIELDS  # noqa: PLC0415 - as above
    from metaexpert.cli.trade_reading import entry_rows  # noqa: PLC0415 - as above

    found = entry_rows(choice, wanted)
    first = next(found, None)
    if first is None:
        _end_without_any()
    rows = chain([first], found)
    clock = Clock(choice.zone)
    cells = (_entry_cells(row, clock) for row in rows)
    return (
        ENTRY_FIELDS,
        rows,
        partial(_print_table, columns=_ENTRY_COLUMNS, rows=cells, colours=colours_wanted(choice.color)),
    )


# ---- for scripts -------------------------------------------------------------------------------------------------


def _print_json(out: Output, rows: Iterable[dict[str, Any]]) -> None:
    import orjson  # noqa: PLC0415 - as above

    from metaexpert.logger.formats.controls import harmless  # noqa: PLC0415 - as above

    for row in rows:
        out.write(harmless(orjson.dumps(row)) + b"\n")


def _print_csv(out: Output, names: list[str], rows: Iterable[dict[str, Any]]) -> None:
    import orjson  # noqa: PLC0415 - as above

    from metaexpert.logger.formats.controls import harmless  # noqa: PLC0415 - as above

    out.line(csv_line(names))
    for row in rows:
        cells = (
            harmless(orjson.dumps(cell)).decode() if isinstance(cell, dict | list) else cell for cell in row.values()
        )
        out.line(csv_line(cells))


# ---- for people --------------------------------------------------------------------------------------------------


def _print_tables(found: _Trades, choice: Choice, out: Output, *, positions: bool) -> None:
    from metaexpert.cli.entry_text import Clock  # noqa: PLC0415 - as above

    clock, colours = Clock(choice.zone), colours_wanted(choice.color)
    if positions:
        rows = (_change_cells(change, clock) for change in found.changes)
        _print_table(out, _CHANGE_COLUMNS, rows, colours=colours)
    else:
        _print_table(out, _ORDER_COLUMNS, (_order_cells(each, clock) for each in found.orders), colours=colours)
        if found.positions.latest:
            rows = (_position_cells(change, count, clock) for change, count in found.positions)
            out.line("")
            _print_table(out, _POSITION_COLUMNS, rows, colours=colours)
    out.line("")
    out.line(_positions_told(found) if positions else _summary(found))


def _print_table(out: Output, columns: tuple[Column, ...], rows: Iterable[tuple[str, ...]], *, colours: bool) -> None:
    for line in table_lines(columns, rows, colours=colours):
        out.line(line)


def _order_cells(order: "Order", clock: "Clock") -> tuple[str, ...]:
    from metaexpert.logger.files.reading import order_lifecycle as stages  # noqa: PLC0415 - as above

    return (
        order.name,
        order.symbol or "",
        order.side or "",
        order.state or "unknown",
        digits(order.quantity) or "",
        digits(order.filled) or "",
        digits(order.average_price) or "",
        ", ".join(f"{fee:f} {asset}".strip() for asset, fee in order.fees.items()),
        clock(order.begun_ns),
        duration_text(order.duration_ns(stages.PARTIALLY_FILLED, stages.FILLED)),
        duration_text(order.lifetime_ns),
        "; ".join(filter(None, (*order.remarks, order.reason))),
    )


def _entry_cells(row: dict[str, Any], clock: "Clock") -> tuple[str, ...]:
    from metaexpert.logger.files.reading.moments import stamp_ns  # noqa: PLC0415 - as above

    what = row["event"] or f"{row['log_type']}: {row['message']}"
    told = ("order_id", "symbol", "side", "quantity", "price", "actor", "reason")
    corrected = ", ".join(f"{name} {value}" for name, value in row["corrected"].items())
    return (clock(stamp_ns(row["time"]) or 0), what, *(row[name] or "" for name in told), corrected)


def _position_cells(change: "PositionChange", count: int, clock: "Clock") -> tuple[str, ...]:
    return (
        _symbol_of(change),
        digits(change.quantity) or "",
        digits(change.entry_price) or "",
        f"{count:,}",
        clock(change.time_ns),
        change.remark,
    )


def _change_cells(change: "PositionChange", clock: "Clock") -> tuple[str, ...]:
    amounts = (change.quantity, change.change, change.entry_price)
    cells = (digits(amount) or "" for amount in amounts)
    return (clock(change.time_ns), change.event, _symbol_of(change), *cells, change.remark)


def _symbol_of(change: "PositionChange") -> str:
    return f"{change.exchange} {change.symbol}".strip()


def _summary(found: _Trades) -> str:
    states = Counter(order.state or "unknown" for order in found.orders)
    told = ", ".join(f"{count:,} {state}" for state, count in states.most_common())
    parts = [f"{count_text(len(found.orders), 'order')}{f': {told}' if told else ''}"]
    if found.positions.latest:
        parts.append(_positions_told(found))
    if found.others:
        parts.append("other events: " + ", ".join(f"{count:,} {name}" for name, count in found.others.most_common()))
    remarked = sum(1 for order in found.orders if order.remarks)
    if remarked:
        parts.append(f"{count_text(remarked, 'order')} with remarks")
    return "; ".join(parts)


def _positions_told(found: _Trades) -> str:
    changes = sum(found.positions.changes.values())
    return f"{count_text(len(found.positions.latest), 'position')} with {count_text(changes, 'change')}"
