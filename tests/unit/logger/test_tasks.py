"""A task of the runtime's own goes on when others cancel it or it fails, and ends when its owner says so."""

import asyncio
import gc
from typing import Any

import pytest
from support.eventually import eventually

from metaexpert.logger.tasks import OwnedTask, ended


class Work:
    """Waits for ever; counts how often it was begun and ended."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.fails = asyncio.Event()

    async def run(self) -> None:
        self.begun += 1
        try:
            await self.fails.wait()
            self.fails.clear()
            raise ValueError("no good")
        finally:
            self.ended += 1


async def test_it_begins_again_after_somebody_elses_cancellation():
    work = Work()
    owned = OwnedTask("work", work.run)
    for turn in range(1, 4):
        await eventually(lambda turn=turn: work.begun == turn)
        owned.task.cancel()
        await eventually(lambda turn=turn: work.ended == turn)
    await eventually(lambda: work.begun == 4)
    assert owned.task.get_name() == "metaexpert-work"
    owned.cancel()
    assert not await ended([owned])


async def test_its_owner_ends_it_for_good():
    work = Work()
    owned = OwnedTask("work", work.run)
    await eventually(lambda: work.begun)
    owned.cancel()
    assert not await ended([owned])
    await asyncio.sleep(0)
    assert (work.begun, work.ended) == (1, 1)
    assert owned.task.cancelled()


async def test_a_fault_is_told_and_it_goes_on():
    work, told = Work(), list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    owned = OwnedTask("work", work.run)
    work.fails.set()
    await eventually(lambda: work.begun == 2)
    gc.collect()
    assert [str(context["exception"]) for context in told] == ["no good"]
    owned.cancel()
    await ended([owned])


async def test_whoever_waits_for_the_end_learns_of_a_cancellation_and_still_waits():
    may_end = asyncio.Event()

    async def reluctant() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await may_end.wait()

    owned = OwnedTask("reluctant", reluctant)
    await asyncio.sleep(0)
    owned.cancel()
    waiting = asyncio.create_task(ended([owned]))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    may_end.set()
    assert await waiting


async def test_disowned_it_is_ended_by_anybody():
    work = Work()
    owned = OwnedTask("work", work.run)
    await eventually(lambda: work.begun)
    owned.disown()
    owned.task.cancel()
    await ended([owned])
    await asyncio.sleep(0)
    assert work.begun == 1


@pytest.mark.parametrize("ends", ["closed", "resting"])
def test_abandoned_with_its_loop_it_ends_without_it(ends: str):
    async def begun() -> tuple[Work, OwnedTask]:
        work = Work()
        owned = OwnedTask("work", work.run)
        await eventually(lambda: work.begun)
        return work, owned

    loop = asyncio.new_event_loop()
    work, owned = loop.run_until_complete(begun())
    if ends == "closed":
        loop.close()
    owned.abandon()
    assert (work.begun, work.ended) == (1, 1)
    del owned, work
    gc.collect()  # with warnings as errors, nothing is said of a task that was pending
    loop.close()
