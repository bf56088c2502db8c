"""Another configuration while logging runs: nothing is lost and nothing arrives twice, or nothing changes."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.eventually import eventually
from support.programs import entries_of
from support.running_logger import logging_to, unbalanced
from support.scripted_collector import ScriptedCollector, pushed, serving, status
from support.written_logs import in_order as files_of

from metaexpert.exceptions import ConfigError, LoggingStateError
from metaexpert.logger import (
    FileOptions,
    LoggerConfig,
    LoggingRuntime,
    LokiOptions,
    MemoryOptions,
    RedactionOptions,
    get_logger,
)
from metaexpert.logger.sinks.memory import MemorySink

log = get_logger("reload")

THREADS = 4
KEEP = MemoryOptions(name="keep", max_entries=1_000_000)


@contextmanager
def threads_that_log() -> Generator[Callable[[], int]]:
    """Four threads log all the time; the callable stops them and says how many entries they logged."""
    done = threading.Event()
    counts = [0] * THREADS

    def work(which: int) -> None:
        while not done.is_set():
            log.info("t %d %d", which, counts[which])
            counts[which] += 1
            done.wait(0.0002)

    threads = [threading.Thread(target=work, args=(which,)) for which in range(THREADS)]
    for thread in threads:
        thread.start()

    def ended() -> int:
        done.set()
        for thread in threads:
            thread.join()
        return sum(counts)

    try:
        yield ended
    finally:
        ended()


def memory(runtime: LoggingRuntime, name: str = "keep") -> list[dict[str, Any]]:
    sink = runtime.sinks[name]
    assert isinstance(sink, MemorySink)
    return sink.entries


def messages(runtime: LoggingRuntime, name: str = "keep") -> list[str]:
    return [entry["message"] for entry in memory(runtime, name)]


def with_sinks(runtime: LoggingRuntime, *sinks: Any, **more: Any) -> LoggerConfig:
    """The present configuration with these sinks beside the one that is kept."""
    return LoggerConfig(**{**dict(runtime.config), "sinks": (KEEP, *sinks), **more})


def in_order(found: list[str]) -> bool:
    """Whether what each thread logged is in its order, complete, and there once."""
    texts = [text.split() for text in found if text.startswith("t ")]
    return all(
        [int(number) for _, thread, number in texts if int(thread) == which]
        == list(range(sum(int(thread) == which for _, thread, _ in texts)))
        for which in range(THREADS)
    )


async def more_logged(runtime: LoggingRuntime, entries: int = 200) -> None:
    goal = runtime.stats().ingress.accepted + entries
    await eventually(lambda: runtime.stats().ingress.accepted >= goal)


def lines(path: Path) -> list[str]:
    """The messages of a log's files, oldest first."""
    return [entry["message"] for file in files_of(path) for entry in entries_of(file)]


async def test_levels_change_at_once():
    async with logging_to(KEEP, log_level="INFO") as runtime:
        log.debug("not yet")
        await runtime.reload(with_sinks(runtime, log_level="DEBUG"))
        log.debug("now")
        await runtime.reload(with_sinks(runtime, log_level="WARNING"))
        log.info("no more")
        assert await runtime.flush()
        assert messages(runtime) == ["now"]
        assert runtime.config.log_level == "WARNING"


async def test_redaction_rules_change_at_once_for_bound_fields_too():
    async with logging_to(KEEP) as runtime:
        bound = log.bind(pet="cat")
        bound.info("shown", house="red")
        await runtime.reload(with_sinks(runtime, redaction=RedactionOptions(keys=("pet", "house"))))
        bound.info("hidden", house="red")
        assert await runtime.flush()
        shown, hidden = memory(runtime)
        assert shown["extra"] == {"house": "red", "pet": "cat"}
        assert set(hidden["extra"].values()).isdisjoint({"red", "cat"})


async def test_a_sink_is_added_and_one_that_stays_is_the_same():
    async with logging_to(KEEP) as runtime:
        kept = runtime.sinks["keep"]
        with threads_that_log() as ended:
            await more_logged(runtime)
            await runtime.reload(with_sinks(runtime, MemoryOptions(name="new", max_entries=1_000_000)))
            await more_logged(runtime)
            count = ended()
        assert await runtime.flush()
        assert runtime.sinks["keep"] is kept
        assert len(messages(runtime)) == count
        assert in_order(messages(runtime))
        new = messages(runtime, "new")
        assert 0 < len(new) < count
        assert new == messages(runtime)[-len(new) :], "from its first entry on it has each"
    assert unbalanced(runtime) == []


