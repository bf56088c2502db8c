"""The existing interface names an event: its entry is the one `log.trade` makes."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from support.running_logger import logging_to

from metaexpert.logger import LoggingRuntime, MemoryOptions, MetaLogger, TradeContext, get_logger, get_trade_logger


async def entries(runtime: LoggingRuntime, log_type: str = "trade") -> list[dict[str, Any]]:
    assert await runtime.flush()
    sink: Any = runtime.sinks["memory"]
    return [entry for entry in sink.entries if entry["log_type"] == log_type]


async def test_a_trade_logger_writes_the_data_of_the_event(tmp_path: Path):
    filled: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": "buy",
        "order_id": 7,
        "quantity": Decimal("0.50"),
        "price": 43100.5,
        "executed_price": "43100.50",
        "executed_quantity": "0.50",
    }
    async with logging_to(MemoryOptions()) as runtime:
        get_logger("typed").trade.order_filled(strategy_id=1001, **filled)
        get_trade_logger(strategy_id=1001).info("order_filled", **filled)
        MetaLogger(log_file=tmp_path / "a").log_trade("order_filled", strategy_id=1001, **filled)
        typed, by_logger, by_call = await entries(runtime)
    assert typed["trade_data"]["event"] == "order_filled"
    assert by_logger["trade_data"] == by_call["trade_data"] == typed["trade_data"]
    assert by_logger["message"] == "order_filled"


async def test_what_is_missing_is_told_and_bound_fields_count():
    async with logging_to(MemoryOptions()) as runtime:
        get_trade_logger(symbol="BTCUSDT", api_secret="hunter2").info("order_placed", side="up")
        (entry,) = await entries(runtime)
    problems = " ".join(entry["trade_data"]["problems"])
    assert "side" in problems
    assert "quantity: is missing" in problems
    assert "symbol" not in problems
    assert entry["trade_data"]["api_secret"] == "[REDACTED]"


async def test_the_lives_of_its_orders_are_watched():
    async with logging_to(MemoryOptions(), check_trades=True) as runtime:
        trades = get_trade_logger(strategy_id=1)
        order: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "order_id": "o-1", "quantity": "1"}
        trades.info("order_placed", order_type="LIMIT", price="2", **order)
        trades.info("order_cancelled", **order)
        trades.info("order_filled", price="2", executed_price="2", executed_quantity="1", **order)
        await entries(runtime)
        warnings = [each for each in await entries(runtime, "general") if each["logger"] == "metaexpert.trade"]
    assert any("o-1" in each["message"] for each in warnings)


async def test_other_messages_and_contexts_stay_as_they_are():
    async with logging_to(MemoryOptions()) as runtime:
        get_trade_logger(strategy_id=1).info("filled", quantity=0.5)
        get_trade_logger(strategy_id=1).info("order_%s", "filled", quantity=0.5)
        with TradeContext("BTCUSDT", "BUY", "1") as trade:
            trade.set_result(price="2")
        first, second, result, completed = await entries(runtime)
    assert first["trade_data"] == second["trade_data"] == {"strategy_id": 1, "quantity": 0.5}
    assert (result["message"], completed["message"]) == ("trade_result", "trade_completed")
    assert "event" not in result["trade_data"]
