"""The watch of the loop: which callback holds it, on asyncio's loop and on uvloop; nothing it looked at is kept."""

import asyncio
import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable
from types import FrameType

import pytest
from support.eventually import eventually

from metaexpert.logger.measuring.holding import Held, HoldWatch, held_by
from metaexpert.logger.measuring.loop_lag import LoopLag

INTERVAL = 0.01
LOOPS = [pytest.param(asyncio.new_event_loop, id="asyncio"), "uvloop"]


class Clock:
    """Seconds that a test moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Stack:
    """A loop's thread that is always at the same frame."""

    def __init__(self) -> None:
        self.looked = 0

    def __call__(self) -> dict[int, FrameType]:
        self.looked += 1
        return {1: sys._getframe()}


def watch_of(clock: Clock, stack: Stack) -> HoldWatch:
    return HoldWatch(0.1, threshold_seconds=0.5, clock=clock, frames=stack)


class TestLooking:
    async def test_it_sleeps_until_the_next_tick_would_be_overdue_and_reads_no_stack(self):
        clock, stack, loop = Clock(), Stack(), asyncio.get_running_loop()
        watch = watch_of(clock, stack)
        for _ in range(100):
            clock.now += 0.1
            watch.ticked(0.0)
            assert watch.look(loop, 1) == pytest.approx(0.6)
        clock.now += 0.4
        assert watch.look(loop, 1) == pytest.approx(0.2)
        assert (stack.looked, watch.take_worst()) == (0, None)

    async def test_the_longest_is_told_once(self):
        clock, stack, loop = Clock(), Stack(), asyncio.get_running_loop()
        watch = watch_of(clock, stack)
        for late in (0.7, 1.4, 0.9):
            clock.now += 0.1 + late
            watch.look(loop, 1)
            watch.ticked(late)
        worst = watch.take_worst()
        assert worst is not None
        assert (worst[0], type(worst[1])) == (1.4, Held)
        assert watch.take_worst() is None

    async def test_a_loop_that_nobody_runs_is_looked_at_ever_less(self):
        clock, stack, loop = Clock(), Stack(), asyncio.get_running_loop()
        watch = watch_of(clock, stack)
        while clock.now < 86_400:
            clock.now += watch.look(loop, 1)
        assert stack.looked < 300

    async def test_of_several_lines_that_of_most_of_the_time_is_told(self):
        clock, loop = Clock(), asyncio.get_running_loop()
        frames = iter([short(), *[longer()] * 3, short()])
        watch = HoldWatch(0.1, threshold_seconds=0.5, clock=clock, frames=lambda: {1: next(frames)})
        for _ in range(5):
            clock.now += 0.7
            watch.look(loop, 1)
        watch.ticked(3.4)
        worst = watch.take_worst()
        assert worst is not None
        assert worst[1].at.endswith(" in longer")


def short() -> FrameType:
    return sys._getframe()


def longer() -> FrameType:
    return sys._getframe()


async def test_a_frame_is_told_by_function_and_place():
    held = held_by(sys._getframe(), "a task")
    assert held is not None
    assert held.callback.endswith("test_a_frame_is_told_by_function_and_place")
    assert held.at.startswith("test_holding.py:")
    assert held.task == "a task"


class Large:
    """Something that a callback has in a local variable."""


@pytest.fixture(params=LOOPS)
def runner(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    if request.param == "uvloop":
        return pytest.importorskip("uvloop").new_event_loop
    return request.param


class TestRealLoops:
    def test_a_callback_that_holds_the_loop_is_named_and_nothing_of_it_is_kept(
        self, runner: Callable[[], asyncio.AbstractEventLoop]
    ):
        kept = list[weakref.ref[Large]]()
        watch = HoldWatch(INTERVAL)

        def holding() -> None:
            large = Large()
            kept.append(weakref.ref(large))
            _stand_still(watch)

        async def main() -> tuple[float, Held]:
            found, ends = _begin(watch)
            await asyncio.sleep(2 * INTERVAL)
            task = asyncio.current_task()
            assert task is not None
            task.set_name("held")
            found.clear()
            holding()
            await eventually(lambda: bool(found))
            for end in ends:
                end()
            return found[0]

        with asyncio.Runner(loop_factory=runner) as running:
            seconds, held = running.run(main())
        gc.collect()
        assert seconds > 0.01
        assert held.callback.endswith(".main")
        assert held.at.startswith("test_holding.py:")
        assert held.task == "held"
        assert [each() for each in kept] == [None]
        assert not _watching()

    def test_a_plain_callback_too(self, runner: Callable[[], asyncio.AbstractEventLoop]):
        watch = HoldWatch(INTERVAL)

        def holding_callback() -> None:
            _stand_still(watch)

        async def main() -> Held:
            found, ends = _begin(watch)
            await asyncio.sleep(2 * INTERVAL)
            asyncio.get_running_loop().call_soon(holding_callback)
            await eventually(lambda: any("holding_callback" in each[1].callback for each in found))
            for end in ends:
                end()
            return next(each[1] for each in found if "holding_callback" in each[1].callback)

        with asyncio.Runner(loop_factory=runner) as running:
            held = running.run(main())
        assert held.callback.endswith(".holding_callback")
        assert held.task is None

    async def test_it_ends_with_a_loop_that_was_closed_under_it(self):
        def run_and_close() -> None:
            loop = asyncio.new_event_loop()

            async def begin() -> None:
                HoldWatch(INTERVAL).begin(loop)

            loop.run_until_complete(begin())
            loop.close()

        await asyncio.to_thread(run_and_close)
        await eventually(lambda: not _watching())


def _stand_still(watch: HoldWatch) -> None:
    """Hold the loop until that was seen."""
    until = time.monotonic() + 30.0
    watch.take_worst()  # on a loaded machine something else may have held it before
    while not _is_named(watch._seen_seconds.copy()):
        assert time.monotonic() < until, "the loop was never looked at"
        time.sleep(0.001)


def _is_named(seen: dict[Held, float]) -> bool:
    return bool(seen) and max(seen, key=lambda each: seen[each]).at.endswith(" in _stand_still")


def _begin(watch: HoldWatch) -> tuple[list[tuple[float, Held]], list[Callable[[], None]]]:
    """What is found, tick by tick, and what ends it."""
    found, loop = list[tuple[float, Held]](), asyncio.get_running_loop()

    def ticked(late_seconds: float) -> None:
        watch.ticked(late_seconds)
        if (worst := watch.take_worst()) is not None:
            found.append(worst)

    return found, [LoopLag(INTERVAL, ticked).begin(loop), watch.begin(loop)]


def _watching() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "metaexpert-loop-watch"]
