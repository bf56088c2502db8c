"""Signals while logging runs, each chained to what handled it before.

SIGTERM (SIGBREAK on Windows), where nobody handled it: the main task is cancelled, what was logged is flushed within
the deadline as it leaves, and at the interpreter's exit the signal is raised again, so that the exit status tells of
it. A program without a loop is flushed in the handler, and then dies of the signal. A second signal ends the process
at once, and so does SIGINT while a stop by signal is under way. SIGHUP: the configuration is read again, where it was
read from somewhere.

`signal.signal` rather than the loop's own: a loop busy in somebody's code would hear of the signal only afterwards.
Only the main thread may set handlers; elsewhere none are.
"""

import asyncio
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Final, Protocol, final

_STALLED_SECONDS: Final = 1.0

type _Handler = Callable[[int, FrameType | None], object] | int | None

_TERMINATE: Final = tuple(
    number for name in ("SIGTERM", "SIGBREAK") if (number := getattr(signal, name, None)) is not None
)
_HANGUP: Final = getattr(signal, "SIGHUP", None)
_DEFAULTS: Final = (signal.SIG_DFL, signal.default_int_handler)


class Program(Protocol):
    """What signals are told to."""

    def terminate(self) -> bool:
        """Begin to end the program in good order; False when it cannot be asked, and has to be ended here and now."""
        ...

    def finish(self) -> None:
        """Flush and stop, here and now."""
        ...

    def reread(self) -> None:
        """Read the configuration again."""
        ...


@final
class Signals:
    """The signal handlers of one runtime.

    Args:
        program: what they tell.
        rereads: whether SIGHUP is one of them.
    """

    def __init__(self, program: Program, *, rereads: bool) -> None:
        self._program = program
        self._rereads = rereads
        self._previous: dict[int, _Handler] = {}
        self._interrupts = 0
        self._interrupted_before: _Handler = None
        self.received: int | None = None

    def install(self) -> None:
        """Put the handlers in place, in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _TERMINATE:
            if signal.getsignal(number) == signal.SIG_DFL:
                self._previous[number] = signal.signal(number, self._terminate)
        if _HANGUP is not None and self._rereads and signal.getsignal(_HANGUP) != signal.SIG_IGN:
            self._previous[_HANGUP] = signal.signal(_HANGUP, self._hang_up)

    def remove(self) -> None:
        """Put back what was there; after a stop by signal the handlers stay until the exit."""
        if self.received is not None or threading.current_thread() is not threading.main_thread():
            return
        for number, handler in self._previous.items():
            if signal.getsignal(number) in {self._terminate, self._hang_up}:
                signal.signal(number, handler)
        self._previous.clear()

    def begin_stop(self, *, asked: bool) -> None:
        """From now on SIGINT ends a stop that hangs: at once where a first one has `asked` for it, else the second."""
        if self.received is None and threading.current_thread() is threading.main_thread():
            self._interrupts = int(asked)
            self._interrupted_before = signal.signal(signal.SIGINT, self._interrupt)

    def end_stop(self) -> None:
        """SIGINT means again what it meant before."""
        before, self._interrupted_before = self._interrupted_before, None
        if before is not None and signal.getsignal(signal.SIGINT) == self._interrupt:
            signal.signal(signal.SIGINT, before)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._interrupts:
            die_of(number)
        self._interrupts += 1
        if callable(self._interrupted_before):
            self._interrupted_before(number, frame)

    def leave_to_child(self) -> None:
        """In a forked child: its signals are its own."""
        self.received = None
        self.remove()

    def die(self) -> None:
        """At exit: end by the signal that began it, if one did."""
        if self.received is not None:
            _flush_streams()
            die_of(self.received)

    def _terminate(self, number: int, _frame: FrameType | None) -> None:
        if self.received is not None:
            die_of(number)
        self.received = number
        self._second_interrupt_ends()
        _let_go_of_stalled_readers()
        if not self._program.terminate():
            self._program.finish()
            _flush_streams()
            die_of(number)

    def _second_interrupt_ends(self) -> None:
        signal.signal(signal.SIGINT, self._terminate)
        quiet = sys.excepthook

        def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
            if not issubclass(kind, asyncio.CancelledError):  # the one that ended the main task is no news
                quiet(kind, error, trace)

        sys.excepthook = hook

    def _hang_up(self, number: int, frame: FrameType | None) -> None:
        self._program.reread()
        previous = self._previous.get(number)
        if callable(previous) and previous not in _DEFAULTS:
            previous(number, frame)


def _let_go_of_stalled_readers() -> None:
    """From now on a stream whose reader takes nothing for a second leads nowhere.

    The interpreter flushes stdout and stderr at several places of its end, and would wait there for ever.
    """
    # neither exists on Windows, and a program that uses them itself keeps them
    if hasattr(signal, "setitimer") and signal.getsignal(signal.SIGALRM) == signal.SIG_DFL:
        stalled: set[int] = set()
        signal.signal(signal.SIGALRM, lambda _number, _frame: _let_go(stalled))
        signal.setitimer(signal.ITIMER_REAL, _STALLED_SECONDS, _STALLED_SECONDS)


def _let_go(stalled: set[int]) -> None:
    """Lead nowhere what was without room a second ago and is still."""
    full = {descriptor for descriptor in (1, 2) if _is_full(descriptor)}
    for descriptor in full & stalled:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
    stalled.clear()
    stalled.update(full)


def _is_full(descriptor: int) -> bool:
    try:
        return not select.select((), (descriptor,), (), 0)[1]
    except (OSError, ValueError):  # closed
        return False


def die_of(number: int) -> None:
    """End this process by a signal's default action."""
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


def _flush_streams() -> None:
    """Write what the program printed, as an ordinary exit would."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
