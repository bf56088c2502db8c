"""The interpreter's exit: stop what nobody stopped, print what reached no pipeline, die of the signal that came.

Registered once a process, at the first `get_logger`, so that it runs after what a program registers later. Printed to
stderr is what was logged and never reached a pipeline, from WARNING on and all that is protected: a program that never
calls `setup_logging`, and what is logged after the runtime stopped. A forked child, which may end without an exit of
the interpreter's (multiprocessing does), prints such entries at once.
"""

import atexit
import logging
import os
import sys
from functools import cache
from typing import Final, Protocol

from metaexpert.logger.entry import PROTECTED_LOG_TYPES, Capture
from metaexpert.logger.formats.text import TextLines
from metaexpert.logger.port import port
from metaexpert.logger.streams import tell

_PATIENCE_SECONDS: Final = 1.0
"""How long a line waits for a reader of stderr who stalls."""


class Ending(Protocol):
    """What has an end to make at exit."""

    def end_at_exit(self) -> None:
        """Stop what still runs."""
        ...

    def die(self) -> None:
        """Die of a signal that began the end."""
        ...

    def leave_to_child(self) -> None:
        """In a forked child: let go of everything, and touch nothing of the parent's."""
        ...


_endings: Final[list[Ending]] = []


@cache
def arrange_exit() -> None:
    """Arrange for it, once a process."""
    atexit.register(_exit)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_begin_as_child)


def remember(ending: Ending) -> None:
    """Have it ended at exit, in place of the one remembered before."""
    arrange_exit()
    _endings[:] = [ending]
    util, process = (sys.modules.get(f"multiprocessing.{name}") for name in ("util", "process"))
    if util is not None and process is not None and process.parent_process() is not None:
        # its children end by os._exit, after these finalizers and without atexit
        util.Finalize(None, ending.end_at_exit, exitpriority=0)


def remembered() -> Ending | None:
    """What is ended at exit, if anything."""
    return _endings[0] if _endings else None


def _exit() -> None:
    for ending in _endings:
        ending.end_at_exit()
    if not port.attached:
        _print_waiting()
    for ending in _endings:
        ending.die()


def _begin_as_child() -> None:
    """The parent's files, queues, loop and signals are not the child's: it begins unconnected."""
    for ending in _endings:
        ending.leave_to_child()
    _endings.clear()
    port.disconnect()
    port.put = _put_and_print


def _put_and_print(capture: Capture) -> None:
    port.ingress.put(capture)
    if _deserves(capture):
        _print(capture)


def _print_waiting() -> None:
    if port.put is _put_and_print:
        return
    while waiting := port.ingress.take(1000):
        for capture in filter(_deserves, waiting):
            if not _print(capture):
                return  # nobody reads: the process's end does not wait for each of them
    loss = port.ingress.take_loss()
    if loss is not None:
        text = f"metaexpert.logger: no room for {loss.by_level.total()} further entries before the start\n"
        tell(text, _PATIENCE_SECONDS)


def _print(capture: Capture) -> bool:
    return tell(f"{TextLines(use_colors=False)(capture).decode()}\n", _PATIENCE_SECONDS)


def _deserves(capture: Capture) -> bool:
    return capture[2] >= logging.WARNING or capture[11] in PROTECTED_LOG_TYPES
