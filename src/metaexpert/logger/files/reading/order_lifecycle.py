"""Orders put together from their trade entries: stages, fills, fees, and what cannot have happened so; pure.

Amounts are exact. What an order costs in memory does not grow with its events, and of closed orders only so many are
held back for what may still come. A new placing of an order id that is done, or by another run, is another order.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Final, cast, final

from metaexpert.logger.files.reading.trade_events import CORRECTION, EXACT, Correction, TradeEvent, plain
from metaexpert.logger.trade.ids import FILLS_KEPT, Fill, fill_of

PLACED: Final = "placed"
ACCEPTED: Final = "accepted"
PARTIALLY_FILLED: Final = "partially filled"
FILLED: Final = "filled"
CANCELLED: Final = "cancelled"
REJECTED: Final = "rejected"
EXPIRED: Final = "expired"
MODIFIED: Final = "modified"

_RANKS: Final = {PLACED: 0, ACCEPTED: 1, PARTIALLY_FILLED: 2}
DONE: Final = frozenset({FILLED, CANCELLED, REJECTED, EXPIRED})
"""States an order does not leave."""

_STAGES: Final = {
    "order_placed": PLACED,
    "order_accepted": ACCEPTED,
    "order_partially_filled": PARTIALLY_FILLED,
    "order_filled": FILLED,
    "order_cancelled": CANCELLED,
    "order_canceled": CANCELLED,
    "order_rejected": REJECTED,
    "order_expired": EXPIRED,
    "order_modified": MODIFIED,
}

_KEPT_CLOSED: Final = 100_000
_KEPT_STAGES: Final = 20
_KEPT_REMARKS: Final = 5
_AVERAGE: Final = Context(prec=28)
"""How an average is rounded that has no end."""


@final
@dataclass(frozen=True, slots=True)
class Stage:
    """What befell an order.

    Attributes:
        time_ns: when it was logged, UTC, nanoseconds since the epoch.
        exchange_timestamp: when it was by the exchange's clock, as the entry has it.
        actor: who or what caused it.
        entry_id: of the entry that tells it.
    """

    name: str
    time_ns: int
    exchange_timestamp: str | None = None
    actor: str | None = None
    entry_id: str | None = None


@final
@dataclass(frozen=True, slots=True)
class Corrected:
    """A field of one of an order's entries that was corrected.

    Attributes:
        logged: what the entry says; None where it has no such field.
        value: what it should have said.
    """

    by: Correction
    name: str
    logged: str | None
    value: str | None


@final
@dataclass(slots=True)
class Order:
    """One order, as its entries tell it.

    Attributes:
        state: the last stage that changed it; empty while only events are known that are no stage.
        quantity: ordered, in units of the symbol's base.
        price: the limit; None for a market order.
        filled: the quantity filled so far.
        notional: the sum of price times quantity over the fills; None once one came without a price.
        fees: by asset.
        stages: the first ones; `events` counts all.
        entry_ids: of its first entries.
        corrected: the first fields that were corrected; the figures are those with the right values.
        remarks: what cannot have happened as it is told.
    """

    order_id: str | None = None
    client_order_id: str | None = None
    exchange: str | None = None
    symbol: str | None = None
    side: str | None = None
    order_type: str | None = None
    strategy_id: str | None = None
    state: str = ""
    quantity: Decimal | None = None
    price: Decimal | None = None
    filled: Decimal = Decimal(0)
    notional: Decimal | None = Decimal(0)
    fills: int = 0
    fees: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    reason: str | None = None
    events: int = 0
    stages: list[Stage] = field(default_factory=list[Stage])
    corrected: list[Corrected] = field(default_factory=list[Corrected])
    remarks: list[str] = field(default_factory=list[str])
    runs: set[str] = field(default_factory=set[str])
    entry_ids: list[str] = field(default_factory=list[str])
    begun_ns: int = 0
    done_ns: int | None = None
    _fill_price: Decimal | None = None
    _known_fills: deque[Fill] | None = None

    @property
    def name(self) -> str:
        """The order id, or the client's where there is none."""
        return self.order_id or self.client_order_id or ""

    @property
    def is_done(self) -> bool:
        """Whether nothing more is expected of it."""
        return self.state in DONE

    @property
    def average_price(self) -> Decimal | None:
        """Of the fills: exact where it ends within 28 digits; None where a fill had no price."""
        if self.notional is None or not self.filled:
            return None
        if self._fill_price is not None:
            return self._fill_price
        return _AVERAGE.divide(self.notional, self.filled).normalize(_AVERAGE)

    def time_of(self, *names: str) -> int | None:
        """When it first reached one of these stages, UTC nanoseconds; None when it did not."""
        return next((stage.time_ns for stage in self.stages if stage.name in names), None)

    def duration_ns(self, *names: str) -> int | None:
        """From its placing to the first of these stages, nanoseconds."""
        placed, reached = self.time_of(PLACED), self.time_of(*names)
        return None if placed is None or reached is None else reached - placed

    @property
    def lifetime_ns(self) -> int | None:
        """From its placing until it was done, nanoseconds."""
        placed = self.time_of(PLACED)
        return None if placed is None or self.done_ns is None else self.done_ns - placed

    def add(self, event: TradeEvent) -> None:
        """Take in one of its entries; they come in the order of their times."""
        if not self.events:
            self.begun_ns = event.time_ns
        self.events += 1
        self.runs.add(event.run)
        self._learn(event)
        stage = _STAGES.get(event.name)
        is_new = self._is_new(stage or "", event)
        for correction in event.corrections:
            self._correct(correction, event)
        if event.name == CORRECTION:
            self._tell_correction(event)
        if stage is None:
            stage = event.name.removeprefix("order_").replace("_", " ") or "note"
        else:
            self._reach(stage, event, is_new=is_new)
        if len(self.stages) < _KEPT_STAGES or (stage in DONE and self.time_of(stage) is None):
            told = (event.text("exchange_timestamp"), event.text("actor"), event.entry_id)
            self.stages.append(Stage(stage, event.time_ns, *told))
        if event.entry_id is not None and len(self.entry_ids) < _KEPT_STAGES:
            self.entry_ids.append(event.entry_id)
        if is_new:
            self._pay(event)

    def _correct(self, correction: Correction, event: TradeEvent) -> None:
        """Keep beside what an entry should have said what it says."""
        logged = event.logged or {}
        changes = [
            Corrected(correction, name, _text(logged.get(name)), _text(value))
            for name, value in correction.values.items()
        ]
        told = ", ".join(f"{each.name} {each.logged} is {each.value}" for each in changes)
        self._remark(f"{correction.told} ({told})" if told else correction.told)
        self.corrected += changes[: _KEPT_STAGES - len(self.corrected)]

    def _tell_correction(self, event: TradeEvent) -> None:
        """Remark on a correction of an entry that is not among those read, so that the figures are uncorrected."""
        told = Correction.of(event).told
        if not any(remark.startswith(told) for remark in self.remarks):
            self._remark(told)

    def _learn(self, event: TradeEvent) -> None:
        self.order_id = self.order_id or event.text("order_id")
        self.client_order_id = self.client_order_id or event.text("client_order_id")
        self.exchange = self.exchange or event.text("exchange")
        self.symbol = self.symbol or event.text("symbol")
        self.order_type = self.order_type or event.text("order_type")
        self.strategy_id = self.strategy_id or event.text("strategy_id")
        if event.name != CORRECTION:
            self.reason = event.text("reason") or self.reason
        problems = event.fields.get("problems")
        for problem in cast("list[object]", problems if isinstance(problems, list) else []):
            self._remark(f"{event.name}: {problem}")
        side = event.text("side")
        if side is not None and self.side not in {None, side}:
            self._remark(f"{event.name} says {side}, not {self.side}")
        self.side = self.side or side

    def _is_new(self, stage: str, event: TradeEvent) -> bool:
        """Whether it is no fill that was told before; such a one counts once, and costs its fee once."""
        fill = fill_of(event.logged or event.fields) if stage in {PARTIALLY_FILLED, FILLED} else None
        if fill is None:
            return True
        self._known_fills = self._known_fills or deque[Fill](maxlen=FILLS_KEPT)
        if fill in self._known_fills:
            self._remark(f"{fill[0]} was told before")
            return False
        self._known_fills.append(fill)
        return True

    def _reach(self, stage: str, event: TradeEvent, *, is_new: bool) -> None:
        self._judge(stage)
        if stage in {PLACED, MODIFIED}:
            self.quantity = self._amount(event, "quantity") or self.quantity
            self.price = self._amount(event, "price") or self.price
        if is_new and stage in {PARTIALLY_FILLED, FILLED}:
            self._fill(event, in_whole=stage == FILLED)
        if stage != MODIFIED:
            self.state = stage
        if stage in DONE:
            self.done_ns = event.time_ns

    def _judge(self, stage: str) -> None:
        """Remark on a stage that cannot follow what is known."""
        if not self.state:
            if stage != PLACED:
                self._remark("its placing is not among the entries read")
        elif self.state in DONE or stage == PLACED or _RANKS.get(stage, 3) < _RANKS[self.state]:
            self._remark(f"{stage} after it was {self.state}")

    def _fill(self, event: TradeEvent, *, in_whole: bool) -> None:
        stated = self._amount(event, "executed_quantity") or self._amount(event, "quantity")
        price = self._amount(event, "executed_price") or self._amount(event, "price")
        if stated is None:
            self._remark(f"{event.name} without a quantity")
            return
        if in_whole and self.fills and stated >= (self.quantity or self.filled):
            self._settle(stated, price)  # the quantity is the whole order's, not the rest's, and the price its average
        else:
            self._add_fill(stated - self.filled if self._is_running_total(event, stated) else stated, price)
        if self.quantity is not None and (self.filled > self.quantity or (in_whole and self.filled != self.quantity)):
            self._remark(f"{event.name}, yet {plain(self.filled)} of {plain(self.quantity)} are filled")

    def _is_running_total(self, event: TradeEvent, stated: Decimal) -> bool:
        """Whether the quantity told is that of all fills so far: what remains says so."""
        remaining = self._amount(event, "remaining_quantity")
        return bool(self.fills and remaining is not None and self.quantity is not None) and (
            EXACT.subtract(self.quantity or Decimal(0), remaining or Decimal(0)) == stated
        )

    def _settle(self, quantity: Decimal, price: Decimal | None) -> None:
        self.fills += 1 if quantity != self.filled else 0
        self.filled = quantity
        if price is not None:
            self.notional, self._fill_price = EXACT.multiply(quantity, price), price

    def _add_fill(self, quantity: Decimal, price: Decimal | None) -> None:
        self._fill_price = price if not self.fills or price == self._fill_price else None
        self.fills += 1
        self.filled = EXACT.add(self.filled, quantity)
        if price is None or self.notional is None:
            self.notional = None
        else:
            self.notional = EXACT.add(self.notional, EXACT.multiply(quantity, price))

    def _pay(self, event: TradeEvent) -> None:
        fee = self._amount(event, "fee")
        if fee is not None:
            asset = event.text("fee_asset") or ""
            self.fees[asset] = EXACT.add(self.fees.get(asset, Decimal(0)), fee)

    def _amount(self, event: TradeEvent, name: str) -> Decimal | None:
        try:
            return event.amount(name)
        except ValueError as error:
            self._remark(str(error))
            return None

    def _remark(self, text: str) -> None:
        if len(self.remarks) < _KEPT_REMARKS and text not in self.remarks:
            self.remarks.append(text)

    def takes(self, event: TradeEvent) -> bool:
        """Whether an event with this order's id can be of this order: ids are unique per exchange and symbol only."""
        return all(
            known is None or told is None or known == told
            for known, told in (
                (self.exchange, event.text("exchange")),
                (self.symbol, event.text("symbol")),
                (self.order_id, event.text("order_id")),
            )
        )


