"""One file of the journal: preallocated, memory-mapped, for its owner alone; frames are copied into it.

A copy into the map is in the page cache at once and survives the process, however that ends. Where a map is not safe
(copy-on-write and network file systems) the same bytes go through `pwrite`.
"""

import errno
import mmap
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, final

from metaexpert.logger.segment import FRAME_OVERHEAD_BYTES, MARK_AT, SegmentHeader, encode_header

_MODE: Final = 0o600
_ZEROS: Final = bytes(1024 * 1024)
_LENGTH_AT: Final = 16
_NO_FULL_SYNC: Final = frozenset({errno.ENOTSUP, errno.EINVAL, errno.ENOTTY})
_moving_position: Final = threading.RLock()
"""Held where a file's position has to be moved for reading or writing, which threads would mix up."""


@final
class JournalSegment:
    """A file of frames.

    Args:
        path: where to make it; there must be none.
        header: what it says of itself.
        size_bytes: its length, header included; all of it is allocated.
        mapped: copy into a memory map, else write.

    Raises:
        OSError: it cannot be made, for instance because the disk is full.

    Attributes:
        end: where the next frame begins; whoever appends moves it on first. Beyond `size_bytes` the segment is full.
        dirty: it holds bytes that no sync has begun with.
        appended: frames copied in.
        settled: frames among them that nobody needs any longer.
        was_synced: a sync has ended well, of what it held then and of its name.
    """

    __slots__ = (
        "_descriptor",
        "appended",
        "begin",
        "dirty",
        "end",
        "map",
        "path",
        "settled",
        "size_bytes",
        "was_synced",
    )

    def __init__(self, path: Path, header: SegmentHeader, size_bytes: int, *, mapped: bool) -> None:
        head = encode_header(header)
        self.path = path
        self.size_bytes = size_bytes
        self.end = self.begin = len(head)
        self.dirty = True
        self.appended = 0
        self.settled = 0
        self.map: mmap.mmap | None = None
        self.was_synced = False
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), _MODE)
        try:
            allocate(self._descriptor, size_bytes)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, head)
            if mapped:
                self.map = mmap.mmap(self._descriptor, size_bytes)
        except BaseException:
            self.close(delete=True)
            raise

    def write(self, at: int, data: bytes) -> None:
        """Put bytes at a place.

        Raises:
            OSError: the system refused.
        """
        mapped = self.map
        if mapped is not None:
            mapped[at : at + len(data)] = data
        else:
            write_at(self._descriptor, at, data)

    def warm(self, most_bytes: int) -> None:
        """Write zeros over up to `most_bytes` that no frame has used yet.

        A call is spared what a page's first use costs a file system, which turns reserved room into written room then:
        4 µs a page and more (measured on ext4).

        Raises:
            OSError: the system refused.
        """
        at, end = self.begin, min(self.size_bytes, self.begin + most_bytes)
        while at < end:
            step = min(len(_ZEROS), end - at)
            write_at(self._descriptor, at, _ZEROS[:step])
            at += step

    def read(self, at: int, length: int) -> bytes:
        """Bytes from a place.

        Raises:
            OSError: the system refused.
        """
        mapped = self.map
        return read_at(self._descriptor, at, length) if mapped is None else mapped[at : at + length]

    def frame_at(self, at: int) -> bytes:
        """The frame that begins there.

        Raises:
            OSError: the system refused.
        """
        length = int.from_bytes(self.read(at + _LENGTH_AT, 4), "little")
        return self.read(at, FRAME_OVERHEAD_BYTES + length)

    def mark(self, at: int, bit: int) -> None:
        """Set one bit of a frame's mark.

        Raises:
            OSError: the system refused.
        """
        place = at + MARK_AT + bit // 8
        self.write(place, bytes((self.read(place, 1)[0] | 1 << bit % 8,)))

    def mark_all(self, at: int, mark: int) -> None:
        """Set a frame's whole mark.

        Raises:
            OSError: the system refused.
        """
        self.write(at + MARK_AT, mark.to_bytes(8, "little"))

    def mark_of(self, at: int) -> int:
        """A frame's whole mark.

        Raises:
            OSError: the system refused.
        """
        return int.from_bytes(self.read(at + MARK_AT, 8), "little")

    @property
    def is_settled(self) -> bool:
        """Whether nobody needs any of it."""
        return self.settled >= self.appended

    def is_gone(self) -> bool:
        """Whether the path no longer leads to this file."""
        try:
            return not os.path.samestat(self.path.stat(), os.fstat(self._descriptor))
        except OSError:
            return True

    def sync(self) -> None:
        """Bring all that was copied in to the disk.

        Raises:
            OSError: the system could not; nothing is known of what is on disk.
        """
        if self.map is not None and sys.platform != "linux":
            self.map.flush()
        sync_descriptor(self._descriptor)
        if not self.was_synced:
            sync_folder(self.path.parent)
            self.was_synced = True

    def close(self, *, delete: bool) -> None:
        """Let go of the file; `delete` takes it away."""
        mapped, self.map = self.map, None
        if mapped is not None:
            with suppress(BufferError):  # somebody reads it just now; it is unmapped when he is done
                mapped.close()
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        if delete:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)

    def forget(self) -> None:
        """In a forked child: write nowhere any more; the parent's file stays as it is."""
        self.end = self.size_bytes + 1
        self.close(delete=False)


def allocate(descriptor: int, size_bytes: int) -> None:
    """Have the disk give all of a file's room now, so that a full disk is an error here and not a SIGBUS later.

    Raises:
        OSError: there is not so much room.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size_bytes)
        return
    left = size_bytes
    while left > 0:
        left -= os.write(descriptor, _ZEROS[:left])


def sync_descriptor(descriptor: int) -> None:
    """Bring a file's bytes to the disk, past the drive's cache where the system tells the two apart.

    Raises:
        OSError: the system could not.
    """
    if sys.platform == "darwin":
        import fcntl  # noqa: PLC0415 - POSIX alone has it

        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        except OSError as error:
            if error.errno not in _NO_FULL_SYNC:
                raise
            os.fsync(descriptor)  # a file system that cannot: a network's, a foreign one
    elif hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk, where the system can: Windows does so by itself."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems sync no folders; the file itself has been
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_at(descriptor: int, at: int, data: bytes) -> None:
    """Write all of `data` at a place of a file, without moving its position where the system can.

    Raises:
        OSError: the system refused.
    """
    view = memoryview(data)
    while view:
        if hasattr(os, "pwrite"):
            count = os.pwrite(descriptor, view, at)
        else:
            with _moving_position:
                os.lseek(descriptor, at, os.SEEK_SET)
                count = os.write(descriptor, view)
        view, at = view[count:], at + count


def read_at(descriptor: int, at: int, length: int) -> bytes:
    """Read at a place of a file.

    Raises:
        OSError: the system refused.
    """
    if hasattr(os, "pread"):
        return os.pread(descriptor, length, at)
    with _moving_position:
        os.lseek(descriptor, at, os.SEEK_SET)
        return os.read(descriptor, length)
