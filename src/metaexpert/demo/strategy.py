"""The demo's expert: two moving averages over every tick, orders on paper when they cross.

Ticks are logged at DEBUG, bars at INFO, orders as trade entries; now and then a price check fails, as such things do,
and is logged at ERROR with its traceback.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from metaexpert.core import Bar, MetaExpert, StopReason, Tick
from metaexpert.core.events import Side
from metaexpert.demo.order import Order
from metaexpert.logger import get_logger, trace

_FAST_TICKS = 8
_SLOW_TICKS = 40
_ORDER_NOTIONAL = 1000
_QUANTITY_STEP = Decimal("0.00001")
_FILL_SECONDS = (0.002, 0.02)
_CANCELLED_SHARE = 0.1
_FIRST_FILL_SHARE = Decimal("0.4")
_MISHAP_EVERY_TICKS = 1500
_FIRST_MISHAP_TICK = 50

log = get_logger("demo.strategy")


class StalePriceError(Exception):
    """The price check found a tick older than the one before it."""


@dataclass(slots=True)
class _Average:
    """Exponential moving averages of one symbol, fast and slow."""

    fast: float
    slow: float
    ticks: int = 0

    def add(self, price: float) -> Side | None:
        """Take a price; the side to trade when the averages have just crossed."""
        was_above = self.fast > self.slow
        self.fast += (price - self.fast) * 2 / (_FAST_TICKS + 1)
        self.slow += (price - self.slow) * 2 / (_SLOW_TICKS + 1)
        self.ticks += 1
        is_above = self.fast > self.slow
        if self.ticks < _FAST_TICKS or was_above == is_above:
            return None
        return "BUY" if is_above else "SELL"


type Send = Callable[[Order], Awaitable[str]]
"""Sends an order to the exchange; what that says against it, empty where it takes it."""


async def _take(_order: Order) -> str:
    """An exchange on paper that takes everything."""
    return ""


@dataclass(slots=True)
class PaperBroker:
    """Sends orders and fills them after a moment, one after the other; its task is owned by whoever calls `run`."""

    random: Random
    send: Send = _take
    orders: asyncio.Queue[Order] = field(default_factory=asyncio.Queue[Order])
    positions: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    counts: Counter[str] = field(default_factory=Counter[str])

    async def run(self) -> None:
        """Work orders off until cancelled."""
        while True:
            order = await self.orders.get()
            with trace():  # of this order alone; the exchange goes on with it
                await self._work(order)

    async def _work(self, order: Order) -> None:
        order_id, symbol = order.order_id, order.symbol
        trade = log.bind(strategy="ema-cross").trade
        trade.order_placed(
            order_id=order_id, symbol=symbol, side=order.side, quantity=order.quantity, price=order.price
        )
        try:
            refusal = await self.send(order)
            if refusal:
                self.counts["rejected"] += 1
                trade.order_rejected(order_id=order_id, symbol=symbol, reason=refusal)
                return
            trade.order_accepted(order_id=order_id, symbol=symbol)
            await asyncio.sleep(self.random.uniform(*_FILL_SECONDS))
        except asyncio.CancelledError:
            self._cancelled(order, "expert stops")
            raise
        if not order.waits and self.random.random() < _CANCELLED_SHARE:
            self._cancelled(order, "no liquidity at the limit")
        else:
            self._filled(order)

    def _filled(self, order: Order) -> None:
        self.counts["filled"] += 1
        trade = log.bind(strategy="ema-cross").trade
        whole, first = order.quantity, (order.quantity * _FIRST_FILL_SHARE).quantize(_QUANTITY_STEP)
        if first:
            trade.order_partially_filled(
                order_id=order.order_id,
                symbol=order.symbol,
                side=order.side,
                quantity=whole,
                executed_quantity=first,
                executed_price=order.price,
            )
        trade.order_filled(
            order_id=order.order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=whole,
            executed_quantity=whole - first,
            price=order.price,
        )
        signed = order.quantity if order.side == "BUY" else -order.quantity
        position = self.positions[order.symbol] = self.positions.get(order.symbol, Decimal(0)) + signed
        trade.position_changed(symbol=order.symbol, quantity=position, entry_price=order.price)

    def _cancelled(self, order: Order, reason: str) -> None:
        self.counts["cancelled"] += 1
        log.trade.order_cancelled(order_id=order.order_id, symbol=order.symbol, reason=reason)

    def leave_unsent(self) -> None:
        """Tell of what nobody has worked on yet."""
        while not self.orders.empty():
            order = self.orders.get_nowait()
            log.info("order not sent", order_id=order.order_id, symbol=order.symbol, reason="expert stops")


class EmaCross:
    """The strategy; `attach` registers its handlers."""

    def __init__(self, seed: int, send: Send = _take) -> None:
        self._averages: dict[str, _Average] = {}
        self._order_ids = itertools.count(1)
        self._ticks = itertools.count(1)
        self._broker_task: asyncio.Task[None] | None = None
        self.broker = PaperBroker(Random(seed), send)  # noqa: S311  a broker's whims, not a secret

    def attach(self, expert: MetaExpert) -> None:
        """Register with `expert`."""
        expert.on_init(self.start)
        expert.on_tick(self.tick)
        expert.on_bar("1s")(self.bar)
        expert.on_deinit(self.stop)

    async def start(self) -> None:
        """Start the broker."""
        self._broker_task = asyncio.create_task(self.broker.run(), name="broker")
        log.info("strategy started", fast_ticks=_FAST_TICKS, slow_ticks=_SLOW_TICKS)

    async def tick(self, tick: Tick) -> None:
        """Log the tick, move the averages, send an order when they cross."""
        log.debug("tick", symbol=tick.symbol, kind=tick.kind, price=tick.price, quantity=tick.quantity)
        if next(self._ticks) % _MISHAP_EVERY_TICKS == _FIRST_MISHAP_TICK:
            self._check_price(tick)
        price = float(tick.price)
        average = self._averages.setdefault(tick.symbol, _Average(price, price))
        side = average.add(price)
        if side is not None:
            self.send(tick.symbol, side, (_ORDER_NOTIONAL / tick.price).quantize(_QUANTITY_STEP), tick.price)

    async def bar(self, bar: Bar) -> None:
        """Log the bar."""
        log.info(
            "bar", symbol=bar.symbol, open=bar.open, high=bar.high, low=bar.low, close=bar.close, trades=bar.trades
        )

    async def stop(self, reason: StopReason) -> None:
        """Stop the broker, which cancels what is open."""
        if self._broker_task is not None:
            self._broker_task.cancel()
            await asyncio.wait({self._broker_task})
        self.broker.leave_unsent()
        log.info("strategy stopped", reason=reason, **self.broker.counts)

    def send(self, symbol: str, side: Side, quantity: Decimal, price: Decimal, *, waits: bool = False) -> str:
        """Have the broker send an order; its id. One that `waits` is filled, others are cancelled now and then."""
        order = Order(f"paper-{next(self._order_ids)}", symbol, side, quantity, price, waits)
        self.broker.orders.put_nowait(order)
        return order.order_id

    def _check_price(self, tick: Tick) -> None:
        try:
            _refuse(tick)
        except StalePriceError:
            log.exception("price check failed", symbol=tick.symbol, price=tick.price)


def _refuse(tick: Tick) -> None:
    raise StalePriceError(f"{tick.symbol} at {tick.price} is older than the price before it")
