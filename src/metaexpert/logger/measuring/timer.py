"""`log.timer("…")`: how long a block or a function takes, as a context manager and as a decorator, async too."""

import inspect
from collections.abc import Awaitable, Callable
from functools import wraps
from time import perf_counter_ns
from typing import Any, Self, cast, final

from metaexpert.logger.measuring.meters import Timer


@final
class Timing:
    """Measures one block, or every call of a function; what raises is measured too.

    One block at a time: blocks that overlap, in tasks or threads, each need a `log.timer(…)` of their own. Decorated
    functions may overlap.

    Args:
        timer: where it is counted.
    """

    __slots__ = ("_began_ns", "_timer")

    def __init__(self, timer: Timer) -> None:
        self._timer = timer
        self._began_ns = 0

    def __enter__(self) -> Self:
        self._began_ns = perf_counter_ns()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.record_ns(perf_counter_ns() - self._began_ns)

    async def __aenter__(self) -> Self:
        self._began_ns = perf_counter_ns()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._timer.record_ns(perf_counter_ns() - self._began_ns)

    def __call__[**P, T](self, function: Callable[P, T]) -> Callable[P, T]:
        """The same function, measured from call to return; a coroutine function until it has been awaited.

        Raises:
            TypeError: it is a generator function, whose work is done after the call.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            name = getattr(function, "__qualname__", repr(function))
            raise TypeError(f"timer: {name} is a generator; put `with log.timer(…):` around what it does")
        if inspect.iscoroutinefunction(function):
            return cast("Callable[P, T]", _awaited(self._timer, function))
        return _called(self._timer, function)


def _called[**P, T](timer: Timer, function: Callable[P, T]) -> Callable[P, T]:
    @wraps(function)
    def measured(*args: P.args, **kwargs: P.kwargs) -> T:
        began_ns = perf_counter_ns()
        try:
            return function(*args, **kwargs)
        finally:
            timer.record_ns(perf_counter_ns() - began_ns)

    return measured


def _awaited[**P](timer: Timer, function: Callable[P, Awaitable[Any]]) -> Callable[P, Awaitable[Any]]:
    @wraps(function)
    async def measured(*args: P.args, **kwargs: P.kwargs) -> Any:
        began_ns = perf_counter_ns()
        try:
            return await function(*args, **kwargs)
        finally:
            timer.record_ns(perf_counter_ns() - began_ns)

    return measured
