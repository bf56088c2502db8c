"""A lock by a file's name, where the file system knows no other: who makes the file has it, until it is taken away.

A killed process leaves it; one that was not touched for a minute is therefore nobody's. What it guards takes
milliseconds; whoever is held up for longer than a minute amid that may meet another one.
"""

import errno
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

SUFFIX: Final = ".lock"
_MODE: Final = 0o600
_STALE_SECONDS: Final = 60.0
_PATIENCE_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.002


@contextmanager
def locked_by_name(
    path: Path, *, now: Callable[[], float] = time.time, patience_seconds: float = _PATIENCE_SECONDS
) -> Generator[None]:
    """Hold `<path>.lock`.

    Args:
        path: what it is about.
        now: seconds since 1970.
        patience_seconds: how long to wait for another one.

    Raises:
        OSError: it cannot be made, or somebody else had it all the time.
    """
    lock = path.with_name(path.name + SUFFIX)
    deadline = time.monotonic() + patience_seconds
    while not _is_made(lock):
        _take_away_what_is_stale(lock, now())
        if time.monotonic() > deadline:
            raise BlockingIOError(errno.EAGAIN, f"another process has held {lock} for long")
        time.sleep(_PAUSE_SECONDS)
    try:
        yield
    finally:
        with suppress(OSError):  # it is stale in a minute
            lock.unlink()


def _is_made(lock: Path) -> bool:
    try:
        os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE))
    except FileExistsError:
        return False
    return True


def _take_away_what_is_stale(lock: Path, now: float) -> None:
    with suppress(FileNotFoundError):
        if now - lock.stat().st_mtime > _STALE_SECONDS:
            lock.unlink()
