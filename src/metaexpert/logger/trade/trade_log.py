"""Typed trade events: `log.trade.order_filled(...)` and its siblings.

A trade entry ignores levels, travels in the protected lane and carries its fields under `trade_data`. Prices and
quantities are written as decimal strings exactly as given; a float is written with all its digits, never rounded.
"""

from collections.abc import Callable
from typing import Any, cast, final

from metaexpert.logger.receipts import Receipt
from metaexpert.logger.trade.events import (
    BalanceChanged,
    Correction,
    FeeCharged,
    FundingPaid,
    Liquidation,
    OrderEvent,
    OrderFilled,
    OrderPartiallyFilled,
    OrderPlaced,
    OrderRejected,
    PositionClosed,
    PositionEvent,
    RiskLimit,
)
from metaexpert.logger.trade.quick import WORD_CHARACTERS
from metaexpert.logger.values import described


def _event[T](name: str, kind: type[T]) -> T:
    """The method that logs an event; `kind` says what it is called with."""

    def method(self: "TradeLog", /, **fields: Any) -> Receipt:
        return self._emit(name, fields)  # pyright: ignore[reportPrivateUsage] - of the class these are made for

    method.__name__ = name
    method.__qualname__ = f"TradeLog.{name}"
    method.__doc__ = kind.__call__.__doc__
    method.__annotations__ = {"return": Receipt}
    return cast("T", method)


@final
class TradeLog:
    """Writes trade entries for one logger.

    Every method takes further fields by keyword; they join the typed ones under `trade_data`. What is missing or wrong
    is told there under `problems`, and the entry arrives all the same. What a method returns may be awaited: see
    `Receipt`.
    """

    __slots__ = ("_emit",)

    order_placed: OrderPlaced = _event("order_placed", OrderPlaced)
    """An order was sent to the exchange."""
    order_accepted: OrderEvent = _event("order_accepted", OrderEvent)
    """The exchange has taken an order."""
    order_partially_filled: OrderPartiallyFilled = _event("order_partially_filled", OrderPartiallyFilled)
    """A part of an order was filled."""
    order_filled: OrderFilled = _event("order_filled", OrderFilled)
    """An order was filled in whole."""
    order_cancelled: OrderEvent = _event("order_cancelled", OrderEvent)
    """An order was cancelled, by us or by the exchange."""
    order_rejected: OrderRejected = _event("order_rejected", OrderRejected)
    """An order was refused."""
    order_modified: OrderEvent = _event("order_modified", OrderEvent)
    """An order is now another: the fields given are the new ones."""
    order_expired: OrderEvent = _event("order_expired", OrderEvent)
    """An order's time was up."""
    position_opened: PositionEvent = _event("position_opened", PositionEvent)
    """There is a position now where there was none."""
    position_changed: PositionEvent = _event("position_changed", PositionEvent)
    """A position is now another."""
    position_closed: PositionClosed = _event("position_closed", PositionClosed)
    """A position is no more."""
    balance_changed: BalanceChanged = _event("balance_changed", BalanceChanged)
    """A balance is now another."""
    fee_charged: FeeCharged = _event("fee_charged", FeeCharged)
    """A fee was charged that came with no fill."""
    funding_paid: FundingPaid = _event("funding_paid", FundingPaid)
    """Funding was paid or received."""
    risk_limit: RiskLimit = _event("risk_limit", RiskLimit)
    """A risk rule refused something or acted."""
    liquidation: Liquidation = _event("liquidation", Liquidation)
    """The exchange closed a position."""
    correction: Correction = _event("correction", Correction)
    """An earlier entry was wrong."""

    def __init__(self, emit: Callable[[str, dict[str, Any]], Receipt]) -> None:
        self._emit = emit


def trade_message(event: str, data: dict[str, Any]) -> str:
    """One line for people: "order_filled BUY 0.5 BTCUSDT at 43100.5"."""
    told = event
    for name in ("side", "quantity", "symbol"):
        value = data.get(name)
        if value is not None:
            told += f" {_word(value)}"
    price = data.get("price")
    return told if price is None else f"{told} at {_word(price)}"


def _word(value: object) -> str:
    return value if type(value) is str and len(value) <= WORD_CHARACTERS else described(value, str)
