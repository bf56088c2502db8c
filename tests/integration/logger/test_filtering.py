"""One stream into sinks that are filtered, shaped and thinned out differently: exact counts, and every ledger true."""

import asyncio
import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from support.eventually import eventually
from support.running_logger import logging_to, unbalanced
from support.scripted_collector import Received, ScriptedCollector, documents, pushed, serving, status

from metaexpert.logger import (
    ElasticsearchOptions,
    FieldConditionOptions,
    FileOptions,
    FilterOptions,
    KeysOptions,
    LedgerSnapshot,
    LoggingRuntime,
    LokiOptions,
    MemoryOptions,
    RateLimitOptions,
    RepeatsOptions,
    SamplingOptions,
    get_logger,
    log_context,
)
from metaexpert.logger.entry import PROTECTED_LOG_TYPES

ROUNDS = 500
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
app, feed, apple = get_logger("app"), get_logger("app.feed"), get_logger("apple")

SINKS = (
    MemoryOptions(name="all", max_entries=100_000),
    MemoryOptions(
        name="loggers",
        max_entries=100_000,
        filter=FilterOptions(include_loggers=("app",), levels={"app.feed": "WARNING"}),
    ),
    FileOptions(
        name="one_symbol",
        path=Path("btc.log"),
        filter=FilterOptions(include_fields=(FieldConditionOptions(name="symbol", equals="BTCUSDT"),)),
    ),
    MemoryOptions(
        name="messages",
        max_entries=100_000,
        filter=FilterOptions(include_messages=("^tick",), exclude_messages=("7$",)),
    ),
    MemoryOptions(name="tenth", max_entries=100_000, sampling=SamplingOptions(rate=0.1)),
    MemoryOptions(name="tenth_too", max_entries=100_000, sampling=SamplingOptions(rate=0.1)),
    MemoryOptions(name="limited", max_entries=100_000, rate_limit=RateLimitOptions(rate=0.01, burst=20)),
    MemoryOptions(name="repeats", max_entries=100_000, repeats=RepeatsOptions(window=3600)),
    MemoryOptions(name="less", max_entries=100_000, keys=KeysOptions(exclude=("thread", "task", "extra.symbol"))),
    FileOptions(
        name="text", path=Path("text.log"), json_logging=False, keys=KeysOptions(exclude=("extra", "trade_data"))
    ),
)


async def log_everything() -> None:
    for number in range(ROUNDS):
        with log_context(symbol=SYMBOLS[number % 3]):
            feed.info("tick %d", number, price=number)
            feed.warning("gap in the feed")
            app.debug("state")
            apple.info("not of the app")
        if number % 100 == 0:
            app.trade.order_placed(order_id=number, symbol=SYMBOLS[number % 3], side="BUY", quantity="1", price="2")
            app.audit("checked", number=number)
            await asyncio.sleep(0)


TRADES = ROUNDS // 100
TOTAL = 4 * ROUNDS + 2 * TRADES


def lines(runtime: LoggingRuntime, name: str) -> list[dict[str, Any]]:
    sink: Any = runtime.sinks[name]
    return sink.entries


def ledger(runtime: LoggingRuntime, name: str) -> LedgerSnapshot:
    return runtime.stats().sinks[name].ledger


async def test_each_sink_gets_exactly_what_its_options_say(tmp_path: Path):
    async with logging_to(*SINKS, log_dir=tmp_path) as runtime:
        await log_everything()
        assert await runtime.flush()
        everything = lines(runtime, "all")
    assert unbalanced(runtime) == []
    assert runtime.stats().dispatcher.faults == 0
    assert len(everything) == TOTAL
    the_filters_hold(runtime, everything, tmp_path)
    each_thins_out_as_told(runtime, everything)
    keys_are_left_out(runtime, everything, tmp_path)


def the_filters_hold(runtime: LoggingRuntime, everything: list[dict[str, Any]], folder: Path) -> None:
    kept = lines(runtime, "loggers")
    assert Counter((entry["logger"], entry["level"]) for entry in kept) == {
        ("app.feed", "WARNING"): ROUNDS,
        ("app", "DEBUG"): ROUNDS,
        ("app", "INFO"): 2 * TRADES,
    }
    assert ledger(runtime, "loggers").filtered == TOTAL - len(kept)

    stored = [json.loads(line) for line in (folder / "btc.log").read_bytes().splitlines()]
    assert stored == [entry for entry in everything if _symbol(entry) == "BTCUSDT"]
    assert ledger(runtime, "one_symbol").filtered == TOTAL - len(stored)

    ticks = [f"tick {number}" for number in range(ROUNDS) if number % 10 != 7]
    assert [entry["message"] for entry in lines(runtime, "messages")] == ticks


