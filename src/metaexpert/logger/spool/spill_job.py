"""One job at a time in a thread, whose result is taken in on the loop even where the task that waited was cancelled."""

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, final

from metaexpert.logger.jobs import Worker
from metaexpert.logger.spool import spill_work

if TYPE_CHECKING:
    from concurrent.futures import Future

type Job = tuple[Callable[[], Any], Callable[[Any], None]]
"""What the thread is to do, and what takes its result, or the error it raised."""


@final
class OneJob:
    """What a thread does for one owner, one job after the other."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._job: tuple[Future[Any], Callable[[Any], None]] | None = None

    def start(self, job: Job) -> None:
        """Begin a job; the one before it must have been waited for."""
        work, take = job
        context = copy_context()
        self._job = (self._worker.executor.submit(lambda: context.run(spill_work.guarded, work)), take)

    async def done(self) -> bool:
        """Wait for the job under way and take its result; whether there was one. Cancelled, it can be called again."""
        if self._job is None:
            return False
        future, take = self._job
        with self._worker.jobs.running():
            await asyncio.wait([asyncio.wrap_future(future)])
        self._job = None
        take(future.result())
        return True

    def close(self) -> None:
        """Let the thread end."""
        self._worker.close()
