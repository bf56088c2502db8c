"""Which file a rotation moves where; synchronous, to be run in a thread as one job."""

import os
import time
from pathlib import Path
from typing import Final

_TAIL_BYTES: Final = 1


def rotate(path: Path, backup_count: int) -> None:
    """Shift `path` to `path.1`, `path.1` to `path.2` and so on; the one numbered `backup_count` is replaced.

    Raises:
        OSError: a file could not be renamed; `path` itself is then still in place.
    """
    for number in range(backup_count - 1, 0, -1):
        older = _numbered(path, number)
        if older.exists():
            older.replace(_numbered(path, number + 1))
    path.replace(_numbered(path, 1))


def set_torn_aside(path: Path) -> Path | None:
    """Move a file whose last line is torn out of the way, as it is; None when it ends well or is no regular file.

    Raises:
        OSError: the file could not be read or renamed.
    """
    if not path.is_file():  # there is none; or a pipe, which reading from would wait for a writer
        return None
    try:
        with path.open("rb") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return None
            file.seek(-_TAIL_BYTES, os.SEEK_END)
            if file.read(_TAIL_BYTES) == b"\n":
                return None
    except FileNotFoundError:
        return None
    aside = _unused(path.with_name(f"{path.name}.torn-{time.time_ns()}"))
    path.replace(aside)
    return aside


def _unused(path: Path) -> Path:
    """A name nothing has: a clock that was set back comes to the same moment twice."""
    number = 0
    unused = path
    while os.path.lexists(unused):
        number += 1
        unused = _numbered(path, number)
    return unused


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
