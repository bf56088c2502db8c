"""Which callback holds the event loop: a thread of its own looks at the loop's stack while a tick is overdue.

It sleeps until the next tick would be overdue; where ticks come in time it wakes once for each, compares two numbers
and sleeps on. A stack is read of a loop that stands still, and of no other, and nothing of it is kept but names. Code
that keeps the GIL all the time is seen only once it lets go.
"""

import asyncio
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from time import monotonic
from types import FrameType
from typing import Final, final

_OVERDUE_SECONDS: Final = 0.02
"""Longer than other threads with the GIL make a loop wait, which passes it on every 5 ms."""

_SHARE: Final = 1 / 16
"""Of the time the loop has stood still, after which it is looked at again: one that nobody runs costs ever less."""

_END_SECONDS: Final = 0.05
_LOOP_FUNCTIONS: Final = frozenset({"run", "run_forever", "run_until_complete", "_run_once", "run_in_loop"})


@dataclass(frozen=True, slots=True)
class Held:
    """What held the loop.

    Attributes:
        callback: module and function the loop had called; of a task, its outermost coroutine.
        at: file, line and function that were at work in there.
        task: the task's name; None where it was none.
    """

    callback: str
    at: str
    task: str | None


@final
class HoldWatch:
    """Watches one loop while it is entered.

    Args:
        interval_seconds: how often a tick is due.
        threshold_seconds: from when on one is overdue.
        clock: seconds, never going back.
        frames: what each thread is at.
    """

    def __init__(
        self,
        interval_seconds: float,
        *,
        threshold_seconds: float = _OVERDUE_SECONDS,
        clock: Callable[[], float] = monotonic,
        frames: Callable[[], Mapping[int, FrameType]] = sys._current_frames,  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the only way to see another thread
    ) -> None:
        self._threshold_seconds = threshold_seconds
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._frames = frames
        self._ticked_at = clock()
        self._looked_at = self._ticked_at
        self._seen_seconds: dict[Held, float] = {}
        self._worst: tuple[float, Held] | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        """Watch the running loop, from a thread; what is returned ends both.

        At the interpreter's exit, when there are no new threads any more, nothing is watched.
        """
        ended, loop_thread = threading.Event(), threading.get_ident()
        self._ticked_at = self._clock()

        def watch() -> None:
            while not ended.wait(self.look(loop, loop_thread)) and not loop.is_closed():
                pass

        thread = threading.Thread(target=watch, name="metaexpert-loop-watch", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # a program without a loop whose pipeline moved to a thread as the interpreter ends
            return ended.set

        def end() -> None:
            ended.set()
            thread.join(_END_SECONDS)  # it sleeps, and that wakes it

        return end

    def look(self, loop: asyncio.AbstractEventLoop, loop_thread: int) -> float:
        """See what the loop is at, if a tick is overdue; called in any thread but the loop's.

        Returns:
            When to look next, seconds from now.
        """
        now, ticked_at = self._clock(), self._ticked_at
        overdue = now - ticked_at - self._interval_seconds
        if overdue < self._threshold_seconds:
            return self._threshold_seconds - overdue
        frame = self._frames().get(loop_thread)
        held = None if frame is None else held_by(frame, _task_name(loop))
        if held is not None and self._ticked_at == ticked_at:  # else it has come meanwhile
            seen = self._seen_seconds
            seen[held] = seen.get(held, 0.0) + now - max(ticked_at, self._looked_at)
        self._looked_at = now
        return max(self._threshold_seconds, overdue * _SHARE)

    def ticked(self, late_seconds: float) -> None:
        """A tick came so late; called on the loop."""
        self._ticked_at = self._clock()
        if not self._seen_seconds:
            return
        seen, self._seen_seconds = self._seen_seconds, {}
        held = max(seen, key=lambda each: seen[each])
        if late_seconds >= self._threshold_seconds / 2 and (self._worst is None or late_seconds > self._worst[0]):
            self._worst = late_seconds, held

    def take_worst(self) -> tuple[float, Held] | None:
        """How long it was held longest since the last time, seconds, and by what."""
        worst, self._worst = self._worst, None
        return worst


def _task_name(loop: asyncio.AbstractEventLoop) -> str | None:
    try:
        task = asyncio.current_task(loop)
    except RuntimeError:
        return None
    return None if task is None else task.get_name()


def held_by(frame: FrameType, task: str | None) -> Held | None:
    """What a loop's thread is at, by its innermost frame; None while the loop itself is at work."""
    stack: list[FrameType] = []
    innermost: FrameType | None = frame
    while innermost is not None:
        stack.append(innermost)
        innermost = innermost.f_back
    stack.reverse()
    start = _first_called(stack)
    if start is None:
        return None
    called = stack[start]
    code = frame.f_code
    return Held(
        callback=f"{called.f_globals.get('__name__', '?')}.{called.f_code.co_qualname}",
        at=f"{PurePath(code.co_filename).name}:{frame.f_lineno} in {code.co_qualname}",
        task=task,
    )


def _first_called(stack: list[FrameType]) -> int | None:
    """Where in a stack, outermost first, the loop's own frames end."""
    handles = [at for at, frame in enumerate(stack) if _is_of_asyncio(frame) and frame.f_code.co_name == "_run"]
    if handles:
        start = handles[0] + 1
    else:  # uvloop shows no frames of its own
        loops = [at for at, each in enumerate(stack) if _is_of_asyncio(each) and each.f_code.co_name in _LOOP_FUNCTIONS]
        if not loops or stack[loops[-1]].f_code.co_name == "_run_once":
            return None
        start = loops[-1] + 1
    return start if start < len(stack) else None


def _is_of_asyncio(frame: FrameType) -> bool:
    return frame.f_globals.get("__package__") == "asyncio"
