"""Who still writes a log file: its writer holds the system's lock on it, which ends with its process however that ends.

`flock` on POSIX; on Windows, where a lock keeps others from reading too, a byte far beyond any file's end. Where the
file system knows no locks, a file counts as written until it was left alone for a day.
"""

import os
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

if sys.platform == "win32":
    import ctypes
    import msvcrt
else:
    import fcntl

_UNTOUCHED_SECONDS: Final = 86_400.0
"""How long a file is left alone until nobody is thought to write it, where that cannot be known."""

_BEGINNING_SECONDS: Final = 10.0
"""How long an empty file is taken for one that was just made, and is not locked yet."""

_ATTEMPTS: Final = 100
_PAUSE_SECONDS: Final = 0.001
_FAR: Final = 0x4000_0000
"""The upper half of the offset of the byte that is locked on Windows."""


def hold(descriptor: int) -> bool:
    """Lock the open file for as long as it is open; False when somebody else keeps it.

    Where there are no locks nothing happens, and it is ours.
    """
    for _ in range(_ATTEMPTS):  # who asks whether it is written has a lock of its own for a moment
        try:
            _lock(descriptor)
        except (BlockingIOError, PermissionError):
            time.sleep(_PAUSE_SECONDS)
        except OSError:
            return True
        else:
            return True
    return False


@contextmanager
def at_rest(path: Path) -> Generator[bool]:
    """Keep a finished file from being gone on with meanwhile; whether it is finished.

    Others who ask find it finished, too. On Windows, where an open file could not be deleted, it is only asked.

    Raises:
        OSError: the file cannot be opened.
    """
    if sys.platform == "win32":
        yield not is_written(path)
        return
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield True
        return
    try:
        yield _is_free(descriptor)
    finally:
        os.close(descriptor)


def _is_free(descriptor: int) -> bool:
    try:
        _lock(descriptor, shared=True)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # no locks here: how long it was left alone has been looked at
        return True
    return True


def is_written(path: Path, now: Callable[[], float] = time.time) -> bool:
    """Whether a living process writes the file, or that cannot be known.

    Args:
        path: a log file; one that is missing is not written.
        now: seconds since the epoch.

    Raises:
        OSError: the file cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        state = os.fstat(descriptor)
        if state.st_size == 0 and abs(now() - state.st_mtime) < _BEGINNING_SECONDS:
            return True
        try:
            _lock(descriptor, shared=True)
        except (BlockingIOError, PermissionError):
            return True
        except OSError:
            return now() - state.st_mtime < _UNTOUCHED_SECONDS
        return False
    finally:
        os.close(descriptor)


if sys.platform == "win32":

    def _lock(descriptor: int, *, shared: bool = False) -> None:  # noqa: ARG001 - LockFile knows none that is shared
        handle = ctypes.c_void_p(msvcrt.get_osfhandle(descriptor))
        if not ctypes.windll.kernel32.LockFile(handle, 0, _FAR, 1, 0):
            raise ctypes.WinError()

else:

    def _lock(descriptor: int, *, shared: bool = False) -> None:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
