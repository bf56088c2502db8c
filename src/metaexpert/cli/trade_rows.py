"""Orders and positions as other programs read them: amounts as digits, times as UTC to the nanosecond; pure."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from metaexpert.logger.files.reading.order_lifecycle import Corrected, Order, Stage
    from metaexpert.logger.files.reading.position_changes import PositionChange

ORDER_FIELDS: Final[dict[str, str]] = {
    "order_id": "VARCHAR",
    "client_order_id": "VARCHAR",
    "exchange": "VARCHAR",
    "symbol": "VARCHAR",
    "side": "VARCHAR",
    "order_type": "VARCHAR",
    "strategy_id": "VARCHAR",
    "state": "VARCHAR",
    "quantity": "DECIMAL",
    "price": "DECIMAL",
    "filled_quantity": "DECIMAL",
    "average_price": "DECIMAL",
    "notional": "DECIMAL",
    "fills": "BIGINT",
    "fees": "JSON",
    "placed_at": "TIMESTAMP_NS",
    "accepted_at": "TIMESTAMP_NS",
    "first_fill_at": "TIMESTAMP_NS",
    "done_at": "TIMESTAMP_NS",
    "to_accepted_ns": "BIGINT",
    "to_first_fill_ns": "BIGINT",
    "to_done_ns": "BIGINT",
    "reason": "VARCHAR",
    "events": "BIGINT",
    "stages": "JSON",
    "remarks": "JSON",
    "actors": "JSON",
    "entry_ids": "JSON",
    "corrected": "JSON",
}
"""What is told of an order, and as which type Parquet has it."""

_TEXTS: Final = 8
"""The fields of an order that are told as it has them: the first ones."""

CHANGE_FIELDS: Final[dict[str, str]] = {
    "time": "TIMESTAMP_NS",
    "event": "VARCHAR",
    "exchange": "VARCHAR",
    "symbol": "VARCHAR",
    "quantity": "DECIMAL",
    "change": "DECIMAL",
    "entry_price": "DECIMAL",
    "remarks": "VARCHAR",
}


def order_row(order: "Order") -> dict[str, Any]:
    """What is told of an order, under the names of `ORDER_FIELDS`."""
    from metaexpert.logger.files.reading import order_lifecycle as stages  # noqa: PLC0415 - the command line imports what it needs when it runs

    fill = (stages.PARTIALLY_FILLED, stages.FILLED)
    placed = order.time_of(stages.PLACED)
    row: dict[str, Any] = {name: getattr(order, name) for name in list(ORDER_FIELDS)[:_TEXTS]}
    return row | {
        "quantity": digits(order.quantity),
        "price": digits(order.price),
        "filled_quantity": digits(order.filled),
        "average_price": digits(order.average_price),
        "notional": digits(order.notional),
        "fills": order.fills,
        "fees": {asset: digits(fee) for asset, fee in order.fees.items()},
        "placed_at": _utc(placed),
        "accepted_at": _utc(order.time_of(stages.ACCEPTED)),
        "first_fill_at": _utc(order.time_of(*fill)),
        "done_at": _utc(order.done_ns),
        "to_accepted_ns": order.duration_ns(stages.ACCEPTED),
        "to_first_fill_ns": order.duration_ns(*fill),
        "to_done_ns": order.lifetime_ns,
        "reason": order.reason,
        "events": order.events,
        "stages": list(map(_stage, order.stages)),
        "remarks": order.remarks,
        "actors": list(dict.fromkeys(stage.actor for stage in order.stages if stage.actor is not None)),
        "entry_ids": order.entry_ids,
        "corrected": list(map(_corrected, order.corrected)),
    }


def _stage(stage: "Stage") -> dict[str, Any]:
    return {
        "stage": stage.name,
        "at": _utc(stage.time_ns),
        "exchange_timestamp": stage.exchange_timestamp,
        "actor": stage.actor,
        "entry_id": stage.entry_id,
    }


def _corrected(corrected: "Corrected") -> dict[str, Any]:
    by = corrected.by
    told = {"entry_id": by.original, "field": corrected.name, "logged": corrected.logged, "value": corrected.value}
    return told | {"by": by.entry_id, "at": _utc(by.time_ns), "actor": by.actor, "reason": by.reason}


def change_row(change: "PositionChange") -> dict[str, Any]:
    """What is told of a position's change, under the names of `CHANGE_FIELDS`."""
    amounts = {name: digits(getattr(change, name)) for name in ("quantity", "change", "entry_price")}
    named = {"time": _utc(change.time_ns), "event": change.event, "exchange": change.exchange, "symbol": change.symbol}
    return named | amounts | {"remarks": change.remark}


def digits(amount: Decimal | None) -> str | None:
    """An amount's digits, never in scientific notation; None for None."""
    return None if amount is None else f"{amount:f}"


def _utc(time_ns: int | None) -> str | None:
    from metaexpert.logger.formats.timestamps import utc_parts  # noqa: PLC0415 - as above

    if time_ns is None:
        return None
    second, fraction = utc_parts(time_ns)
    return f"{second.decode()}.{fraction.decode()}Z"
