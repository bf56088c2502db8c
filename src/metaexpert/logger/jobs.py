"""Work in threads: executors of our own, and how many jobs of ours are under way.

The dispatcher asks before it yields: while a job is pending it has to wait for real, since a loop that only polls takes
the GIL back before the waiting thread wakes, and a write would last seconds.
"""

import asyncio
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Final, final, override

_PREFIX: Final = "metaexpert-"


@final
class Jobs:
    """Counts the executor jobs of one runtime; touched only on the loop's thread."""

    def __init__(self) -> None:
        self.pending = 0
        self._waiters: list[asyncio.Future[None]] = []
        self._loops = 0

    def rebind(self) -> None:
        """Forget what was under way on a loop that is no more."""
        self._loops += 1
        self.pending = 0
        self._waiters = []

    @contextmanager
    def running(self) -> Generator[None]:
        """Mark that a job is under way while the block awaits it."""
        self.pending += 1
        loops = self._loops
        try:
            yield
        finally:
            if loops == self._loops:
                self._one_ended()

    def _one_ended(self) -> None:
        self.pending -= 1
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            _finish(waiter)

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
class DaemonExecutor(Executor):
    """One thread, started at the first job, that keeps no process from ending.

    The interpreter joins a ThreadPoolExecutor's threads at exit, so that a reader of stdout who stalls would hold the
    process for ever. What matters has been written when the runtime stops; a job that hangs is left behind.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    @override
    def submit[**P, T](self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Let the thread call `fn`.

        Raises:
            RuntimeError: the executor was shut down.
        """
        if self._closed:
            raise RuntimeError(f"the thread of {self._name} has ended")
        future: Future[T] = Future()
        job = partial(fn, *args, **kwargs)
        if self._thread is None and not self._start():
            _do(future, job)
        else:
            self._jobs.put((future, job))
        return future

    def _start(self) -> bool:
        """Start the thread; False at the process's end, when CPython 3.12 starts none: the caller does its work."""
        thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if threading.main_thread().is_alive():
                raise
            return False
        self._thread = thread
        return True

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            _do(*job)
            del job  # nothing of the last job is kept while waiting for the next

    @override
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the thread end after the jobs it has; `wait` and `cancel_futures` are as in every executor."""
        self._closed = True
        if cancel_futures:
            self._cancel_waiting()
        self._jobs.put(None)
        if wait and self._thread is not None:
            self._thread.join()

    def _cancel_waiting(self) -> None:
        with suppress(Empty):
            while (job := self._jobs.get_nowait()) is not None:
                job[0].cancel()


@final
class Worker:
    """One thread of a sink's own; closed, it begins another one at the next job."""

    def __init__(self, jobs: Jobs, name: str) -> None:
        self._name = f"{_PREFIX}{name}"
        self.executor = DaemonExecutor(self._name)
        self.jobs = jobs

    async def run[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` in the thread and wait for it."""
        loop = asyncio.get_running_loop()
        with self.jobs.running():
            # in a copy of the caller's context, which carries the mark of the pipeline's own work
            return await loop.run_in_executor(self.executor, partial(copy_context().run, function, *args, **kwargs))

    def beside(self, name: str) -> "Worker":
        """Another thread for the same sink, to be closed by whoever asked for it."""
        return Worker(self.jobs, f"{self._name.removeprefix(_PREFIX)}-{name}")

    def close(self) -> None:
        """Let the thread end; a job that hangs is not waited for."""
        executor, self.executor = self.executor, DaemonExecutor(self._name)
        executor.shutdown(wait=False, cancel_futures=True)


def _do(future: Future[Any], call: Callable[[], Any]) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever awaits the job
            future.set_exception(error)


def _finish(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
