"""Cancelling a task at a chosen one of its awaits, so that a test can go through all of them."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from typing import Any


class CancelAt:
    """Counts the suspensions of what it watches, and cancels the task at one of them.

    Args:
        at: which one, from 0.
    """

    def __init__(self, at: int) -> None:
        self._at = at
        self.suspensions = 0

    @property
    def reached(self) -> bool:
        """Whether the task was cancelled."""
        return self.suspensions > self._at

    async def watch[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work`; the count goes on where another watch ended."""
        return await _Watched(self, work)

    def suspended(self) -> None:
        """One more; the cancellation comes when the task has been left waiting."""
        if self.suspensions == self._at:
            task = asyncio.current_task()
            assert task is not None
            asyncio.get_running_loop().call_soon(task.cancel)
        self.suspensions += 1


class _Watched[T]:
    def __init__(self, counted: CancelAt, work: Coroutine[Any, Any, T]) -> None:
        self._counted = counted
        self._work = work

    def __await__(self) -> Generator[Any, Any, T]:
        work = self._work.__await__()
        step: Callable[[], Any] = partial(work.send, None)
        while True:
            try:
                waited_for = step()
            except StopIteration as end:
                return end.value
            self._counted.suspended()
            try:
                yield waited_for
            except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to the work
                step = partial(work.throw, error)
            else:
                step = partial(work.send, None)


async def at_every_await(run: Callable[[CancelAt], Awaitable[None]], most: int = 200) -> int:
    """Do `run` again and again, each time cancelled one await later, until one comes to its end; how often that was.

    Raises:
        AssertionError: there was no end to it.
    """
    for at in range(most):
        cancelling = CancelAt(at)
        await run(cancelling)
        if not cancelling.reached:
            return at
    raise AssertionError(f"more than {most} awaits")
