"""Whether a call in the midst of the pipeline's own work is the program's: a signal handler's or a finalizer's.

Both run wherever the thread happens to be, in that place's context, which may carry the pipeline's mark.
"""

import signal
import sys
import threading
import weakref
from collections.abc import Iterator
from functools import partial
from types import CodeType, FrameType
from typing import Any, Final

_OWN_WORK: Final = frozenset(
    f"metaexpert.logger.{name}"
    for name in ("delivery", "dispatcher", "jobs", "loop_thread", "pipeline", "spool.spilling")
)
"""Modules whose work is marked; what is called from there, however far out, is part of it."""

_FINALIZER: Final = "__del__"
_FINALIZE: Final[CodeType] = vars(weakref.finalize)["__call__"].__code__


def interrupts() -> bool:
    """Whether the caller, in a context that carries the mark, belongs to what interrupted the pipeline's work."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    handlers = frozenset(_handlers() if in_main_thread else ())
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - as stdlib logging does
    while frame is not None and frame.f_globals.get("__name__") not in _OWN_WORK:
        code = frame.f_code
        if code.co_name == _FINALIZER or code is _FINALIZE or code in handlers:
            return True
        frame = frame.f_back
    return False


def _handlers() -> Iterator[CodeType]:
    for number in signal.valid_signals():
        code = _code_of(signal.getsignal(number))
        if code is not None:
            yield code


def _code_of(handler: Any) -> CodeType | None:
    while isinstance(handler, partial):
        handler = handler.func
    function = handler if hasattr(handler, "__code__") else getattr(handler, "__func__", type(handler).__call__)
    return getattr(function, "__code__", None)
