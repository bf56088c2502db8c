"""Levels' names and numbers, as stdlib's logging has them.

It is asked only where somebody imported it: who did not has given no level another name, and importing it takes as long
as reading the last lines of a log.
"""

import sys
from collections.abc import Mapping
from typing import Final

DEBUG: Final = 10
INFO: Final = 20
WARNING: Final = 30
ERROR: Final = 40
CRITICAL: Final = 50

_USUAL: Final[Mapping[str, int]] = {
    "CRITICAL": CRITICAL,
    "FATAL": CRITICAL,
    "ERROR": ERROR,
    "WARN": WARNING,
    "WARNING": WARNING,
    "INFO": INFO,
    "DEBUG": DEBUG,
    "NOTSET": 0,
}


def numbers() -> Mapping[str, int]:
    """The number of each level's name."""
    logging = sys.modules.get("logging")
    return _USUAL if logging is None else logging.getLevelNamesMapping()
