"""What happens on an exchange, as its streams hear of it; each dialect puts it into frames."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from .accounts import Position
from .book import BookChange
from .instruments import Instrument
from .orders import Change, Fill, Order


@dataclass(frozen=True, slots=True)
class Trade:
    """A public trade; `side` is the taker's."""

    id: int
    instrument: Instrument
    side: str
    price: Decimal
    quantity: Decimal
    at_ms: int


@dataclass(frozen=True, slots=True)
class BookChanged:
    """The public book has other levels."""

    instrument: Instrument
    change: BookChange


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """An own order changed; `fill` is there when it was executed."""

    order: Order
    change: Change
    fill: Fill | None = None


@dataclass(frozen=True, slots=True)
class AccountChanged:
    """Own balances or positions changed."""

    wallet: str
    assets: tuple[str, ...]
    positions: tuple[Position, ...] = ()


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The market's time moved on without a trade: candles may be finished."""


type Event = Trade | BookChanged | OrderChanged | AccountChanged | TimePassed
type Listener = Callable[[Event], None]
