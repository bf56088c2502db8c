"""What a market refuses before an order is in it: each refusal names the rule, what it saw and what it allows."""

from collections.abc import Iterator
from decimal import Decimal

from metaexpert.broker.paper.margin import available, closable
from metaexpert.broker.paper.money import GREATEST, ZERO
from metaexpert.broker.paper.state import WorkingOrder
from metaexpert.broker.paper.taking import Executions, best_price, crosses
from metaexpert.broker.paper.venue import Venue
from metaexpert.core.instrument import Instrument
from metaexpert.core.orders import OrderRequest, Refusal

_NEEDS_PRICE = frozenset({"limit", "stop_limit"})
_NEEDS_STOP = frozenset({"stop", "stop_limit"})


def refused(venue: Venue, request: OrderRequest) -> Refusal | None:
    """Why an order is not taken, by what it says and where the market is; margin apart."""
    instrument = venue.instruments.get(request.symbol)
    if instrument is None:
        known = ", ".join(sorted(venue.instruments))
        return Refusal(rule="symbol", value=request.symbol, limit=known, reason=f"{request.symbol} is not traded here")
    return next((each for each in _checks(venue, instrument, request) if each is not None), None)


def refused_change(venue: Venue, order: WorkingOrder, wanted: OrderRequest) -> Refusal | None:
    """Why an open order does not become `wanted`; margin apart."""
    instrument = venue.instruments[wanted.symbol]
    return next((each for each in _checks_of_change(venue, instrument, order, wanted) if each is not None), None)


def unaffordable(venue: Venue, order: WorkingOrder, plan: Executions) -> Refusal | None:
    """Why an order that is in the state already cannot be paid; `plan` is what would fill it at once."""
    instrument = venue.instruments[order.request.symbol]
    order.reserve_price = _reserve_price(instrument, order, plan)
    asset = _asset_needed(instrument, order.request)
    left = available(venue, asset)
    request = order.request
    venue.drop(order)
    before = available(venue, asset)
    venue.state.orders.setdefault(request.symbol, {})[request.order_id] = order
    needed = before - left
    if needed <= 0 or left >= 0:
        return None
    rule = "margin" if instrument.is_contract else "balance"
    code = f"insufficient_{rule}"
    reason = f"{needed} {asset} needed, {max(before, ZERO)} available"
    return Refusal(rule=rule, value=needed, limit=max(before, ZERO), reason=reason, code=code)


def _checks(venue: Venue, instrument: Instrument, request: OrderRequest) -> Iterator[Refusal | None]:
    yield _duplicate(venue, request)
    yield from _fields(venue, instrument, request)
    yield _market(venue, request)
    yield _stop(venue, request)
    yield _reducing(venue, instrument, request)
    if request.stop_price is None:
        yield _post_only(venue, request)


def _checks_of_change(
    venue: Venue, instrument: Instrument, order: WorkingOrder, wanted: OrderRequest
) -> Iterator[Refusal | None]:
    yield from _fields(venue, instrument, wanted)
    if wanted.quantity <= order.filled:
        yield _bound("quantity", wanted.quantity, order.filled, "that much is filled already; cancel the rest")
    yield _stop(venue, wanted) if order.waits else _post_only(venue, wanted)


def _fields(venue: Venue, instrument: Instrument, request: OrderRequest) -> Iterator[Refusal | None]:
    """What is wrong with the order itself, wherever the market is."""
    yield _form(request)
    yield from _numbers(instrument, request)
    yield _steps(instrument, request)
    yield _size(venue, instrument, request)


def _duplicate(venue: Venue, request: OrderRequest) -> Refusal | None:
    sent = any(each.kind == "submit" and each.order_id == request.order_id for each in venue.state.arrivals)
    if venue.order(request.order_id) is None and not sent:
        return None
    return Refusal(rule="order_id", value=request.order_id, limit="unique", reason="an open order has this id")


