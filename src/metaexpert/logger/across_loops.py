"""Between the event loops of several threads: work done on another's loop, and one change at a time on any of them.

A loop may end before the work does, or be left with it for ever: whoever waits learns of it instead of hanging.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError as FutureCancelledError
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from time import monotonic
from typing import Any, Final, final

_LOOK_SECONDS: Final = 0.05
_TURN_SECONDS: Final = 0.001


class LoopEndedError(Exception):
    """The loop ended before the work did."""


async def done_on[T](loop: asyncio.AbstractEventLoop, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Do `work` on a loop that another thread runs; cancelling this cancels the work.

    Raises:
        LoopEndedError: that loop ended before.
    """
    there = _Errand(loop, work())
    done = asyncio.wrap_future(there.result)
    done.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # it's read from `there`
    try:
        while not done.done() and loop.is_running():
            await asyncio.wait([done], timeout=_LOOK_SECONDS)
    finally:
        if not done.done():
            there.cancel()
    if not there.result.done() or there.result.cancelled():
        raise LoopEndedError
    return there.result.result()


def done_on_sync[T](loop: asyncio.AbstractEventLoop, work: Callable[[], Coroutine[Any, Any, T]], seconds: float) -> T:
    """The same from a thread without a loop, which it blocks for `seconds` at most.

    Raises:
        LoopEndedError: that loop ended before.
        TimeoutError: it has not come to its end in time; it goes on.
    """
    deadline = monotonic() + seconds
    there = _Errand(loop, work())
    while True:
        try:
            return there.result.result(min(_LOOK_SECONDS, max(0.0, deadline - monotonic())))
        except FutureCancelledError as ended:
            raise LoopEndedError from ended
        except TimeoutError:
            if there.result.done():
                return there.result.result()
            if monotonic() >= deadline:
                raise
            if not loop.is_running():
                there.cancel()
                raise LoopEndedError from None


@final
class _Errand[T]:
    """A coroutine brought to another thread's loop, which may end at any moment.

    `asyncio.run_coroutine_threadsafe` would do while that loop lives; once it is closed, what cancels its future is
    told so with a traceback on stderr, and the task left there with a second one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> None:
        self.result: Future[T] = Future()
        self._loop = loop
        self._coroutine = coroutine
        self._task: asyncio.Task[T] | None = None
        try:
            loop.call_soon_threadsafe(self._begin)
        except RuntimeError:  # closed
            coroutine.close()
            self.result.cancel()

    def _begin(self) -> None:
        if self.result.cancelled():
            self._coroutine.close()
            return
        task = self._task = self._loop.create_task(self._coroutine)
        # left pending by a loop that ends, its work is begun again elsewhere, and nothing is amiss
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001  # pyright: ignore[reportAttributeAccessIssue]
        task.add_done_callback(self._tell)

    def _tell(self, task: asyncio.Task[T]) -> None:
        error = None if task.cancelled() else task.exception()
        with suppress(InvalidStateError):  # nobody wants it any longer
            if task.cancelled():
                self.result.cancel()
            elif error is not None:
                self.result.set_exception(error)
            else:
                self.result.set_result(task.result())

    def cancel(self) -> None:
        """Want it no longer: cancel it where its loop lives, and leave it alone where that has ended."""
        self.result.cancel()
        task = self._task
        try:
            if task is not None:
                self._loop.call_soon_threadsafe(task.cancel)
        except RuntimeError:  # closed
            return
        if task is None and not self._loop.is_running():
            self._coroutine.close()  # its loop never came to it


@final
class Turns:
    """Lets one coroutine at a time do something, whichever loops they are on.

    One that was left behind by a loop that runs no more holds nobody up.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def taken(self) -> bool:
        """Whether somebody has the turn."""
        return self._loop is not None

    async def __aenter__(self) -> None:
        here = asyncio.get_running_loop()
        while not self._take(here):  # noqa: ASYNC110 - several loops wait for it
            await asyncio.sleep(_TURN_SECONDS)

    async def __aexit__(self, *_: object) -> None:
        if self._loop is asyncio.get_running_loop():
            self._loop = None

    def _take(self, here: asyncio.AbstractEventLoop) -> bool:
        with self._lock:
            if self._loop is not None and self._loop.is_running():
                return False
            self._loop = here
            return True
