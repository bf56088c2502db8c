"""A thread with an event loop of its own, for a program that has none: logging lives there then.

The calling thread lends it its time: every `DRAIN_ENTRIES` entries it waits until the dispatcher has worked them off,
and after an ERROR or protected entry until the sinks of this machine have written it. So nothing piles up, and the GIL
is free while this thread works. A call in a coroutine never waits, whichever loop that runs on.
"""

import asyncio
import threading
from _thread import LockType, allocate_lock, get_ident
from asyncio import AbstractEventLoop, current_task
from asyncio.events import _get_running_loop  # pyright: ignore[reportPrivateUsage] - None instead of an exception
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import copy_context
from time import monotonic
from typing import Any, Final, final

from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.entry import LEVEL, LOG_TYPE, Capture, Lane, lane_of
from metaexpert.logger.ingress import Ingress
from metaexpert.logger.port import port
from metaexpert.logger.receipts import Put, Receipt

DRAIN_ENTRIES: Final = 256
_MOST_WAIT_SECONDS: Final = 1.0
_IMPATIENT_SECONDS: Final = 10.0
"""How long no call waits after one has waited in vain: a stalled terminal must not cost a second an error."""

_TASK: Final = 10


def unheard[**P, T](function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function`; what asyncio logs about the loops that logging makes for itself is not queued."""
    context = copy_context()
    context.run(current_fields.set, PIPELINE)
    return context.run(function, *args, **kwargs)


async def _end_tasks() -> None:
    """Tell what others wait for on this loop that it ends, as `asyncio.run` does."""
    left = asyncio.all_tasks() - {current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


@final
class LoopThread:
    """Runs an event loop until `end`; daemonic, since the runtime stops it at exit."""

    def __init__(self) -> None:
        self.loop: AbstractEventLoop = unheard(asyncio.new_event_loop)
        self._thread = threading.Thread(target=unheard, args=(self._run,), name="metaexpert-logging", daemon=True)

    def start(self) -> None:
        """Begin.

        Raises:
            RuntimeError: the interpreter is ending and starts no more threads.
        """
        try:
            self._thread.start()
        except RuntimeError:
            self.loop.close()
            raise

    def _run(self) -> None:
        try:
            self.loop.run_forever()
            self.loop.run_until_complete(_end_tasks())
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        finally:
            self.loop.close()

    def run[T](self, work: Coroutine[Any, Any, T], timeout_seconds: float | None = None) -> T:
        """Run `work` there and wait for it.

        Raises:
            TimeoutError: it took longer.
        """
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout_seconds)

    def end(self, timeout_seconds: float = 1.0) -> None:
        """Stop the loop and wait for the thread."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.loop.stop)
        if get_ident() != self._thread.ident:
            self._thread.join(timeout_seconds)


@final
class Draining:
    """The way of a call into a pipeline that lives on a loop thread.

    Args:
        ingress: where entries wait.
        put: their way there.
        loop: the thread's.
        drained: waits until what is in ingress has been dispatched; for urgent entries, until it is written.
    """

    def __init__(
        self,
        ingress: Ingress,
        put: Put,
        loop: AbstractEventLoop,
        drained: Callable[[bool], Coroutine[Any, Any, object]],
    ) -> None:
        self._ingress = ingress
        self._put = put
        self._loop = loop
        self._drained = drained
        self._tasks: set[asyncio.Task[None]] = set()
        self._patient_at = 0.0

    def put(self, capture: Capture) -> Receipt | None:
        """Take one entry; waits where the module says so."""
        running = _get_running_loop()
        if running is not None:
            task = current_task(running)
            if task is not None:
                capture = (*capture[:_TASK], port.encoder.text(task.get_name()), *capture[_TASK + 1 :])
            return self._put(capture)
        receipt = self._put(capture)
        urgent = lane_of(capture[LEVEL], capture[LOG_TYPE]) >= Lane.ERROR
        if (urgent or self._ingress.queued_entries >= DRAIN_ENTRIES) and monotonic() >= self._patient_at:
            self._wait(urgent=urgent)
        return receipt

    def _wait(self, *, urgent: bool) -> None:
        done = allocate_lock()
        done.acquire()
        try:
            self._loop.call_soon_threadsafe(self._begin, done, urgent)
        except RuntimeError:
            return  # the loop was closed: the runtime has stopped, or stops
        if not done.acquire(timeout=_MOST_WAIT_SECONDS):
            self._patient_at = monotonic() + _IMPATIENT_SECONDS

    def _begin(self, done: LockType, urgent: bool) -> None:  # noqa: FBT001 - call_soon_threadsafe passes positionally
        task = self._loop.create_task(self._finish(done, urgent=urgent), name="metaexpert-drain")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, done: LockType, *, urgent: bool) -> None:
        current_fields.set(PIPELINE)
        try:
            with suppress(TimeoutError):
                await self._drained(urgent)
        finally:
            done.release()