async def test_a_removed_sink_delivers_what_it_has(tmp_path: Path):
    going = FileOptions(name="going", path=Path("going.log"), json_logging=True)
    async with logging_to(KEEP, going, log_dir=tmp_path) as runtime:
        with threads_that_log() as ended:
            await more_logged(runtime)
            await runtime.reload(with_sinks(runtime))
            assert set(runtime.sinks) == {"keep"}
            found = lines(tmp_path / "going.log")
            await more_logged(runtime)
            count = ended()
        assert await runtime.flush()
        assert lines(tmp_path / "going.log") == found, "it is written to no more"
        former = runtime.stats().sinks["going"]
        assert (former.state, former.ledger.in_flight, former.ledger.delivered) == ("stopped", 0, len(found))
        assert former.ledger.balanced
        assert former.ledger.dropped == {}
        assert 0 < len(found) < count
        assert found == messages(runtime)[: len(found)]
        assert len(messages(runtime)) == count


@pytest.mark.parametrize(
    "change",
    [{"max_bytes": 20_000, "backup_count": 1000}, {"path": Path("other.log")}, {"batch_max_age": 0.2}],
    ids=["max_bytes", "path", "batch_max_age"],
)
async def test_a_changed_file_gets_each_entry_once_and_in_order(tmp_path: Path, change: dict[str, Any]):
    first = FileOptions(name="file", path=Path("a.log"), json_logging=True)
    async with logging_to(KEEP, first, log_dir=tmp_path) as runtime:
        with threads_that_log() as ended:
            for options in (first.model_copy(update=change), first, first.model_copy(update=change)):
                await more_logged(runtime)
                await runtime.reload(with_sinks(runtime, options))
            await more_logged(runtime)
            count = ended()
    paths = [tmp_path / "a.log", tmp_path / "other.log"]
    found = [text for path in paths for text in lines(path)]
    assert len(found) == count
    assert Counter(found) == Counter(messages(runtime))
    assert all(in_order(_renumbered(lines(path))) for path in paths)
    assert runtime.stats().sinks["file"].ledger.delivered == count
    assert unbalanced(runtime) == []


def _renumbered(found: list[str]) -> list[str]:
    """The same with each thread's entries numbered from 0, where their numbers grow; else as it is."""
    numbers = [0] * THREADS
    last = [-1] * THREADS
    renumbered: list[str] = []
    for text in found:
        _, thread, number = text.split()
        which = int(thread)
        if int(number) <= last[which]:
            return found
        last[which] = int(number)
        renumbered.append(f"t {which} {numbers[which]}")
        numbers[which] += 1
    return renumbered


async def test_another_format_begins_with_the_reload(tmp_path: Path):
    text = FileOptions(name="file", path=Path("a.log"))
    async with logging_to(KEEP, text, log_dir=tmp_path) as runtime:
        log.info("as text")
        await runtime.reload(with_sinks(runtime, text.model_copy(update={"json_logging": True})))
        log.info("as JSON")
    first, second = (tmp_path / "a.log").read_text().splitlines()
    assert first.endswith(": as text") or first.startswith("{")
    assert second.startswith("{")
    assert '"as JSON"' in second


@asynccontextmanager
async def two_collectors() -> AsyncGenerator[tuple[ScriptedCollector, ScriptedCollector]]:
    async with (
        serving(ScriptedCollector(status(204))) as one,
        serving(ScriptedCollector(status(204))) as other,
    ):
        yield one, other


def received(*collectors: ScriptedCollector) -> list[str]:
    return [push.entry["message"] for each in collectors for request in each.requests for push in pushed(request)]


async def test_a_collectors_new_address_gets_what_the_old_one_had_not():
    async with two_collectors() as (one, other):
        loki = LokiOptions(name="loki", url=one.url, batch_max_age=0.02)
        async with logging_to(KEEP, loki) as runtime:
            with threads_that_log() as ended:
                await more_logged(runtime)
                await eventually(lambda: one.requests)
                await runtime.reload(with_sinks(runtime, loki.model_copy(update={"url": other.url})))
                at_one = len(one.requests)
                await more_logged(runtime)
                count = ended()
            assert await runtime.flush()
        assert len(one.requests) == at_one
        assert other.requests
        found = received(one, other)
        assert len(found) == count
        assert in_order(found)
        assert runtime.stats().sinks["loki"].ledger.delivered == count


