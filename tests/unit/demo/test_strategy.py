"""The strategy: orders when the averages cross, each order's life in trade entries."""

import asyncio
import itertools
import math
from collections.abc import AsyncGenerator
from decimal import Decimal
from pathlib import Path

import orjson

from metaexpert.core import MetaExpert, Tick
from metaexpert.demo.strategy import EmaCross
from metaexpert.logger import LoggerConfig


class Wave:
    """A price that goes up and down; after the last tick a moment for the broker."""

    def __init__(self, ticks: int) -> None:
        self._ticks = ticks

    async def events(self) -> AsyncGenerator[Tick]:
        for number in range(self._ticks):
            price = Decimal(round(10_000 + 500 * math.sin(number / 30))) / 100
            yield Tick(exchange="x", symbol="BTCUSDT", kind="trade", time_ns=number * 10**8, price=price)
            await asyncio.sleep(0.0001)
        await asyncio.sleep(0.3)


async def run(tmp_path: Path, ticks: int) -> tuple[EmaCross, list[dict[str, str]]]:
    config = LoggerConfig(log_dir=tmp_path, log_level="DEBUG", json_logging=True, log_to_console=False)
    expert = MetaExpert(feeds=[Wave(ticks)], logging=config)
    strategy = EmaCross(seed=1)
    strategy.attach(expert)
    await expert.run_async()
    trades = [orjson.loads(line)["trade_data"] for line in (tmp_path / "trades.log").read_bytes().splitlines()]
    return strategy, trades


async def test_crossings_become_orders_and_every_order_ends(tmp_path: Path):
    strategy, trades = await run(tmp_path, 1000)
    placed = [trade["order_id"] for trade in trades if trade["event"] == "order_placed"]
    ended = [trade["order_id"] for trade in trades if trade["event"] in {"order_filled", "order_cancelled"}]
    assert len(placed) >= 8
    assert sorted(placed) == sorted(ended)
    assert strategy.broker.counts.total() == len(placed)
    sides = [trade["side"] for trade in trades if trade["event"] == "order_placed"]
    assert set(sides) == {"BUY", "SELL"}
    assert all(first != second for first, second in itertools.pairwise(sides))


async def test_every_tick_is_logged_at_debug_and_mishaps_with_their_traceback(tmp_path: Path):
    await run(tmp_path, 200)
    entries = [orjson.loads(line) for line in (tmp_path / "expert.log").read_bytes().splitlines()]
    assert sum(entry["message"] == "tick" and entry["level"] == "DEBUG" for entry in entries) == 200
    errors = [entry for entry in entries if entry["level"] == "ERROR"]
    assert [entry["message"] for entry in errors] == ["price check failed"]
    assert errors[0]["exception"]["type"].endswith("StalePriceError")
    assert sum(entry["message"] == "bar" for entry in entries) == 19
