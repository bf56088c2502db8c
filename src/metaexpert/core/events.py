"""What handlers are given: immutable market events with decimal prices and UTC nanoseconds."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

type TickKind = Literal["trade", "quote"]
type Side = Literal["BUY", "SELL"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One trade, or one change of the best bid or ask.

    Attributes:
        exchange: Name in lower case, for instance `binance`.
        symbol: As the exchange writes it.
        kind: Whether it is a trade or a quote.
        time_ns: The exchange's time, UTC nanoseconds; the time of receipt where the exchange sends none.
        price: The trade's price; of a quote, the middle between bid and ask.
        quantity: The trade's quantity; 0 for a quote.
        bid: Best bid, where known.
        ask: Best ask, where known.
        side: The taker's side of a trade.
    """

    exchange: str
    symbol: str
    kind: TickKind
    time_ns: int
    price: Decimal
    quantity: Decimal = Decimal(0)
    bid: Decimal | None = None
    ask: Decimal | None = None
    side: Side | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Open, high, low and close over one timeframe.

    Attributes:
        exchange: Name in lower case.
        symbol: As the exchange writes it.
        timeframe: For instance `1m`.
        open_time_ns: First nanosecond, UTC.
        close_time_ns: First nanosecond after it, UTC.
        open: First price.
        high: Highest price.
        low: Lowest price.
        close: Last price.
        volume: Traded quantity.
        trades: Number of trades.
        closed: False while it is still forming.
    """

    exchange: str
    symbol: str
    timeframe: str
    open_time_ns: int
    close_time_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trades: int
    closed: bool


type MarketEvent = Tick | Bar
