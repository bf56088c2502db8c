"""What a fill does to balances and positions.

Told in this order: the order with its fill, the position (twice where a fill turns it: closed, then opened), balances.
On spot the fee is taken out of what is received; of contracts, out of the settlement asset, like their gains.
"""

from collections.abc import Iterator
from decimal import Decimal

from metaexpert.broker.paper.booking import Booking
from metaexpert.broker.paper.margin import closable, losable
from metaexpert.broker.paper.money import ZERO, charged, credited, nearest
from metaexpert.broker.paper.state import Holding, WorkingOrder
from metaexpert.broker.paper.telling import end_order, tell_order
from metaexpert.broker.paper.venue import Venue
from metaexpert.core.instrument import Instrument
from metaexpert.core.orders import Fill


def fill(venue: Venue, order: WorkingOrder, price: Decimal, quantity: Decimal, *, maker: bool) -> Decimal:
    """Fill up to `quantity` of an order; how much it was: less where it may only reduce, or cannot be paid."""
    quantity = min(quantity, order.remaining)
    if order.request.reduce_only:
        quantity = min(quantity, closable_by(venue, order))
    instrument = venue.instruments[order.request.symbol]
    if quantity <= 0 or not _payable(venue, instrument, order, price, quantity):
        return ZERO
    order.filled += quantity
    order.turnover += quantity * price
    if not order.remaining:
        venue.drop(order)
    booking = Booking(venue=venue, instrument=instrument, price=price)
    _book(booking, order, quantity, instrument.maker_fee if maker else instrument.taker_fee)
    _tell(booking, order, quantity, maker=maker)
    end_idle_reducers(venue, order.request.symbol)
    return quantity


def closable_by(venue: Venue, order: WorkingOrder) -> Decimal:
    """How much an order can close, in whole steps."""
    request = order.request
    return venue.instruments[request.symbol].quantity(closable(venue, request.symbol, request.side))


def end_idle_reducers(venue: Venue, symbol: str) -> None:
    """Orders that may only reduce end with what they could reduce."""
    for order in venue.orders(symbol):
        if order.request.reduce_only and not closable_by(venue, order):
            end_order(venue, order, "cancelled", "there is nothing left to reduce", "reduce_only")


def _payable(venue: Venue, instrument: Instrument, order: WorkingOrder, price: Decimal, quantity: Decimal) -> bool:
    """Whether spot has what it gives; what was reserved may have been lost to positions since."""
    if instrument.is_contract:
        return True
    buying = order.request.side == "BUY"
    given = charged(quantity * price) if buying else quantity
    if given <= losable(venue, instrument.quote if buying else instrument.base):
        return True
    end_order(venue, order, "cancelled", "the balance does not suffice any more", "insufficient_balance")
    return False


def _book(booking: Booking, order: WorkingOrder, quantity: Decimal, rate: Decimal) -> None:
    held = booking.venue.holding(order.request.symbol, booking.venue.side_of(order.request))
    buying = order.request.side == "BUY"
    if booking.instrument.is_contract:
        _contract(booking, held, quantity if buying else -quantity, rate)
    elif buying:
        _buy(booking, held, quantity, rate)
    else:
        _sell(booking, held, quantity, rate)


def _contract(booking: Booking, held: Holding, signed: Decimal, rate: Decimal) -> None:
    for part in _parts(held.quantity, signed):
        held = booking.venue.holding(held.symbol, held.side)
        previous = held.quantity
        closing = previous * part < 0
        gain = booking.close(held, part) if closing else ZERO
        fee = booking.charge(part, rate)
        if not closing:
            booking.open(held, part)
        booking.record(held, previous, gain - fee)


def _parts(held: Decimal, signed: Decimal) -> Iterator[Decimal]:
    """What closes, and what is left to open."""
    if held * signed >= 0 or abs(signed) <= abs(held):
        yield signed
    else:
        yield -held
        yield signed + held


def _buy(booking: Booking, held: Holding, quantity: Decimal, rate: Decimal) -> None:
    instrument, previous = booking.instrument, held.quantity
    cost = -booking.pay(instrument.quote, -quantity * booking.price, "fill")
    booking.pay(instrument.base, quantity, "fill")
    booking.fee = charged(rate * quantity)
    booking.pay(instrument.base, -booking.fee, "fee")
    if not previous:
        held.opened_ns = booking.venue.state.now_ns
    held.quantity += quantity - booking.fee
    held.cost += cost
    booking.record(held, previous, ZERO)


def _sell(booking: Booking, held: Holding, quantity: Decimal, rate: Decimal) -> None:
    instrument = booking.instrument
    booking.pay(instrument.base, -quantity, "fill")
    proceeds = booking.pay(instrument.quote, quantity * booking.price, "fill")
    booking.fee = charged(rate * proceeds)
    booking.pay(instrument.quote, -booking.fee, "fee")
    if held.quantity:
        _reduce(booking, held, quantity, proceeds - booking.fee)
    else:
        booking.venue.forget(held)


def _reduce(booking: Booking, held: Holding, quantity: Decimal, proceeds: Decimal) -> None:
    """Sell out of a position, then out of what was there before; less than a step stays behind, at its cost."""
    previous, sold = held.quantity, min(quantity, held.quantity)
    cost = nearest(held.cost * sold / previous)
    held.quantity -= sold
    held.cost -= cost
    if held.quantity < booking.instrument.quantity_step:
        held.quantity = held.cost = ZERO
    booking.record(held, previous, credited(proceeds * sold / quantity) - cost)


def _tell(booking: Booking, order: WorkingOrder, quantity: Decimal, *, maker: bool) -> None:
    venue, request, instrument = booking.venue, order.request, booking.instrument
    received = instrument.base if request.side == "BUY" else instrument.quote
    asset = instrument.settle if instrument.is_contract else received
    venue.state.fills_count += 1
    if booking.fee:
        order.fees[asset] = order.fees.get(asset, ZERO) + booking.fee
    execution = Fill(
        order_id=request.order_id,
        fill_id=f"F{venue.state.fills_count}",
        symbol=request.symbol,
        side=request.side,
        quantity=quantity,
        price=booking.price,
        fee=booking.fee,
        fee_asset=asset if booking.fee else None,
        is_maker=maker,
        time_ns=venue.state.now_ns,
    )
    step = "partially_filled" if order.remaining else "filled"
    tell_order(venue, order, step, status=step, fill=execution)
    booking.tell()
