"""What is tied up, what is free, and how far a position is from its liquidation.

An isolated position can lose its own margin alone; cross positions share the balance of the asset they settle in.
"""

from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from metaexpert.broker.paper.holding import direction, unrealized, worth
from metaexpert.broker.paper.money import ZERO, charged, nearest
from metaexpert.broker.paper.state import Holding, WorkingOrder
from metaexpert.broker.paper.venue import Venue
from metaexpert.core.events import Side
from metaexpert.core.instrument import Instrument


def used(venue: Venue, asset: str) -> Decimal:
    """Tied up as margin and in orders; never more than there is."""
    tied = _positions_margin(venue, asset) + _orders_margin(venue, asset)
    return min(tied, max(venue.balance(asset), ZERO))


def available(venue: Venue, asset: str) -> Decimal:
    """What a new order may tie up: what is free, less what cross positions are losing."""
    tied = _positions_margin(venue, asset) + _orders_margin(venue, asset)
    losses = min(ZERO, sum((_unrealized(venue, each) for each in cross_holdings(venue, asset)), ZERO))
    return venue.balance(asset) - tied + losses


def losable(venue: Venue, asset: str) -> Decimal:
    """The balance without the margin of isolated positions."""
    return max(ZERO, venue.balance(asset) - sum((each.margin for each in _settled_in(venue, asset)), ZERO))


def margin_of(venue: Venue, holding: Holding) -> Decimal:
    """Tied up for a position."""
    if not venue.instruments[holding.symbol].is_contract:
        return ZERO
    terms = venue.terms(holding.symbol)
    return holding.margin if terms.isolated else nearest(abs(holding.cost) / terms.leverage)


def cross_holdings(venue: Venue, asset: str) -> Iterator[Holding]:
    """Open positions that share an asset's balance."""
    return (each for each in _settled_in(venue, asset) if not venue.terms(each.symbol).isolated)


def isolated_surplus(instrument: Instrument, holding: Holding, price: Decimal) -> Decimal:
    """Margin and gain less what must be left; at 0 and below the position is liquidated."""
    return holding.margin + unrealized(holding, instrument, price) - _maintenance(instrument, holding, price)


def cross_surplus(venue: Venue, asset: str, symbol: str | None = None, price: Decimal | None = None) -> Decimal:
    """As `isolated_surplus` of all that share an asset; with `symbol` at `price` rather than at its last one."""
    surplus = losable(venue, asset)
    for each in cross_holdings(venue, asset):
        mark = price if each.symbol == symbol else venue.prices(each.symbol).last
        if mark is not None:
            instrument = venue.instruments[each.symbol]
            surplus += unrealized(each, instrument, mark) - _maintenance(instrument, each, mark)
    return surplus


def liquidation_price(venue: Venue, holding: Holding) -> Decimal | None:
    """Where the price closes a position, all others staying where they are; None where it cannot."""
    instrument = venue.instruments[holding.symbol]
    if not instrument.is_contract or not holding.quantity:
        return None
    if venue.terms(holding.symbol).isolated:
        return _level(instrument, holding.margin, [holding])
    alike = [each for each in cross_holdings(venue, instrument.settle) if each.symbol == holding.symbol]
    without = losable(venue, instrument.settle)
    for each in cross_holdings(venue, instrument.settle):
        mark = venue.prices(each.symbol).last
        if each.symbol != holding.symbol and mark is not None:
            other = venue.instruments[each.symbol]
            without += unrealized(each, other, mark) - _maintenance(other, each, mark)
    return _level(instrument, without, alike)


def _level(instrument: Instrument, backing: Decimal, holdings: list[Holding]) -> Decimal | None:
    """The price at which `backing` and gains are used up: linear in the price, of inverse contracts in one over it."""
    sign = direction(instrument)
    net = sum((each.quantity for each in holdings), ZERO)
    size = sum((abs(each.quantity) for each in holdings), ZERO)
    slope = instrument.contract_size * (sign * net - instrument.maintenance_margin * size)
    constant = sign * sum((each.cost for each in holdings), ZERO) - backing
    if not slope or constant / slope <= 0:
        return None
    crossing = slope / constant if instrument.contract_type == "inverse" else constant / slope
    rounding = ROUND_FLOOR if net > 0 else ROUND_CEILING
    price = (crossing / instrument.price_step).to_integral_value(rounding) * instrument.price_step
    return price if price > 0 else None


def _maintenance(instrument: Instrument, holding: Holding, price: Decimal) -> Decimal:
    return instrument.maintenance_margin * abs(worth(instrument, holding.quantity, price))


def _unrealized(venue: Venue, holding: Holding) -> Decimal:
    return unrealized(holding, venue.instruments[holding.symbol], venue.prices(holding.symbol).last)


def _settled_in(venue: Venue, asset: str) -> Iterator[Holding]:
    for each in venue.holdings():
        instrument = venue.instruments[each.symbol]
        if instrument.is_contract and instrument.settle == asset:
            yield each


def _positions_margin(venue: Venue, asset: str) -> Decimal:
    return sum((margin_of(venue, each) for each in _settled_in(venue, asset)), ZERO)


def _orders_margin(venue: Venue, asset: str) -> Decimal:
    tied = ZERO
    for symbol, orders in venue.state.orders.items():
        instrument = venue.instruments[symbol]
        if not instrument.is_contract:
            tied += sum((_spot_reserve(instrument, each, asset) for each in orders.values()), ZERO)
        elif instrument.settle == asset:
            tied += _contract_reserve(venue, instrument, list(orders.values()))
    return tied


def _spot_reserve(instrument: Instrument, order: WorkingOrder, asset: str) -> Decimal:
    if order.request.side == "SELL":
        return order.remaining if asset == instrument.base else ZERO
    price = order.reserve_price or order.request.price or order.request.stop_price or ZERO
    return charged(order.remaining * price) if asset == instrument.quote else ZERO


def _contract_reserve(venue: Venue, instrument: Instrument, orders: list[WorkingOrder]) -> Decimal:
    """Margin and taker fee of what orders would open; one-way, only the side that would open more counts."""
    buys, sells = _side_reserve(venue, instrument, orders, "BUY"), _side_reserve(venue, instrument, orders, "SELL")
    return buys + sells if venue.hedge else max(buys, sells)


def _side_reserve(venue: Venue, instrument: Instrument, orders: list[WorkingOrder], side: Side) -> Decimal:
    rate = 1 / venue.terms(instrument.symbol).leverage + max(ZERO, instrument.taker_fee)
    closing = ZERO if venue.hedge else closable(venue, instrument.symbol, side)
    tied = ZERO
    for each in orders:
        request = each.request
        price = each.reserve_price or request.price
        if request.side != side or request.reduce_only or price is None or each.waits:
            continue
        opening = max(ZERO, each.remaining - closing)
        closing -= each.remaining - opening
        tied += charged(instrument.settled_value(opening, price) * rate)
    return tied


def closable(venue: Venue, symbol: str, side: Side) -> Decimal:
    """How much of what is held an order of this side can close."""
    sides = venue.state.holdings.get(symbol, {})
    closing_sign = 1 if side == "SELL" else -1
    return sum((abs(each.quantity) for each in sides.values() if each.quantity * closing_sign > 0), ZERO)
