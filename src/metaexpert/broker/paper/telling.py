"""Events made of the state as it is when they are told."""

from decimal import Decimal
from typing import Literal

from metaexpert.broker.broker import BalanceChanged, OrderChanged, OrderStep, PositionChanged
from metaexpert.broker.paper.holding import entry_price, unrealized
from metaexpert.broker.paper.margin import liquidation_price, margin_of, used
from metaexpert.broker.paper.money import ZERO
from metaexpert.broker.paper.state import Holding, WorkingOrder
from metaexpert.broker.paper.venue import Venue
from metaexpert.core.holdings import Balance, Position
from metaexpert.core.orders import Fill, OrderStatus


def tell_order(
    venue: Venue,
    order: WorkingOrder,
    step: OrderStep,
    *,
    status: OrderStatus | None = None,
    fill: Fill | None = None,
    reason: str | None = None,
    code: str | None = None,
) -> None:
    """An order went a step further."""
    snapshot = order.order(status or order.status, venue.state.now_ns, reason, code)
    venue.events.append(OrderChanged(order=snapshot, step=step, fill=fill))


def end_order(
    venue: Venue, order: WorkingOrder, step: Literal["cancelled", "expired", "rejected"], reason: str, code: str
) -> None:
    """Close an order that nothing more can happen to."""
    venue.drop(order)
    tell_order(venue, order, step, status=step, reason=reason, code=code)


def tell_balance(venue: Venue, asset: str, change: Decimal, total: Decimal, reason: str) -> None:
    """A balance became `total`; silent where nothing changed."""
    if change:
        after = Balance(asset=asset, total=total, used=min(total, used(venue, asset)))
        venue.events.append(BalanceChanged(balance=after, change=change, reason=reason))


def tell_position(
    venue: Venue, holding: Holding, previous: Decimal, realized: Decimal, exit_price: Decimal | None = None
) -> None:
    """A position is now another."""
    venue.events.append(
        PositionChanged(
            position=position(venue, holding),
            previous_quantity=previous,
            exit_price=exit_price,
            realized_pnl=realized,
        )
    )


def balance(venue: Venue, asset: str) -> Balance:
    """An asset as it is."""
    return Balance(asset=asset, total=venue.balance(asset), used=used(venue, asset))


def position(venue: Venue, holding: Holding) -> Position:
    """A position as it is."""
    instrument = venue.instruments[holding.symbol]
    mark = venue.prices(holding.symbol).last
    return Position(
        symbol=holding.symbol,
        quantity=holding.quantity,
        side=holding.side,
        entry_price=entry_price(holding, instrument),
        mark_price=mark,
        leverage=venue.terms(holding.symbol).leverage if instrument.is_contract else Decimal(1),
        unrealized_pnl=unrealized(holding, instrument, mark),
        realized_pnl=holding.realized,
        margin=margin_of(venue, holding) if holding.quantity else ZERO,
        liquidation_price=liquidation_price(venue, holding),
        opened_ns=holding.opened_ns,
    )
