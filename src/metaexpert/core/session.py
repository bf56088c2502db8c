"""One run of an expert: what the market says goes to the broker on paper, the rules and the handlers, in that order.

An event is handled by one handler after the other before the next event of that feed. What the broker says is recorded,
then applied to the portfolio, then told to handlers: a handler that asks sees what it is told of, and the log has it
even if the handler never returns. A session neither opens nor closes what it is given.
"""

import asyncio
import time
from collections.abc import AsyncIterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Literal, Protocol, runtime_checkable

from metaexpert.broker.broker import Broker, BrokerEvent, OrderChanged, PositionChanged
from metaexpert.core.desk import Desk
from metaexpert.core.events import Bar, Book, Funding, MarketEvent, Tick
from metaexpert.core.feed import Feed
from metaexpert.core.handlers import Handlers
from metaexpert.core.market import MarketMemory
from metaexpert.core.portfolio import Portfolio
from metaexpert.core.recorder import Recorder
from metaexpert.core.timers import Timer, due
from metaexpert.logger import get_logger
from metaexpert.logger.measuring.host import market_data
from metaexpert.risk.risk import Halt, Risk

_TIMER_STEP_SECONDS: Final = 0.05

type StopPolicy = Literal["cancel", "close", "keep"]
"""What becomes of orders at the stop: open ones cancelled, positions closed too, or all kept."""

log = get_logger(__name__)


