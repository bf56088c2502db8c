"""MetaExpert: who is called when, what a failing handler does, and how it stops."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from decimal import Decimal
from pathlib import Path
from typing import override

import orjson
import pytest

from metaexpert.core import Bar, MarketEvent, MetaExpert, StopReason, Tick
from metaexpert.exceptions import MetaExpertError
from metaexpert.logger import LoggerConfig


def trade(seconds: float, price: str = "5") -> Tick:
    return Tick(
        exchange="binance",
        symbol="BTCUSDT",
        kind="trade",
        time_ns=round(seconds * 1e9),
        price=Decimal(price),
        quantity=Decimal(1),
    )


class ListFeed:
    """Plays events, then ends, or waits for ever when it is told to."""

    def __init__(self, *events: MarketEvent | Exception, endless: bool = False) -> None:
        self.source = events
        self.endless = endless
        self.closed = False

    async def events(self) -> AsyncGenerator[MarketEvent]:
        try:
            for event in self.source:
                await asyncio.sleep(0)
                if isinstance(event, Exception):
                    raise event
                yield event
            if self.endless:
                await asyncio.Event().wait()
        finally:
            self.closed = True


class Journal:
    """What an expert's handlers were told, in order."""

    def __init__(self, expert: MetaExpert) -> None:
        self.lines: list[str] = []
        expert.on_init(self._note_init)
        expert.on_deinit(lambda reason: self.lines.append(f"deinit {reason}"))

    async def _note_init(self) -> None:
        self.lines.append("init")


@pytest.fixture
def config(tmp_path: Path) -> LoggerConfig:
    return LoggerConfig(log_dir=tmp_path, log_level="DEBUG", log_to_console=False, json_logging=True)


def logged(config: LoggerConfig) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in (config.log_dir / config.log_file).read_bytes().splitlines()]


def messages(config: LoggerConfig) -> list[object]:
    return [entry["message"] for entry in logged(config)]


async def test_handlers_are_called_in_order_sync_and_async(config: LoggerConfig):
    expert = MetaExpert(feeds=[ListFeed(trade(1), trade(2))], logging=config)
    journal = Journal(expert)

    @expert.on_tick
    def first(tick: Tick) -> None:
        journal.lines.append(f"first {tick.time_ns // 10**9}")

    @expert.on_tick
    async def second(tick: Tick) -> None:
        await asyncio.sleep(0)
        journal.lines.append(f"second {tick.time_ns // 10**9}")

    await expert.run_async()
    assert journal.lines == ["init", "first 1", "second 1", "first 2", "second 2", "deinit feed_end"]
    assert (first.__name__, second.__name__) == ("first", "second")


async def test_logging_starts_before_init_and_is_flushed_after_deinit(config: LoggerConfig):
    from metaexpert.logger import get_logger

    log = get_logger("test.strategy")
    expert = MetaExpert(feeds=[ListFeed()], name="alpha", logging=config)
    expert.on_init(lambda: log.info("in init", queued=expert.logging.stats().ingress.accepted))
    expert.on_deinit(lambda reason: log.info("in deinit %s", reason))
    await expert.run_async()
    assert messages(config) == ["in init", "expert started", "in deinit feed_end", "expert stopped"]
    assert {entry["extra"]["expert"] for entry in logged(config)} == {"alpha"}  # type: ignore[index]
    assert expert.logging.stats().sinks["file"].ledger.delivered == 4


async def test_bars_come_from_ticks_by_timeframe(config: LoggerConfig):
    expert = MetaExpert(feeds=[ListFeed(trade(1, "5"), trade(1.5, "7"), trade(2, "6"), trade(61))], logging=config)
    seconds: list[Bar] = []
    minutes: list[Bar] = []
    expert.on_bar("1s")(seconds.append)
    expert.on_bar(minutes.append)
    await expert.run_async()
    assert [(bar.timeframe, bar.high) for bar in seconds] == [("1s", 7), ("1s", 6)]
    assert [(bar.timeframe, bar.trades) for bar in minutes] == [("1m", 3)]
    assert expert.stats().bars == 3


