"""`log.timer`: around blocks, above functions, async too."""

import asyncio
import inspect
from collections.abc import Iterator

import pytest

from metaexpert.logger import get_logger
from metaexpert.logger.measuring import meters

log = get_logger("timed")


def count(name: str) -> int:
    return meters.timer(name).histogram.count


def test_a_block_is_measured_also_when_it_raises():
    before = count("block")
    with log.timer("block"):
        pass
    with pytest.raises(ValueError, match="out"), log.timer("block"):
        raise ValueError("out")
    assert count("block") == before + 2


async def test_an_async_block_and_an_async_function_are_measured_until_they_end():
    going = asyncio.Event()

    @log.timer("coroutine")
    async def wait(value: int) -> int:
        """Waits."""
        await going.wait()
        return value

    before = count("coroutine")
    task = asyncio.create_task(wait(5))
    async with log.bind(a=1).timer("async block"):
        await asyncio.sleep(0)
    assert count("coroutine") == before
    going.set()
    assert await task == 5
    assert (count("coroutine"), count("async block") > 0) == (before + 1, True)
    assert wait.__doc__ == "Waits."
    assert inspect.iscoroutinefunction(wait)


def test_a_function_is_measured_at_each_call_and_stays_what_it_is():
    @log.timer("function")
    def double(value: int) -> int:
        return double(value - 1) + 2 if value else 0

    before = count("function")
    assert double(3) == 6
    assert count("function") == before + 4
    assert double.__name__ == "double"


def test_a_generator_is_refused_since_its_work_is_done_later():
    with pytest.raises(TypeError, match="numbers is a generator"):

        @log.timer("generator")
        def numbers() -> Iterator[int]:
            yield 1
