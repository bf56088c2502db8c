"""Cancellation at every await, of the user's tasks and of our own: nothing is lost, nothing comes twice."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from support.cancelling import CancelAt, at_every_await
from support.eventually import eventually
from support.faults import HEALTHY, Trial, ids_in, trial
from support.holding_collector import HoldingCollector
from support.running_logger import ids, logging_to, unbalanced
from support.scripted_collector import serving
from support.written_logs import in_order

from metaexpert.logger import FileOptions, LoggingRuntime, MemoryOptions, QueueOptions, get_logger
from metaexpert.logger.delivery import Delivery
from metaexpert.logger.dispatcher import Dispatcher

log = get_logger("integration.faults.cancellation")

_names = count()


@pytest.fixture
def new_path(tmp_path: Path) -> Callable[[], Path]:
    """Another file each time."""
    return lambda: tmp_path / f"{next(_names)}.log"


@pytest_asyncio.fixture(params=["loki", "elasticsearch"])
async def collector(request: pytest.FixtureRequest) -> AsyncIterator[HoldingCollector]:
    async with serving(HoldingCollector(request.param)) as served:
        assert isinstance(served, HoldingCollector)
        yield served


# ---- the user's tasks ----------------------------------------------------------------------------------------------


async def cancelled_call(
    cancelling: CancelAt, path: Path, call: Callable[[Trial], Any], room: QueueOptions | None = None
) -> Trial:
    """A task that awaits `call` and is cancelled in it, while logging goes on."""
    async with trial(FileOptions(path=path), **({"room": room} if room else {})) as run:
        run.log(60)
        task = asyncio.create_task(cancelling.watch(call(run)))
        await asyncio.wait([task], timeout=20)
        assert task.done()
        assert task.cancelled() is cancelling.reached
        if run.stats.state != "stopped":
            assert await run.runtime.flush()
            run.log(20)
            assert await run.runtime.flush()
    run.assert_all_arrived(ids_in(path))
    return run


async def test_a_flush(new_path: Callable[[], Path]):
    async def run(cancelling: CancelAt) -> None:
        await cancelled_call(cancelling, new_path(), lambda run: run.runtime.flush())

    assert await at_every_await(run) > 1


async def test_a_wait_for_room(new_path: Callable[[], Path]):
    async def run(cancelling: CancelAt) -> None:
        room = QueueOptions(max_entries=70)
        await cancelled_call(cancelling, new_path(), lambda run: run.runtime.wait_ready(), room)

    assert await at_every_await(run) >= 1


async def test_a_stop(new_path: Callable[[], Path]):
    """It is not hurried: everything is flushed first, and then the cancellation goes on."""

    async def run(cancelling: CancelAt) -> None:
        ended = await cancelled_call(cancelling, new_path(), lambda run: run.runtime.stop())
        assert ended.stats.state == "stopped"
        assert not list(ended.runtime.config.journal_folder.glob("*.running"))  # else the next start tells of a crash

    assert await at_every_await(run) > 2


async def test_a_program_in_its_block(new_path: Callable[[], Path]):
    """Wherever it is cancelled, on the way into the block, in it, or on the way out."""
    before = asyncio.all_tasks()

    async def run(cancelling: CancelAt) -> None:
        path = new_path()
        runtime = logging_to(FileOptions(path=path), MemoryOptions(name=HEALTHY))
        logged = 0

        def some() -> int:
            for number in range(50):
                log.info("n %d", number)
            return 50

        async def program() -> None:
            nonlocal logged
            async with runtime:
                logged += some()
                await runtime.flush()
                logged += some()
                await asyncio.sleep(0.001)
                logged += some()

        task = asyncio.create_task(cancelling.watch(program()))
        await asyncio.wait([task], timeout=20)
        assert task.cancelled() is cancelling.reached
        assert_each_arrived_once(runtime, path, logged)
        assert asyncio.all_tasks() == before

    assert await at_every_await(run) > 4
    await eventually(lambda: not any(thread.name.startswith("metaexpert-") for thread in threading.enumerate()))


def assert_each_arrived_once(runtime: LoggingRuntime, path: Path, logged: int) -> None:
    stats = runtime.stats()
    memory: Any = runtime.sinks.get(HEALTHY)
    held = ids_in(path) if path.exists() else []
    assert held == (ids(memory.entries) if memory is not None else [])
    assert len(held) == logged
    assert unbalanced(runtime) == []
    for sink in stats.sinks.values():
        assert (sink.ledger.delivered, dict(sink.ledger.dropped), sink.ledger.in_flight) == (logged, {}, 0)


# ---- our own tasks, by somebody else -------------------------------------------------------------------------------


def watched(monkeypatch: pytest.MonkeyPatch, owner: type, wanted: Callable[[Any], bool]) -> Callable[[CancelAt], None]:
    """Let the `run` of those wanted be cancelled at one of its awaits, whenever it is begun again counted on."""
    real = owner.run  # type: ignore[attr-defined]
    current: list[CancelAt] = []

    async def run(self: Any) -> None:
        await (current[0].watch(real(self)) if wanted(self) else real(self))

    monkeypatch.setattr(owner, "run", run)

    def use(cancelling: CancelAt) -> None:
        current[:] = [cancelling]

    return use


async def through_a_cancelled_task(sink: Any) -> Trial:
    """Some rounds of logging, each of which has to arrive although a task of ours is cancelled in one of them."""
    async with trial(sink) as run:
        for _ in range(4):
            run.log(50)
            await asyncio.sleep(0)
            run.log(50)
            assert await run.runtime.flush()
        assert run.stats.state == "active"
    return run


async def at_the_first(awaits: int, run: Callable[[CancelAt], Awaitable[None]]) -> None:
    """Go through the first awaits of a task that never ends by itself; all of them have to be reached."""
    for at in range(awaits):
        cancelling = CancelAt(at)
        await run(cancelling)
        assert cancelling.reached, at


async def test_the_dispatcher(monkeypatch: pytest.MonkeyPatch, new_path: Callable[[], Path]):
    use = watched(monkeypatch, Dispatcher, lambda _: True)

    async def run(cancelling: CancelAt) -> None:
        use(cancelling)
        path = new_path()
        done = await through_a_cancelled_task(FileOptions(path=path))
        done.assert_all_arrived(ids_in(path))

    await at_the_first(20, run)


async def test_a_files_worker(monkeypatch: pytest.MonkeyPatch, new_path: Callable[[], Path]):
    """A write that was cancelled goes on in its thread: what it wrote is not written again."""
    use = watched(monkeypatch, Delivery, lambda delivery: delivery.name == "file")

    async def run(cancelling: CancelAt) -> None:
        use(cancelling)
        path = new_path()
        done = await through_a_cancelled_task(FileOptions(path=path, max_bytes=20_000, backup_count=50))
        done.assert_all_arrived(ids_in(*in_order(path)))

    await at_the_first(20, run)


async def test_a_collectors_worker(monkeypatch: pytest.MonkeyPatch, collector: HoldingCollector):
    """A request that was cancelled may have arrived: it is sent again, and the collector stores nothing twice."""
    use = watched(monkeypatch, Delivery, lambda delivery: delivery.name == collector.kind)

    async def run(cancelling: CancelAt) -> None:
        use(cancelling)
        collector.held.clear()
        done = await through_a_cancelled_task(collector.options(timeout=5.0, gzip_min_bytes=2000))
        done.assert_all_arrived(collector.held.elements())

    await at_the_first(20, run)


async def test_all_tasks_again_and_again_while_the_program_goes_on(collector: HoldingCollector):
    """As programs stop that cancel whatever runs, and some do so and then go on: logging does not end in silence."""
    me = asyncio.current_task()
    servers = asyncio.all_tasks() - {me}
    async with trial(collector.options(timeout=5.0)) as run:
        for _ in range(20):
            run.log(20)
            await asyncio.sleep(0.002)
            ours = [task for task in asyncio.all_tasks() - servers if task.get_name().startswith("metaexpert-")]
            assert len(ours) >= 3
            for task in ours:
                task.cancel()
            run.log(20)
        assert await run.runtime.flush()
        assert run.stats.state == "active"
    run.assert_all_arrived(collector.held.elements())


async def test_a_cancelled_log_call_is_no_such_thing(new_path: Callable[[], Path]):
    """Log calls have no await: a task cancelled around them has logged all that came before its own next await."""
    path = new_path()
    async with trial(FileOptions(path=path)) as run:

        async def work() -> None:
            while True:
                run.log(10)
                await asyncio.sleep(0)

        task = asyncio.create_task(work())
        await eventually(lambda: run.logged >= 100)
        task.cancel()
        await asyncio.wait([task])
        assert await run.runtime.flush()
    run.assert_all_arrived(ids_in(path))
