"""A sink's disk queue: entries as the sink encoded them, first in, first out, in plain files of the owning process.

Synchronous, for one thread at a time; nothing here knows of event loops. Files are called
`<boot id>-<pid>-<number>.<sink>.<file number>.spool`, so that their names sort oldest first, and stand beside a lock
that says whether their owner lives. What is read stays on disk until it is acknowledged: a crash sends it again.
"""

import errno
import itertools
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Final, Protocol, final
from urllib.parse import quote

from metaexpert.logger.entry import Capture
from metaexpert.logger.owner_lock import OwnerLock
from metaexpert.logger.spool_file import Frames, SpoolFile, frame

_FILE_BYTES: Final = 16 * 1024 * 1024
_LEAST_FILE_BYTES: Final = 16 * 1024
_FILES_UNDER_CAP: Final = 8
"""A file ends at this part of the cap at the latest, so that room comes back while the queue is worked off."""

_FIRST_NUMBER: Final = 50_000_000
"""In the middle: what is put back goes in front, numbered downwards."""

_NAME: Final = re.compile(r"(?P<run>(?P<boot>[0-9a-z]+)-\d+-(?P<count>\d+))\.(?P<label>.+)\.(?P<number>\d{8})\.spool")
_LABEL_CHARACTERS: Final = 100
_FRAMES_A_BREATH: Final = 128
_breathe: Final = partial(time.sleep, 0.0001)
"""Lets the event loop's thread have the interpreter for real; `sleep(0)` would not."""
_MOST_FAILURES: Final = 5
"""Failed attempts to read a file before it is left alone."""

_next_run: Final = itertools.count(1).__next__

type Cursor = tuple[SpoolFile, int]
"""A place in the queue, for `ack`; where it is inside is the queue's own business."""


@dataclass(frozen=True, slots=True)
class Found:
    """What runs that ended have left.

    Attributes:
        entries: entries that can be read.
        damaged: damaged places within files; what they held is lost.
        torn: files that end in an incomplete entry, as a crash leaves them.
        unreadable: what could not be taken over, and why.
    """

    entries: int = 0
    damaged: int = 0
    torn: int = 0
    unreadable: tuple[str, ...] = ()


@dataclass(slots=True)
class Block:
    """Entries read from the queue, oldest first.

    Attributes:
        entries: captures of which only seq, time, level, log type and charged size are known.
        parts: what the sink made of each, byte by byte as it was.
        cursor: acknowledges these and all before; None when nothing was read.
        damaged: damaged places skipped.
        missing: entries that were there and can't be read any more.
    """

    entries: list[Capture] = field(default_factory=list[Capture])
    parts: list[bytes] = field(default_factory=list[bytes])
    cursor: Cursor | None = None
    damaged: int = 0
    missing: int = 0


class Spool(Protocol):
    """A disk queue of one sink, as delivery sees it.

    `FileSpool` is the plain one: whole files, a cap that refuses what is new, one cursor a file. Segments with eviction
    by class are to take its place behind these five methods.

    Attributes:
        entries: entries on disk that have not been read.
        disk_bytes: what they take there.
    """

    entries: int
    disk_bytes: int

    def open(self) -> Found:
        """Take over what runs that ended left for this sink; it comes first."""
        ...

    def append(self, entries: Sequence[Capture], parts: Sequence[bytes], *, front: bool = False) -> None:
        """Write all of these, or none, behind what is there; `front` before all that has not been read.

        Raises:
            OSError: the system refused, or the cap is reached.
        """
        ...

    def read(self, most: int, most_bytes: int) -> Block:
        """The oldest entries not read yet, up to `most` or about `most_bytes`.

        Raises:
            OSError: the system refused.
        """
        ...

    def ack(self, cursor: Cursor) -> None:
        """Entries up to `cursor` need not be sent again.

        Raises:
            OSError: it could not be noted; they may be sent again after a crash.
        """
        ...

    def close(self) -> None:
        """Bring everything to the disk and let another process have it.

        Raises:
            OSError: the system refused.
        """
        ...


