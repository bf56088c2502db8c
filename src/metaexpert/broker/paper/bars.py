"""A bar's way from its open over its extremes to its close: what orders meet on it, in order of the prices reached.

Which extreme comes first, nobody knows; here it is the one that is worse for the trader: the low for who is long, the
high for who is short. Who holds nothing and waits to buy alone meets the high first (so that what is bought has only
the rest of the way to gain), who waits to sell alone the low; else a rising bar goes low first, a falling one high
first.

The way to the open is a jump: stops and liquidations take place at the open, and resting orders that it passed are
filled at the open, within the bar. On the way, each at its own price. Resting orders share `fill_share` of the bar's
volume; a bar that moved without a volume has an unknown one, which is no bound.
"""

from decimal import Decimal

from metaexpert.broker.paper.liquidation import lacks_margin, liquidate
from metaexpert.broker.paper.margin import liquidation_price
from metaexpert.broker.paper.matching import by_priority, fill_by_volume, moved, stop_reached
from metaexpert.broker.paper.money import ZERO
from metaexpert.broker.paper.placing import trigger
from metaexpert.broker.paper.state import Prices, WorkingOrder
from metaexpert.broker.paper.taking import reaches
from metaexpert.broker.paper.venue import Venue
from metaexpert.core.events import Bar


class Way:
    """One bar being gone through."""

    def __init__(self, venue: Venue, bar: Bar) -> None:
        self._venue = venue
        self._bar = bar
        self._symbol = bar.symbol
        self._prices = venue.prices(bar.symbol)
        unknown = not bar.volume and bar.high != bar.low
        self._volume = None if unknown else bar.volume * venue.options.fill_share

    def open(self) -> None:
        """Jump to the open."""
        forget_quotes(self._prices)
        moved(self._venue, self._symbol, self._prices, self._bar.open)
        for order in by_priority(self._venue, self._symbol):
            limit = order.request.price
            if limit is not None and reaches(order.request.side, self._bar.open, limit):
                self._rest_filled(order, self._bar.open)

    def go(self) -> None:
        """From the open to the close."""
        if self._meets_anything():
            for target in self._targets():
                self._go_to(target)
        self._prices.last = self._bar.close

    def _meets_anything(self) -> bool:
        venue, bar = self._venue, self._bar
        orders = venue.state.orders.get(self._symbol)
        if orders and any(_within(order, bar) for order in orders.values()):
            return True
        return self._symbol in venue.state.holdings and (
            lacks_margin(venue, self._symbol, bar.low) or lacks_margin(venue, self._symbol, bar.high)
        )

    def _targets(self) -> tuple[Decimal, Decimal, Decimal]:
        bar = self._bar
        low_first = self._low_first()
        return (bar.low, bar.high, bar.close) if low_first else (bar.high, bar.low, bar.close)

    def _low_first(self) -> bool:
        held = self._venue.state.holdings.get(self._symbol, {})
        net = sum((each.quantity for each in held.values()), ZERO)
        if net:
            return net > 0
        sides = {order.request.side for order in self._venue.orders(self._symbol)}
        if len(sides) == 1:
            return sides == {"SELL"}
        return self._bar.close >= self._bar.open

    def _go_to(self, target: Decimal) -> None:
        falling = target < (self._prices.last or target)
        met: set[tuple[str, bool]] = set()
        while (order := self._next_order(target, falling=falling, met=met)) is not None:
            price = _level(order)
            if self._liquidated_before(price, falling=falling):
                continue
            met.add((order.request.order_id, order.waits))
            self._prices.last = price
            if order.waits:
                trigger(self._venue, order)
            else:
                self._rest_filled(order, price)
        while self._liquidated_before(target, falling=falling):
            pass
        self._prices.last = target

    def _next_order(self, target: Decimal, *, falling: bool, met: set[tuple[str, bool]]) -> WorkingOrder | None:
        last = self._prices.last or target
        ahead = [
            order
            for order in self._venue.orders(self._symbol)
            if (order.request.order_id, order.waits) not in met
            and _moves_to(order, falling=falling)
            and (target <= _level(order) <= last if falling else last <= _level(order) <= target)
        ]
        return min(ahead, key=lambda order: (abs(_level(order) - last), order.number), default=None)

    def _liquidated_before(self, price: Decimal, *, falling: bool) -> bool:
        """Liquidate what the way to `price` leaves without margin, where it does."""
        venue = self._venue
        if not lacks_margin(venue, self._symbol, price):
            return False
        held = venue.state.holdings[self._symbol].values()
        levels = [level for each in held if (level := liquidation_price(venue, each)) is not None]
        last = self._prices.last or price
        between = [each for each in levels if (price <= each <= last if falling else last <= each <= price)]
        told = len(venue.events)
        self._prices.last = (max(between) if falling else min(between)) if between else price
        liquidate(venue, self._symbol)
        if len(venue.events) == told:  # a level of an inverse contract is rounded: a digit may be missing there
            self._prices.last = price
            liquidate(venue, self._symbol)
        return True

    def _rest_filled(self, order: WorkingOrder, price: Decimal) -> None:
        if self._venue.is_open(order):
            self._volume = fill_by_volume(self._venue, order, price, self._volume)


def forget_quotes(prices: Prices) -> None:
    """A bar tells nothing of bid, ask and depth."""
    prices.bid = prices.ask = None
    prices.bids = prices.asks = ()


def _within(order: WorkingOrder, bar: Bar) -> bool:
    if order.waits:
        return stop_reached(order, bar.high if order.request.side == "BUY" else bar.low)
    return reaches(order.request.side, bar.low if order.request.side == "BUY" else bar.high, _level(order))


def _level(order: WorkingOrder) -> Decimal:
    """The price at which something happens to an order."""
    return (order.request.stop_price if order.waits else order.request.price) or ZERO


def _moves_to(order: WorkingOrder, *, falling: bool) -> bool:
    """Whether a falling price is what reaches it: bids and sell stops; asks and buy stops wait for a rising one."""
    return ((order.request.side == "BUY") != order.waits) == falling
