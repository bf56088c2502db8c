"""A file system in memory that loses what a real one may lose: unsynced pages, names, removals; ends of writes.

What a process sees is `content`; what a power loss leaves is `durable` with any subset of the sectors written since. A
write may be cut by a full disk or by the end of the process at any byte; an fsync that failed has lost its pages for
good, and the next one on the same file succeeds without them, as on Linux.
"""

import errno
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from metaexpert.logger.owner_lock import OwnerLock

SECTOR_BYTES = 512


class ProcessEnds(BaseException):
    """The process is killed here."""


@dataclass
class Inode:
    """One file: as it is seen, as it is on the disk, and what lies between."""

    content: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])
    truncated_to: int | None = None


class ModelledDisk:
    """The file system, a `Storage`.

    Attributes:
        bytes_until_end: the process ends once so many more bytes are written; None to let it live.
        bytes_until_full: the disk is full once so many more bytes are written; None for never.
        failing_syncs: so many fsyncs fail from now on.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seen: dict[str, Inode] = {}
        self.named: dict[str, Inode] = {}
        self.locked: set[Path] = set()
        self.bytes_until_end: int | None = None
        self.bytes_until_full: int | None = None
        self.failing_syncs = 0
        self._random = random.Random(seed)

    # ---- Storage ----------------------------------------------------------------------------------------------

    def files(self, folder: Path) -> Mapping[str, int]:
        return {Path(name).name: len(one.content) for name, one in self.seen.items() if Path(name).parent == folder}

    def open(self, path: Path, *, create: bool) -> "ModelledFile":
        if create:
            if str(path) in self.seen:
                raise FileExistsError(errno.EEXIST, "File exists", str(path))
            self._spend(1)
            self.seen[str(path)] = Inode()
        elif str(path) not in self.seen:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        return ModelledFile(self, str(path), self.seen[str(path)])

    def remove(self, path: Path) -> None:
        self._spend(1)
        self.seen.pop(str(path), None)

    def rename(self, path: Path, name: str) -> None:
        self._spend(1)
        self.seen[str(path.with_name(name))] = self.seen.pop(str(path))

    def free_bytes(self, folder: Path) -> int:
        del folder
        return 2**40

    def acquire(self, path: Path) -> OwnerLock | None:
        if path in self.locked:
            return None
        self.locked.add(path)
        return cast("OwnerLock", ModelledLock(self, path))

    # ---- what goes wrong ----------------------------------------------------------------------------------------

    def writable(self, count: int) -> tuple[int, Callable[[], Any]]:
        """How many of `count` bytes get written, and what happens then."""
        return self._spend(count)

    def _spend(self, count: int) -> tuple[int, Callable[[], Any]]:
        if self.bytes_until_end is not None:
            if self.bytes_until_end < count:
                left, self.bytes_until_end = self.bytes_until_end, 0
                if count == 1:
                    raise ProcessEnds
                return left, _end
            self.bytes_until_end -= count
        if self.bytes_until_full is not None and count > 1:
            if self.bytes_until_full < count:
                left, self.bytes_until_full = self.bytes_until_full, 0
                return left, _full
            self.bytes_until_full -= count
        return count, _nothing

    def kill(self) -> None:
        """The process is gone: what it wrote is seen by the next one, its locks are free."""
        self.locked.clear()
        self.bytes_until_end = None

    def lose_power(self) -> None:
        """What was not synced may be there, in part, or not: names, removals and sectors alike."""
        self.kill()
        names = {**self.named}
        for name in dict.fromkeys([*self.named, *self.seen]):
            if self._random.random() < 0.5:  # this change of the folder made it to the disk
                if name in self.seen:
                    names[name] = self.seen[name]
                else:
                    names.pop(name, None)
        for inode in {id(one): one for one in names.values()}.values():
            self._settle(inode)
        self.seen, self.named = dict(names), dict(names)

    def _settle(self, inode: Inode) -> None:
        content = bytearray(inode.durable)
        for at, data in inode.pending:
            for begin in range(0, len(data), SECTOR_BYTES):
                if self._random.random() < 0.5:
                    sector = data[begin : begin + SECTOR_BYTES]
                    content.extend(bytes(max(0, at + begin + len(sector) - len(content))))
                    content[at + begin : at + begin + len(sector)] = sector
        inode.content, inode.durable, inode.pending = content, bytearray(content), []


class ModelledFile:
    """An open file of a `ModelledDisk`."""

    def __init__(self, disk: ModelledDisk, name: str, inode: Inode) -> None:
        self._disk = disk
        self._name = name
        self._inode = inode

    def read(self, at: int, count: int) -> bytes:
        return bytes(self._inode.content[at : at + count])

    def write(self, at: int, data: bytes) -> None:
        count, then = self._disk.writable(len(data))
        part = data[:count]
        content = self._inode.content
        content.extend(bytes(max(0, at + len(part) - len(content))))
        content[at : at + len(part)] = part
        self._inode.pending.append((at, part))
        then()

    def truncate(self, size_bytes: int) -> None:
        del self._inode.content[size_bytes:]
        self._inode.pending = [
            (at, data[: max(0, size_bytes - at)]) for at, data in self._inode.pending if at < size_bytes
        ]
        # a cut of what is durable already may come undone: that is as if it had not been made
        del self._inode.durable[size_bytes:]

    def sync(self) -> None:
        if self._disk.failing_syncs:
            self._disk.failing_syncs -= 1
            self._inode.pending = []
            raise OSError(errno.EIO, "Input/output error")
        for at, data in self._inode.pending:
            durable = self._inode.durable
            durable.extend(bytes(max(0, at + len(data) - len(durable))))
            durable[at : at + len(data)] = data
        self._inode.pending = []
        self._disk.named[self._name] = self._inode

    def close(self) -> None:
        pass


class ModelledLock:
    """A lock on a `ModelledDisk`."""

    def __init__(self, disk: ModelledDisk, path: Path) -> None:
        self._disk = disk
        self._path = path

    def release(self, *, delete: bool) -> None:
        del delete
        self.forget()

    def forget(self) -> None:
        self._disk.locked.discard(self._path)


def _end() -> None:
    raise ProcessEnds


def _full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def _nothing() -> None:
    pass
