"""One instrument's public order book: levels one tick apart around a price, with numbered changes.

A change names its first and last number and the last number of the change before it, so that every exchange's way of
numbering can be told from it. What own orders take is gone until the price is set again; own resting orders are not
shown.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from .instruments import Instrument

type Levels = dict[Decimal, Decimal]

_FIRST_NUMBER = 1_000_000
_NUMBERS_A_CHANGE = 3


@dataclass(frozen=True, slots=True)
class BookChange:
    """Levels whose quantity is another now; zero for those that are gone."""

    first: int
    last: int
    previous: int
    bids: Levels
    asks: Levels
    at_ms: int


def _changed(before: Levels, after: Levels) -> Levels:
    gone = {price: Decimal(0) for price in before if price not in after}
    return gone | {price: quantity for price, quantity in after.items() if before.get(price) != quantity}


@dataclass(slots=True)
class Book:
    """The levels of one instrument.

    Attributes:
        depth: how many levels a side has.
        level_quantity: how much lies at each level.
        half_spread_ticks: how far the best prices are from the price.
    """

    instrument: Instrument
    level_quantity: Decimal
    depth: int = 25
    half_spread_ticks: int = 1
    bids: Levels = field(default_factory=dict[Decimal, Decimal])
    asks: Levels = field(default_factory=dict[Decimal, Decimal])
    number: int = _FIRST_NUMBER

    @property
    def best_bid(self) -> Decimal:
        """The highest price somebody buys at."""
        return max(self.bids, default=Decimal(0))

    @property
    def best_ask(self) -> Decimal:
        """The lowest price somebody sells at."""
        return min(self.asks, default=Decimal("Infinity"))

    def top(self, depth: int | None = None) -> tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]:
        """Bids and asks, best first."""
        return sorted(self.bids.items(), reverse=True)[:depth], sorted(self.asks.items())[:depth]

    def set_price(self, price: Decimal, at_ms: int) -> BookChange:
        """Lay the levels around another price."""
        ticks = range(self.half_spread_ticks, self.half_spread_ticks + self.depth)
        tick = self.instrument.tick
        bids = {price - tick * n: self.level_quantity for n in ticks if price > tick * n}
        asks = {price + tick * n: self.level_quantity for n in ticks}
        return self._become(bids, asks, at_ms)

    def take(self, side: str, takes: list[tuple[Decimal, Decimal]], at_ms: int) -> BookChange:
        """Remove what a taker's order got."""
        bids, asks = dict(self.bids), dict(self.asks)
        levels = asks if side == "buy" else bids
        for price, quantity in takes:
            levels[price] -= quantity
            if not levels[price]:
                del levels[price]
        return self._become(bids, asks, at_ms)

    def available(self, side: str, limit: Decimal | None) -> list[tuple[Decimal, Decimal]]:
        """What a taker of this side can get within its limit, best price first."""
        if side == "buy":
            return [(p, q) for p, q in sorted(self.asks.items()) if limit is None or p <= limit]
        return [(p, q) for p, q in sorted(self.bids.items(), reverse=True) if limit is None or p >= limit]

    def _become(self, bids: Levels, asks: Levels, at_ms: int) -> BookChange:
        previous = self.number
        self.number += _NUMBERS_A_CHANGE
        change = BookChange(
            previous + 1, self.number, previous, _changed(self.bids, bids), _changed(self.asks, asks), at_ms
        )
        self.bids, self.asks = bids, asks
        return change
