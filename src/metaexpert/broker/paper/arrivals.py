"""Messages to the market, which arrive at once or, with a latency, that much later in the market's time."""

from metaexpert.broker.broker import OrderChanged
from metaexpert.broker.paper.placing import cancel, modify, place
from metaexpert.broker.paper.state import Arrival
from metaexpert.broker.paper.venue import Venue
from metaexpert.core.orders import Order, OrderResult, Refusal


def send(venue: Venue, arrival: Arrival, *, delayed: bool) -> OrderResult:
    """The answer to a message; one that is under way is answered with the order as it is known."""
    if not delayed:
        return _arrived(venue, arrival)
    known = _known(venue, arrival)
    if isinstance(known, Order):
        venue.state.arrivals.append(arrival)
    return known


def deliver(venue: Venue, now_ns: int, *, inclusive: bool) -> None:
    """Let arrive what is due, each at its time."""
    state = venue.state
    while state.arrivals and (state.arrivals[0].due_ns < now_ns or (inclusive and state.arrivals[0].due_ns == now_ns)):
        arrival = state.arrivals.pop(0)
        state.now_ns = max(state.now_ns, arrival.due_ns)
        result = _arrived(venue, arrival)
        if isinstance(result, Refusal) and arrival.request is not None:
            rejected = Order(
                request=arrival.request,
                status="rejected",
                reason=f"{result.rule}: {result.reason}",
                code=result.code,
                updated_ns=state.now_ns,
            )
            venue.events.append(OrderChanged(order=rejected, step="rejected"))


def sent(venue: Venue) -> tuple[Order, ...]:
    """Orders on their way."""
    return tuple(
        Order(request=each.request, updated_ns=each.request.created_ns)
        for each in venue.state.arrivals
        if each.request is not None
    )


def _known(venue: Venue, arrival: Arrival) -> OrderResult:
    if arrival.request is not None:
        return Order(request=arrival.request, updated_ns=venue.state.now_ns)
    order = venue.order(arrival.order_id)
    if order is not None:
        return order.order(order.status, venue.state.now_ns)
    under_way = next((each for each in sent(venue) if each.order_id == arrival.order_id), None)
    if under_way is not None:
        return under_way
    reason = f"there is no open order {arrival.order_id}"
    return Refusal(rule="order_id", value=arrival.order_id, limit=None, reason=reason, code="unknown_order")


def _arrived(venue: Venue, arrival: Arrival) -> OrderResult:
    if arrival.request is not None:
        return place(venue, arrival.request)
    if arrival.kind == "cancel":
        return cancel(venue, arrival.order_id)
    return modify(venue, arrival.order_id, arrival.quantity, arrival.price)
