"""Between the event loops of several threads: work done on another's loop, and one change at a time on any of them.

A loop may end before the work does, or be left with it for ever: whoever waits learns of it instead of hanging.
"""

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError as FutureCancelledError
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
    coroutine = work()
    try:
        done = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, loop))
        try:
            while not done.done() and loop.is_running():
                await asyncio.wait([done], timeout=_LOOK_SECONDS)
        finally:
            if not done.done():
                done.cancel()
    except RuntimeError as closed:
        coroutine.close()
        raise LoopEndedError from closed
    if done.cancelled():
        _forget(coroutine, loop)
        raise LoopEndedError
    return done.result()


def done_on_sync[T](loop: asyncio.AbstractEventLoop, work: Callable[[], Coroutine[Any, Any, T]], seconds: float) -> T:
    """The same from a thread without a loop, which it blocks for `seconds` at most.

    Raises:
        LoopEndedError: that loop ended before.
        TimeoutError: it has not come to its end in time; it goes on.
    """
    deadline = monotonic() + seconds
    coroutine = work()
    try:
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    except RuntimeError as closed:
        coroutine.close()
        raise LoopEndedError from closed
    while True:
        try:
            return future.result(min(_LOOK_SECONDS, max(0.0, deadline - monotonic())))
        except FutureCancelledError as ended:
            _forget(coroutine, loop)
            raise LoopEndedError from ended
        except TimeoutError:
            if future.done() or monotonic() >= deadline:
                raise
            if not loop.is_running():
                future.cancel()


def _forget(coroutine: Coroutine[Any, Any, object], loop: asyncio.AbstractEventLoop) -> None:
    """Spare it the warning that nobody awaited it, where its loop never came to it."""
    if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED and not loop.is_running():
        coroutine.close()


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