@final
class FileSpool:
    """Plain files in one folder.

    Args:
        folder: where they are; made when first needed.
        sink: names the queue; a queue's entries are encoded for this sink.
        boot_id: names this run of the program; ids of later runs sort later.
        pid: the process.
        max_bytes: room on disk, bytes.
    """

    def __init__(self, folder: Path, sink: str, boot_id: str, pid: int, max_bytes: int) -> None:
        self._folder = folder
        self._label = _label_of(sink)
        self._run = f"{boot_id}-{pid}-{_next_run()}"
        self._max_bytes = max_bytes
        self._file_bytes = max(_LEAST_FILE_BYTES, min(_FILE_BYTES, max_bytes // _FILES_UNDER_CAP))
        self._files: list[SpoolFile] = []
        self._locks: dict[str, OwnerLock] = {}
        self._number = _FIRST_NUMBER
        self._own: SpoolFile | None = None
        self._failures = 0
        self.entries = 0
        self.disk_bytes = 0

    # ---- what others left -------------------------------------------------------------------------------------

    def open(self) -> Found:
        """See `Spool`."""
        unreadable: list[str] = []
        found: list[SpoolFile] = []
        for path in self._orphans():
            file = SpoolFile(path)
            try:
                file.scan(_breathe)
            except OSError as error:
                unreadable.append(f"{path}: {error.strerror or error}")
            else:
                found.append(file)
            finally:
                file.close()
        self._files[:0] = found
        for file in found:
            if not file.entries:
                self._dispose(file)
        self._count()
        damaged, torn = sum(file.damaged for file in found), sum(file.torn for file in found)
        return Found(self.entries, damaged - torn, torn, tuple(unreadable))

    def _orphans(self) -> list[Path]:
        """Files of this sink whose owners have ended, oldest first; their locks are ours from now on."""
        named = [(path, match) for path in self._folder.glob("*.spool") if (match := _NAME.fullmatch(path.name))]
        ours = [(path, match) for path, match in named if match["label"] == self._label]
        runs = sorted({match["run"] for _, match in ours})
        for run in runs:
            if run != self._run and (lock := OwnerLock.acquire(self._lock_path(run))) is not None:
                self._locks[run] = lock
        self._sweep(set(runs))
        taken = [(path, match) for path, match in ours if match["run"] in self._locks and match["run"] != self._run]
        taken.sort(key=lambda each: (each[1]["boot"], int(each[1]["count"]), each[1]["number"]))
        return [path for path, _ in taken]

    def _sweep(self, with_files: set[str]) -> None:
        """Delete the locks of owners that ended and left nothing else."""
        for path in self._folder.glob(f"*.{self._label}.lock"):
            run = path.name.split(".", 1)[0]
            if run in with_files or run == self._run:
                continue
            with suppress(OSError):
                lock = OwnerLock.acquire(path)
                if lock is not None:
                    lock.release(delete=True)

    def _lock_path(self, run: str) -> Path:
        return self._folder / f"{run}.{self._label}.lock"

    # ---- in ---------------------------------------------------------------------------------------------------

    def append(self, entries: Sequence[Capture], parts: Sequence[bytes], *, front: bool = False) -> None:
        """See `Spool`."""
        frames = _framed(entries, parts)
        room = self._max_bytes - sum(file.size_bytes for file in self._files)
        # what is put back was here before, and goes again at once
        if not front and sum(map(len, frames)) > room:
            raise OSError(errno.ENOSPC, f"the disk queue has reached its cap of {self._max_bytes} bytes")
        file = self._front() if front else self._tail()
        try:
            file.append(frames)
        finally:
            self._count()
        if front:
            file.close()

    def _tail(self) -> SpoolFile:
        if self._own is None or self._own.size_bytes >= self._file_bytes:
            full, self._own = self._own, self._new(self._folder / self._name(self._run, self._number))
            self._number += 1
            self._files.append(self._own)
            if full is not None:
                full.sync()
                full.close()
        return self._own

    def _front(self) -> SpoolFile:
        if not self._files:
            return self._tail()
        match = _NAME.fullmatch(self._files[0].path.name)
        run, number = (match["run"], int(match["number"])) if match else (self._run, self._number)
        file = self._new(self._folder / self._name(run, number - 1))
        self._files.insert(0, file)
        return file

    def _name(self, run: str, number: int) -> str:
        return f"{run}.{self._label}.{number:08d}.spool"

    def _new(self, path: Path) -> SpoolFile:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._run not in self._locks:
            lock = OwnerLock.acquire(self._lock_path(self._run))
            if lock is None:
                raise OSError(errno.EAGAIN, f"{self._lock_path(self._run)} is locked by somebody else")
            self._locks[self._run] = lock
        file = SpoolFile(path)
        file.create()
        return file

    # ---- out --------------------------------------------------------------------------------------------------

    def read(self, most: int, most_bytes: int) -> Block:
        """See `Spool`."""
        block = Block()
        left_bytes = most_bytes
        for file in [file for file in self._files if not file.exhausted]:
            while not file.exhausted and len(block.parts) < most and left_bytes > 0:
                found = self._next_frames(file, block, most - len(block.parts), left_bytes)
                if found is None:
                    break
                left_bytes -= found.part_bytes
                block.entries += found.entries
                block.parts += found.parts
                block.damaged += found.damaged
                _breathe()
            block.cursor = (file, file.read_at)
            if not file.exhausted:
                break
            block.missing += file.skip_rest()
            if file is not self._own:
                file.close()
        self._count()
        return block

    def _next_frames(self, file: SpoolFile, block: Block, most: int, most_bytes: int) -> Frames | None:
        """Frames of one file; None when it fails now, and then, after some attempts, for good."""
        try:
            found = file.read(most, most_bytes)
        except OSError:
            self._failures += 1
            if self._failures < _MOST_FAILURES:
                if block.parts:
                    return None
                raise
            found = None
        self._failures = 0
        if found is None or not found.consumed_bytes:  # it can't be read, or is shorter than it was
            file.damaged += 1
            block.damaged += 1
            block.missing += file.skip_rest()
            return None
        return found

    def ack(self, cursor: Cursor) -> None:
        """See `Spool`."""
        last, offset = cursor
        last.done(offset)
        before = self._files[: self._files.index(last)]
        for file in [file for file in before if file.exhausted]:
            self._dispose(file)
        if offset >= last.size_bytes:
            self._dispose(last)

    def _dispose(self, file: SpoolFile) -> None:
        """Take a file away of which nothing is needed; one with damage in its middle is kept aside to be looked at."""
        self._files.remove(file)
        if file is self._own:
            self._own = None
        if file.damaged > file.torn:
            file.close()
            file.path.replace(file.path.with_suffix(".damaged"))
        else:
            file.delete()

    def close(self) -> None:
        """See `Spool`."""
        try:
            for file in self._files:
                file.sync()
        finally:
            for file in self._files:
                file.close()
            kept = {file.path.name.split(".", 1)[0] for file in self._files}
            for run, lock in self._locks.items():
                lock.release(delete=run not in kept)
            self._locks.clear()

    def _count(self) -> None:
        self.entries = sum([file.entries for file in self._files])
        self.disk_bytes = sum([file.unread_bytes for file in self._files])


def _label_of(sink: str) -> str:
    """The sink's name as a part of file names, which systems hold to 255 bytes: a long one is told by its hash."""
    label = quote(sink, safe="")
    if len(label) <= _LABEL_CHARACTERS:
        return label
    return f"{label[:_LABEL_CHARACTERS]}-{blake2b(sink.encode(), digest_size=8).hexdigest()}"


def _framed(entries: Sequence[Capture], parts: Sequence[bytes]) -> list[bytes]:
    frames: list[bytes] = []
    for begin in range(0, len(parts), _FRAMES_A_BREATH):
        end = begin + _FRAMES_A_BREATH
        frames += [frame(entry, part) for entry, part in zip(entries[begin:end], parts[begin:end], strict=True)]
        _breathe()
    return frames