@final
class Orders:
    """Gathers the orders of a stream of trade events.

    Args:
        kept_closed: how many orders that are done are held back for what may still come.
        closed: gets those that are given out before the end, the one done the longest first.
    """

    def __init__(self, closed: Callable[[Order], None], kept_closed: int = _KEPT_CLOSED) -> None:
        self._lives: dict[str, list[Order]] = {}
        self._entries: dict[str, Order] = {}
        self._closed_orders: dict[int, Order] = {}
        self._kept_closed = kept_closed
        self._give_out = closed

    def add(self, event: TradeEvent) -> bool:
        """Take in an event; False when it concerns no order."""
        keys = _keys(event)
        corrected = self._entries.get(event.text("original") or "") if event.name == CORRECTION else None
        if not keys and corrected is None:
            return False
        order = corrected or self._order(event, keys)
        order.add(event)
        self._entries.update(dict.fromkeys(order.entry_ids[-1:], order))
        for key in keys:
            lives = self._lives.setdefault(key, [])
            if not any(each is order for each in lives):
                lives.append(order)
        self._note_closed(order)
        return True

    def _order(self, event: TradeEvent, keys: list[str]) -> Order:
        found = next(filter(None, (self._life(event, self._lives.get(key, ())) for key in keys)), None)
        return Order() if found is None or _begins_anew(found, event) else found

    @staticmethod
    def _life(event: TradeEvent, lives: Iterable[Order]) -> Order | None:
        """The order with this id that this event is about: the newest of its own run, else the newest."""
        taking = [order for order in lives if order.takes(event)]
        return next((order for order in reversed(taking) if event.run in order.runs), taking[-1] if taking else None)

    def _note_closed(self, order: Order) -> None:
        self._closed_orders.pop(id(order), None)
        if order.is_done:
            self._closed_orders[id(order)] = order
        if len(self._closed_orders) > self._kept_closed:
            oldest = self._closed_orders.pop(next(iter(self._closed_orders)))
            self._forget(oldest)
            self._give_out(oldest)

    def _forget(self, order: Order) -> None:
        for entry_id in order.entry_ids:
            self._entries.pop(entry_id, None)
        for key in filter(None, (order.order_id, order.client_order_id and _client_key(order.client_order_id))):
            lives = [each for each in self._lives.get(key, ()) if each is not order]
            if lives:
                self._lives[key] = lives
            else:
                self._lives.pop(key, None)

    def rest(self) -> Iterator[Order]:
        """Those not given out yet, in the order of their beginning."""
        known = {id(order): order for lives in self._lives.values() for order in lives}
        yield from sorted(known.values(), key=lambda order: order.begun_ns)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _keys(event: TradeEvent) -> list[str]:
    order_id, client_order_id = event.text("order_id"), event.text("client_order_id")
    keys = [] if order_id is None else [order_id]
    return keys if client_order_id is None else [*keys, _client_key(client_order_id)]


def _client_key(client_order_id: str) -> str:
    return f"\0{client_order_id}"


def _begins_anew(order: Order, event: TradeEvent) -> bool:
    """Whether a placing is that of another order with the same id."""
    return _STAGES.get(event.name) == PLACED and (order.is_done or event.run not in order.runs)