async def test_an_unknown_timeframe_is_refused_when_it_is_registered():
    with pytest.raises(MetaExpertError, match="timeframe '1x'"):
        MetaExpert(feeds=[]).on_bar("1x")(print)


async def test_a_failing_handler_is_logged_and_the_expert_lives(config: LoggerConfig):
    expert = MetaExpert(feeds=[ListFeed(trade(1), trade(2), trade(3))], logging=config)
    seen: list[int] = []

    @expert.on_tick
    async def fragile(tick: Tick) -> None:
        if tick.time_ns == 2 * 10**9:
            raise ValueError("no such level")

    expert.on_tick(lambda tick: seen.append(tick.time_ns // 10**9))
    await expert.run_async()
    assert seen == [1, 2, 3]
    assert expert.stats().handler_errors == 1
    errors = [entry for entry in logged(config) if entry["level"] == "ERROR"]
    assert [entry["message"] for entry in errors] == ["handler failed"]
    assert "fragile" in str(errors[0]["extra"])
    exception = errors[0]["exception"]
    assert isinstance(exception, dict)
    assert (exception["type"], exception["message"]) == ("ValueError", "no such level")
    assert 'raise ValueError("no such level")' in exception["traceback"]


async def test_a_failing_init_keeps_the_expert_from_starting(config: LoggerConfig):
    feed = ListFeed(trade(1))
    expert = MetaExpert(feeds=[feed], logging=config)
    journal = Journal(expert)

    @expert.on_init
    def fail() -> None:
        raise RuntimeError("no keys")

    with pytest.raises(RuntimeError, match="no keys"):
        await expert.run_async()
    assert journal.lines == ["init", "deinit error"]
    assert expert.stats().ticks == 0
    assert messages(config) == ["expert failed", "expert stopped"]


async def test_a_failing_feed_stops_the_expert_and_its_other_feeds(config: LoggerConfig):
    other = ListFeed(endless=True)
    expert = MetaExpert(feeds=[other, ListFeed(trade(1), OSError("gone"))], logging=config)
    journal = Journal(expert)
    with pytest.raises(OSError, match="gone"):
        await expert.run_async()
    assert journal.lines == ["init", "deinit error"]
    assert other.closed
    assert messages(config)[-2:] == ["expert failed", "expert stopped"]


def test_run_raises_what_a_feed_raised_as_it_was_raised(config: LoggerConfig):
    gone = OSError("gone")
    gone.__cause__ = cause = KeyError("because of that")
    with pytest.raises(OSError, match="gone") as caught:
        MetaExpert(feeds=[ListFeed(endless=True), ListFeed(gone)], logging=config).run()
    assert caught.value is gone
    assert gone.__cause__ is cause
    assert not isinstance(gone.__context__, BaseExceptionGroup)
    assert caught.traceback[-1].name == "events"
    (entry,) = [entry for entry in logged(config) if entry["level"] == "CRITICAL"]
    assert entry["exception"]["type"] == "OSError"  # type: ignore[index]


def test_run_raises_the_very_group_that_a_feed_raised(config: LoggerConfig):
    both = ExceptionGroup("two connections", [OSError("a"), OSError("b")])
    with pytest.raises(ExceptionGroup, match="two connections") as caught:
        MetaExpert(feeds=[ListFeed(both)], logging=config).run()
    assert caught.value is both


def test_several_failing_feeds_stay_a_group(config: LoggerConfig):
    class BadEnd(ListFeed):
        @override
        async def events(self) -> AsyncGenerator[MarketEvent]:
            try:
                async for event in super().events():
                    yield event
            finally:
                raise ValueError("not closed")

    with pytest.raises(ExceptionGroup) as caught:
        MetaExpert(feeds=[BadEnd(endless=True), ListFeed(OSError("gone"))], logging=config).run()
    assert {type(error) for error in caught.value.exceptions} == {OSError, ValueError}


def test_run_raises_what_init_raised(config: LoggerConfig):
    no_keys = RuntimeError("no keys")

    async def fail() -> None:
        raise no_keys

    expert = MetaExpert(feeds=[], logging=config)
    expert.on_init(fail)
    with pytest.raises(RuntimeError, match="no keys") as caught:
        expert.run()
    assert caught.value is no_keys
    assert caught.traceback[-1].name == "fail"


async def test_a_failing_deinit_does_not_keep_the_others_from_theirs(config: LoggerConfig):
    expert = MetaExpert(feeds=[], logging=config)

    @expert.on_deinit
    def fail(_: StopReason) -> None:
        raise RuntimeError("lost")

    journal = Journal(expert)
    await expert.run_async()
    assert journal.lines == ["init", "deinit feed_end"]
    assert expert.stats().handler_errors == 1


async def test_a_handler_may_stop_the_expert(config: LoggerConfig):
    feed = ListFeed(trade(1), trade(2), endless=True)
    expert = MetaExpert(feeds=[feed], logging=config)
    journal = Journal(expert)
    expert.on_tick(lambda tick: expert.stop() if tick.time_ns == 2 * 10**9 else None)
    await asyncio.wait_for(expert.run_async(), 10)
    assert journal.lines == ["init", "deinit user"]
    assert feed.closed


async def test_another_thread_may_stop_it(config: LoggerConfig):
    expert = MetaExpert(feeds=[ListFeed(trade(1), endless=True)], logging=config)
    journal = Journal(expert)

    @expert.on_tick
    def stop_from_a_thread(_: Tick) -> None:
        thread = threading.Thread(target=expert.stop)
        thread.start()
        thread.join()

    await asyncio.wait_for(expert.run_async(), 10)
    assert journal.lines == ["init", "deinit user"]


async def test_a_stop_before_the_start_is_honoured(config: LoggerConfig):
    expert = MetaExpert(feeds=[ListFeed(trade(1), endless=True)], logging=config)
    journal = Journal(expert)
    expert.stop()
    await asyncio.wait_for(expert.run_async(), 10)
    assert journal.lines == ["deinit user"]


async def test_a_hanging_init_can_be_stopped(config: LoggerConfig):
    expert = MetaExpert(feeds=[], logging=config)
    journal = Journal(expert)

    @expert.on_init
    async def hang() -> None:
        expert.stop()
        await asyncio.Event().wait()

    await asyncio.wait_for(expert.run_async(), 10)
    assert journal.lines == ["init", "deinit user"]


async def test_cancelling_stops_it_in_good_order(config: LoggerConfig):
    expert = MetaExpert(feeds=[ListFeed(trade(1), endless=True)], logging=config)
    journal = Journal(expert)
    ticked = asyncio.Event()
    expert.on_tick(lambda _: ticked.set())
    running = asyncio.create_task(expert.run_async())
    await asyncio.wait_for(ticked.wait(), 10)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert journal.lines == ["init", "deinit cancelled"]
    assert messages(config)[-1] == "expert stopped"


async def test_it_runs_once(config: LoggerConfig):
    expert = MetaExpert(feeds=[], logging=config)
    await expert.run_async()
    with pytest.raises(MetaExpertError, match="has run already"):
        await expert.run_async()


def test_before_the_start_there_is_no_logging_runtime():
    with pytest.raises(MetaExpertError, match="not started"):
        _ = MetaExpert(feeds=[]).logging


def test_run_blocks_until_the_feeds_end(config: LoggerConfig):
    expert = MetaExpert(feeds=[ListFeed(trade(1))], logging=config)
    journal = Journal(expert)
    expert.run()
    assert journal.lines == ["init", "deinit feed_end"]
