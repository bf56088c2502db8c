"""Closing positions that lack margin.

The exchange cancels what could take more margin, closes the whole position at the last price and charges its fee. What
the price has run beyond the margin (or, of cross positions, beyond the balance) its fund bears: no balance is negative.
Cross positions are closed one after the other, the greatest loss first, until the rest is covered.
"""

from decimal import Decimal

from metaexpert.broker.broker import Liquidated
from metaexpert.broker.paper.booking import Booking
from metaexpert.broker.paper.holding import unrealized
from metaexpert.broker.paper.margin import cross_holdings, cross_surplus, isolated_surplus, losable
from metaexpert.broker.paper.money import ZERO
from metaexpert.broker.paper.settlement import end_idle_reducers
from metaexpert.broker.paper.state import Holding
from metaexpert.broker.paper.telling import end_order
from metaexpert.broker.paper.venue import Venue


def liquidate(venue: Venue, symbol: str) -> None:
    """Close what the symbol's last price leaves without margin."""
    price = venue.prices(symbol).last
    held = [each for each in venue.state.holdings.get(symbol, {}).values() if each.quantity]
    if price is None or not held or not venue.instruments[symbol].is_contract:
        return
    if not venue.terms(symbol).isolated:
        _liquidate_cross(venue, venue.instruments[symbol].settle)
        return
    for each in held:
        if isolated_surplus(venue.instruments[symbol], each, price) <= 0:
            _cancel_orders(venue, symbol)
            _close(venue, each, price, each.margin)


def lacks_margin(venue: Venue, symbol: str, price: Decimal) -> bool:
    """Whether anything would be liquidated with the symbol at `price`."""
    instrument = venue.instruments[symbol]
    held = [each for each in venue.state.holdings.get(symbol, {}).values() if each.quantity]
    if not held or not instrument.is_contract:
        return False
    if venue.terms(symbol).isolated:
        return any(isolated_surplus(instrument, each, price) <= 0 for each in held)
    return cross_surplus(venue, instrument.settle, symbol, price) <= 0


def _liquidate_cross(venue: Venue, asset: str) -> None:
    cancelled = False
    while (held := list(cross_holdings(venue, asset))) and cross_surplus(venue, asset) <= 0:
        if not cancelled:
            for symbol in sorted({each.symbol for each in held}):
                _cancel_orders(venue, symbol)
            cancelled = True
        worst = min(held, key=lambda each: (_gain(venue, each), each.symbol, each.side))
        price = venue.prices(worst.symbol).last
        if price is None:
            return
        _close(venue, worst, price, losable(venue, asset))


def _gain(venue: Venue, holding: Holding) -> Decimal:
    return unrealized(holding, venue.instruments[holding.symbol], venue.prices(holding.symbol).last)


def _cancel_orders(venue: Venue, symbol: str) -> None:
    for order in venue.orders(symbol):
        end_order(venue, order, "cancelled", "the position is being liquidated", "liquidation")


def _close(venue: Venue, holding: Holding, price: Decimal, backing: Decimal) -> None:
    previous = holding.quantity
    booking = Booking(venue=venue, instrument=venue.instruments[holding.symbol], price=price)
    gain = booking.close(holding, -previous, at_most=backing, reason="liquidation")
    booking.charge(previous, venue.options.liquidation_fee_pct / 100, at_most=max(backing + gain, ZERO))
    booking.record(holding, previous, gain - booking.fee)
    venue.events.append(
        Liquidated(
            symbol=holding.symbol,
            side="SELL" if previous > 0 else "BUY",
            quantity=abs(previous),
            price=price,
            fee=booking.fee,
            fee_asset=booking.instrument.settle,
            time_ns=venue.state.now_ns,
        )
    )
    booking.tell()
    end_idle_reducers(venue, holding.symbol)
