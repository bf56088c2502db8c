"""The demo's expert: two moving averages over every tick, orders on paper when they cross.

Ticks are logged at DEBUG, bars at INFO, orders as trade entries; now and then a price check fails, as such things do,
and is logged at ERROR with its traceback.
"""

import asyncio
import itertools
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from metaexpert.core import Bar, MetaExpert, StopReason, Tick
from metaexpert.core.events import Side
from metaexpert.logger import get_logger

_FAST_TICKS = 8
_SLOW_TICKS = 40
_ORDER_NOTIONAL = 1000
_QUANTITY_STEP = Decimal("0.00001")
_FILL_SECONDS = (0.002, 0.02)
_CANCELLED_SHARE = 0.1
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


@dataclass(frozen=True, slots=True)
class _Order:
    order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal


@dataclass(slots=True)
class PaperBroker:
    """Fills orders after a moment, one after the other; its task is owned by whoever calls `run`."""

    random: Random
    orders: asyncio.Queue[_Order] = field(default_factory=asyncio.Queue[_Order])
    positions: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    counts: Counter[str] = field(default_factory=Counter[str])

    async def run(self) -> None:
        """Work orders off until cancelled."""
        while True:
            order = await self.orders.get()
            await self._work(order)
            self.orders.task_done()

    async def _work(self, order: _Order) -> None:
        trade = log.bind(strategy="ema-cross").trade
        trade.order_placed(
            order_id=order.order_id, symbol=order.symbol, side=order.side, quantity=order.quantity, price=order.price
        )
        await asyncio.sleep(self.random.uniform(*_FILL_SECONDS))
        if self.random.random() < _CANCELLED_SHARE:
            self.counts["cancelled"] += 1
            trade.order_cancelled(order_id=order.order_id, symbol=order.symbol, reason="no liquidity at the limit")
            return
        self.counts["filled"] += 1
        trade.order_filled(
            order_id=order.order_id, symbol=order.symbol, side=order.side, quantity=order.quantity, price=order.price
        )
        signed = order.quantity if order.side == "BUY" else -order.quantity
        position = self.positions[order.symbol] = self.positions.get(order.symbol, Decimal(0)) + signed
        trade.position_changed(symbol=order.symbol, quantity=position, entry_price=order.price)

    def cancel_open(self) -> None:
        """Cancel what nobody has worked on yet."""
        while not self.orders.empty():
            order = self.orders.get_nowait()
            log.trade.order_cancelled(order_id=order.order_id, symbol=order.symbol, reason="expert stops")


class EmaCross:
    """The strategy; `attach` registers its handlers."""

    def __init__(self, seed: int) -> None:
        self._averages: dict[str, _Average] = {}
        self._order_ids = itertools.count(1)
        self._ticks = itertools.count(1)
        self._broker_task: asyncio.Task[None] | None = None
        self.broker = PaperBroker(Random(seed))  # noqa: S311  a broker's whims, not a secret

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
            self._send(tick, side)

    async def bar(self, bar: Bar) -> None:
        """Log the bar."""
        log.info(
            "bar", symbol=bar.symbol, open=bar.open, high=bar.high, low=bar.low, close=bar.close, trades=bar.trades
        )

    async def stop(self, reason: StopReason) -> None:
        """Stop the broker, cancel what is open."""
        if self._broker_task is not None:
            self._broker_task.cancel()
            await asyncio.wait({self._broker_task})
        self.broker.cancel_open()
        log.info("strategy stopped", reason=reason, **self.broker.counts)

    def _send(self, tick: Tick, side: Side) -> None:
        quantity = (_ORDER_NOTIONAL / tick.price).quantize(_QUANTITY_STEP)
        order = _Order(f"paper-{next(self._order_ids)}", tick.symbol, side, quantity, tick.price)
        self.broker.orders.put_nowait(order)

    def _check_price(self, tick: Tick) -> None:
        try:
            _refuse(tick)
        except StalePriceError:
            log.exception("price check failed", symbol=tick.symbol, price=tick.price)


def _refuse(tick: Tick) -> None:
    raise StalePriceError(f"{tick.symbol} at {tick.price} is older than the price before it")
