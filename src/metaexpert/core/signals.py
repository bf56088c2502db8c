"""SIGINT and SIGTERM as requests to stop, chained to whatever handled them before.

`signal.signal` rather than the loop's own: a loop busy in somebody's code would hear of the signal only afterwards.
The first signal asks, the second ends the process at once, with the default disposition. Where the default
handled the signal before, `reraise` repeats it once everything is cleaned up, so that the exit status tells of it.
A signal that the process was started to ignore stays ignored. Outside the main thread Python allows no signal handlers,
and none are installed.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

type Handler = Callable[[int, FrameType | None], object] | int | None

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)


class StopSignals:
    """While entered, calls `on_signal` at the first stop signal."""

    def __init__(self, on_signal: Callable[[], None]) -> None:
        self._on_signal = on_signal
        self._previous: dict[int, Handler] = {}
        self.received: int | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            heeded = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
            self._previous = {number: signal.signal(number, self._handle) for number in heeded}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, handler)

    def reraise(self) -> None:
        """After a stop by signal: die of that signal, unless somebody else handled it before us."""
        if self.received is not None and self._previous[self.received] in _DEFAULTS:
            _die_of(self.received)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            _die_of(number)
        self.received = number
        self._on_signal()
        previous = self._previous[number]
        if callable(previous) and previous not in _DEFAULTS:
            previous(number, frame)


def _die_of(number: int) -> None:
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
