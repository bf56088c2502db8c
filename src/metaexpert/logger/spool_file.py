"""One file of a disk queue: frames appended at its end, read from its beginning, and how far they are done with.

Layout, little-endian. Preamble, 16 bytes: magic `MXQ1`, crc32 of the rest, offset up to which frames are done with.
Frame: magic `f5 4d 58 ff` (no UTF-8 text contains it), crc32 of the rest, length of what follows the fixed part, then
seq, time_ns, level and charged size (8 bytes each), length of the log type (1), log type, the sink's encoded part.
Reading skips what is not a whole frame with the right checksum and goes on at the next one; each such place is counted.
"""

import os
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Final, cast, final
from zlib import crc32

from metaexpert.logger.entry import LEVEL, LOG_TYPE, SEQ, SIZE, TIME_NS, Capture

_PREAMBLE: Final = struct.Struct("<4sIQ")
_PREAMBLE_MAGIC: Final = b"MXQ1"
_MAGIC: Final = b"\xf5MX\xff"
_HEAD: Final = struct.Struct("<4sI")
_FIXED: Final = struct.Struct("<IQqqQB")
_FRAME: Final = struct.Struct("<4sIIQqqQB")
_MODE: Final = 0o600
_WINDOW_BYTES: Final = 64 * 1024
_MOST_TYPE_BYTES: Final = 255
_MOST_LEVEL: Final = 2**63 - 1


@dataclass(slots=True)
class Frames:
    """What a stretch of a file holds.

    Attributes:
        entries: captures of which only seq, time, level, log type and charged size are known.
        parts: what the sink made of each.
        part_bytes: their size together, bytes.
        consumed_bytes: how long the stretch was.
        damaged: places skipped in it.
        broken: it ended within such a place.
        torn: the last such place began as a frame that is longer than the file, as a crash leaves it.
    """

    entries: list[Capture] = field(default_factory=list[Capture])
    parts: list[bytes] = field(default_factory=list[bytes])
    part_bytes: int = 0
    consumed_bytes: int = 0
    damaged: int = 0
    broken: bool = False
    torn: bool = False


def frame(entry: Capture, part: bytes) -> bytes:
    """The bytes of one entry."""
    log_type = entry[LOG_TYPE].encode("utf-8", "replace")[:_MOST_TYPE_BYTES]
    level = max(-_MOST_LEVEL, min(entry[LEVEL], _MOST_LEVEL))
    fixed = _FIXED.pack(len(log_type) + len(part), entry[SEQ], entry[TIME_NS], level, entry[SIZE], len(log_type))
    rest = b"%b%b%b" % (fixed, log_type, part)
    return b"%b%b" % (_HEAD.pack(_MAGIC, crc32(rest)), rest)


def parse(data: bytes, most: int, most_bytes: int, *, whole: bool, broken: bool = False) -> Frames:
    """Read frames until there are `most`, or `most_bytes` of parts, or what follows is incomplete.

    Args:
        data: the stretch.
        most: frames to read at most.
        most_bytes: encoded size to stop at.
        whole: nothing follows `data`; what is incomplete then is damage.
        broken: the stretch before ended within a damaged place, which is counted already.
    """
    found = Frames(broken=broken)
    view = memoryview(data)
    at, end = 0, len(data)
    while at < end and len(found.parts) < most and found.part_bytes < most_bytes:
        stop = _end_of_frame(data, view, at)
        if stop > end and not whole:
            break
        if 0 < stop <= end:
            _take(found, data, at, stop)
            at = stop
            continue
        if not found.broken:
            found.damaged += 1
            found.torn = stop > end
        found.broken = True
        following = data.find(_MAGIC, at + 1)
        # the last bytes may be the beginning of a frame that the next stretch completes
        at = following if following >= 0 else end if whole else max(at + 1, end - len(_MAGIC) + 1)
        if following < 0:
            break
    found.consumed_bytes = at
    return found


def _end_of_frame(data: bytes, view: memoryview, at: int) -> int:
    """Where the frame ends, which may be past the end of `data`; 0 when there is no valid one."""
    if at + _FRAME.size > len(data):
        return at + _FRAME.size if data[at : at + len(_MAGIC)] == _MAGIC[: len(data) - at] else 0
    magic, crc, length = struct.unpack_from("<4sII", data, at)
    if magic != _MAGIC:
        return 0
    stop = at + _FRAME.size + length
    if stop > len(data):
        return stop
    return stop if crc32(view[at + _HEAD.size : stop]) == crc else 0


def _take(found: Frames, data: bytes, at: int, stop: int) -> None:
    _, _, _, seq, time_ns, level, size, type_bytes = _FRAME.unpack_from(data, at)
    begin = at + _FRAME.size
    log_type = sys.intern(data[begin : begin + type_bytes].decode("utf-8", "replace"))
    part = data[begin + type_bytes : stop]
    found.entries.append((seq, time_ns, level, "", "", _take.__code__, -1, b"", b"", 0, None, log_type, None, size))
    found.parts.append(part)
    found.part_bytes += len(part)
    found.broken = False


