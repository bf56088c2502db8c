"""What an exchange looks at before it accepts an order."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from .amounts import is_multiple
from .instruments import Instrument, Kind
from .refusals import Reason, RefusedError

if TYPE_CHECKING:
    from .exchange import Exchange
    from .orders import NewOrder


def check_order(instrument: Instrument, quantity: Decimal, limit: Decimal | None, price: Decimal) -> None:
    """Hold an order against the instrument's steps and least amounts.

    Raises:
        RefusedError: one of them is not kept.
    """
    if limit is not None and (limit <= 0 or not is_multiple(limit, instrument.tick)):
        raise RefusedError(Reason.PRICE_FILTER)
    if not is_multiple(quantity, instrument.lot):
        raise RefusedError(Reason.LOT_SIZE)
    if quantity < instrument.min_quantity:
        raise RefusedError(Reason.MIN_QUANTITY)
    worth = quantity * (limit or price) * (instrument.contract_size if instrument.kind is not Kind.INVERSE else 1)
    if instrument.kind is not Kind.INVERSE and worth < instrument.min_notional:
        raise RefusedError(Reason.MIN_NOTIONAL)


def check_trigger(new: NewOrder, price: Decimal) -> None:
    """Refuse a trigger that the price has reached already.

    Raises:
        RefusedError: it would trigger at once, or is between two ticks.
    """
    trigger = new.trigger
    if trigger is None:
        return
    if not is_multiple(trigger.price, new.instrument.tick):
        raise RefusedError(Reason.PRICE_FILTER)
    if trigger.rising is None:
        return
    if price >= trigger.price if trigger.rising else price <= trigger.price:
        raise RefusedError(Reason.WOULD_TRIGGER)


def check_funds(exchange: Exchange, new: NewOrder, quantity: Decimal) -> None:
    """Refuse an order that the account cannot pay for.

    Raises:
        RefusedError: there is not enough.
    """
    instrument = new.instrument
    asset, needed = _needed(exchange, new, quantity)
    if needed > exchange.available(exchange.rules.wallet_of(instrument), asset):
        raise RefusedError(Reason.FUNDS, asset)


def _needed(exchange: Exchange, new: NewOrder, quantity: Decimal) -> tuple[str, Decimal]:
    instrument = new.instrument
    price = new.limit or (new.trigger.price if new.trigger else exchange.listing(instrument).price)
    if instrument.kind is Kind.SPOT:
        return (instrument.quote, quantity * price) if new.side == "buy" else (instrument.base, quantity)
    if new.trigger:
        return instrument.settle, Decimal(0)
    position = exchange.account.position(instrument, new.leg, exchange.clock.now_ms())
    opening = max(quantity - position.closable(new.side), Decimal(0))
    return instrument.settle, exchange.account.margin(instrument, opening, price)
