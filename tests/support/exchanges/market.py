"""The public side of an exchange: prices, books, trades, candles and funding of every instrument."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from .amounts import rounded_down
from .book import Book, BookChange
from .candles import Candles
from .clock import Clock
from .events import BookChanged, Listener, TimePassed, Trade
from .instruments import Instrument, Kind
from .refusals import Reason, RefusedError

_DAY_MS = 86_400_000
_FUNDING_EVERY_MS = 8 * 3_600_000
_MOVE_LOTS = 10
_LEVEL_WORTH = Decimal(50_000)
_TRADES_KEPT = 1_000


@dataclass(slots=True)
class Listing:
    """What is known of one instrument's market."""

    instrument: Instrument
    price: Decimal
    book: Book
    candles: Candles
    trades: list[Trade] = field(default_factory=list[Trade])
    funding_rate: Decimal = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Day:
    """The last twenty-four hours of an instrument."""

    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    volume: Decimal
    turnover: Decimal
    trades: int
    opened_ms: int
    closed_ms: int


class Market:
    """Every instrument's listing; changes are told to the listeners.

    Its time is the server's, but can be moved ahead of it: candles end while requests keep their timestamps.
    """

    def __init__(self, instruments: Iterable[Instrument], clock: Clock) -> None:
        self.clock = Clock(clock.now_ms)
        self.listeners: list[Listener] = []
        self._trade_ids = itertools.count(500_001)
        self.listings = {instrument: self._list(instrument) for instrument in instruments}

    @property
    def instruments(self) -> list[Instrument]:
        """Everything that is listed."""
        return list(self.listings)

    def named(self, name: str) -> list[Listing]:
        """The listings that answer to a name.

        Raises:
            RefusedError: none does.
        """
        found = [listing for listing in self.listings.values() if listing.instrument.answers_to(name)]
        if not found:
            raise RefusedError(Reason.UNKNOWN_SYMBOL, name)
        return found

    def move_price(self, name: str, price: Decimal) -> list[Listing]:
        """Trade once at another price and lay the book around it, for all that answer to the name."""
        moved = self.named(name)
        for listing in moved:
            side = "buy" if price >= listing.price else "sell"
            listing.price = price
            change = listing.book.set_price(price, self.clock.now_ms())
            self.tell_book(listing, change)
            self.trade(listing, side, price, listing.instrument.lot * _MOVE_LOTS)
        return moved

    def pass_time(self, milliseconds: int) -> None:
        """Let time go by on the market; candles end."""
        self.clock.move(milliseconds)
        for listener in self.listeners:
            listener(TimePassed())

    def trade(self, listing: Listing, side: str, price: Decimal, quantity: Decimal) -> Trade:
        """Let a public trade happen."""
        now_ms = self.clock.now_ms()
        trade = Trade(next(self._trade_ids), listing.instrument, side, price, quantity, now_ms)
        listing.price = price
        listing.trades.append(trade)
        del listing.trades[:-_TRADES_KEPT]
        listing.candles.trades.append((now_ms, price, quantity))
        for listener in self.listeners:
            listener(trade)
        return trade

    def tell_book(self, listing: Listing, change: BookChange) -> None:
        """Tell the listeners of a change of the book."""
        for listener in self.listeners:
            listener(BookChanged(listing.instrument, change))

    def day(self, listing: Listing) -> Day:
        """The last twenty-four hours."""
        now_ms = self.clock.now_ms()
        recent = [trade for trade in listing.candles.trades if trade[0] > now_ms - _DAY_MS]
        prices = [price for _, price, _ in recent] + [listing.instrument.first_price]
        volume = sum((quantity for _, _, quantity in recent), Decimal(1000))
        return Day(
            listing.instrument.first_price, max(prices), min(prices), listing.price, volume, volume * listing.price,
            len(recent) + 1, now_ms - _DAY_MS, now_ms,
        )  # fmt: skip

    def next_funding_ms(self) -> int:
        """When funding is paid next."""
        return (self.clock.now_ms() // _FUNDING_EVERY_MS + 1) * _FUNDING_EVERY_MS

    def _list(self, instrument: Instrument) -> Listing:
        now_ms = self.clock.now_ms()
        book = Book(instrument, _level_quantity(instrument))
        book.set_price(instrument.first_price, now_ms)
        return Listing(instrument, instrument.first_price, book, Candles(instrument, now_ms))


def _level_quantity(instrument: Instrument) -> Decimal:
    """As much as a level is worth, in the unit of the instrument's orders."""
    price = Decimal(1) if instrument.kind is Kind.INVERSE else instrument.first_price
    return rounded_down(_LEVEL_WORTH / (instrument.contract_size * price), instrument.lot)