def _form(request: OrderRequest) -> Refusal | None:
    for name, value, needed in (
        ("price", request.price, request.type in _NEEDS_PRICE),
        ("stop_price", request.stop_price, request.type in _NEEDS_STOP),
    ):
        if (value is not None) != needed:
            wants = "needs a" if needed else "has no"
            return Refusal(rule=name, value=value, limit=None, reason=f"a {request.type} order {wants} {name}")
    if request.post_only and (request.type not in _NEEDS_PRICE or request.time_in_force != "GTC"):
        return Refusal(
            rule="post_only", value=request.type, limit="limit", reason="only a limit order that stands is post-only"
        )
    return None


def _numbers(instrument: Instrument, request: OrderRequest) -> Iterator[Refusal | None]:
    for name, value in (("quantity", request.quantity), ("price", request.price), ("stop_price", request.stop_price)):
        if value is not None and not (value.is_finite() and value > 0):
            yield Refusal(rule=name, value=value, limit=ZERO, reason=f"{name} is {value}, not more than 0")
        elif value is not None and value >= GREATEST:
            yield Refusal(rule=name, value=value, limit=GREATEST, reason=f"{name} is {value}, too much to reckon with")
    quantity = request.quantity
    if quantity < instrument.min_quantity:
        yield _bound("min_quantity", quantity, instrument.min_quantity, "quantity is below the least one")
    if instrument.max_quantity is not None and quantity > instrument.max_quantity:
        yield _bound("max_quantity", quantity, instrument.max_quantity, "quantity is above the greatest one")


def _steps(instrument: Instrument, request: OrderRequest) -> Refusal | None:
    for name, value, step in (
        ("quantity", request.quantity, instrument.quantity_step),
        ("price", request.price, instrument.price_step),
        ("price", request.stop_price, instrument.price_step),
    ):
        if value is not None and value % step:
            return _bound(f"{name}_step", value, step, f"{name} is not a multiple of the step")
    return None


def _size(venue: Venue, instrument: Instrument, request: OrderRequest) -> Refusal | None:
    price = request.price or request.stop_price or best_price(venue, request.symbol, request.side)
    if price is None or request.reduce_only:
        return None
    notional = instrument.notional(request.quantity, price)
    if notional >= instrument.min_notional:
        return None
    return _bound("min_notional", notional, instrument.min_notional, f"{notional} {instrument.quote} is too little")


def _market(venue: Venue, request: OrderRequest) -> Refusal | None:
    if venue.prices(request.symbol).last is not None:
        return None
    return Refusal(rule="market_data", value=None, limit=None, reason=f"no price of {request.symbol} has come yet")


def _stop(venue: Venue, request: OrderRequest) -> Refusal | None:
    last, stop = venue.prices(request.symbol).last, request.stop_price
    if last is None or stop is None or (stop > last if request.side == "BUY" else stop < last):
        return None
    where = "above" if request.side == "BUY" else "below"
    return _bound(
        "stop_price", stop, last, f"it would trigger at once: a {request.side} stop is {where} the last price"
    )


def _reducing(venue: Venue, instrument: Instrument, request: OrderRequest) -> Refusal | None:
    if not request.reduce_only or instrument.quantity(closable(venue, request.symbol, request.side)):
        return None
    return _bound("reduce_only", request.quantity, ZERO, f"there is nothing that a {request.side} could reduce")


def _post_only(venue: Venue, request: OrderRequest) -> Refusal | None:
    if not request.post_only or not crosses(venue, request):
        return None
    best = best_price(venue, request.symbol, request.side)
    return Refusal(rule="post_only", value=request.price, limit=best, reason=f"it would be filled at once at {best}")


def _bound(rule: str, value: Decimal, limit: Decimal, reason: str) -> Refusal:
    return Refusal(rule=rule, value=value, limit=limit, reason=reason)


def _asset_needed(instrument: Instrument, request: OrderRequest) -> str:
    if instrument.is_contract:
        return instrument.settle
    return instrument.quote if request.side == "BUY" else instrument.base


def _reserve_price(instrument: Instrument, order: WorkingOrder, plan: Executions) -> Decimal | None:
    """At which the order is worth most: an inverse contract at the lowest price it may be filled at."""
    prices = [price for price, _ in plan]
    if order.request.price is not None and not order.waits:
        prices.append(order.request.price)
    if not prices:
        return None
    return min(prices) if instrument.contract_type == "inverse" else max(prices)
