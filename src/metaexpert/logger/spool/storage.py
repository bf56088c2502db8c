"""The file operations of a disk queue, as few as it needs, so that a modelled file system can stand in for the real.

A write goes to a place of a file and is complete or raises; what a crash leaves of it is another matter. `sync` brings
a file's contents, and with the first of them its name, to the disk.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol, final

from metaexpert.logger.journal.segments import sync_folder

_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700
_BINARY: Final = os.O_BINARY if sys.platform == "win32" else 0
_POSITIONED: Final = hasattr(os, "pread")


class StoredFile(Protocol):
    """An open file; synchronous, for one thread at a time. Everything raises OSError when the system refuses."""

    def read(self, at: int, count: int) -> bytes:
        """Up to `count` bytes from `at`, fewer only where the file ends."""
        ...

    def write(self, at: int, data: bytes) -> None:
        """Write all of `data` at `at`."""
        ...

    def truncate(self, size_bytes: int) -> None:
        """Cut the file."""
        ...

    def sync(self) -> None:
        """Bring the file to the disk."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class Storage(Protocol):
    """A file system as a disk queue uses it; everything raises OSError when the system refuses."""

    def files(self, folder: Path) -> Mapping[str, int]:
        """Names and sizes, bytes, of the files in a folder; none where there is no folder."""
        ...

    def open(self, path: Path, *, create: bool) -> StoredFile:
        """Open a file to read and write; `create` makes it, and its folder, and refuses one that is there."""
        ...

    def remove(self, path: Path) -> None:
        """Delete a file, or an empty folder; one that is gone is no error."""
        ...

    def rename(self, path: Path, name: str) -> None:
        """Give a file another name in its folder."""
        ...

    def free_bytes(self, folder: Path) -> int:
        """Room that is left for others on the disk that holds the folder, bytes."""
        ...


@final
class Disk:
    """The system's file system."""

    def files(self, folder: Path) -> Mapping[str, int]:
        """See `Storage`."""
        try:
            with os.scandir(folder) as found:
                return dict(_sized(one) for one in found if one.is_file(follow_symlinks=False))
        except (FileNotFoundError, NotADirectoryError):
            return {}

    def open(self, path: Path, *, create: bool) -> StoredFile:
        """See `Storage`."""
        flags = os.O_RDWR | _BINARY
        if create:
            path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            flags |= os.O_CREAT | os.O_EXCL
        return _DiskFile(os.open(path, flags, _MODE), path.parent)

    def remove(self, path: Path) -> None:
        """See `Storage`."""
        try:
            path.unlink(missing_ok=True)
        except (IsADirectoryError, PermissionError):
            path.rmdir()

    def rename(self, path: Path, name: str) -> None:
        """See `Storage`."""
        path.replace(path.with_name(name))

    def free_bytes(self, folder: Path) -> int:
        """See `Storage`."""
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return shutil.disk_usage(folder).free


def _sized(one: os.DirEntry[str]) -> tuple[str, int]:
    try:
        return one.name, one.stat(follow_symlinks=False).st_size
    except FileNotFoundError:  # deleted between the two steps
        return one.name, 0


@final
class _DiskFile:
    def __init__(self, descriptor: int, folder: Path) -> None:
        self._descriptor = descriptor
        self._new_in: Path | None = folder

    def read(self, at: int, count: int) -> bytes:
        data = self._some(at, count)
        while len(data) < count and (more := self._some(at + len(data), count - len(data))):
            data += more
        return data

    def _some(self, at: int, count: int) -> bytes:
        if _POSITIONED:
            return os.pread(self._descriptor, count, at)
        os.lseek(self._descriptor, at, os.SEEK_SET)
        return os.read(self._descriptor, count)

    def write(self, at: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = self._write_some(at, view)
            view = view[written:]
            at += written

    def _write_some(self, at: int, data: memoryview) -> int:
        if _POSITIONED:
            return os.pwrite(self._descriptor, data, at)
        os.lseek(self._descriptor, at, os.SEEK_SET)
        return os.write(self._descriptor, data)

    def truncate(self, size_bytes: int) -> None:
        os.ftruncate(self._descriptor, size_bytes)

    def sync(self) -> None:
        os.fsync(self._descriptor)
        if self._new_in is not None:
            sync_folder(self._new_in)
            self._new_in = None

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