def each_thins_out_as_told(runtime: LoggingRuntime, everything: list[dict[str, Any]]) -> None:
    by_seq = {entry["seq"]: entry for entry in everything}
    tenth = lines(runtime, "tenth")
    assert tenth == lines(runtime, "tenth_too")
    low = [entry for entry in everything if entry["level"] in {"DEBUG", "INFO"} and not _protected(entry)]
    sampled = ledger(runtime, "tenth").sampled
    assert len(tenth) == TOTAL - sampled
    assert sum(entry in tenth for entry in low) == len(low) - sampled
    assert 0.05 * len(low) < len(low) - sampled < 0.15 * len(low)

    limited = lines(runtime, "limited")
    held = ledger(runtime, "limited")
    assert len([entry for entry in limited if not _protected(entry)]) == 20
    assert held.limited == {"DEBUG": ROUNDS - 5, "INFO": 2 * ROUNDS - 10, "WARNING": ROUNDS - 5}
    (said,) = [entry for entry in limited if entry["log_type"] == "gap"]
    assert said["extra"]["held_back"] == held.limited_total == 4 * ROUNDS - 20
    assert held.gaps == 1
    assert len(limited) == 20 + 2 * TRADES + 1

    collapsed = lines(runtime, "repeats")
    counts: Counter[str] = Counter()
    for entry in collapsed:
        if "repeated" not in entry["message"]:
            continue
        counts[entry["logger"]] += entry["extra"]["count"]
        assert entry["extra"]["first_seq"] in by_seq
        assert entry["seq"] not in by_seq
    # a message is repeated within each symbol: three of each are written
    written = {"app.feed": 3, "app": 3, "apple": 3}
    assert counts == {logger: ROUNDS - first for logger, first in written.items()}
    assert ledger(runtime, "repeats").repeated == 3 * ROUNDS - 9
    assert len(collapsed) == ROUNDS + 9 + 9 + 2 * TRADES


def keys_are_left_out(runtime: LoggingRuntime, everything: list[dict[str, Any]], folder: Path) -> None:
    by_seq = {entry["seq"]: entry for entry in everything}
    less = lines(runtime, "less")
    assert [entry["seq"] for entry in less] == sorted(by_seq)
    for entry in less:
        whole = by_seq[entry["seq"]]
        extra = {key: value for key, value in whole.get("extra", {}).items() if key != "symbol"}
        rest = {key: value for key, value in whole.items() if key not in {"thread", "task", "extra"}}
        assert entry == (rest | {"extra": extra} if extra else rest)

    text = (folder / "text.log").read_text(encoding="utf-8")
    assert len(text.splitlines()) == TOTAL
    assert "symbol=" not in text
    assert "order_placed BUY" in text


def _symbol(entry: dict[str, Any]) -> object:
    return entry.get("trade_data", {}).get("symbol") or entry.get("extra", {}).get("symbol")


def _protected(entry: dict[str, Any]) -> bool:
    return entry["log_type"] in PROTECTED_LOG_TYPES


