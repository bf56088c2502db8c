"""Where one sink's dead letters are: files of JSON lines in a folder of its own, bounded, the oldest given up first.

Synchronous, for one thread at a time. A file is called `<boot id>-<pid>-<count>.<number>.jsonl` and belongs to one run;
`<boot id>-<pid>-<count>.lock` beside it is locked as long as that run lives. A run appends to files of its own alone
and deletes its own and those of runs that ended, whole files at a time.
"""

import errno
import itertools
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final, final
from urllib.parse import quote

from metaexpert.logger.owner_lock import OwnerLock

FOLDER: Final = "dead-letters"

_NAME: Final = re.compile(r"(?P<run>(?P<boot>[0-9a-z]+)-(?P<pid>\d+)-(?P<count>\d+))\.(?P<number>\d{8})\.jsonl")
_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700
_FILES_UNDER_BOUND: Final = 8
"""A file ends at this part of the bounds, so that what gives way is no more than that."""

_LABEL_CHARACTERS: Final = 100

_next_run: Final = itertools.count(1).__next__


@dataclass(frozen=True, slots=True)
class FileName:
    """What a file's name says of it."""

    run: str
    boot: str
    pid: int
    count: int
    number: int

    @property
    def age(self) -> tuple[str, int, int]:
        """Sorts the oldest first."""
        return self.boot, self.count, self.number


def named(path: Path) -> FileName | None:
    """What the name says; None for a file that is none of ours."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    return FileName(match["run"], match["boot"], int(match["pid"]), int(match["count"]), int(match["number"]))


def files_in(folder: Path) -> list[tuple[Path, FileName]]:
    """The files of dead letters in a sink's folder, oldest first; none where there is no such folder.

    Raises:
        OSError: the folder cannot be looked into.
    """
    try:
        found = [(path, name) for path in folder.iterdir() if (name := named(path)) is not None]
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda each: each[1].age)


def lock_path(folder: Path, run: str) -> Path:
    """The lock that a run holds."""
    return folder / f"{run}.lock"


def label_of(kind: str, name: str) -> str:
    """A sink's folder, which systems hold to 255 bytes: a long one is told by its hash."""
    label = quote(f"{kind}-{name}", safe=" ")
    if len(label) <= _LABEL_CHARACTERS:
        return label
    return f"{label[:_LABEL_CHARACTERS]}-{blake2b(label.encode(), digest_size=8).hexdigest()}"


@dataclass(slots=True)
class _Kept:
    """A file, and what is in it."""

    path: Path
    run: str
    size_bytes: int
    letters: int


@final
class DeadLetterStore:
    """The files of one sink, as the process that writes sees them.

    Args:
        folder: the sink's own; made when first needed.
        boot_id: names this run of the program; ids of later runs sort later.
        pid: the process.
        max_bytes: room on disk, those of ended runs included, bytes.
        max_entries: letters there, likewise.

    Attributes:
        given_up: letters deleted to make room.
    """

    def __init__(self, folder: Path, boot_id: str, pid: int, max_bytes: int, max_entries: int) -> None:
        self.given_up = 0
        self._folder = folder
        self._prefix = f"{boot_id}-{pid}"
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._file_bytes = max(1, max_bytes // _FILES_UNDER_BOUND)
        self._file_entries = max(1, max_entries // _FILES_UNDER_BOUND)
        self._files: list[_Kept] = []
        self._lock: OwnerLock | None = None
        self._run = ""
        self._number = 0
        self._descriptor = -1

    def groups(self, lines: Sequence[bytes]) -> Iterator[list[bytes]]:
        """`lines` in parts that fit one file each."""
        group, size_bytes = list[bytes](), 0
        for line in lines:
            if group and (size_bytes + len(line) > self._file_bytes or len(group) >= self._file_entries):
                yield group
                group, size_bytes = [], 0
            group.append(line)
            size_bytes += len(line)
        if group:
            yield group

    def append(self, lines: Sequence[bytes]) -> None:
        """Write these letters, all or none, into one file.

        Raises:
            OSError: the system refused, or they alone exceed the bounds.
        """
        size_bytes = sum(map(len, lines))
        if size_bytes > self._max_bytes or len(lines) > self._max_entries:
            raise OSError(errno.EFBIG, f"{len(lines)} letters of {size_bytes} bytes are more than may be kept")
        self._own()
        self._make_room(size_bytes, len(lines))
        file = self._current()
        begin = file.size_bytes
        try:
            _write_all(self._descriptor, b"".join(lines), begin)
        except OSError:
            with suppress(OSError):  # the next letters overwrite what stays behind the end
                os.ftruncate(self._descriptor, begin)
            raise
        file.size_bytes += size_bytes
        file.letters += len(lines)

    def sync(self) -> None:
        """Bring what was written to the disk.

        Raises:
            OSError: the system could not.
        """
        if self._descriptor >= 0:
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Let others have the files; another letter begins anew.

        Raises:
            OSError: what was written could not be brought to the disk.
        """
        try:
            self.sync()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        self._end_file()
        self._files.clear()
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release(delete=True)  # who reads takes a run without a lock for one that ended

    def _own(self) -> None:
        """Hold the lock of this run; a new run where the folder was taken away under us."""
        if self._lock is not None and self._lock.path.exists():
            return
        self._let_go()
        self._folder.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        self._folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        run = f"{self._prefix}-{_next_run()}"
        self._lock = OwnerLock.acquire(lock_path(self._folder, run))
        if self._lock is None:
            raise OSError(errno.EAGAIN, f"{lock_path(self._folder, run)} is locked by somebody else")
        self._run, self._number = run, 0
        self._files = [_measured(path, name.run) for path, name in files_in(self._folder)]

    def _make_room(self, size_bytes: int, letters: int) -> None:
        total_bytes = sum(file.size_bytes for file in self._files) + size_bytes
        total = sum(file.letters for file in self._files) + letters
        for file in list(self._files):
            if total_bytes <= self._max_bytes and total <= self._max_entries:
                return
            self._give_up(file)
            total_bytes -= file.size_bytes
            total -= file.letters

    def _give_up(self, file: _Kept) -> None:
        """Take a file away, unless another process has it, whose bounds are its own."""
        if file.run == self._run:
            if file is self._files[-1]:
                self._end_file()
            self._delete(file)
        elif (lock := OwnerLock.acquire(lock_path(self._folder, file.run))) is not None:
            try:
                self._delete(file)
            finally:
                lock.release(delete=True)
        self._files.remove(file)

    def _delete(self, file: _Kept) -> None:
        with suppress(FileNotFoundError):  # somebody has dealt with them
            file.path.unlink()
            self.given_up += file.letters

    def _current(self) -> _Kept:
        """The file to append to, a new one where there is none, or the last is full or was taken away."""
        last = self._files[-1] if self._files and self._descriptor >= 0 else None
        if last is not None:
            if last.size_bytes < self._file_bytes and last.letters < self._file_entries and self._is_there(last.path):
                return last
            self.sync()
            self._end_file()
        path = self._folder / f"{self._run}.{self._number:08d}.jsonl"
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), _MODE)
        self._number += 1
        file = _Kept(path, self._run, 0, 0)
        self._files.append(file)
        return file

    def _is_there(self, path: Path) -> bool:
        try:
            return os.path.samestat(path.stat(), os.fstat(self._descriptor))
        except OSError:
            return False

    def _end_file(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _measured(path: Path, run: str) -> _Kept:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = b""
    return _Kept(path, run, len(data), data.count(b"\n"))


def _write_all(descriptor: int, data: bytes, begin: int) -> None:
    os.lseek(descriptor, begin, os.SEEK_SET)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
