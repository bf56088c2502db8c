"""What makes sense after what in the life of an order. Pure: it is shown events in order and says what cannot be.

Orders are known from their `order_placed`. Each is told apart by exchange and order id, and by its client order id
where only that is known yet; an event that names no exchange, or alone does, is of the order with that id. What is
wrong is told once for each event, and the event counts all the same, but a fill that is told of twice. Nothing is said
of what real exchanges do: an acceptance that arrives behind the fill, the noise of binary floats. Amounts are added
exactly, whatever decimal context the program has set; corrections make them what they should have been.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal, InvalidOperation, localcontext
from typing import Any, Final, cast, final

from metaexpert.logger.trade.exchange_times import is_before
from metaexpert.logger.trade.ids import FILLS_KEPT, Fill, fill_of, is_id, short

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
_FILLS: Final = frozenset({_PARTLY, _FILLED})
_TWICE: Final = "filled_twice"
_EXCHANGE_TIME: Final = "exchange_timestamp"
_EXCHANGE_TIME_RULE: Final = "exchange_time"
CORRECTION: Final = "correction"
_SAME: Final = ("symbol", "side")
_CORRECTED: Final = frozenset({*_SAME, "quantity", "executed_quantity"})
_NOISE: Final = Decimal("1e-9")
"""By how much of an order's quantity sums may be wrong that somebody made of floats."""

_MOST_PLACES: Final = 64
_MOST_CHARACTERS: Final = 160
"""Of an amount; sums of larger ones overflow."""

_EXACT: Final = Context(prec=400, traps=[InvalidOperation])
"""Holds the sum of any such amounts without rounding."""

type _Key = tuple[str | None, str]


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """What cannot be.

    Attributes:
        rule: its name: `placed_twice`, `unknown_order`, `after_end`, `over_fill`, `under_fill`, `filled_twice`,
            `below_filled`, `remaining_quantity`, `symbol`, `side`, `exchange_time`.
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
    begun_at: object = None
    fills: deque[Fill] | None = None


@dataclass(slots=True)
class _Said:
    """What an entry said that counts, and what it says with its corrections."""

    order: _Order
    event: str
    logged: Mapping[str, Any]
    now: Mapping[str, Any]


@final
class Lifecycles:
    """The orders of one run.

    Args:
        most_orders: how many are remembered.
    """

    def __init__(self, most_orders: int = MOST_ORDERS) -> None:
        self._most_keys = 4 * most_orders  # by its own id and the client's, with its exchange and without
        self._orders: OrderedDict[_Key, _Order] = OrderedDict()
        self._said: OrderedDict[str, _Said] = OrderedDict()
        self._has_placed = False
        self._has_forgotten = False

    def take(self, data: Mapping[str, Any], entry_id: str = "") -> list[Finding]:
        """Be shown an event's data; says what is wrong with it after those before.

        Args:
            data: by field; what is None is not given.
            entry_id: the entry's, by which corrections name it.
        """
        given = {name: value for name, value in data.items() if value is not None}
        with localcontext(_EXACT):
            return self._taken(given, entry_id)

    def _taken(self, data: Mapping[str, Any], entry_id: str) -> list[Finding]:
        event = data.get("event")
        if event == CORRECTION:
            return list(self._corrected(data, entry_id))
        keys = list(_keys(data))
        if event not in _EVENTS or not keys:
            return []
        known = self._placed_before(data, keys) if event == _PLACED else self._meant(data, keys)
        findings = list(self._found(str(event), data, known))
        order = _Order() if known is None or (event == _PLACED and known.ended_by) else known
        if not any(finding.rule == _TWICE for finding in findings):
            self._apply(str(event), data, order)
            logged = {name: data[name] for name in _CORRECTED & data.keys()}
            self._note(entry_id, _Said(order, str(event), logged, logged))
        self._remember(keys, order)
        return findings

    def _note(self, entry_id: str, said: _Said) -> None:
        if entry_id:
            self._said[entry_id] = said
            if len(self._said) > self._most_keys:
                self._said.popitem(last=False)

    def _corrected(self, data: Mapping[str, Any], entry_id: str) -> Iterator[Finding]:
        """Take what an entry should have said for what it said; of other entries nothing is known."""
        said, values = self._said.get(str(data.get("original"))), data.get("values")
        if said is None or not isinstance(values, dict):
            return
        right, before = cast("dict[str, Any]", values), said.now
        inner = right.get("values")
        # a correction that was wrong itself is corrected by one that gives `values` as a field
        said.now = {**said.logged, **cast("dict[str, Any]", inner)} if isinstance(inner, dict) else {**before, **right}
        self._note(entry_id, said)
        yield from _amended(said, before)

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
            if name in data and name in known.same and (now := _alike(name, data[name])) != known.same[name]:
                yield Finding(name, f"{name} is {now}, and was {known.same[name]}")
        if event not in {_PLACED, _ACCEPTED} and is_before(data.get(_EXCHANGE_TIME), known.begun_at):
            yield Finding(_EXCHANGE_TIME_RULE, f"{event} is before the order's beginning by the exchange's clock")
        fill = fill_of(data) if event in _FILLS and known.fills else None
        if fill is not None and fill in (known.fills or ()):
            yield Finding(_TWICE, f"{fill[0]} was told before")
            return
        yield from _modification_found(event, data, known)
        yield from _fill_found(event, data, known)

    def _apply(self, event: str, data: Mapping[str, Any], order: _Order) -> None:
        order.exchange = order.exchange or _exchange(data)
        for name in _SAME:
            if name in data:
                order.same.setdefault(name, _alike(name, data[name]))
        if event in {_PLACED, _ACCEPTED} and order.begun_at is None:
            order.begun_at = data.get(_EXCHANGE_TIME)
        if event in {_PLACED, _MODIFIED}:
            order.quantity = _number(data, "quantity") or order.quantity
            self._has_placed = self._has_placed or event == _PLACED
        if event == _PLACED:
            order.ended_by = ""
        elif event == _PARTLY:
            order.executed += _number(data, "executed_quantity") or 0
        elif event in _ENDS:
            order.ended_by = event
        if event in _FILLS and (fill := fill_of(data)):
            order.fills = order.fills or deque[Fill](maxlen=FILLS_KEPT)
            order.fills.append(fill)

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
        f"{kind}{short(data[name])}"
        for name, kind in (("order_id", ""), ("client_order_id", "client "))
        if is_id(data.get(name))
    ]
    for place in (_exchange(data), None):
        for each in ids:
            yield place, each


def _placed_as(data: Mapping[str, Any], place: str | None) -> Iterator[_Key]:
    """What an order is known by whose placement was given its client's id for its own."""
    if is_id(data.get("client_order_id")):
        yield place, short(data["client_order_id"])


