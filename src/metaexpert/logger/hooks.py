"""Warnings and exceptions nobody caught, as entries: `warnings`, sys, threading, unraisable ones, the event loop's.

A hook is chained: what stood there before is called too. Two would only say again what has been logged, and are left
out: stdlib's own `showwarning`, as with `logging.captureWarnings`, and the event loop's default handler.
"""

import logging
import sys
import threading
import traceback
import warnings
from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, TextIO, final

from metaexpert.logger.reported import is_reported
from metaexpert.logger.stdlib import OwnRecord, log_record
from metaexpert.logger.texts import safe_ends
from metaexpert.logger.values import described

UNHANDLED: Final = "metaexpert.unhandled"
_WARNINGS: Final = "py.warnings"
_ASYNCIO: Final = "asyncio"
_NAME_BYTES: Final = 200
_SOURCE_BYTES: Final = 8 * 1024


@final
class _Hook:
    """One replaceable function of a module.

    Args:
        owner: the module.
        name: the function's name there.
        take: makes an entry of its arguments; what was there before is called afterwards where it says so.
    """

    def __init__(self, owner: Any, name: str, take: Callable[..., bool]) -> None:
        self._owner = owner
        self._name = name
        self._take = take
        self._previous: Callable[..., object] = getattr(owner, name)
        self._active = True
        setattr(owner, name, self)

    def __call__(self, *args: Any, **more: Any) -> object:
        """Be the hook."""
        chained = True
        if self._active:
            with suppress(Exception):  # a hook is the last to see an exception; it adds none of its own
                chained = self._take(*args, **more)
        return self._previous(*args, **more) if chained else None

    def remove(self) -> None:
        """Put back what was there; where somebody put theirs over ours, ours only passes on from now on."""
        self._active = False
        if getattr(self._owner, self._name) is self:
            setattr(self._owner, self._name, self._previous)


@final
class Hooks:
    """The process's hooks while logging runs.

    Args:
        exceptions: take the exceptions nobody caught.
        warned: take `warnings`.
    """

    def __init__(self, *, exceptions: bool, warned: bool) -> None:
        self._exceptions = exceptions
        self._warned = warned
        self._hooks: list[_Hook] = []
        self._watched: AbstractEventLoop | None = None
        self._loops_own: Callable[[AbstractEventLoop, dict[str, Any]], object] | None = None

    def install(self) -> None:
        """Put them in place."""
        if self._exceptions:
            self._hooks += [
                _Hook(sys, "excepthook", _uncaught),
                _Hook(sys, "unraisablehook", _unraisable),
                _Hook(threading, "excepthook", _uncaught_in_thread),
            ]
        if self._warned:
            self._hooks.append(_Hook(warnings, "showwarning", _warning))

    def watch(self, loop: AbstractEventLoop) -> None:
        """Take what happens to the callbacks and tasks of this loop."""
        self.unwatch()
        if self._exceptions:
            self._watched, self._loops_own = loop, loop.get_exception_handler()
            loop.set_exception_handler(self._in_loop)

    def unwatch(self) -> None:
        """Leave the loop as it was."""
        loop, self._watched = self._watched, None
        if loop is not None and loop.get_exception_handler() == self._in_loop:
            loop.set_exception_handler(self._loops_own)

    def forget_loop(self) -> None:
        """Leave the loop as it is: in a forked child it is the parent's."""
        self._watched = None

    def remove(self) -> None:
        """Put everything back."""
        self.unwatch()
        while self._hooks:
            self._hooks.pop().remove()

    def _in_loop(self, loop: AbstractEventLoop, context: dict[str, Any]) -> None:
        with suppress(Exception):
            message, error = context.get("message", "error"), context.get("exception")
            log_unhandled(_ASYNCIO, logging.ERROR, message, error, task=_task_of(context), **_about(context))
        if self._loops_own is not None:
            self._loops_own(loop, context)


def _task_of(context: dict[str, Any]) -> str | None:
    """The name of the task it is about."""
    for key in ("task", "future"):
        name = getattr(context.get(key), "get_name", None)
        if callable(name):
            return described(name(), str, _NAME_BYTES)
    return None


def _about(context: dict[str, Any]) -> dict[str, object]:
    """What else the loop says; in debug mode also where the task, or the callback, was made."""
    told: dict[str, object] = {
        key: described(value)
        for key, value in context.items()
        if key not in {"message", "exception", "source_traceback", "handle_traceback"}
    }
    for key in ("source_traceback", "handle_traceback"):
        frames = context.get(key)
        if frames:
            told[key] = safe_ends("".join(traceback.format_list(frames)), _SOURCE_BYTES)
    return told


def log_unhandled(
    name: str, level: int, message: str, error: BaseException | None, *, task: str | None = None, **fields: object
) -> None:
    """An entry about an exception nobody caught, at the place where it was raised; none if one tells of it already."""
    if error is not None and is_reported(error):
        return
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    path, line, function = _place(error)
    record = OwnRecord(name, level, path, line, message, (), exc_info, function)
    record.__dict__.update(fields)
    if task is not None:
        record.taskName = task
    log_record(record)


def _place(error: BaseException | None) -> tuple[str, int, str]:
    trace = None if error is None else error.__traceback__
    if trace is None:
        return (__file__, 0, "<unknown>")
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return (code.co_filename, trace.tb_lineno, code.co_name)


def _uncaught(kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> bool:
    if issubclass(kind, Exception):
        log_unhandled(UNHANDLED, logging.CRITICAL, "unhandled exception", error)
    return True


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> bool:
    if args.exc_value is not None and issubclass(args.exc_type, Exception):
        thread = "" if args.thread is None else args.thread.name
        log_unhandled(UNHANDLED, logging.CRITICAL, "unhandled exception in thread", args.exc_value, thread_name=thread)
    return True


def _unraisable(args: "sys.UnraisableHookArgs") -> bool:
    message = args.err_msg or "exception ignored"
    log_unhandled(UNHANDLED, logging.ERROR, message, args.exc_value, object=described(args.object))
    return True


def _warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    _line: str | None = None,
) -> bool:
    if file is not None:
        return True
    record = OwnRecord(_WARNINGS, logging.WARNING, filename, lineno, str(message), (), None, "<module>")
    record.__dict__["category"] = category.__name__
    log_record(record)
    return False
