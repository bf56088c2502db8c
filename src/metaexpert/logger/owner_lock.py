"""A file that names the owner of files beside it: locked as long as its process lives, free the moment it ends.

The system's lock, not the file's presence, says that an owner lives: `flock` on POSIX, `msvcrt.locking` on Windows. It
ends with the process, however that ends. A forked child gives up what it inherited, since it would hold it on.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, final
from weakref import WeakSet

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_MODE: Final = 0o600
_ATTEMPTS: Final = 100


@final
class OwnerLock:
    """A lock that is held; `acquire` makes one."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        _held.add(self)

    @classmethod
    def acquire(cls, path: Path) -> "OwnerLock | None":
        """Lock `path`, made when missing; None when another owner holds it.

        Raises:
            OSError: the file cannot be made or locked at all.
        """
        for _ in range(_ATTEMPTS):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, _MODE)
            if not _locked(descriptor):
                os.close(descriptor)
                return None
            if _names(path, descriptor):
                return cls(path, descriptor)
            os.close(descriptor)  # whoever had it before deleted it between our two steps
        raise OSError(f"{path} is deleted again and again by somebody else")

    def is_gone(self) -> bool:
        """Whether its file was taken away, so that somebody else could have a lock of that name."""
        try:
            return not _names(self.path, self._descriptor)
        except OSError:
            return True

    def release(self, *, delete: bool) -> None:
        """Let go; `delete` takes the file away, where nothing is left to own."""
        if sys.platform == "win32":
            self.forget()  # it deletes no open file, nor one that another owner has opened meanwhile
        if delete:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
        self.forget()

    def forget(self) -> None:
        """Close the file; in a forked child that leaves the parent's lock as it is."""
        descriptor, self._descriptor = self._descriptor, -1
        _held.discard(self)
        if descriptor >= 0:
            os.close(descriptor)


_held: Final = WeakSet[OwnerLock]()


def _locked(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except BaseException:
        os.close(descriptor)
        raise
    return True


def _names(path: Path, descriptor: int) -> bool:
    """Whether the path still leads to the locked file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _forget_all() -> None:
    for lock in list(_held):
        lock.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
