"""What makes sense after what in the life of an order. Pure: it is shown events in order and says what cannot be.

Orders are known from their `order_placed`. Each is told apart by exchange and order id, and by its client order id
where only that is known yet; an event that names no exchange, or alone does, is of the order with that id. What is
wrong is told once for each event, and the event counts all the same. Nothing is said of what real exchanges do: an
acceptance that arrives behind the fill, ids that are used again after an order's end, the noise of binary floats.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
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
_ACCEPTED: Final = "order_accepted"
_REJECTED: Final = "order_rejected"
_SAME: Final = ("symbol", "side")
_SHOWN_CHARACTERS: Final = 128
"""What is kept of an id or a name; of longer ones a part and a hash."""

_NOISE: Final = Decimal("1e-9")
"""By how much of an order's quantity sums may be wrong that somebody made of floats."""

_MOST_PLACES: Final = 64
"""Of an amount; sums of larger ones overflow."""

type _Key = tuple[str | None, str]


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
    exchange: str = ""
    same: dict[str, str] = field(default_factory=dict[str, str])


@final
class Lifecycles:
    """The orders of one run.

    Args:
        most_orders: how many are remembered.
    """

    def __init__(self, most_orders: int = MOST_ORDERS) -> None:
        self._most_keys = 4 * most_orders  # by its own id and the client's, with its exchange and without
        self._orders: OrderedDict[_Key, _Order] = OrderedDict()
        self._has_placed = False
        self._has_forgotten = False

    def take(self, data: Mapping[str, Any]) -> list[Finding]:
        """Be shown an event's data; says what is wrong with it after those before."""
        event = data.get("event")
        keys = list(_keys(data))
        if event not in _EVENTS or not keys:
            return []
        known = self._placed_before(data, keys) if event == _PLACED else self._meant(data, keys)
        findings = list(self._found(str(event), data, known))
        order = _Order() if known is None or (event == _PLACED and known.ended_by) else known
        self._apply(str(event), data, order)
        self._remember(keys, order)
        return findings

    def _known(self, keys: Iterable[_Key]) -> _Order | None:
        return next((order for key in keys if (order := self._orders.get(key)) is not None), None)

    def _meant(self, data: Mapping[str, Any], keys: list[_Key]) -> _Order | None:
        """The order an event is of; it may have been placed under what is its client's id now."""
        order = self._known(filter(_has_place, keys)) or self._known(_placed_as(data, _exchange(data)))
        if order is None:
            order = self._known(filter(_has_none, keys)) or self._known(_placed_as(data, None))
            if order is not None and "" not in {order.exchange, _exchange(data)}:
                return None
        return order

    def _placed_before(self, data: Mapping[str, Any], keys: list[_Key]) -> _Order | None:
        """The order that is placed again: not another exchange's, nor one whose client's id is free again."""
        exact = list(filter(_has_place, keys))
        order = self._known(exact)
        if order is not None and order.ended_by and "order_id" in data:
            return self._orders.get(exact[0])
        return order

    def _found(self, event: str, data: Mapping[str, Any], known: _Order | None) -> Iterator[Finding]:
        if known is None:
            # who logs no placements, or has more orders than are remembered, need not be told of each
            if event != _PLACED and self._has_placed and not self._has_forgotten:
                yield Finding("unknown_order", f"{event} of an order that was not placed in this run")
            return
        if event == _PLACED:
            yield Finding("placed_twice", "the order was placed before")
        elif known.ended_by and (event != _ACCEPTED or known.ended_by == _REJECTED):
            yield Finding("after_end", f"{event} after {known.ended_by}")
        for name in _SAME:
            if name in data and name in known.same and (now := _short(data[name])) != known.same[name]:
                yield Finding(name, f"{name} is {now}, and was {known.same[name]}")
        yield from _fill_found(event, data, known)

    def _apply(self, event: str, data: Mapping[str, Any], order: _Order) -> None:
        order.exchange = order.exchange or _exchange(data)
        for name in _SAME:
            if name in data:
                order.same.setdefault(name, _short(data[name]))
        if event in {_PLACED, _MODIFIED}:
            order.quantity = _number(data, "quantity") or order.quantity
            self._has_placed = self._has_placed or event == _PLACED
        if event == _PLACED:
            order.ended_by = ""
        elif event == _PARTLY:
            order.executed += _number(data, "executed_quantity") or 0
        elif event in _ENDS:
            order.ended_by = event

    def _remember(self, keys: list[_Key], order: _Order) -> None:
        for key in keys:
            self._orders[key] = order
            self._orders.move_to_end(key)
        while len(self._orders) > self._most_keys:
            self._orders.popitem(last=False)
            self._has_forgotten = True


def _keys(data: Mapping[str, Any]) -> Iterator[_Key]:
    """What an order is known by: its own id first, and under its exchange before any exchange (None)."""
    ids = [
        f"{kind}{_short(data[name])}"
        for name, kind in (("order_id", ""), ("client_order_id", "client "))
        if name in data
    ]
    for place in (_exchange(data), None):
        for each in ids:
            yield place, each


def _placed_as(data: Mapping[str, Any], place: str | None) -> Iterator[_Key]:
    """What an order is known by whose placement was given its client's id for its own."""
    if "client_order_id" in data:
        yield place, _short(data["client_order_id"])


def _exchange(data: Mapping[str, Any]) -> str:
    return _short(data.get("exchange", ""))


def _has_place(key: _Key) -> bool:
    return key[0] is not None


def _has_none(key: _Key) -> bool:
    return key[0] is None


def _short(value: object) -> str:
    """A name as it is compared, bounded."""
    text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…{hash(text)}"


def _fill_found(event: str, data: Mapping[str, Any], order: _Order) -> Iterator[Finding]:
    if order.quantity is None or order.ended_by:
        return
    executed, noise = order.executed, order.quantity * _NOISE
    if event == _PARTLY:
        executed += _number(data, "executed_quantity") or 0
    elif event == _FILLED:
        # in whole, or what was left
        whole = _number(data, "quantity") or order.quantity
        executed = whole if whole >= order.quantity - noise else executed + whole
        if executed < order.quantity - noise:
            yield Finding("under_fill", f"filled in whole with {executed} of {order.quantity}")
    if executed > order.quantity + noise:
        yield Finding("over_fill", f"{executed} filled of {order.quantity}")
    remaining = _number(data, "remaining_quantity")
    if remaining is not None and event in {_PARTLY, _FILLED} and abs(order.quantity - executed - remaining) > noise:
        yield Finding("remaining_quantity", f"{remaining} is said to remain of {order.quantity}, {executed} are filled")


def _number(data: Mapping[str, Any], name: str) -> Decimal | None:
    try:
        number = Decimal(data[name])
    except (KeyError, TypeError, ValueError, InvalidOperation):
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= _MOST_PLACES else None
