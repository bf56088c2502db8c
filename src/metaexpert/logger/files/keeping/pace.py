"""How fast background work on files goes: in short pieces with rests between, and no further once it is to stop."""

import os
import sys
import threading
from contextlib import suppress
from typing import Final, final

from metaexpert.exceptions import MetaExpertError

CHUNK_BYTES: Final = 1024 * 1024
"""A piece: some ten milliseconds of compression, which lets go of the GIL meanwhile; only between pieces it is held."""

_REST_SECONDS: Final = 0.01
_NICENESS: Final = 5
"""Behind all others, but not so far that on a machine without a free core it could long be kept from letting go of the
GIL, for which the event loop would wait."""


class StoppedError(MetaExpertError):
    """The work was told to stop; what it left half done is swept, or gone on with, by whoever comes next."""


@final
class Pace:
    """Rests between the pieces of a work.

    Args:
        stop: set when the work is to end.
        rest_seconds: how long to rest after each piece; 0 for work somebody waits for.
    """

    def __init__(self, stop: threading.Event | None = None, rest_seconds: float = _REST_SECONDS) -> None:
        self._stop = threading.Event() if stop is None else stop
        self._rest_seconds = rest_seconds

    def rest(self) -> None:
        """Give others a turn.

        Raises:
            StoppedError: the work is to end.
        """
        if self._stop.is_set() or (self._rest_seconds and self._stop.wait(self._rest_seconds)):
            raise StoppedError("stopped amid work on log files; it goes on at the next start")


def lower_priority() -> None:
    """Let the calling thread give way to all others, where the system has priorities of single threads (Linux)."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