async def test_what_waits_for_a_dead_collector_goes_to_the_new_address():
    async with two_collectors() as (dead, other):
        dead.default = dead.hang
        loki = LokiOptions(name="loki", url=dead.url, batch_max_age=0.02)
        async with logging_to(KEEP, loki) as runtime:
            log.info("first")
            await eventually(lambda: dead.requests)
            for number in range(100):
                log.info("n %d", number)
            await runtime.reload(with_sinks(runtime, loki.model_copy(update={"url": other.url})))
            assert await runtime.flush()
        assert received(other) == ["first", *(f"n {number}" for number in range(100))]


async def test_a_wrong_configuration_changes_nothing(tmp_path: Path):
    (tmp_path / "metaexpert.toml").write_text("[logger]\nlog_level = 'INFO'\nlog_to_console = false\n")
    config = LoggerConfig.load(tmp_path / "metaexpert.toml", environ={}, log_dir=tmp_path)
    async with LoggingRuntime(config) as runtime:
        before, sinks = runtime.config, dict(runtime.sinks)
        (tmp_path / "metaexpert.toml").write_text("[logger]\nlog_levle = 'DEBUG'\n")
        with pytest.raises(ConfigError, match="log_level"):
            await runtime.reload()
        assert runtime.config is before
        assert dict(runtime.sinks) == sinks
        (tmp_path / "metaexpert.toml").write_text("[logger]\nlog_level = 'DEBUG'\nlog_to_console = false\n")
        await runtime.reload()
        assert runtime.config.log_level == "DEBUG"
        assert dict(runtime.sinks) == sinks


async def test_one_made_in_code_can_only_be_replaced():
    async with logging_to(KEEP) as runtime:
        with pytest.raises((ConfigError, LoggingStateError), match="code"):
            await runtime.reload()
    with pytest.raises(LoggingStateError):
        await runtime.reload(runtime.config)


async def test_reloads_at_once_come_one_after_the_other():
    async with logging_to(KEEP) as runtime:
        with threads_that_log() as ended:
            configs = [
                with_sinks(runtime, MemoryOptions(name=f"m{number % 3}", max_entries=100_000 + number))
                for number in range(12)
            ]
            await asyncio.gather(*(runtime.reload(config) for config in configs))
            count = ended()
        assert await runtime.flush()
        assert set(runtime.sinks) == {"keep", "m2"}
        assert len(messages(runtime)) == count
        assert in_order(messages(runtime))
    assert unbalanced(runtime) == []


async def test_it_may_be_asked_for_on_another_loop():
    """In a program whose logging lives on a thread, from a loop of the program's."""

    def program() -> tuple[str, list[str]]:
        runtime = logging_to(KEEP, log_level="INFO")
        with runtime:
            asyncio.run(runtime.reload(with_sinks(runtime, log_level="DEBUG")))
            log.debug("now")
            assert runtime.flush_sync()
            return runtime.config.log_level, messages(runtime)

    assert await asyncio.to_thread(program) == ("DEBUG", ["now"])


@pytest.mark.parametrize("how", ["cancelled", "stopped", "cancelled and stopped"])
async def test_one_that_is_cancelled_or_met_by_a_stop_comes_to_its_end(how: str):
    """Half of it would leave a sink between two configurations, and its entries uncounted."""
    async with two_collectors() as (dead, other):
        dead.default = dead.hang
        going = LokiOptions(name="going", url=dead.url, batch_max_age=0.01, spool={"enabled": False})
        changing = LokiOptions(name="changing", url=dead.url, batch_max_age=0.01)
        async with logging_to(KEEP, going, changing, shutdown_timeout=1.0) as runtime:
            for number in range(10):
                log.info("n %d", number)
            await eventually(lambda: len(dead.requests) == 2)
            new = with_sinks(runtime, changing.model_copy(update={"url": other.url}), shutdown_timeout=1.0)
            reloading = asyncio.create_task(runtime.reload(new))
            await asyncio.sleep(0.01)
            if "cancelled" in how:
                reloading.cancel()
            if "stopped" in how:
                await runtime.stop()
            await asyncio.wait([reloading])
            assert reloading.cancelled() == ("cancelled" in how)
        assert received(other) == [f"n {number}" for number in range(10)]
        sinks = runtime.stats().sinks
        assert sinks["going"].ledger.dropped == {("INFO", "shutdown"): 10}
        assert {name: sink.ledger.delivered for name, sink in sinks.items()} == {"keep": 10, "changing": 10, "going": 0}
        assert unbalanced(runtime) == []
