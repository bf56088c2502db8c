"""The log's own name: a link to the file begun last, and what else may stand there.

A symbolic link to the bare name, so that the folder can be moved; a hard link where those are not allowed; none where
neither is. What is somebody else's is set aside, never changed or deleted.
"""

import errno
import os
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from metaexpert.logger.files.names import LogFile, files_of

TEMPORARY: Final = ".tmp"
"""What the names of files end in that are not finished."""

_ASIDE: Final = "%Y%m%dT%H%M%SZ"
_MODE: Final = 0o600


def is_written_directly(log: Path) -> bool:
    """Whether a pipe or a device stands at the log's name, which has no files of ours.

    Raises:
        OSError: a folder stands there, or the way to it is barred.
    """
    try:
        mode = log.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(log))
    return not stat.S_ISREG(mode)


def point(file: LogFile) -> tuple[bool, Path | None]:
    """Let the log's name lead to `file`.

    Returns:
        Whether it does; and where that was brought which stood there and is not ours.

    Raises:
        OSError: what stood there could not be set aside.
    """
    log = file.log
    aside = None if leads_to_a_file(log, or_to_one_that_was=True) else _set_aside(log)
    temporary = log.with_name(f"{log.name}.{file.run}{TEMPORARY}")
    with suppress(OSError):
        temporary.unlink()
    for link in (temporary.symlink_to, temporary.hardlink_to):
        try:
            link(Path(file.path.name) if link == temporary.symlink_to else file.path)
            temporary.replace(log)
        except (OSError, NotImplementedError):
            with suppress(OSError):
                temporary.unlink()
        else:
            return True, aside
    return False, aside


def leads_to_a_file(log: Path, *, or_to_one_that_was: bool = False, at: Path | None = None) -> bool:
    """Whether the log's name leads to one of its files, of whichever process.

    Args:
        log: the log.
        or_to_one_that_was: a link to one that is no longer there will do as well; a hard one is looked for among the
            files, which takes long where there are many.
        at: where the link was brought, when it is not at the log's name.
    """
    link = log if at is None else at
    try:
        state = link.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISLNK(state.st_mode):
        is_linked = stat.S_ISREG(state.st_mode) and state.st_nlink > 1
        return is_linked and (not or_to_one_that_was or any(_is_same(file.path, state) for file in files_of(log)))
    target = log.parent / link.readlink()
    file = LogFile.parsed(target) if target.parent == log.parent else None
    if file is None or (file.stem, file.suffix) != (log.stem, log.suffix):
        return False
    return or_to_one_that_was or target.exists()


def release(file: LogFile) -> None:
    """Take the log's name away where it is a hard link of `file`, which is about to go: it would keep its content."""
    with suppress(OSError):
        state = file.log.lstat()
        if stat.S_ISREG(state.st_mode) and _is_same(file.path, state):
            file.log.unlink()


def _is_same(path: Path, state: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), state)
    except OSError:
        return False


def _set_aside(log: Path) -> Path | None:
    """Rename what stands at the log's name, and is not ours; None when there is nothing.

    Several processes may be at it at once: each has a name of its own for it, so that none replaces what another one
    kept; and who finds that he took the link of one that was faster has taken nothing of value.
    """
    try:
        mode = log.lstat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(log))
    aside = _reserved(log.with_name(f"{log.stem}.aside-{datetime.now(UTC).strftime(_ASIDE)}{log.suffix}"))
    try:
        log.replace(aside)
    except OSError as error:
        aside.unlink()
        if isinstance(error, FileNotFoundError):
            return None  # another process has set it aside
        raise
    if leads_to_a_file(log, or_to_one_that_was=True, at=aside):
        aside.unlink()
        return None
    return aside


def _reserved(path: Path) -> Path:
    """A name nobody has, held by an empty file."""
    number, unused = 0, path
    while True:
        try:
            os.close(os.open(unused, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE))
        except FileExistsError:
            number += 1
            unused = path.with_name(f"{path.stem}.{number}{path.suffix}")
        else:
            return unused
