"""Real files beside a model of what a disk has of them: pages and names that no sync has brought there may be lost.

`installed` stands in for the journal's system calls. A sync copies a file's bytes to the model, page by page; one that
fails loses the pages written so far for good, and the next on the same file succeeds without them, as on Linux.
"""

import errno
import os
import random
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from metaexpert.logger.journal import segments

PAGE_BYTES = 4096
HALF_PAGE_BYTES = 2048


class LossyFiles:
    """What a disk has.

    Attributes:
        failing_syncs: so many of the next syncs fail.
        is_full: nothing can be allocated.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.failing_syncs = 0
        self.is_full = False
        self._durable: dict[int, bytearray] = {}
        self._dropped: dict[int, bytes] = {}
        self._named: set[str] = set()
        self._random = random.Random(seed)

    # ---- system calls -----------------------------------------------------------------------------------------

    def allocate(self, descriptor: int, size_bytes: int) -> None:
        """Make a file of zeros."""
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        number = os.fstat(descriptor).st_ino  # perhaps that of a file that was deleted
        self._durable.pop(number, None)
        self._dropped.pop(number, None)
        os.ftruncate(descriptor, size_bytes)

    def sync_descriptor(self, descriptor: int) -> None:
        """Bring a file to the disk, or fail."""
        status = os.fstat(descriptor)
        seen = os.pread(descriptor, status.st_size, 0)
        if self.failing_syncs:
            self.failing_syncs -= 1
            self._dropped[status.st_ino] = seen
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        durable = self._durable.setdefault(status.st_ino, bytearray(status.st_size))
        dropped = self._dropped.get(status.st_ino)
        for at in range(0, status.st_size, PAGE_BYTES):
            page = seen[at : at + PAGE_BYTES]
            if dropped is None or page != dropped[at : at + PAGE_BYTES]:
                durable[at : at + PAGE_BYTES] = page

    def sync_folder(self, folder: Path) -> None:
        """Bring the names in a folder to the disk."""
        self._named = {path.name for path in folder.iterdir()}

    # ---- the end ----------------------------------------------------------------------------------------------

    def after_kill(self, folder: Path) -> None:
        """Copy to `folder` what is there after the end of the process alone."""
        for path in self._files():
            (folder / path.name).write_bytes(path.read_bytes())

    def after_power_loss(self, folder: Path) -> None:
        """Copy to `folder` what may be there after the machine went down: any part of what no sync has brought."""
        for path in self._files():
            if path.name not in self._named and self._random.random() < 0.5:
                continue
            (folder / path.name).write_bytes(self._left_of(path))

    def _files(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if path.suffix != ".lock")

    def _left_of(self, path: Path) -> bytes:
        seen = path.read_bytes()
        left = bytearray(self._durable.get(path.stat().st_ino, b""))
        if len(left) != len(seen):  # not synced yet, or a small file with the number of a segment that was deleted
            left = bytearray(len(seen))
        for at in range(0, len(seen), HALF_PAGE_BYTES):  # torn within a page, too
            if self._random.random() < 0.5:
                left[at : at + HALF_PAGE_BYTES] = seen[at : at + HALF_PAGE_BYTES]
        return bytes(left)


@contextmanager
def installed(files: LossyFiles) -> Generator[None]:
    """The journal's files are these."""
    names = ("allocate", "sync_descriptor", "sync_folder")
    before = {name: getattr(segments, name) for name in names}
    for name in names:
        setattr(segments, name, getattr(files, name))
    try:
        yield
    finally:
        for name, function in before.items():
            setattr(segments, name, function)
