"""The recorder sees every entry at once, in any thread, and changes nothing of what happens to it otherwise."""

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.running_logger import logging_to

from metaexpert.logger import FileOptions, LoggerConfig, MemoryOptions, get_logger, log_context, setup_logging
from metaexpert.logger.port import port
from metaexpert.logger.testing import memory_entries, recorded_entries


def test_entries_are_seen_at_once_without_any_runtime(name: str):
    log = get_logger(name)
    with recorded_entries() as entries:
        log.debug("one", symbol="BTCUSDT", password="hidden")
        log.trade.order_cancelled(order_id=7, symbol="ETHUSDT")
        log.error("failed", exc_info=ValueError("no"))
    one, cancelled, failed = entries
    assert (one["level"], one["logger"], one["message"]) == ("DEBUG", name, "one")
    assert one["extra"] == {"symbol": "BTCUSDT", "password": "[REDACTED]"}
    assert one["function"] == "test_entries_are_seen_at_once_without_any_runtime"
    assert (cancelled["log_type"], cancelled["trade_data"]["order_id"]) == ("trade", 7)
    assert (failed["exception"]["type"], failed["exception"]["message"]) == ("ValueError", "no")


async def test_coroutines_and_threads_are_seen_in_the_order_of_the_calls(name: str):
    log = get_logger(name)

    async def work(number: int) -> None:
        with log_context(worker=number):
            await asyncio.to_thread(log.info, "in a thread")
            log.info("in a task")

    with recorded_entries() as entries:
        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(work(number))
    assert len(entries) == 10
    numbers = [entry["seq"] for entry in entries]
    assert numbers == sorted(numbers)
    for number in range(5):
        assert [entry["message"] for entry in entries.where(worker=number)] == ["in a thread", "in a task"]


def test_many_threads_lose_nothing(name: str):
    log = get_logger(name)
    with recorded_entries() as entries, ThreadPoolExecutor(8) as pool:
        for thread in range(8):
            pool.submit(lambda thread: [log.info("n", thread=thread, number=i) for i in range(500)], thread)
    assert len(entries) == 4000
    for thread in range(8):
        mine = [entry["extra"]["number"] for entry in entries if entry["extra"]["thread"] == thread]
        assert mine == list(range(500))


async def test_a_runtime_started_and_stopped_meanwhile_works_as_ever(name: str, tmp_path: Path):
    log = get_logger(name)
    with recorded_entries() as entries:
        log.info("before")
        async with logging_to(MemoryOptions(), FileOptions(path=tmp_path / "a.log"), log_level="INFO") as runtime:
            log.info("during")
            log.debug("below the level")
            assert await runtime.flush()
            assert memory_entries(runtime).messages == ["before", "during"]
        log.info("after")
    assert entries.messages == ["before", "during", "after"]
    assert (tmp_path / "a.log").read_bytes().count(b"\n") == 2


async def test_it_watches_a_runtime_that_runs_already_and_outlives_it(name: str):
    log = get_logger(name)
    async with logging_to(MemoryOptions(), log_level="WARNING") as runtime:
        with recorded_entries() as entries:
            log.info("below the level")
            log.warning("one")
            assert await runtime.flush()
            await runtime.stop()
            log.warning("two")
        assert memory_entries(runtime).messages == ["one"]
    assert entries.messages == ["one", "two"]


def test_what_waited_before_waits_again_and_what_was_recorded_does_not(name: str):
    log = get_logger(name)
    log.info("waits")
    with recorded_entries() as entries:
        log.info("recorded")
    log.info("waits too")
    assert entries.messages == ["recorded"]
    assert [capture[4] for capture in port.ingress.take(10)] == ["waits", "waits too"]


def test_recorders_may_stand_in_each_other(name: str):
    log = get_logger(name)
    with recorded_entries() as outer:
        log.info("one")
        with recorded_entries() as inner:
            log.info("two")
        log.info("three")
    log.info("four")
    assert outer.messages == ["one", "two", "three"]
    assert inner.messages == ["two"]


def test_clear_forgets(name: str):
    log = get_logger(name)
    with recorded_entries() as entries:
        log.info("one")
        entries.clear()
        log.info("two")
        assert entries.messages == ["two"]


def test_it_ends_with_an_exception_too(name: str):
    with pytest.raises(KeyError), recorded_entries() as entries:
        raise KeyError
    get_logger(name).info("afterwards")
    assert len(entries) == 0


def test_caplog_works_beside_it(name: str, caplog: pytest.LogCaptureFixture):
    with recorded_entries() as entries, caplog.at_level(logging.INFO):
        get_logger(name).info("n %d", 1)
    assert entries.messages == ["n 1"]
    assert [record.getMessage() for record in caplog.records] == ["n 1"]


def test_a_thread_that_logs_on_is_seen_until_the_end(name: str):
    log, may_end = get_logger(name), threading.Event()

    def run() -> None:
        log.info("begun")
        may_end.wait()
        log.info("ended")

    thread = threading.Thread(target=run)
    with recorded_entries() as entries:
        thread.start()
        while not entries:
            threading.Event().wait(0.001)
    may_end.set()
    thread.join()
    assert entries.messages == ["begun"]


def test_a_program_without_an_event_loop_is_seen_too(name: str):
    log = get_logger(name)
    with recorded_entries() as entries:
        with setup_logging(quiet()) as runtime:
            log.info("one")
            logging.getLogger("somebody.else").warning("two")
            assert runtime.flush_sync()
            assert memory_entries(runtime).messages == ["one", "two"]
        log.info("three")
    assert entries.messages == ["one", "two", "three"]
    assert entries.only(logger="somebody")["level"] == "WARNING"


def quiet() -> LoggerConfig:
    return LoggerConfig(log_to_console=False, log_to_file=False, sinks=(MemoryOptions(),))
