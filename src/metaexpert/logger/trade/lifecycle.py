"""What makes sense after what in the life of an order. Pure: it is shown events in order and says what cannot be.

Orders are known from their `order_placed`. Each is told apart by exchange and order id, and by its client order id
where only that is known yet. What is wrong is told once for each event, and the event counts all the same.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final, final

MOST_ORDERS: Final = 10_000
"""Orders remembered, those that ended included; the ones untouched for longest are forgotten first."""

_PLACED: Final = "order_placed"
_PARTLY: Final = "order_partially_filled"
_FILLED: Final = "order_filled"
_MODIFIED: Final = "order_modified"
_ENDS: Final = frozenset({_FILLED, "order_cancelled", "order_rejected", "order_expired"})
_EVENTS: Final = _ENDS | {_PLACED, _PARTLY, _MODIFIED, "order_accepted"}
_SAME: Final = ("symbol", "side")


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """What cannot be.

    Attributes:
        rule: its name: `placed_twice`, `unknown_order`, `after_end`, `over_fill`, `under_fill`, `remaining_quantity`,
            `symbol`, `side`.
        text: what is wrong, for people.
    """

    rule: str
    text: str


@dataclass(slots=True)
class _Order:
    """What is known of an order."""

    quantity: Decimal | None = None
    executed: Decimal = Decimal(0)
    ended_by: str = ""
    same: dict[str, object] = field(default_factory=dict[str, object])


@final
class Lifecycles:
    """The orders of one run.

    Args:
        most_orders: how many are remembered.
    """

    def __init__(self, most_orders: int = MOST_ORDERS) -> None:
        self._most_keys = 2 * most_orders  # by its own id and the client's
        self._orders: OrderedDict[tuple[str, str], _Order] = OrderedDict()
        self._has_placed = False
        self._has_forgotten = False

    def take(self, data: Mapping[str, Any]) -> list[Finding]:
        """Be shown an event's data; says what is wrong with it after those before."""
        event = data.get("event")
        keys = list(_keys(data))
        if event not in _EVENTS or not keys:
            return []
        known = next((order for key in keys if (order := self._orders.get(key)) is not None), None)
        order = known or _Order()
        findings = list(self._found(str(event), data, known))
        self._apply(str(event), data, order)
        self._remember(keys, order)
        return findings

    def _found(self, event: str, data: Mapping[str, Any], known: _Order | None) -> Iterator[Finding]:
        if known is None:
            # who logs no placements, or has more orders than are remembered, need not be told of each
            if event != _PLACED and self._has_placed and not self._has_forgotten:
                yield Finding("unknown_order", f"{event} of an order that was not placed in this run")
            return
        if event == _PLACED:
            yield Finding("placed_twice", "the order was placed before")
        elif known.ended_by:
            yield Finding("after_end", f"{event} after {known.ended_by}")
        for name in _SAME:
            if name in data and name in known.same and data[name] != known.same[name]:
                yield Finding(name, f"{name} is {data[name]}, and was {known.same[name]}")
        yield from _fill_found(event, data, known)

    def _apply(self, event: str, data: Mapping[str, Any], order: _Order) -> None:
        for name in _SAME:
            if name in data:
                order.same.setdefault(name, data[name])
        if event in {_PLACED, _MODIFIED}:
            order.quantity = _number(data, "quantity") or order.quantity
            self._has_placed = self._has_placed or event == _PLACED
        if event == _PLACED:
            order.ended_by = ""
        elif event == _PARTLY:
            order.executed += _number(data, "executed_quantity") or 0
        elif event in _ENDS:
            order.ended_by = event

    def _remember(self, keys: list[tuple[str, str]], order: _Order) -> None:
        for key in keys:
            self._orders[key] = order
            self._orders.move_to_end(key)
        while len(self._orders) > self._most_keys:
            self._orders.popitem(last=False)
            self._has_forgotten = True


def _keys(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    exchange = str(data.get("exchange", ""))
    for name, kind in (("order_id", ""), ("client_order_id", "client ")):
        if name in data:
            yield exchange, f"{kind}{data[name]}"


def _fill_found(event: str, data: Mapping[str, Any], order: _Order) -> Iterator[Finding]:
    if order.quantity is None or order.ended_by:
        return
    executed = order.executed
    if event == _PARTLY:
        executed += _number(data, "executed_quantity") or 0
    elif event == _FILLED:
        # in whole, or what was left
        whole = _number(data, "quantity") or order.quantity
        executed = whole if whole >= order.quantity else executed + whole
        if executed < order.quantity:
            yield Finding("under_fill", f"filled in whole with {executed} of {order.quantity}")
    if executed > order.quantity:
        yield Finding("over_fill", f"{executed} filled of {order.quantity}")
    remaining = _number(data, "remaining_quantity")
    if remaining is not None and event in {_PARTLY, _FILLED} and remaining != order.quantity - executed:
        yield Finding("remaining_quantity", f"{remaining} is said to remain of {order.quantity}, {executed} are filled")


def _number(data: Mapping[str, Any], name: str) -> Decimal | None:
    try:
        number = Decimal(data[name])
    except (KeyError, TypeError, ValueError, InvalidOperation):
        return None
    return number if number.is_finite() else None