@final
class SpoolFile:
    """One file; synchronous, for one thread at a time.

    Attributes:
        path: where it is.
        size_bytes: its length up to the last whole frame written or found.
        entries: valid frames not read yet.
        damaged: places in it that hold no valid frame.
        torn: it ended in an incomplete frame when it was found.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        self.entries = 0
        self.damaged = 0
        self.torn = False
        self._file: FileIO | None = None
        self._read_at = _PREAMBLE.size
        self._broken = False
        self._scanned_damage = 0

    def create(self) -> None:
        """Make the file, for its owner alone.

        Raises:
            OSError: it could not be made.
        """
        file = self._file = _opened(self.path, "x+b")
        try:
            _write_all(file, _preamble(_PREAMBLE.size))
        except OSError:
            self.delete()
            raise
        self.size_bytes = _PREAMBLE.size

    def scan(self, breathe: Callable[[], None]) -> None:
        """Count the frames, and the damage, of a file that is there.

        Args:
            breathe: called now and then, to let other threads work.

        Raises:
            OSError: it could not be read.
        """
        self.size_bytes = max(_PREAMBLE.size, self._opened().seek(0, os.SEEK_END))
        begin = self._read_at = self._found_done()
        torn = False
        while (found := self._next(sys.maxsize, sys.maxsize)).consumed_bytes:
            self.entries += len(found.parts)
            self.damaged += found.damaged
            torn = found.torn if found.damaged else torn
            breathe()
        self._scanned_damage = self.damaged
        self.torn = self._broken and torn
        self._read_at, self._broken = begin, False

    def _found_done(self) -> int:
        """How far an earlier run was done with it; unreadable, it is sent again from the beginning."""
        file = self._opened()
        file.seek(0)
        preamble = file.read(_PREAMBLE.size)
        if len(preamble) == _PREAMBLE.size:
            done_at = cast("int", _PREAMBLE.unpack(preamble)[2])
            if preamble == _preamble(done_at) and _PREAMBLE.size <= done_at <= self.size_bytes:
                return done_at
        return _PREAMBLE.size

    def append(self, frames: Sequence[bytes]) -> None:
        """Write whole frames at the end, or none.

        Raises:
            OSError: the system refused; the file ends where it did before.
        """
        file = self._opened()
        data = b"".join(frames)
        try:
            file.seek(self.size_bytes)
            _write_all(file, data)
        except OSError:
            with suppress(OSError):  # what stays behind the end is overwritten by the next attempt
                file.truncate(self.size_bytes)
            raise
        self.size_bytes += len(data)
        self.entries += len(frames)

    def read(self, most: int, most_bytes: int) -> Frames:
        """The next frames, up to `most` or about `most_bytes`, from one window; damage only where `scan` saw none.

        Raises:
            OSError: the file could not be read.
        """
        found = self._next(most, most_bytes)
        self.entries -= len(found.parts)
        known = min(found.damaged, self._scanned_damage)
        self._scanned_damage -= known
        found.damaged -= known
        self.damaged += found.damaged
        return found

    def _next(self, most: int, most_bytes: int) -> Frames:
        file = self._opened()
        window = _WINDOW_BYTES
        while True:
            file.seek(self._read_at)
            data = _read_all(file, min(window, self.size_bytes - self._read_at))
            whole = self._read_at + len(data) >= self.size_bytes or len(data) < window
            found = parse(data, most, most_bytes, whole=whole, broken=self._broken)
            if found.consumed_bytes or whole:
                break
            window *= 2
        self._read_at += found.consumed_bytes
        self._broken = found.broken
        return found

    @property
    def read_at(self) -> int:
        """Offset of the next frame to read."""
        return self._read_at

    @property
    def exhausted(self) -> bool:
        """Whether all of it has been read."""
        return self._read_at >= self.size_bytes

    @property
    def unread_bytes(self) -> int:
        """What is left to read, bytes."""
        return self.size_bytes - self._read_at

    def skip_rest(self) -> int:
        """Give up what is left to read; returns how many entries that is."""
        left, self.entries = self.entries, 0
        self._read_at = self.size_bytes
        return left

    def done(self, offset: int) -> None:
        """Note that frames before `offset` need not be sent again.

        Raises:
            OSError: it could not be noted; they may be sent again.
        """
        file = self._opened()
        file.seek(0)
        _write_all(file, _preamble(offset))

    def sync(self) -> None:
        """Bring what was written to the disk.

        Raises:
            OSError: the system could not.
        """
        if self._file is not None:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; it is opened again when needed."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def delete(self) -> None:
        """Close and delete the file.

        Raises:
            OSError: it could not be deleted.
        """
        self.close()
        self.path.unlink(missing_ok=True)

    def _opened(self) -> FileIO:
        if self._file is None:
            self._file = _opened(self.path, "r+b")
        return self._file


def _preamble(done_at: int) -> bytes:
    offset = done_at.to_bytes(8, "little")
    return _PREAMBLE_MAGIC + crc32(offset).to_bytes(4, "little") + offset


def _opened(path: Path, mode: str) -> FileIO:
    return cast("FileIO", open(path, mode, buffering=0, opener=_private))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, _MODE)


def _write_all(file: FileIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _read_all(file: FileIO, count: int) -> bytes:
    """Up to `count` bytes, fewer only where the file ends."""
    data = file.read(count)
    while len(data) < count and (more := file.read(count - len(data))):
        data += more
    return data
