"""A task of the runtime's own, which goes on when somebody else cancels it.

`asyncio.run` cancels every task at its end, and so do programs that stop with `for task in asyncio.all_tasks()`;
logging must outlive both.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, Final, final

_AFTER_FAULT_SECONDS: Final = 0.1


@final
class OwnedTask:
    """Runs until `cancel`; one that ends otherwise is begun again.

    Args:
        name: what it does, for people who look at tasks.
        run: the work; begun on the running loop, and again after somebody else's cancellation.
    """

    def __init__(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._name = name
        self._run = run
        self._wanted = True
        self._loop = asyncio.get_running_loop()
        self.task = self._new()

    def _new(self) -> asyncio.Task[None]:
        task = asyncio.create_task(self._run(), name=f"metaexpert-{self._name}")
        # begun again while its loop ends, it stays pending there; the runtime goes on elsewhere, and nothing is amiss
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001  # pyright: ignore[reportAttributeAccessIssue]
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not self._wanted or task is not self.task:
            _ = task.cancelled() or task.exception()  # else asyncio says that nobody asked
            return
        if task.cancelled():
            self._begin_again()
        else:
            self._loop.call_later(_AFTER_FAULT_SECONDS, self._begin_again)

    def _begin_again(self) -> None:
        if self._wanted and self.task.done():
            self.task = self._new()

    def begin_anew(self) -> None:
        """End what it does now and begin again."""
        self.task.cancel()

    def cancel(self) -> None:
        """End the task."""
        self._wanted = False
        self.task.cancel()

    def abandon(self) -> None:
        """End the task of a loop that runs no more: nothing of it is left to run there later."""
        self._wanted = False
        coroutine = self.task.get_coro()
        if not self.task.done() and coroutine is not None:
            with suppress(RuntimeError):  # what it waited for would tell its loop, which is closed
                coroutine.close()

    def disown(self) -> None:
        """Let it be ended by anybody."""
        self._wanted = False


async def ended(owned: Iterable[OwnedTask]) -> bool:
    """Wait until all tasks have ended; whether the waiting task was cancelled meanwhile."""
    cancelled = False
    tasks = [each.task for each in owned]
    while not all(task.done() for task in tasks):
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError:
            cancelled = True
    return cancelled
