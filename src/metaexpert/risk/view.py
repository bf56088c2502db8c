"""What the rules look at. Read when a rule asks, so that a tick without orders costs nothing."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from metaexpert.core.events import Bar
from metaexpert.core.holdings import Account, Position
from metaexpert.core.instrument import Instrument
from metaexpert.core.market import Quote
from metaexpert.core.orders import Order


class Holdings(Protocol):
    """What the expert has."""

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """What it trades, by symbol."""
        ...

    @property
    def open_orders(self) -> Sequence[Order]:
        """Orders to which something may still happen."""
        ...

    def account(self) -> Account:
        """Balances, open positions and equity at the last prices."""
        ...

    def position(self, symbol: str) -> Position:
        """The net position in `symbol`; of quantity 0 where there is none."""
        ...


class Prices(Protocol):
    """What the market said."""

    @property
    def quotes(self) -> Mapping[str, Quote]:
        """The last prices, by symbol."""
        ...

    @property
    def now_ns(self) -> int:
        """The market's time, UTC nanoseconds."""
        ...

    def bars(self, symbol: str, timeframe: str) -> Sequence[Bar]:
        """Closed bars, oldest first."""
        ...

    def quote_volume_24h(self, symbol: str) -> Decimal | None:
        """What was traded in the last 24 hours, in the quote; None while less than that is known."""
        ...
