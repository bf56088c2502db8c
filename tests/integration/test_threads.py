"""Threads and tasks that log at once: nothing is lost, each one's order is kept, every ledger balances."""

import asyncio
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

import pytest
from support.programs import entries_of
from support.running_logger import logging_to, unbalanced
from support.scripted_collector import ScriptedCollector, pushed, serving, status

from metaexpert.logger import FileOptions, LoggingRuntime, LokiOptions, MemoryOptions, QueueOptions, get_logger
from metaexpert.logger.sinks.memory import MemorySink

log = get_logger("threads")

THREADS = 8
TASKS = 10_000
EACH = 10
OF_A_THREAD = 2_500
"""A thread logs as much as many tasks together, so that they overlap all the time."""

TOTAL = TASKS * EACH + THREADS * OF_A_THREAD
ROOM = QueueOptions(max_entries=2 * TOTAL, max_bytes=1024 * 1024 * 1024)


def new_loop(kind: str) -> Callable[[], asyncio.AbstractEventLoop]:
    if kind == "asyncio":
        return asyncio.new_event_loop
    import uvloop

    return uvloop.new_event_loop


LOOPS = pytest.mark.parametrize(
    "kind",
    [
        "asyncio",
        pytest.param("uvloop", marks=pytest.mark.skipif(sys.platform == "win32", reason="uvloop needs POSIX")),
    ],
)


def on_loop[T](kind: str, work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=new_loop(kind)) as runner:
        return runner.run(work)


def thread_logs(which: int, entries: int = OF_A_THREAD) -> None:
    for number in range(entries):
        log.info("t%d %d", which, number)


async def task_logs(which: int) -> None:
    for number in range(EACH):
        log.info("k%d %d", which, number)
        await asyncio.sleep(0)


async def all_at_once() -> None:
    threads = [threading.Thread(target=thread_logs, args=(which,)) for which in range(THREADS)]
    for thread in threads:
        thread.start()
    await asyncio.gather(*(task_logs(which) for which in range(TASKS)))
    for thread in threads:
        await asyncio.to_thread(thread.join)


def numbers_of(messages: Iterable[str]) -> dict[str, list[int]]:
    """What each thread and task logged, in the order of its arrival."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for message in messages:
        who, number = message.split()
        found[who].append(int(number))
    return found


def complete(messages: Iterable[str]) -> bool:
    """Whether all of it is there, once, and in order."""
    found = numbers_of(messages)
    return (
        len(found) == TASKS + THREADS
        and all(found[f"k{which}"] == list(range(EACH)) for which in range(TASKS))
        and all(found[f"t{which}"] == list(range(OF_A_THREAD)) for which in range(THREADS))
    )


def nothing_lost(runtime: LoggingRuntime, total: int = TOTAL) -> None:
    stats = runtime.stats()
    assert stats.ingress.dropped == {}
    assert unbalanced(runtime) == []
    for sink in stats.sinks.values():
        assert (sink.ledger.routed, sink.ledger.delivered, sink.ledger.dropped) == (total, total, {})


def memory_messages(runtime: LoggingRuntime) -> list[str]:
    sink = runtime.sinks["memory"]
    assert isinstance(sink, MemorySink)
    return [entry["message"] for entry in sink.entries]


@pytest.mark.slow
@LOOPS
def test_8_threads_and_10_000_tasks_at_once(tmp_path: Path, kind: str):
    async def program() -> None:
        async with serving(ScriptedCollector(status(204))) as collector:
            sinks = (
                MemoryOptions(max_entries=TOTAL),
                FileOptions(path=Path("all.log"), json_logging=True, max_bytes=0),
                LokiOptions(url=collector.url, batch_max_age=0.05),
            )
            async with logging_to(*sinks, log_dir=tmp_path, queue=ROOM, shutdown_timeout=60.0) as runtime:
                await all_at_once()
                assert await runtime.flush(60.0)
                nothing_lost(runtime)
                assert complete(memory_messages(runtime))
            assert complete(entry["message"] for entry in entries_of(tmp_path / "all.log"))
            assert complete(push.entry["message"] for request in collector.requests for push in pushed(request))

    on_loop(kind, program())


def test_threads_of_a_program_without_a_loop(tmp_path: Path):
    runtime = logging_to(
        MemoryOptions(max_entries=TOTAL),
        FileOptions(path=Path("all.log"), json_logging=True, max_bytes=0),
        log_dir=tmp_path,
        queue=ROOM,
        shutdown_timeout=60.0,
    )
    with runtime:
        threads = [threading.Thread(target=thread_logs, args=(which,)) for which in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert runtime.flush_sync(60.0)
        nothing_lost(runtime, THREADS * OF_A_THREAD)
        expected = {f"t{which}": list(range(OF_A_THREAD)) for which in range(THREADS)}
        assert numbers_of(memory_messages(runtime)) == expected
    assert numbers_of(entry["message"] for entry in entries_of(tmp_path / "all.log")) == expected


@LOOPS
def test_threads_that_log_while_the_runtime_starts_moves_and_stops_lose_nothing(tmp_path: Path, kind: str):
    """From before the start until after the stop: what one runtime did not take, the next one gets."""
    done = threading.Event()
    counts = [0] * 4

    def work(which: int) -> None:
        while not done.is_set():
            log.info("t%d %d", which, counts[which])
            counts[which] += 1
            done.wait(0.0005)

    async def entered(runtime: LoggingRuntime) -> None:
        async with runtime:
            await asyncio.sleep(0.02)

    async def left() -> LoggingRuntime:
        runtime = new_runtime()
        await runtime.start()
        await asyncio.sleep(0.02)
        return runtime

    def new_runtime() -> LoggingRuntime:
        file = FileOptions(path=Path("all.log"), json_logging=True, max_bytes=0)
        return logging_to(file, log_dir=tmp_path, capture={"stdlib": False})  # asyncio tells of every loop

    threads = [threading.Thread(target=work, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        runtime = new_runtime().begin()
        on_loop(kind, entered(runtime))
        assert runtime.stats().sinks["file"].state == "stopped"
        runtime = on_loop(kind, left())
        on_loop(kind, entered(runtime))
    done.set()
    for thread in threads:
        thread.join()
    with new_runtime():
        pass
    found = numbers_of(entry["message"] for entry in entries_of(tmp_path / "all.log"))
    assert {who: sorted(numbers) for who, numbers in found.items()} == {
        f"t{which}": list(range(count)) for which, count in enumerate(counts)
    }


async def test_threads_that_log_errors_wait_for_nobody_where_a_loop_runs():
    """Beside a loop a call never waits, from whichever thread: here the loop is busy all the while."""
    async with logging_to(MemoryOptions(max_entries=10_000), queue=ROOM) as runtime:
        threads = [threading.Thread(target=lambda: [log.error("e") for _ in range(500)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30.0)  # blocks the loop, on purpose
        assert not any(thread.is_alive() for thread in threads)
        assert await runtime.flush()
        nothing_lost(runtime, 2000)
