"""Typed trade events: `log.trade.order_filled(...)` and its siblings.

A trade entry ignores levels, travels in the protected lane and carries its fields under `trade_data`. Prices and
quantities are written as decimal strings exactly as given; a float is written with all its digits, never rounded.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, Literal, final

from metaexpert.logger.receipts import Receipt
from metaexpert.logger.values import described

_WORD_CHARACTERS: Final = 64
"""Texts up to which nothing in a line for people needs to be cut."""

type Amount = Decimal | str | int | float
"""A price or quantity; `Decimal` or `str` where every digit counts."""

type Side = Literal["BUY", "SELL"]

_AMOUNTS: Final = frozenset(
    {"price", "quantity", "executed_price", "executed_quantity", "remaining_quantity", "fee", "entry_price"}
)


@final
class TradeLog:
    """Writes trade entries for one logger.

    Every method takes further fields by keyword; they join the typed ones under `trade_data`. What it returns may be
    awaited: see `Receipt`.
    """

    __slots__ = ("_emit",)

    def __init__(self, emit: Callable[[str, dict[str, Any]], Receipt]) -> None:
        self._emit = emit

    def order_placed(
        self,
        *,
        order_id: str | int,
        symbol: str | None = None,
        side: Side,
        quantity: Amount,
        price: Amount | None = None,
        **more: Any,
    ) -> Receipt:
        """An order was sent to the exchange; `price` is None for a market order."""
        return self._emit(
            "order_placed",
            _trade_data(order_id=order_id, symbol=symbol, side=side, quantity=quantity, price=price, **more),
        )

    def order_filled(
        self,
        *,
        order_id: str | int,
        symbol: str | None = None,
        side: Side,
        quantity: Amount,
        price: Amount,
        **more: Any,
    ) -> Receipt:
        """An order was filled in whole: `quantity` at `price`."""
        return self._emit(
            "order_filled",
            _trade_data(order_id=order_id, symbol=symbol, side=side, quantity=quantity, price=price, **more),
        )

    def order_cancelled(
        self, *, order_id: str | int, symbol: str | None = None, reason: str | None = None, **more: Any
    ) -> Receipt:
        """An order was cancelled, by us or by the exchange."""
        return self._emit("order_cancelled", _trade_data(order_id=order_id, symbol=symbol, reason=reason, **more))

    def position_changed(
        self, *, symbol: str, quantity: Amount, entry_price: Amount | None = None, **more: Any
    ) -> Receipt:
        """The position in `symbol` is now `quantity` (negative when short)."""
        return self._emit(
            "position_changed", _trade_data(symbol=symbol, quantity=quantity, entry_price=entry_price, **more)
        )


def _trade_data(**fields: Any) -> dict[str, Any]:
    return {name: _text(value) if name in _AMOUNTS else value for name, value in fields.items() if value is not None}


def _text(value: object) -> str:
    return value if type(value) is str else described(value, str)


def trade_message(event: str, data: dict[str, Any]) -> str:
    """One line for people: "order_filled BUY 0.5 BTCUSDT at 43100.5"."""
    words = [event, *(_word(data[name]) for name in ("side", "quantity", "symbol") if name in data)]
    price = data.get("price")
    return " ".join(words) if price is None else f"{' '.join(words)} at {_word(price)}"


def _word(value: object) -> str:
    return value if type(value) is str and len(value) <= _WORD_CHARACTERS else described(value, str)
