"""MetaExpert: a strategy's handlers, its feeds, and the order of starting and stopping.

Starting: logging, `on_init`, feeds. Stopping, for whatever reason: feeds, `on_deinit`, logging flushed last.
An event is handled by one handler after the other, in order of registration, before the next event of that feed.
A handler that raises is logged with its traceback and counted, and the expert lives: one bad tick must not leave
open orders without their strategy. `on_init` is the exception: an expert that can't initialise does not start.
"""

import asyncio
import inspect
from asyncio.events import _get_running_loop  # pyright: ignore[reportPrivateUsage] - None instead of an exception
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import overload

from metaexpert.core.bars import BarBuilder
from metaexpert.core.events import Bar, MarketEvent, Tick
from metaexpert.core.feed import Feed
from metaexpert.core.signals import StopSignals
from metaexpert.exceptions import MetaExpertError
from metaexpert.logger import LoggerConfig, LoggingRuntime, Receipt, get_logger, log_context, setup_logging

type InitHandler = Callable[[], Awaitable[object] | object]
type DeinitHandler = Callable[[StopReason], Awaitable[object] | object]
type TickHandler = Callable[[Tick], Awaitable[object] | object]
type BarHandler = Callable[[Bar], Awaitable[object] | object]

DEFAULT_TIMEFRAME = "1m"

log = get_logger(__name__)


class StopReason(StrEnum):
    """Why the expert stopped; given to `on_deinit`."""

    USER = "user"
    FEED_END = "feed_end"
    SIGNAL = "signal"
    CANCELLED = "cancelled"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class ExpertStats:
    """Counts since the start."""

    ticks: int
    bars: int
    late: int
    handler_errors: int


