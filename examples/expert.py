"""A tiny expert on a market of its own: counts ticks, logs bars, places one paper order, and stops by itself.

Run it with `python examples/expert.py`; every tick goes to `logs/expert.log` in the present folder, INFO and up to the
terminal as well.
"""

import asyncio
import time

from metaexpert.core import Bar, MetaExpert, StopReason, Tick
from metaexpert.demo.market import MarketServer
from metaexpert.demo.simulator import MarketSimulator
from metaexpert.logger import ConsoleOptions, LoggerConfig, get_logger
from metaexpert.websocket import WebSocketClient, WebSocketFeed, WebSocketOptions

BARS_WANTED = 3

log = get_logger("example")


def build_expert(url: str) -> MetaExpert:
    """An expert that reads the market at `url`."""
    feed = WebSocketFeed(WebSocketClient(WebSocketOptions(url=url)))
    config = LoggerConfig(log_level="DEBUG", log_to_console=False, sinks=(ConsoleOptions(level="INFO"),))
    expert = MetaExpert(feeds=[feed], name="example", logging=config)

    @expert.on_init
    async def start() -> None:
        log.info("hello", market=url)

    @expert.on_tick
    async def tick(tick: Tick) -> None:
        log.debug("tick", symbol=tick.symbol, price=tick.price)

    @expert.on_bar("1s")
    async def bar(bar: Bar) -> None:
        log.info("bar", symbol=bar.symbol, close=bar.close, trades=bar.trades)
        bars = expert.stats().bars
        if bars == 1:
            log.trade.order_placed(order_id=1, symbol=bar.symbol, side="BUY", quantity="0.5", price=bar.close)
        if bars >= BARS_WANTED:
            expert.stop()

    @expert.on_deinit
    async def stop(reason: StopReason) -> None:
        log.info("goodbye", reason=reason)

    return expert


async def main() -> None:
    """Serve a seeded market on loopback and trade on it."""
    simulator = MarketSimulator(seed=1, frames_per_second=200, start_ms=time.time_ns() // 1_000_000)
    async with MarketServer(simulator.frames()) as market:
        expert = build_expert(market.url)
        await expert.run_async()
    print(expert.stats())
    print(expert.logging.stats().sinks["file"].ledger)


if __name__ == "__main__":
    asyncio.run(main())
