"""A 1 ms heartbeat on the event loop, and how late the loop came to each beat.

On Linux a timerfd beats, and the loop reads it as it would read a socket: the schedule is the kernel's, so that a beat
that the loop could not take in time counts with its own lateness (no coordinated omission), and asyncio's rounding of
timers to whole milliseconds (epoll's unit) is not measured along. Elsewhere a chain of ``call_at`` beats, with that
rounding.
"""

import asyncio
import ctypes
import os
import sys
import time
from array import array
from types import TracebackType
from typing import Self

PERIOD_NS = 1_000_000
_TFD_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC if sys.platform == "linux" else 0
_TFD_TIMER_ABSTIME = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Heartbeat:
    """Beats from ``__enter__`` to ``__exit__``; each beat's due time and lateness are kept in nanoseconds."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self.due_ns: array[int] = array("q")
        self.late_ns: array[int] = array("q")
        self._next_ns = 0
        self._descriptor: int | None = None
        self._handle: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        """Start beating on the running loop."""
        self._next_ns = time.monotonic_ns() + PERIOD_NS
        if sys.platform == "linux":
            self._descriptor = _open_timer(self._next_ns)
            asyncio.get_running_loop().add_reader(self._descriptor, self._on_timer, self._descriptor)
        else:
            self._schedule()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop beating."""
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
        if self._handle is not None:
            self._handle.cancel()

    def between(self, first_ns: int, last_ns: int) -> list[int]:
        """Lateness of the beats due in a span of monotonic time, ascending."""
        pairs = zip(self.due_ns, self.late_ns, strict=True)
        return sorted(late for due, late in pairs if first_ns <= due <= last_ns)

    def _on_timer(self, descriptor: int) -> None:
        now_ns = time.monotonic_ns()
        for _ in range(int.from_bytes(os.read(descriptor, 8), sys.byteorder)):
            self._note(now_ns)

    def _note(self, now_ns: int) -> None:
        self.due_ns.append(self._next_ns)
        self.late_ns.append(now_ns - self._next_ns)
        self._next_ns += PERIOD_NS

    def _schedule(self) -> None:
        self._handle = asyncio.get_running_loop().call_at(self._next_ns / 1e9, self._on_call)

    def _on_call(self) -> None:
        now_ns = time.monotonic_ns()
        while self._next_ns <= now_ns:
            self._note(now_ns)
        self._schedule()


def _open_timer(first_ns: int) -> int:
    """A timerfd that expires at a monotonic time and each period after it.

    Raises:
        OSError: If the kernel refuses one of the two calls.
    """
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = library.timerfd_create(time.CLOCK_MONOTONIC, _TFD_FLAGS)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "timerfd_create failed")
    spec = _Itimerspec(_timespec(PERIOD_NS), _timespec(first_ns))
    if library.timerfd_settime(descriptor, _TFD_TIMER_ABSTIME, ctypes.byref(spec), None) != 0:
        error = OSError(ctypes.get_errno(), "timerfd_settime failed")
        os.close(descriptor)
        raise error
    return int(descriptor)


def _timespec(nanoseconds: int) -> _Timespec:
    return _Timespec(*divmod(nanoseconds, 1_000_000_000))