@runtime_checkable
class PaperVenue(Protocol):
    """A broker that fills at the market's prices and must be told them."""

    def market(self, event: MarketEvent) -> None:
        """Take what the market says; what comes of it is among `events()`."""
        ...

    async def settled(self) -> None:
        """Wait until the reader of `events()` has worked off all that was put so far."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionParts:
    """What a session works with; `broker` and `desk` are None for an expert that only watches."""

    handlers: Handlers
    market: MarketMemory
    portfolio: Portfolio
    recorder: Recorder
    risk: Risk
    timers: list[Timer]
    broker: Broker | None
    desk: Desk | None
    stop_policy: StopPolicy
    stop_timeout_seconds: float


class Session:
    """Handles events: `live` those of feeds and timers until they end, `take` one event of a backtest."""

    def __init__(self, parts: SessionParts) -> None:
        self._parts = parts
        self._paper = parts.broker if isinstance(parts.broker, PaperVenue) else None
        self._halt: Halt | None = None
        self._halted = asyncio.Event()
        self.bars = 0

    @property
    def halted(self) -> Halt | None:
        """The halt that ends the expert, if there is one."""
        return self._halt if self._halted.is_set() else None

    async def live(self, feeds: Sequence[Feed], *, name: str) -> None:
        """Until all feeds end, one fails, or a rule halts the expert for good; then orders end as the policy says."""
        hearing = asyncio.create_task(self._hear(), name=f"{name}-broker")
        try:
            await self._read_all(feeds, hearing, name)
        finally:
            try:
                await self._wind_down()
            finally:
                hearing.cancel()
                await asyncio.wait({hearing})

    async def backtest(self, events: AsyncIterable[MarketEvent]) -> None:
        """Handle each event and all that comes of it, until they end or a rule halts the expert for good."""
        hearing = asyncio.create_task(self._hear(), name="backtest-broker")
        try:
            async for event in events:
                await self._take(event)
                if self._halted.is_set():
                    break
            await self._wind_down()
        finally:
            hearing.cancel()
            await asyncio.wait({hearing})

    async def _hear(self) -> None:
        """Work off what the broker says, until cancelled."""
        if self._parts.broker is None:
            return
        async with aclosing(self._parts.broker.events()) as events:
            async for event in events:
                await self._happened(event)

    async def _take(self, event: MarketEvent) -> None:
        """Handle one market event and all that comes of it; returns when nothing is on its way any more."""
        await self._handle(event, settle=True)
        for handler in due(self._parts.timers, self._parts.market.now_ns):
            await self._parts.handlers.one(handler)
        await self._settled()

    async def _read(self, feed: Feed) -> None:
        async with aclosing(feed.events()) as events:
            async for event in events:
                await self._handle(event, settle=False)

    async def _handle(self, event: MarketEvent, *, settle: bool) -> None:
        market_data(event.symbol)
        closed = self._parts.market.add(event)
        if self._paper is not None:
            self._paper.market(event)
            if settle:
                await self._paper.settled()
        self._apply_rules(event.symbol)
        if settle:
            await self._settled()
        await self._tell(event, closed)

    async def _tell(self, event: MarketEvent, closed: list[Bar]) -> None:
        handlers = self._parts.handlers
        match event:
            case Tick():
                await handlers.call("tick", event)
            case Book():
                await handlers.call("book", event)
            case Bar() | Funding():
                pass
        for bar in closed:
            self.bars += 1
            await handlers.call("bar", bar, key=bar.timeframe)

    def _apply_rules(self, symbol: str) -> None:
        """What the rules close and halt after a price; orders that come of it go their way by themselves."""
        parts, desk = self._parts, self._parts.desk
        if desk is None:
            return
        protection = parts.risk.protect(symbol, parts.portfolio, parts.market)
        if protection is not None:
            desk.protect(protection)
        self._end_pause(desk)
        halt = parts.risk.halt(parts.portfolio, parts.market)
        if halt is not None:
            self._begin_halt(desk, halt)

    def _begin_halt(self, desk: Desk, halt: Halt) -> None:
        self._halt = halt
        desk.halt(halt.refusal)
        for order in self._parts.portfolio.open_orders:
            desk.cancel(order.order_id)
        for position in self._parts.portfolio.positions:
            desk.close(position.symbol, reason=halt.refusal.reason, actor=f"risk:{halt.refusal.rule}")
        self._parts.recorder.limited("all", halt.refusal, actor=f"risk:{halt.refusal.rule}", until_ns=halt.until_ns)
        log.critical("trading halted", rule=halt.refusal.rule, reason=halt.refusal.reason, until_ns=halt.until_ns)
        if halt.until_ns is None:
            self._halted.set()

    def _end_pause(self, desk: Desk) -> None:
        halt = self._halt
        if halt is None or halt.until_ns is None or self._parts.market.now_ns < halt.until_ns:
            return
        self._halt = None
        desk.halt(None)
        log.warning("trading resumes", rule=halt.refusal.rule)

    async def _read_all(self, feeds: Sequence[Feed], hearing: "asyncio.Task[None]", name: str) -> None:
        async with asyncio.TaskGroup() as group:
            reading = [group.create_task(self._read(feed), name=f"{name}-feed") for feed in feeds]
            beside = [
                group.create_task(self._tick_timers(), name=f"{name}-timers"),
                group.create_task(self._halted.wait(), name=f"{name}-halt"),
                group.create_task(_failure_of(hearing), name=f"{name}-broker-watch"),
            ]
            ended = group.create_task(_ended(reading), name=f"{name}-feeds")
            await asyncio.wait({ended, beside[1]}, return_when=asyncio.FIRST_COMPLETED)
            for task in (*reading, *beside, ended):
                task.cancel()

    async def _wind_down(self) -> None:
        """Orders per policy, within the time they have."""
        desk = self._parts.desk
        if desk is None:
            return
        try:
            async with asyncio.timeout(self._parts.stop_timeout_seconds):
                if self._parts.stop_policy != "keep":
                    await desk.cancel_all()
                await self._settled()  # what is closed already, by a rule or a handler, is not closed again
                if self._parts.stop_policy == "close":
                    await desk.close_all("expert stops")
                await self._settled()
        except TimeoutError:
            open_orders = [order.order_id for order in self._parts.portfolio.open_orders]
            log.exception("orders not ended in time", seconds=self._parts.stop_timeout_seconds, open_orders=open_orders)

    async def _settled(self) -> None:
        """Until no order is on its way and nothing of the broker's waits."""
        desk = self._parts.desk
        while True:
            if desk is not None:
                await desk.settled()
            if self._paper is not None:
                await self._paper.settled()
            if desk is None or desk.is_settled:
                return

    async def _happened(self, event: BrokerEvent) -> None:
        parts = self._parts
        parts.recorder.happened(event)
        parts.portfolio.apply(event)
        match event:
            case OrderChanged():
                await parts.handlers.call("order", event.order)
            case PositionChanged():
                parts.risk.position_changed(event)
                await parts.handlers.call("position", event.position)
            case _:
                await self._account_changed()

    async def _account_changed(self) -> None:
        if self._parts.handlers.of("account"):
            await self._parts.handlers.call("account", self._parts.portfolio.account())

    async def _tick_timers(self) -> None:
        timers = self._parts.timers
        if not timers:
            return
        step_seconds = min(_TIMER_STEP_SECONDS, *(each.interval_seconds / 2 for each in timers))
        while True:
            for handler in due(timers, time.monotonic_ns()):
                await self._parts.handlers.one(handler)
            await asyncio.sleep(step_seconds)


async def _failure_of(task: "asyncio.Task[None]") -> None:
    """Wait for `task` and fail as it does; one that ends well is waited for, for ever."""
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()
    await asyncio.Event().wait()


async def _ended(tasks: Sequence["asyncio.Task[None]"]) -> None:
    if tasks:
        await asyncio.wait(tasks)
