"""The existing interface's contexts: fields on every entry logged within them, wherever the code goes, redacted."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from support.running_logger import logging_to

from metaexpert.logger import (
    LogContext,
    LoggingRuntime,
    MemoryOptions,
    TradeContext,
    bind_contextvars,
    clear_contextvars,
    get_logger,
    get_trade_logger,
    log_context,
    unbind_contextvars,
)
from metaexpert.logger.context import PIPELINE, current_fields

type Line = dict[str, Any]

log = get_logger("contract.contexts")


@pytest_asyncio.fixture
async def runtime() -> AsyncIterator[LoggingRuntime]:
    clear_contextvars()
    async with logging_to(MemoryOptions()) as running:
        yield running


async def told(runtime: LoggingRuntime) -> list[Line]:
    """What arrived, oldest first."""
    assert await runtime.flush()
    return runtime.sinks["memory"].entries  # pyright: ignore[reportAttributeAccessIssue] - a memory sink's


async def extras(runtime: LoggingRuntime) -> list[Line]:
    return [entry.get("extra", {}) for entry in await told(runtime)]


class TestBinding:
    async def test_fields_stay_until_they_are_taken_away(self, runtime: LoggingRuntime):
        bind_contextvars(request_id="r1", strategy_id=7)
        log.info("both")
        unbind_contextvars("request_id", "never bound")
        log.info("one")
        clear_contextvars()
        log.info("none")
        assert await extras(runtime) == [{"request_id": "r1", "strategy_id": 7}, {"strategy_id": 7}, {}]

    async def test_a_key_bound_again_has_its_new_value(self, runtime: LoggingRuntime):
        bind_contextvars(a=1)
        bind_contextvars(a=2)
        log.info("again")
        assert await extras(runtime) == [{"a": 2}]

    async def test_secrets_are_hidden(self, runtime: LoggingRuntime):
        bind_contextvars(api_key="AKIA-1", nested={"password": "hunter2"})
        log.info("hidden")
        assert await extras(runtime) == [{"api_key": "[REDACTED]", "nested": {"password": "[REDACTED]"}}]

    async def test_what_a_task_binds_stays_in_that_task(self, runtime: LoggingRuntime):
        async def work(number: int) -> None:
            bind_contextvars(number=number)
            await asyncio.sleep(0)
            log.info("in a task")

        bind_contextvars(shared=True)
        await asyncio.gather(work(1), work(2))
        log.info("outside")
        assert sorted(await extras(runtime), key=lambda fields: fields.get("number", 0)) == [
            {"shared": True},
            {"shared": True, "number": 1},
            {"shared": True, "number": 2},
        ]

    async def test_the_calls_own_fields_win(self, runtime: LoggingRuntime):
        bind_contextvars(a=1, b=1)
        log.bind(b=3, c=3).info("call", a=2)
        assert await extras(runtime) == [{"a": 2, "b": 1, "c": 3}]

    async def test_the_pipelines_own_work_stays_marked(self):
        token = current_fields.set(PIPELINE)
        try:
            bind_contextvars(a=1)
            clear_contextvars()
            with LogContext(b=1):
                assert current_fields.get() is PIPELINE
            assert current_fields.get() is PIPELINE
        finally:
            current_fields.reset(token)


class TestLogContext:
    async def test_fields_are_there_within_and_not_without(self, runtime: LoggingRuntime):
        with LogContext(symbol="BTCUSDT") as context:
            log.info("within")
        log.info("without")
        assert context.context == {"symbol": "BTCUSDT"}
        assert await extras(runtime) == [{"symbol": "BTCUSDT"}, {}]

    async def test_async_with_is_the_same(self, runtime: LoggingRuntime):
        async with LogContext(symbol="BTCUSDT"):
            log.info("within")
        log.info("without")
        assert await extras(runtime) == [{"symbol": "BTCUSDT"}, {}]

    async def test_tasks_and_to_thread_inherit_them(self, runtime: LoggingRuntime):
        async def work() -> None:
            log.info("task")

        with LogContext(symbol="BTCUSDT"):
            await asyncio.create_task(work())
            await asyncio.to_thread(log.info, "thread")
        thread = threading.Thread(target=log.info, args=("plain thread",))
        thread.start()
        thread.join()
        assert await extras(runtime) == [{"symbol": "BTCUSDT"}, {"symbol": "BTCUSDT"}, {}]

    async def test_what_it_hid_comes_back(self, runtime: LoggingRuntime):
        with LogContext(a=1, b=1):
            with LogContext(a=2):
                log.info("inner")
            log.info("outer")
        assert await extras(runtime) == [{"a": 2, "b": 1}, {"a": 1, "b": 1}]

    async def test_what_was_bound_meanwhile_stays(self, runtime: LoggingRuntime):
        bind_contextvars(a=0)
        with LogContext(a=1, b=1):
            bind_contextvars(c=1, b=2)
            log.info("within")
        log.info("after")
        assert await extras(runtime) == [{"a": 1, "b": 2, "c": 1}, {"a": 0, "c": 1}]

    async def test_it_goes_with_log_context(self, runtime: LoggingRuntime):
        with log_context(a=1), LogContext(b=2), log_context(c=3):
            log.info("all")
        log.info("none")
        assert await extras(runtime) == [{"a": 1, "b": 2, "c": 3}, {}]

    async def test_one_object_can_be_entered_again_and_by_several_tasks(self, runtime: LoggingRuntime):
        context = LogContext(shared=1)

        async def work(number: int) -> None:
            with LogContext(number=number), context:
                await asyncio.sleep(0)
                with context:
                    log.info("twice")
                log.info("once")
            log.info("out")

        await asyncio.gather(work(1), work(2))
        found = await extras(runtime)
        assert [each for each in found if each.get("number") == 1] == [{"number": 1, "shared": 1}] * 2
        assert [each for each in found if not each] == [{}, {}]

    async def test_an_exception_leaves_nothing_behind(self, runtime: LoggingRuntime):
        with pytest.raises(ValueError, match="no"), LogContext(a=1):
            raise ValueError("no")
        log.info("after")
        assert await extras(runtime) == [{}]

    async def test_leaving_what_was_not_entered_is_no_error(self, runtime: LoggingRuntime):
        LogContext(a=1).__exit__(None, None, None)
        log.info("after")
        assert await extras(runtime) == [{}]


class TestTradeContext:
    async def test_a_trade_that_goes_well(self, runtime: LoggingRuntime):
        with TradeContext("BTCUSDT", "BUY", "0.5", strategy_id=7) as trade:
            log.info("within")
            trade.add_note("submitted", order_id=1)
            trade.set_result(filled="0.5")
        log.info("after")
        started, within, note, result, completed, after = await told(runtime)
        fields = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.5", "strategy_id": 7}
        assert (started["message"], started["level"], started["log_type"]) == ("trade_started", "DEBUG", "general")
        assert within["extra"] == {"event_type": "trade", **fields}
        assert (note["message"], note["level"]) == ("trade_note", "DEBUG")
        assert note["extra"] == {"event_type": "trade", **fields, "note": "submitted", "order_id": 1}
        assert (result["message"], result["log_type"]) == ("trade_result", "trade")
        assert result["trade_data"] == {**fields, "filled": "0.5"}
        assert (completed["message"], completed["log_type"]) == ("trade_completed", "trade")
        assert completed["trade_data"].pop("duration_ms") >= 0
        assert completed["trade_data"] == {**fields, "success": True}
        assert "extra" not in after

    async def test_a_trade_that_fails(self, runtime: LoggingRuntime):
        with pytest.raises(ConnectionError):
            async with TradeContext(symbol="BTCUSDT", side="SELL", quantity=1):
                raise ConnectionError("gone")
        _, failed = await told(runtime)
        assert (failed["message"], failed["level"], failed["log_type"]) == ("trade_failed", "ERROR", "trade")
        assert (failed["trade_data"]["success"], failed["trade_data"]["error"]) == (False, "gone")
        assert failed["exception"]["type"] == "ConnectionError"

    async def test_its_entries_are_the_callers(self, runtime: LoggingRuntime):
        with TradeContext("BTCUSDT", "BUY", 1) as trade:
            trade.set_result(filled=1)
        async with TradeContext("BTCUSDT", "BUY", 1) as trade:
            trade.add_note("note")
        assert {entry["function"] for entry in await told(runtime)} == {"test_its_entries_are_the_callers"}


class TestTradeLogger:
    async def test_its_entries_are_trade_entries(self, runtime: LoggingRuntime):
        trades = get_trade_logger(symbol="BTCUSDT", strategy_id=7)
        trades.info("executed %s", "now", price=43100.5, api_key="AKIA-1")
        (entry,) = await told(runtime)
        assert (entry["logger"], entry["log_type"], entry["message"]) == ("trade", "trade", "executed now")
        assert entry["trade_data"] == {"symbol": "BTCUSDT", "strategy_id": 7, "price": 43100.5, "api_key": "[REDACTED]"}

    async def test_debug_is_no_trade_entry_and_heeds_the_level(self, runtime: LoggingRuntime):
        trades = get_trade_logger(symbol="BTCUSDT")
        trades.debug("thought", why="spread")
        trades.setLevel("CRITICAL")
        try:
            trades.debug("not logged")
            trades.info("logged")
        finally:
            trades.setLevel("NOTSET")
        thought, logged = await told(runtime)
        assert (thought["log_type"], thought["extra"]) == ("general", {"symbol": "BTCUSDT", "why": "spread"})
        assert (logged["log_type"], logged["message"]) == ("trade", "logged")

    async def test_stdlibs_keywords_keep_their_meaning(self, runtime: LoggingRuntime):
        trades = get_trade_logger()
        trades.info(msg="by keyword")
        trades.warning("both", msg="a field", extra={"symbol": "B"})
        trades.error("why", exc_info=ValueError("no"), stack_info=True)
        trades.log("INFO", "by level's name")
        try:
            raise ConnectionError("gone")  # noqa: TRY301 - for its traceback
        except ConnectionError:
            trades.exception("caught", order_id=1)
        trades._log(logging.INFO, "as stdlib's own code calls it", (), extra={"symbol": "B"})
        keyword, both, why, level, caught, stdlib = await told(runtime)
        assert keyword["message"] == "by keyword"
        assert both["trade_data"] == {"symbol": "B", "msg": "a field"}
        assert why.keys() >= {"exception", "stack_info"}
        assert "trade_data" not in why
        assert level["level"] == "INFO"
        assert (caught["exception"]["type"], caught["trade_data"]) == ("ConnectionError", {"order_id": 1})
        assert stdlib["trade_data"] == {"symbol": "B"}

    async def test_bind_gives_a_trade_logger_and_copies_are_ones(self, runtime: LoggingRuntime):
        import copy
        import pickle

        trades = get_trade_logger(a=1).bind(b=2)
        for each in (trades, copy.copy(trades), pickle.loads(pickle.dumps(trades))):  # noqa: S301 - our own
            each.info("bound")
        assert [entry["trade_data"] for entry in await told(runtime)] == [{"a": 1, "b": 2}] * 3

    async def test_hostile_values_arrive_as_what_can_be_told(self, runtime: LoggingRuntime):
        class Broken:
            def __repr__(self) -> str:
                raise RuntimeError

            def __bool__(self) -> bool:
                raise RuntimeError

            def keys(self) -> list[str]:
                raise RuntimeError

        trades = get_trade_logger(bound=Broken())
        trades.info(Broken(), value=Broken(), number=float("nan"))
        trades.info("odd extra", extra=Broken())
        first, second = await told(runtime)
        assert "RuntimeError" in first["trade_data"]["value"]
        assert second["message"] == "odd extra"

    async def test_an_extra_that_cannot_be_read_loses_only_itself(self, runtime: LoggingRuntime):
        class Unreadable(dict[str, Any]):
            def __iter__(self) -> Any:
                raise RuntimeError

        get_trade_logger().info("arrives", extra=Unreadable(a=1))
        (entry,) = await told(runtime)
        assert (entry["message"], entry["log_type"]) == ("arrives", "trade")
        assert entry["extra"] == {"log_call_failed": "RuntimeError"}

    async def test_get_logger_binds_initial_values(self, runtime: LoggingRuntime):
        get_logger("contract.contexts", exchange="binance").info("bound")
        assert await extras(runtime) == [{"exchange": "binance"}]
