"""Work in threads: executors of our own, and how many jobs of ours are under way.

The dispatcher asks before it yields: while a job is pending it has to wait for real, since a loop that only polls takes
the GIL back before the waiting thread wakes, and a write would last seconds.
"""

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import final


@final
class Jobs:
    """Counts the executor jobs of one runtime; touched only on the loop's thread."""

    def __init__(self) -> None:
        self.pending = 0
        self._waiters: list[asyncio.Future[None]] = []

    @contextmanager
    def running(self) -> Generator[None]:
        """Mark that a job is under way while the block awaits it."""
        self.pending += 1
        try:
            yield
        finally:
            self.pending -= 1
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def wait_one(self, timeout_seconds: float) -> None:
        """Wait until a job ends, but no longer than `timeout_seconds`; the loop rests meanwhile and frees the GIL."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.append(waiter)
        timer = loop.call_later(timeout_seconds, _finish, waiter)
        try:
            await waiter
        finally:
            timer.cancel()


@final
class Worker:
    """One thread of a sink's own, started at its first job."""

    def __init__(self, jobs: Jobs, name: str) -> None:
        self.executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"metaexpert-{name}")
        self.jobs = jobs

    async def run[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` in the thread and wait for it."""
        loop = asyncio.get_running_loop()
        with self.jobs.running():
            # in a copy of the caller's context, which carries the mark of the pipeline's own work
            return await loop.run_in_executor(self.executor, partial(copy_context().run, function, *args, **kwargs))

    def close(self) -> None:
        """Let the thread end; a job that hangs is not waited for."""
        self.executor.shutdown(wait=False, cancel_futures=True)


def _finish(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
