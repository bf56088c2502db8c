"""What perpetual contracts pay each other: longs pay `rate` of their value where it is positive, shorts receive it.

It goes to an isolated position's margin, or out of it as far as it suffices; of cross positions, to the balance.
"""

from metaexpert.broker.broker import FundingPaid
from metaexpert.broker.paper.holding import worth
from metaexpert.broker.paper.liquidation import liquidate
from metaexpert.broker.paper.margin import losable
from metaexpert.broker.paper.state import Holding
from metaexpert.broker.paper.telling import tell_balance, tell_position
from metaexpert.broker.paper.venue import Venue
from metaexpert.core.events import Funding


def fund(venue: Venue, event: Funding) -> None:
    """Settle the funding of the symbol's positions."""
    if not venue.instruments[event.symbol].is_contract:
        return
    for each in list(venue.state.holdings.get(event.symbol, {}).values()):
        if each.quantity:
            _settle(venue, each, event)
    liquidate(venue, event.symbol)


def _settle(venue: Venue, holding: Holding, event: Funding) -> None:
    instrument = venue.instruments[event.symbol]
    isolated = venue.terms(event.symbol).isolated
    owed = event.rate * worth(instrument, holding.quantity, event.mark_price)
    backing = holding.margin if isolated else losable(venue, instrument.settle)
    change = venue.pay(instrument.settle, -owed, at_most=backing)
    if isolated:
        holding.margin += change
    holding.realized += change
    venue.events.append(
        FundingPaid(symbol=event.symbol, amount=change, asset=instrument.settle, rate=event.rate, time_ns=event.time_ns)
    )
    if change:
        tell_position(venue, holding, holding.quantity, change)
        tell_balance(venue, instrument.settle, change, venue.balance(instrument.settle), "funding")