class MetaExpert:
    """A trading expert: register handlers with its decorators, then `run` it.

    Example:
        >>> expert = MetaExpert(feeds=[feed])
        >>> @expert.on_tick
        ... async def trade(tick: Tick) -> None: ...
        >>> expert.run()
    """

    def __init__(self, *, feeds: Sequence[Feed], name: str = "expert", logging: LoggerConfig | None = None) -> None:
        """Nothing starts here.

        Args:
            feeds: Sources of market events; each is read by a task of its own.
            name: Bound to every entry logged under the expert, as `expert`.
            logging: How to log; by default what `LoggerConfig.load()` finds.
        """
        self._feeds = tuple(feeds)
        self._name = name
        self._logging = logging
        self._on_init: list[InitHandler] = []
        self._on_deinit: list[DeinitHandler] = []
        self._on_tick: list[TickHandler] = []
        self._on_bar: dict[str, list[BarHandler]] = {}
        self._builders: dict[str, BarBuilder] = {}
        self._counts: Counter[str] = Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._trading: asyncio.Task[None] | None = None
        self._stop_reason: StopReason | None = None
        self._runtime: LoggingRuntime | None = None

    def on_init[H: InitHandler](self, handler: H) -> H:
        """Register a handler, called once before the first event; if it raises, the expert does not start."""
        self._on_init.append(handler)
        return handler

    def on_deinit[H: DeinitHandler](self, handler: H) -> H:
        """Register a handler, called once with the `StopReason` after the last event."""
        self._on_deinit.append(handler)
        return handler

    def on_tick[H: TickHandler](self, handler: H) -> H:
        """Register a handler, called with every `Tick`."""
        self._on_tick.append(handler)
        return handler

    @overload
    def on_bar[H: BarHandler](self, handler: H, /) -> H: ...

    @overload
    def on_bar[H: BarHandler](self, timeframe: str, /) -> Callable[[H], H]: ...

    def on_bar[H: BarHandler](self, argument: H | str, /) -> H | Callable[[H], H]:
        """Register a handler, called with every closed `Bar`: `@expert.on_bar("5m")`, or bare for `1m`.

        Raises:
            MetaExpertError: The timeframe is none.
        """
        if not isinstance(argument, str):
            return self._register_bar(DEFAULT_TIMEFRAME, argument)
        timeframe = argument
        return lambda handler: self._register_bar(timeframe, handler)

    def run(self) -> None:
        """Run until the feeds end, `stop` is called, or a signal comes; blocks.

        Raises:
            MetaExpertError: an event loop is running here, which this would block; await `run_async` there.
            Exception: What `on_init` or a feed raised, itself and with its traceback, after everything is cleaned up
                and flushed; an `ExceptionGroup` where several feeds failed at once.
        """
        if _get_running_loop() is not None:
            raise MetaExpertError("an event loop is running here: write `await expert.run_async()`")
        with StopSignals(lambda: self.stop(StopReason.SIGNAL)) as signals:
            asyncio.run(self._run())
        signals.reraise()

    async def run_async(self) -> None:
        """The same within a running event loop, with the same errors; cancelling it stops the expert in good order."""
        with StopSignals(lambda: self.stop(StopReason.SIGNAL)) as signals:
            await self._run()
        signals.reraise()

    def stop(self, reason: StopReason = StopReason.USER) -> None:
        """Ask the expert to stop, from any thread, handler or signal handler; the first reason counts."""
        if self._stop_reason is None:
            self._stop_reason = reason
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cancel_trading)

    def stats(self) -> ExpertStats:
        """What has been handled so far."""
        late = sum(builder.late for builder in self._builders.values())
        return ExpertStats(self._counts["ticks"], self._counts["bars"], late, self._counts["handler_errors"])

    @property
    def logging(self) -> LoggingRuntime:
        """The logging runtime, from `on_init` on; after the end it still answers `stats()`.

        Raises:
            MetaExpertError: The expert has not started.
        """
        if self._runtime is None:
            raise MetaExpertError("the expert has not started yet, so there is no logging runtime")
        return self._runtime

    def _register_bar[H: BarHandler](self, timeframe: str, handler: H) -> H:
        if timeframe not in self._builders:
            self._builders[timeframe] = BarBuilder(timeframe)
        self._on_bar.setdefault(timeframe, []).append(handler)
        return handler

    async def _run(self) -> None:
        if self._runtime is not None:
            raise MetaExpertError("this expert has run already; build another one to run again")
        async with setup_logging(self._logging or LoggerConfig.load()) as runtime:
            self._runtime = runtime
            with log_context(expert=self._name):
                await self._live()

    async def _live(self) -> None:
        """From `on_init` to `on_deinit`; the latter runs even when the former failed half-way."""
        reason = StopReason.ERROR
        try:
            await self._trade()
            reason = self._stop_reason or StopReason.FEED_END
        except asyncio.CancelledError:
            reason = self._stop_reason or StopReason.CANCELLED
            raise
        except Exception:
            log.critical("expert failed", exc_info=True)
            raise
        finally:
            await self._deinitialise(reason)

    async def _trade(self) -> None:
        """Initialise and read the feeds until they end, `stop` is called or we are cancelled ourselves."""
        self._trading = trading = asyncio.create_task(self._initialise_and_read(), name=f"{self._name}-main")
        self._loop = asyncio.get_running_loop()
        if self._stop_reason is not None:  # a stop that came before there was a loop to tell
            trading.cancel()
        try:
            await asyncio.wait({trading})
        finally:
            self._loop = None
            trading.cancel()
            await asyncio.wait({trading})
        if not trading.cancelled():
            trading.result()
        elif self._stop_reason is None:
            raise asyncio.CancelledError

    def _cancel_trading(self) -> None:
        if self._trading is not None:
            self._trading.cancel()

    async def _initialise_and_read(self) -> None:
        for handler in self._on_init:
            await _maybe_await(handler())
        log.info("expert started", feeds=len(self._feeds))
        await self._read_feeds()

    async def _read_feeds(self) -> None:
        """Until all end or one fails; a failure that is alone comes out as it was raised, not as a group of one."""
        alone: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                for feed in self._feeds:
                    group.create_task(self._read(feed), name=f"{self._name}-feed")
        except BaseExceptionGroup as failures:
            alone, *others = failures.exceptions
            if others:
                raise
        if alone is not None:  # raised out here: in the block above it would get the group as its context
            raise alone

    async def _read(self, feed: Feed) -> None:
        async with aclosing(feed.events()) as events:
            async for event in events:
                await self._handle(event)

    async def _handle(self, event: MarketEvent) -> None:
        if isinstance(event, Tick):
            self._counts["ticks"] += 1
            for handler in self._on_tick:
                await self._call(handler, event)
        for timeframe, builder in self._builders.items():
            bar = builder.add(event)
            if bar is not None:
                await self._handle_bar(timeframe, bar)

    async def _handle_bar(self, timeframe: str, bar: Bar) -> None:
        self._counts["bars"] += 1
        for handler in self._on_bar[timeframe]:
            await self._call(handler, bar)

    async def _call[E](self, handler: Callable[[E], Awaitable[object] | object], argument: E) -> None:
        try:
            await _maybe_await(handler(argument))
        except Exception:
            self._counts["handler_errors"] += 1
            log.exception("handler failed", handler=getattr(handler, "__qualname__", repr(handler)))

    async def _deinitialise(self, reason: StopReason) -> None:
        for handler in self._on_deinit:
            await self._call(handler, reason)
        stats = self.stats()
        log.info("expert stopped", reason=reason, ticks=stats.ticks, bars=stats.bars, errors=stats.handler_errors)


async def _maybe_await(result: Awaitable[object] | object) -> None:
    if inspect.isawaitable(result) and not isinstance(result, Receipt):  # of a handler that only logs
        await result