async def test_threads_that_log_all_at_once_are_counted_to_the_last_entry():
    sinks = (
        MemoryOptions(name="limited", max_entries=100_000, rate_limit=RateLimitOptions(rate=50.0, per="site")),
        MemoryOptions(name="repeats", max_entries=100_000, repeats=RepeatsOptions(window=0.05)),
        MemoryOptions(name="rows", max_entries=100_000, repeats=RepeatsOptions(in_a_row=True)),
        MemoryOptions(name="sampled", max_entries=100_000, sampling=SamplingOptions(rate=0.3)),
    )
    per_thread, count = 2000, 4

    def work(name: str) -> None:
        log = get_logger(f"threads.{name}")
        for number in range(per_thread):
            log.info("step", number=number // 10 % 10)

    async with logging_to(*sinks) as runtime:
        threads = [threading.Thread(target=work, args=(str(n),)) for n in range(count)]
        for thread in threads:
            thread.start()
        await eventually(lambda: not any(thread.is_alive() for thread in threads))
        assert await runtime.flush()
        stats = runtime.stats().sinks
    assert unbalanced(runtime) == []
    for name, sink in stats.items():
        counted = sink.ledger
        summaries = sum("repeated" in entry["message"] for entry in lines(runtime, name))
        written = counted.delivered - counted.gaps - summaries
        left_out = counted.sampled + counted.limited_total + counted.repeated
        assert written + left_out == per_thread * count, name
        assert left_out > 0, name
    for name in ("repeats", "rows"):
        told = sum(entry["extra"].get("count", 0) for entry in lines(runtime, name))
        assert told == stats[name].ledger.repeated


async def test_a_summary_comes_by_time_and_a_stop_says_the_rest():
    async with logging_to(MemoryOptions(repeats=RepeatsOptions(window=0.1))) as runtime:
        for _ in range(5):
            app.warning("again")
        await eventually(lambda: len(lines(runtime, "memory")) == 2)
        for _ in range(3):
            app.warning("and again")
    told = [entry["message"].split(" in ")[0] for entry in lines(runtime, "memory")]
    assert told == ["again", "message repeated 4 times", "and again", "message repeated 2 times"]
    assert unbalanced(runtime) == []


@pytest.mark.parametrize("exclude", [("extra.symbol",), ("extra",)])
async def test_an_excluded_field_is_nowhere_in_what_goes_to_loki(exclude: tuple[str, ...]):
    async with serving(ScriptedCollector(status(204))) as loki:
        async with logging_to(LokiOptions(url=loki.url, keys=KeysOptions(exclude=(*exclude, "thread")))) as runtime:
            app.info("hidden", symbol="SECRET", order_id=7)
            assert await runtime.flush()
        (request,) = loki.requests
        (entry,) = pushed(request)
        assert b"SECRET" not in request.body
        assert "thread" not in entry.entry
        assert entry.metadata.get("order_id") == ("7" if exclude == ("extra.symbol",) else None)


async def test_elasticsearch_gets_documents_without_the_excluded_keys_and_the_same_ones_on_a_retry():
    async def stored(_request: web.Request, received: Received) -> web.StreamResponse:
        items = [{"create": {"status": 201}} for _ in documents(received)]
        return web.json_response({"errors": False, "items": items})

    options: dict[str, Any] = {"backoff_first": 0.01, "backoff_max": 0.02}
    async with serving(ScriptedCollector(stored)) as server:
        server.then(status(503))
        keys = KeysOptions(exclude=("extra.symbol", "process.thread", "host", "log.origin"))
        async with logging_to(ElasticsearchOptions(url=server.url, keys=keys, **options)) as runtime:
            app.info("hidden", symbol="SECRET", order_id=7)
            assert await runtime.flush()
        first, second = server.requests
        assert first.body == second.body
        (document,) = documents(second)
        assert b"SECRET" not in second.body
        assert document.source["extra"] == {"order_id": 7}
        assert document.source["process"].keys() == {"pid"}
        assert document.source["log"].keys() == {"level", "logger"}
        assert "host" not in document.source


async def test_another_configuration_brings_other_filters_and_loses_no_summary():
    def to(**options: Any) -> LoggingRuntime:
        return logging_to(MemoryOptions(name="kept", **options), MemoryOptions(name="all"))

    before = to(filter=FilterOptions(exclude_loggers=("app",)), repeats=RepeatsOptions(window=3600))
    after = to(filter=FilterOptions(exclude_loggers=("apple",))).config
    after = after.model_copy(update={"log_dir": before.config.log_dir})  # in another folder all sinks begin anew
    async with before as runtime:
        for _ in range(5):
            apple.warning("lost")
        app.info("left out")
        assert await runtime.flush()
        for _ in range(3):
            apple.warning("lost again")
        await runtime.reload(after)
        apple.warning("left out now")
        app.info("taken now")
        assert await runtime.flush()
        everything = lines(runtime, "all")
        accounts = ledger(runtime, "kept")
    assert unbalanced(runtime) == []
    assert len(everything) == 11
    assert (accounts.filtered, accounts.repeated, accounts.delivered) == (2, 6, 5)


async def test_where_a_repeated_entry_never_came_back_nothing_is_said_of_it():
    async with logging_to(MemoryOptions(repeats=RepeatsOptions(window=0.05))) as runtime:
        app.info("once")
        await eventually(lambda: len(lines(runtime, "memory")) == 1)
    assert [entry["message"] for entry in lines(runtime, "memory")] == ["once"]
