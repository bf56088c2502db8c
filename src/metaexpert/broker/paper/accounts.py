"""The account as it is: balances, positions, orders, and what all of it is worth."""

from decimal import Decimal

from metaexpert.broker.paper.arrivals import sent
from metaexpert.broker.paper.holding import unrealized
from metaexpert.broker.paper.money import ZERO
from metaexpert.broker.paper.telling import balance, position
from metaexpert.broker.paper.venue import Venue
from metaexpert.core.holdings import Account
from metaexpert.core.orders import Order


def account(venue: Venue, currency: str, now_ns: int) -> Account:
    """Balances and open positions at the last prices; an asset without a price in `currency` adds nothing to equity."""
    return Account(
        currency=currency,
        equity=_equity(venue, currency),
        balances={asset: balance(venue, asset) for asset in venue.state.balances},
        positions=tuple(position(venue, each) for each in venue.holdings()),
        time_ns=now_ns,
    )


def open_orders(venue: Venue) -> tuple[Order, ...]:
    """In order of acceptance; those on their way last."""
    working = [order for orders in venue.state.orders.values() for order in orders.values()]
    working.sort(key=lambda order: order.number)
    return (*(each.order(each.status, venue.state.now_ns) for each in working), *sent(venue))


def _equity(venue: Venue, currency: str) -> Decimal:
    equity = sum((amount * _rate(venue, asset, currency) for asset, amount in venue.state.balances.items()), ZERO)
    for each in venue.holdings():
        instrument = venue.instruments[each.symbol]
        if instrument.is_contract:
            gain = unrealized(each, instrument, venue.prices(each.symbol).last)
            equity += gain * _rate(venue, instrument.settle, currency)
    return equity


def _rate(venue: Venue, asset: str, currency: str) -> Decimal:
    """What one of `asset` is worth, as far as an instrument tells."""
    if asset == currency:
        return Decimal(1)
    for each in venue.instruments.values():
        last = venue.prices(each.symbol).last
        if last is not None and (each.base, each.quote) == (asset, currency):
            return last
        if last is not None and (each.quote, each.base) == (asset, currency):
            return 1 / last
    return ZERO
