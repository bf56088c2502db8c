"""The demo from start to end: collector, market and expert, faults and a burst, then the comparison."""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from metaexpert.core import MetaExpert
from metaexpert.demo.burst import LOGGER as BURST_LOGGER
from metaexpert.demo.capture import read_capture
from metaexpert.demo.collector.faults import TARGETS
from metaexpert.demo.collector_process import CollectorProcess
from metaexpert.demo.comparison import compare
from metaexpert.demo.desk.desk import Desk
from metaexpert.demo.desk.exchange import OrderEndpoint
from metaexpert.demo.desk.gateway import Gateway
from metaexpert.demo.desk.planted import Planted
from metaexpert.demo.desk.report import topics_of
from metaexpert.demo.destinations import DOWN_RULE, logger_config
from metaexpert.demo.director import Director
from metaexpert.demo.frame_source import TimedFrame
from metaexpert.demo.lag import LagMeter
from metaexpert.demo.market import MarketServer
from metaexpert.demo.options import DemoOptions
from metaexpert.demo.report import Report
from metaexpert.demo.simulator import MarketSimulator
from metaexpert.demo.status import MostOnDisk, Status
from metaexpert.demo.strategy import EmaCross
from metaexpert.demo.view import Observer, show
from metaexpert.logger import RuntimeStats
from metaexpert.logger.clock.keeper import ClockFigures
from metaexpert.websocket import WebSocketClient, WebSocketFeed, WebSocketOptions

_FLUSH_SECONDS = 60.0
"""Generous for a busy machine; it ends as soon as all has arrived."""
_RESOLVED_SECONDS = 10.0
_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Market:
    """What is played, and how fast."""

    frames: Iterable[TimedFrame]
    speed: float
    description: str


def choose_market(options: DemoOptions) -> Market:
    """The simulated market, or a capture at a speed that fits the run unless one was given.

    Raises:
        CaptureError: The capture can't be read.
    """
    if options.replay is None:
        simulator = MarketSimulator(
            seed=options.seed, frames_per_second=options.rate, start_ms=time.time_ns() // 1_000_000
        )
        speed = options.speed or 1.0
        return Market(simulator.frames(), speed, f"simulated market, seed {options.seed}, speed {speed:g}")
    frames = read_capture(options.replay)
    span_seconds = frames[-1].offset_seconds
    speed = options.speed or max(1.0, span_seconds / options.seconds)
    text = (
        f"replay of {options.replay.name}: {len(frames)} frames, {span_seconds:.1f} s at {speed:.3g} times their pace"
    )
    return Market(frames, speed, text)


async def run_demo(options: DemoOptions, folder: Path, console: Console) -> Report:
    """Run it all and compare; `folder` takes the log files.

    Raises:
        MetaExpertError: Something could not be started.
    """
    market = choose_market(options)
    async with AsyncExitStack() as stack:
        collector = await stack.enter_async_context(CollectorProcess.start())
        server = await stack.enter_async_context(
            MarketServer(market.frames, speed=market.speed, orders=OrderEndpoint())
        )
        planted = Planted.made()
        gateway = await stack.enter_async_context(Gateway.connected(server.http_url, planted.credentials))
        console.print(f"{market.description}; collector process {collector.pid}; logs in {folder}", highlight=False)
        config = logger_config(folder, collector.url, seconds=options.seconds, burst_entries=options.burst)
        expert = MetaExpert(
            feeds=[WebSocketFeed(WebSocketClient(WebSocketOptions(url=server.url)))], name="demo", logging=config
        )
        strategy = EmaCross(options.seed, gateway.send)
        strategy.attach(expert)
        desk = Desk(strategy, gateway, planted, folder)
        await collector.watch_for(desk.watched())
        disk = MostOnDisk()
        director = Director(
            collector,
            desk,
            seconds=options.seconds,
            burst_entries=options.burst,
            look=lambda: disk.look(expert.logging.stats()),
            waiting=lambda: expert.logging.stats().ingress.queued_entries,
        )
        observer = Observer(expert, strategy, director)
        await _run_expert(expert, server, director, observer, console, live=console.is_terminal and not options.plain)
        headline = _headline(observer.status(), observer.lag)
        stats = expert.logging.stats()
        evidence, findings = await compare(config, stats, collector, {BURST_LOGGER: options.burst})
        collected = await collector.stats()
        answers = {target: collected[target]["statuses"] for target in TARGETS}
        received = {target: collected[target]["found"] for target in TARGETS}
        topics = await topics_of(desk, config, stats, strategy.broker.counts, received)
        return Report(headline, answers, evidence, findings, disk.entries, topics)


async def _run_expert(
    expert: MetaExpert, server: MarketServer, director: Director, observer: Observer, console: Console, *, live: bool
) -> None:
    """Run the expert beside its director and its audience, until the director is done or the expert stops by itself."""
    started = asyncio.Event()
    expert.on_init(started.set)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(expert.run_async(), name="expert")
        await started.wait()
        beside = [
            group.create_task(observer.lag.run(), name="lag"),
            group.create_task(show(observer, console, live=live), name="view"),
            group.create_task(_direct(director, server, expert), name="director"),
        ]
        await asyncio.wait({running})
        for task in beside:
            task.cancel()


async def _direct(director: Director, server: MarketServer, expert: MetaExpert) -> None:
    """Play the scenario, wait until the sinks are empty and the alerts over, stop the expert."""
    await director.play()
    server.fall_silent()  # or a machine that is too busy for all that is logged would never come to an end
    await expert.logging.flush(_FLUSH_SECONDS)
    with contextlib.suppress(TimeoutError):  # a check of its own tells of it
        async with asyncio.timeout(_RESOLVED_SECONDS):
            while _is_unsettled(expert.logging.stats()):  # noqa: ASYNC110 - statistics are looked at, they tell nobody
                await asyncio.sleep(_LOOK_SECONDS)
    expert.stop()


def _is_unsettled(stats: RuntimeStats) -> bool:
    """Whether an alert is not over, its target not told yet, or the clock's quality, which takes its time."""
    alerts, clock = stats.alerts, stats.companions.get("clock")
    if isinstance(clock, ClockFigures) and clock.quality is None:
        return True
    return alerts is not None and (
        alerts.rules[DOWN_RULE].state != "quiet" or any(target.pending for target in alerts.targets.values())
    )


def _headline(status: Status, lag: LagMeter) -> str:
    return (
        f"{status.expert.ticks:,} ticks, {status.orders} orders, {status.logging.ingress.accepted:,} entries "
        f"in {status.elapsed_seconds:.1f} s; worst loop lag {lag.worst_seconds * 1000:.1f} ms"
    )
