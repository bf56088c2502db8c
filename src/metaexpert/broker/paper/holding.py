"""A position's arithmetic: what a trade does to it, what it is worth, what it gains. Signs as in `Holding`."""

from decimal import Decimal
from typing import Final

from metaexpert.broker.paper.money import ZERO, nearest
from metaexpert.broker.paper.state import Holding
from metaexpert.core.instrument import Instrument

ONE: Final = Decimal(1)


def worth(instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
    """Settled value to the nearest step, of the quantity's sign."""
    return nearest(instrument.settled_value(quantity, price))


def direction(instrument: Instrument) -> Decimal:
    """1 where a long position gains as its settled value grows, -1 for inverse contracts, where it shrinks."""
    return -ONE if instrument.contract_type == "inverse" else ONE


def unrealized(holding: Holding, instrument: Instrument, price: Decimal | None) -> Decimal:
    """What closing at `price` gains before fees."""
    if price is None or not holding.quantity:
        return ZERO
    return direction(instrument) * (worth(instrument, holding.quantity, price) - holding.cost)


def entry_price(holding: Holding, instrument: Instrument) -> Decimal | None:
    """Average price of what is held."""
    if not holding.quantity:
        return None
    size = holding.quantity * instrument.contract_size
    if instrument.contract_type == "inverse":
        return size / holding.cost if holding.cost else None
    return holding.cost / size


def add(holding: Holding, instrument: Instrument, quantity: Decimal, price: Decimal) -> None:
    """Open, or buy more of the same direction."""
    holding.quantity += quantity
    holding.cost += worth(instrument, quantity, price)


def reduce(holding: Holding, instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
    """Close `quantity` (of the trade's sign, at most what is held); what that gains before fees.

    Cost and margin go in proportion; the last part (a share of exactly 1) takes what is left of them.
    """
    share = -quantity / holding.quantity
    cost = nearest(holding.cost * share)
    holding.margin -= nearest(holding.margin * share)
    holding.quantity += quantity
    holding.cost -= cost
    return direction(instrument) * (worth(instrument, -quantity, price) - cost)
