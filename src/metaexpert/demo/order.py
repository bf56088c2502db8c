"""An order of the demo's strategy, on its way to the exchange."""

from dataclasses import dataclass
from decimal import Decimal

from metaexpert.core.events import Side


@dataclass(frozen=True, slots=True)
class Order:
    """A limit order.

    Attributes:
        order_id: The strategy's own, unique in a run.
        symbol: What is traded.
        side: BUY or SELL.
        quantity: Of the base currency.
        price: The limit.
        waits: It waits at its limit until it is filled.
    """

    order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    waits: bool = False
