"""Named points: a process kills itself when it comes to one, without anything in the product that knows of it.

A point is a function and an event in it, as `sys.monitoring` reports them: its beginning, its return, or one of its
lines. Which reference the function is called by does not matter, since the event belongs to its code.
"""

import importlib
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any, Literal, cast

type Event = Literal["start", "return", "line"]


@dataclass(frozen=True, slots=True)
class Point:
    """Where a process is to be killed.

    Attributes:
        module: the module, below `metaexpert.logger`.
        function: the function's qualified name in it.
        event: at its beginning, its return, or one of its lines.
        occurrence: the how-manieth such event, from 1.
    """

    module: str
    function: str
    event: Event = "start"
    occurrence: int = 1

    def __str__(self) -> str:
        return f"{self.module}.{self.function} ({self.event} {self.occurrence})"


def code_of(point: Point) -> CodeType:
    """The code that a point is in.

    Raises:
        LookupError: the product has no such function (any more).
    """
    module = importlib.import_module(f"metaexpert.logger.{point.module}")
    for code in _codes_in(module):
        if code.co_qualname == point.function:
            return code
    raise LookupError(f"metaexpert.logger.{point.module} has no function {point.function}")


def arm(point: Point) -> None:
    """Have this process killed at `point`."""
    monitoring = sys.monitoring
    events = monitoring.events
    event = {"start": events.PY_START, "return": events.PY_RETURN, "line": events.LINE}[point.event]
    left = iter(range(point.occurrence - 1))

    def count(*_details: Any) -> None:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    monitoring.use_tool_id(monitoring.DEBUGGER_ID, "soak")
    monitoring.register_callback(monitoring.DEBUGGER_ID, event, count)
    monitoring.set_local_events(monitoring.DEBUGGER_ID, code_of(point), event)


def _codes_in(module: ModuleType) -> Iterator[CodeType]:
    for value in vars(module).values():
        yield from _codes_of(value, module.__name__)


def _codes_of(value: object, module: str) -> Iterator[CodeType]:
    if isinstance(value, FunctionType) and value.__module__ == module:
        yield from _nested(value.__code__)
    elif isinstance(value, property):
        yield from _codes_of(value.fget, module)
    elif isinstance(value, staticmethod | classmethod):
        yield from _codes_of(cast("Any", value).__func__, module)
    elif isinstance(value, type) and value.__module__ == module:
        for member in vars(value).values():
            yield from _codes_of(member, module)


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)
