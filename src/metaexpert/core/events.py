"""Market events as handlers are given them: immutable, with decimal prices and UTC nanoseconds."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The best prices on both sides.

    Attributes:
        exchange: Name in lower case.
        symbol: As the exchange writes it.
        time_ns: The exchange's time, UTC nanoseconds; the time of receipt where it sends none.
        bids: Price and quantity, highest price first.
        asks: Price and quantity, lowest price first.
    """

    exchange: str
    symbol: str
    time_ns: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Funding:
    """A perpetual contract's funding falls due: positions pay `rate` of their value, shorts receive it.

    Attributes:
        exchange: Name in lower case.
        symbol: As the exchange writes it.
        time_ns: When it is due, UTC nanoseconds.
        rate: Share of the position's value; longs pay where it is positive.
        mark_price: The price at which positions are valued for it.
    """

    exchange: str
    symbol: str
    time_ns: int
    rate: Decimal
    mark_price: Decimal


type MarketEvent = Tick | Bar | Book | Funding