def _exchange(data: Mapping[str, Any]) -> str:
    return short(data.get("exchange", "")).casefold()


def _has_place(key: _Key) -> bool:
    return key[0] is not None


def _has_none(key: _Key) -> bool:
    return key[0] is None


def _amended(said: _Said, before: Mapping[str, Any]) -> Iterator[Finding]:
    """Let an order be what its corrected entry makes it."""
    order = said.order
    if said.event == _PARTLY:
        order.executed += (_number(said.now, "executed_quantity") or 0) - (_number(before, "executed_quantity") or 0)
    elif said.event in {_PLACED, _MODIFIED}:
        order.quantity = _number(said.now, "quantity") or order.quantity
    for name in _SAME:
        if name in said.now and order.same.get(name) == _alike(name, before.get(name)):
            order.same[name] = _alike(name, said.now[name])
    if order.quantity is not None and not order.ended_by and order.executed > order.quantity * (1 + _NOISE):
        yield Finding("over_fill", f"{order.executed} filled of {order.quantity}, corrected")


def _alike(name: str, value: object) -> str:
    """What is compared of it: a side is the same in any letters."""
    return short(value).upper() if name == "side" else short(value)


def _modification_found(event: str, data: Mapping[str, Any], order: _Order) -> Iterator[Finding]:
    quantity = _number(data, "quantity")
    if event != _MODIFIED or order.ended_by or order.quantity is None or quantity is None:
        return
    if quantity < order.executed - order.quantity * _NOISE:
        yield Finding("below_filled", f"its quantity is now {quantity}, and {order.executed} are filled")


def _fill_found(event: str, data: Mapping[str, Any], order: _Order) -> Iterator[Finding]:
    if order.quantity is None or order.ended_by or event not in _FILLS:
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
    if remaining is not None and abs(order.quantity - executed - remaining) > noise:
        yield Finding("remaining_quantity", f"{remaining} is said to remain of {order.quantity}, {executed} are filled")


def _number(data: Mapping[str, Any], name: str) -> Decimal | None:
    value = data.get(name)
    if type(value) is bool or not isinstance(value, str | int | float) or len(text := str(value)) > _MOST_CHARACTERS:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= _MOST_PLACES else None
