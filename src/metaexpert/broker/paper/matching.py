"""What a tick or a book does to orders in the market: positions without margin first, then stops, then resting orders.

A resting limit order is filled at its own price, never at a better one: it was there first. By a trade it is filled
with a share of the trade's quantity (`fill_share`), at its very price only after the quantity that the book showed
before it in the queue, and only by a trade whose taker was on the other side; where a quote crosses it, wholly; where
a book crosses it, as far as there is depth. Better prices come first, then earlier orders.
"""

from collections.abc import Iterable
from decimal import Decimal

from metaexpert.broker.paper.liquidation import liquidate
from metaexpert.broker.paper.money import ZERO
from metaexpert.broker.paper.placing import trigger
from metaexpert.broker.paper.settlement import fill
from metaexpert.broker.paper.state import Level, Prices, WorkingOrder
from metaexpert.broker.paper.taking import executions, reaches, take_depth
from metaexpert.broker.paper.venue import Venue
from metaexpert.core.events import Book, Side, Tick
from metaexpert.core.orders import OPPOSITE


def on_tick(venue: Venue, tick: Tick) -> None:
    """A trade or a quote."""
    prices = venue.prices(tick.symbol)
    prices.live = True
    if tick.bid is not None and tick.ask is not None:
        prices.bid, prices.ask = tick.bid, tick.ask
        _forget_depth(prices, tick.bid, tick.ask)
    if tick.kind == "trade":
        prices.traded = True
        _forget_passed(prices, tick.price)
        moved(venue, tick.symbol, prices, tick.price)
        if tick.symbol in venue.state.orders:
            _traded(venue, tick)
        return
    if not prices.traded:
        moved(venue, tick.symbol, prices, tick.price)
    if tick.symbol in venue.state.orders:
        _quoted(venue, tick.symbol, prices)


def on_book(venue: Venue, book: Book) -> None:
    """New depth; what was taken out of the old one is forgotten."""
    prices = venue.prices(book.symbol)
    prices.live = True
    prices.bids, prices.asks = book.bids, book.asks
    if prices.taken:
        prices.taken = {}
    prices.bid = book.bids[0][0] if book.bids else None
    prices.ask = book.asks[0][0] if book.asks else None
    if not prices.traded and prices.bid is not None and prices.ask is not None:
        moved(venue, book.symbol, prices, (prices.bid + prices.ask) / 2)
    for order in by_priority(venue, book.symbol):
        if venue.is_open(order):
            _shorten_queue(order, book.bids if order.request.side == "BUY" else book.asks)
            _take_crossing(venue, prices, order)


def moved(venue: Venue, symbol: str, prices: Prices, price: Decimal) -> None:
    """The last price jumped: what it leaves without margin, and stops that it reached."""
    prices.last = price
    if symbol in venue.state.holdings:
        liquidate(venue, symbol)
    if symbol in venue.state.orders:
        for order in venue.orders(symbol):
            if order.waits and stop_reached(order, price) and venue.is_open(order):
                trigger(venue, order)


def stop_reached(order: WorkingOrder, price: Decimal) -> bool:
    """Whether the price is at or beyond an order's stop."""
    stop = order.request.stop_price
    return stop is not None and reaches(OPPOSITE[order.request.side], price, stop)


def by_priority(venue: Venue, symbol: str) -> list[WorkingOrder]:
    """Resting limit orders: bids with the highest price first, asks with the lowest, then by age."""
    return sorted(resting(venue.orders(symbol)), key=_priority)


def resting(orders: Iterable[WorkingOrder]) -> Iterable[WorkingOrder]:
    """Those that are limit orders in the book."""
    return (each for each in orders if each.request.price is not None and not each.waits)


def fill_by_volume(venue: Venue, order: WorkingOrder, price: Decimal, volume: Decimal | None) -> Decimal | None:
    """Fill a resting order out of a traded volume (None: as much as it wants); what is left of the volume."""
    instrument = venue.instruments[order.request.symbol]
    quantity = order.remaining if volume is None else instrument.quantity(min(order.remaining, volume))
    filled = fill(venue, order, price, quantity, maker=True) if quantity > 0 else ZERO
    return None if volume is None else volume - filled


def _priority(order: WorkingOrder) -> tuple[Side, Decimal, int]:
    price = order.request.price or ZERO
    return order.request.side, -price if order.request.side == "BUY" else price, order.number


def _traded(venue: Venue, tick: Tick) -> None:
    left = dict.fromkeys(OPPOSITE, tick.quantity * venue.options.fill_share)
    for order in by_priority(venue, tick.symbol):
        side, limit = order.request.side, order.request.price
        if limit is None or not reaches(side, tick.price, limit) or not venue.is_open(order):
            continue
        if limit != tick.price:
            order.ahead = ZERO
        elif tick.side == side:
            continue
        waited = min(order.ahead, left[side])
        order.ahead -= waited
        left[side] = fill_by_volume(venue, order, limit, left[side] - waited) or ZERO


def _quoted(venue: Venue, symbol: str, prices: Prices) -> None:
    for order in by_priority(venue, symbol):
        side, limit = order.request.side, order.request.price
        opposite = prices.ask if side == "BUY" else prices.bid
        if limit is not None and opposite is not None and reaches(side, opposite, limit) and venue.is_open(order):
            fill_by_volume(venue, order, limit, None)


def _take_crossing(venue: Venue, prices: Prices, order: WorkingOrder) -> None:
    request = order.request
    best = prices.ask if request.side == "BUY" else prices.bid
    if best is None or request.price is None or not reaches(request.side, best, request.price):
        return
    for price, quantity in executions(venue, request.symbol, request.side, order.remaining, request.price):
        if venue.is_open(order):
            filled = fill(venue, order, request.price, quantity, maker=True)
            take_depth(prices, request.side, (price, filled))


def _shorten_queue(order: WorkingOrder, levels: tuple[Level, ...]) -> None:
    if order.ahead:
        order.ahead = min(order.ahead, next((depth for price, depth in levels if price == order.request.price), ZERO))


def _forget_depth(prices: Prices, bid: Decimal, ask: Decimal) -> None:
    """Levels that a newer quote says are gone."""
    if prices.bids and prices.bids[0][0] > bid:
        prices.bids = tuple(level for level in prices.bids if level[0] <= bid)
    if prices.asks and prices.asks[0][0] < ask:
        prices.asks = tuple(level for level in prices.asks if level[0] >= ask)


def _forget_passed(prices: Prices, price: Decimal) -> None:
    """A trade beyond the quote says that the quote is old."""
    if prices.bid is not None and price < prices.bid:
        prices.bid = None
        prices.bids = tuple(level for level in prices.bids if level[0] <= price)
    if prices.ask is not None and price > prices.ask:
        prices.ask = None
        prices.asks = tuple(level for level in prices.asks if level[0] >= price)
