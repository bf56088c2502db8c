"""What was logged and never reached a pipeline: printed to stderr at exit, from WARNING on and all that is protected.

That is a program that never calls `setup_logging`, and what is logged after the runtime stopped.
"""

import atexit
import logging
import sys
from functools import cache

from metaexpert.logger.entry import PROTECTED_LOG_TYPES, Capture
from metaexpert.logger.formats.text import TextLines
from metaexpert.logger.port import port


@cache
def print_at_exit() -> None:
    """Arrange for it, once a process."""
    atexit.register(_print_unsaid)


def _print_unsaid() -> None:
    if port.attached or sys.stderr is None:
        return
    lines = TextLines(use_colors=False)
    while waiting := port.ingress.take(1000):
        for capture in filter(_deserves, waiting):
            line = lines(capture)
            sys.stderr.write(f"{line.decode()}\n")
    loss = port.ingress.take_loss()
    if loss is not None:
        sys.stderr.write(f"metaexpert.logger: no room for {loss.by_level.total()} further entries before the start\n")


def _deserves(capture: Capture) -> bool:
    return capture[2] >= logging.WARNING or capture[11] in PROTECTED_LOG_TYPES
