"""An order's way into the market: accepted, filled as far as there is liquidity, resting or ended; and its changes."""

from dataclasses import replace
from decimal import Decimal

from metaexpert.broker.broker import OrderChanged
from metaexpert.broker.paper.money import ZERO
from metaexpert.broker.paper.rules import refused, refused_change, unaffordable
from metaexpert.broker.paper.settlement import closable_by, fill
from metaexpert.broker.paper.state import WorkingOrder
from metaexpert.broker.paper.taking import Executions, crosses, executions, take_depth
from metaexpert.broker.paper.telling import end_order, tell_order
from metaexpert.broker.paper.venue import Venue
from metaexpert.core.orders import Order, OrderRequest, OrderResult, Refusal


def place(venue: Venue, request: OrderRequest) -> OrderResult:
    """Take a new order: as it stands after what liquidity there is, or why there is none."""
    refusal = refused(venue, request)
    if refusal is not None:
        return refusal
    order = WorkingOrder(request=request, number=venue.state.orders_count + 1)
    venue.state.orders.setdefault(request.symbol, {})[request.order_id] = order
    plan = [] if order.waits else _plan(venue, order)
    refusal = unaffordable(venue, order, plan)
    if refusal is not None:
        venue.drop(order)
        return refusal
    venue.state.orders_count += 1
    told = len(venue.events)
    tell_order(venue, order, "accepted")
    if not order.waits:
        _take(venue, order, plan)
    return _as_told(venue, order.request.order_id, told)


def trigger(venue: Venue, order: WorkingOrder) -> None:
    """A stop's price was reached: it is a market or limit order from now on."""
    order.triggered = True
    tell_order(venue, order, "triggered")
    if order.request.post_only and crosses(venue, order.request):
        end_order(venue, order, "cancelled", "it would be filled at once", "post_only")
        return
    plan = _plan(venue, order)
    refusal = unaffordable(venue, order, plan)
    if refusal is not None:
        end_order(venue, order, "rejected", refusal.reason, refusal.code or refusal.rule)
        return
    _take(venue, order, plan)


def cancel(venue: Venue, order_id: str) -> OrderResult:
    """Take an open order out of the market."""
    order = venue.order(order_id)
    if order is None:
        return _unknown(order_id)
    told = len(venue.events)
    end_order(venue, order, "cancelled", "cancelled on request", "requested")
    return _as_told(venue, order_id, told)


def modify(venue: Venue, order_id: str, quantity: Decimal | None, price: Decimal | None) -> OrderResult:
    """Change an open order in place; it keeps its place in the queue where it only gets smaller.

    Of a stop order that becomes a market order, `price` is its stop price.
    """
    order = venue.order(order_id)
    if order is None:
        return _unknown(order_id)
    before = replace(order)
    refusal = _change(venue, order, quantity, price)
    if refusal is not None:
        order.request, order.reserve_price = before.request, None
        return refusal
    told = len(venue.events)
    tell_order(venue, order, "modified")
    if order.request.price != before.request.price or order.request.quantity > before.request.quantity:
        order.ahead = ZERO
        if not order.waits:
            _take(venue, order, _plan(venue, order))
    return _as_told(venue, order_id, told)


def _change(venue: Venue, order: WorkingOrder, quantity: Decimal | None, price: Decimal | None) -> Refusal | None:
    request = order.request
    priced = "stop_price" if request.type == "stop" else "price"
    wanted = replace(request, quantity=request.quantity if quantity is None else quantity)
    wanted = wanted if price is None else replace(wanted, **{priced: price})
    refusal = refused_change(venue, order, wanted)
    if refusal is not None:
        return refusal
    order.request = wanted
    return unaffordable(venue, order, [] if order.waits else _plan(venue, order))


def _plan(venue: Venue, order: WorkingOrder) -> Executions:
    request = order.request
    quantity = min(order.remaining, closable_by(venue, order)) if request.reduce_only else order.remaining
    return executions(venue, request.symbol, request.side, quantity, request.price)


def _take(venue: Venue, order: WorkingOrder, plan: Executions) -> None:
    order.reserve_price = None
    request = order.request
    if request.time_in_force == "FOK" and sum((quantity for _, quantity in plan), ZERO) < order.remaining:
        end_order(venue, order, "expired", "it could not be filled at once and whole", "fill_or_kill")
        return
    prices = venue.prices(request.symbol)
    for price, quantity in plan:
        if not venue.is_open(order):
            return
        filled = fill(venue, order, price, quantity, maker=False)
        if filled:
            take_depth(prices, request.side, (price, filled))
    if venue.is_open(order):
        _rest_or_end(venue, order)


def _rest_or_end(venue: Venue, order: WorkingOrder) -> None:
    request = order.request
    if request.price is None:
        end_order(venue, order, "expired", "the book is exhausted", "no_liquidity")
    elif request.time_in_force != "GTC":
        end_order(venue, order, "expired", "no more could be filled at once", "immediate_or_cancel")
    else:
        own = venue.prices(request.symbol)
        levels = own.bids if request.side == "BUY" else own.asks
        order.ahead = next((depth for price, depth in levels if price == request.price), ZERO)


def _as_told(venue: Venue, order_id: str, told: int) -> Order:
    """The order as its last event shows it."""
    for event in reversed(venue.events[told:]):
        if isinstance(event, OrderChanged) and event.order.order_id == order_id:
            return event.order
    raise AssertionError(order_id)


def _unknown(order_id: str) -> Refusal:
    return Refusal(
        rule="order_id", value=order_id, limit=None, reason=f"there is no open order {order_id}", code="unknown_order"
    )
