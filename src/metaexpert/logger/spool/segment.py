"""One segment of a disk queue: entries of one lane, appended at its end, read from its beginning, settled in order.

A frame's payload is `0` u64 arrival, `8` u32 ordinal, `12` i32 level, `16` u32 charged size, `20` u8 length of the log
type, `21` log type, then the sink's encoded part. The arrival orders the entries of all lanes of one run; the ordinal
counts them within the segment, so that its last frame tells how many there are without reading the rest, and a jump in
it tells how many were lost to damage. Both only grow.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple, final
from zlib import crc32

from metaexpert.logger.entry import LEVEL, LOG_TYPE, SEQ, SIZE, TIME_NS, Capture, Lane
from metaexpert.logger.segment import (
    FRAME_MAGIC,
    FRAME_OVERHEAD_BYTES,
    LEAST_HEADER_BYTES,
    SUMMED_FROM,
    Damaged,
    Frame,
    Kind,
    NotASegment,
    Reading,
    SegmentHeader,
    decode_header,
    encode_header,
    encode_slot,
    frame,
    frame_bytes,
    frames,
    newest_slot,
    slot_at,
)
from metaexpert.logger.spool.storage import Storage, StoredFile

_PREFIX: Final = Struct("<QIiIB")
_ENTRY: Final = Struct("<4sIQIBBHQqQIiIB")
"""A frame's head with what its payload begins with."""
_MOST_TYPE_BYTES: Final = 255
_MOST_LEVEL: Final = 2**31 - 1
_MOST_SIZE: Final = 2**32 - 1
_HEADER_READ_BYTES: Final = 4 * 1024
_TAIL_BYTES: Final = 4 * 1024
_WINDOW_BYTES: Final = 64 * 1024
"""Read at once: half a millisecond's work, for which the loop may have to wait."""
_WIDER: Final = 4


class SpooledEntry(NamedTuple):
    """An entry as it is on disk.

    Attributes:
        arrival: its place among all entries of its run.
        ordinal: its place in the segment, from 0.
        end: offset behind its frame.
        entry: a capture of which only seq, time, level, log type and charged size are known.
        part: what the sink made of it.
    """

    arrival: int
    ordinal: int
    end: int
    entry: Capture
    part: bytes


def encode_entry(arrival: int, ordinal: int, lane: Lane, entry: Capture, part: bytes) -> bytes:
    """The frame of one entry."""
    log_type = entry[LOG_TYPE].encode("utf-8", "replace")[:_MOST_TYPE_BYTES]
    level = max(-_MOST_LEVEL, min(entry[LEVEL], _MOST_LEVEL))
    prefix = _PREFIX.pack(arrival, ordinal, level, min(entry[SIZE], _MOST_SIZE), len(log_type))
    return frame(entry[SEQ], entry[TIME_NS], lane, b"%b%b%b" % (prefix, log_type, part))


def entry_bytes(entry: Capture, part: bytes) -> int:
    """What the frame of an entry takes at most, bytes."""
    type_bytes = min(_MOST_TYPE_BYTES, 4 * len(entry[LOG_TYPE]))
    return frame_bytes(_PREFIX.size + type_bytes + len(part))


def decode_entry(found: Frame, base: int = 0, lasti: int = -1) -> SpooledEntry | None:
    """The entry in a frame; None when the frame is no entry's.

    Args:
        found: the frame.
        base: offset of the window it was found in.
        lasti: what stands in place of an instruction; `OF_ANOTHER_RUN` where another run numbered it.
    """
    payload = found.payload
    if len(payload) < _PREFIX.size:
        return None
    arrival, ordinal, level, size, type_bytes = _PREFIX.unpack_from(payload)
    part_at = _PREFIX.size + type_bytes
    log_type = sys.intern(payload[_PREFIX.size : part_at].decode("utf-8", "replace"))
    entry = (found.seq, found.time_ns, level, "", "", _NO_CODE, lasti, b"", b"", 0, None, log_type, None, size, 0)
    return SpooledEntry(arrival, ordinal, base + found.end, entry, payload[part_at:])


_NO_CODE: Final = decode_entry.__code__


def undamaged_entries(data: bytes, base: int, lasti: int) -> tuple[list[SpooledEntry], int]:
    """The entries a stretch begins with, and where they end: what follows, if anything, has to be looked at closely.

    The same as `decode_entry` makes of `frames`, several times as fast: a backlog is worked off by this.
    """
    found: list[SpooledEntry] = []
    unpack, stop, at = _ENTRY.unpack_from, len(data), 0
    types: dict[bytes, str] = {}
    with memoryview(data) as view:
        while at + _ENTRY.size <= stop:
            magic, checksum, _, length, _, _, _, seq, time_ns, arrival, ordinal, level, size, type_bytes = unpack(
                data, at
            )
            type_at = at + _ENTRY.size
            part_at = type_at + type_bytes
            ends = at + FRAME_OVERHEAD_BYTES + length
            following = ends + 7 & -8
            if magic != FRAME_MAGIC or part_at > ends or following > stop:
                break
            if crc32(view[at + SUMMED_FROM : ends]) != checksum:
                break
            name = data[type_at:part_at]
            log_type = types.get(name)
            if log_type is None:
                log_type = types[name] = sys.intern(name.decode("utf-8", "replace"))
            entry = (seq, time_ns, level, "", "", _NO_CODE, lasti, b"", b"", 0, None, log_type, None, size, 0)
            found.append(SpooledEntry(arrival, ordinal, base + following, entry, data[part_at:ends]))
            at = following
    return found, at


@dataclass(slots=True)
class Window:
    """What one stretch of a segment held."""

    entries: list[SpooledEntry] = field(default_factory=list[SpooledEntry])
    damaged: int = 0


@final
class SpoolSegment:
    """One segment; synchronous, for one thread at a time.

    Args:
        storage: the file system.
        path: where it is.
        lane: the lane of its entries.
        number: its place in its series.

    Attributes:
        size_bytes: its length up to the last whole frame written or found.
        entries: entries from the read position on, as far as is known; what is missing of them when all is read was
            lost to damage.
        read_at: offset up to which it was read.
        damaged: places in it that hold no valid frame.
        torn: it ends in an incomplete frame.
        lasti: what its entries have in place of an instruction.
    """

    def __init__(self, storage: Storage, path: Path, lane: Lane, number: int) -> None:
        self.path = path
        self.lane = lane
        self.number = number
        self.size_bytes = 0
        self.entries = 0
        self.read_at = 0
        self.damaged = 0
        self.torn = False
        self.lasti = -1
        self._storage = storage
        self._file: StoredFile | None = None
        self._begin = 0
        self._generation = 0
        self._lost_places = 0
        self._next_ordinal = 0
        self._synced_at = 0
        self._reading = Reading()
        self._first: SpooledEntry | None = None
        self._last: SpooledEntry | None = None

    # ---- made here ----------------------------------------------------------------------------------------------

    def create(self, created_ns: int) -> None:
        """Make the file.

        Raises:
            OSError: it could not be made.
        """
        header = encode_header(
            SegmentHeader(kind=Kind.SPOOL, lane=self.lane, created_ns=created_ns, number=self.number)
        )
        file = self._file = self._storage.open(self.path, create=True)
        try:
            file.write(0, header)
        except OSError:
            with suppress(OSError):
                self.delete()
            raise
        self._begin = self.size_bytes = self.read_at = len(header)

    def encoded(self, entries: Iterable[tuple[int, Capture, bytes]], behind: int = 0) -> list[bytes]:
        """The frames of entries (arrival, entry, part) to append here, `behind` so many others."""
        ordinal = self._next_ordinal + behind
        return [
            encode_entry(arrival, ordinal + at, self.lane, entry, part)
            for at, (arrival, entry, part) in enumerate(entries)
        ]

    def append(self, data: bytes, count: int) -> None:
        """Write `count` whole frames at the end, or none.

        Raises:
            OSError: the system refused; the segment ends where it did before.
        """
        try:
            self._opened().write(self.size_bytes, data)
        except OSError:
            with suppress(OSError):  # what stays behind the end is overwritten by the next attempt
                self._opened().truncate(self.size_bytes)
            raise
        self.size_bytes += len(data)
        self.entries += count
        self._next_ordinal += count

    def take_back(self, size_bytes: int, count: int) -> None:
        """Undo the last append, which began at `size_bytes`; another segment refused its share of the same entries."""
        self.size_bytes = size_bytes
        self.entries -= count
        self._next_ordinal -= count
        with suppress(OSError):
            self._opened().truncate(size_bytes)

    @property
    def is_dirty(self) -> bool:
        """Whether something in it has not been brought to the disk."""
        return self._synced_at < self.size_bytes

    def sync(self) -> None:
        """Bring what was written to the disk.

        Raises:
            OSError: the system could not; nothing may be appended here any more then, see `unsynced`.
        """
        if self._file is not None and self.is_dirty:
            self._file.sync()
            self._synced_at = self.size_bytes

    def sync_again(self) -> None:
        """Bring a file to the disk whose writer may not have come to it.

        Raises:
            OSError: the system could not.
        """
        was_open = self._file is not None
        try:
            self._opened().sync()
        finally:
            if not was_open:
                self.close()

    def at_risk(self) -> list[SpooledEntry]:
        """Entries neither read nor known to be on the disk, to be written to another segment.

        A descriptor whose fsync failed tells of it once: the pages it lost count as written from then on.

        Raises:
            OSError: they could not be read.
        """
        begin = self._risk_at
        return _decoded(frames(self._opened().read(begin, self.size_bytes - begin)), begin)

    def cut_risk(self, count: int) -> None:
        """So many entries at risk are in another segment now."""
        self.size_bytes = self._synced_at = self._risk_at
        self.entries -= count
        with suppress(OSError):  # what stays has the same arrivals, by which reading tells that it is there twice
            self._opened().truncate(self.size_bytes)

    @property
    def _risk_at(self) -> int:
        return max(self.read_at, self._synced_at, self._begin)

    # ---- found here ---------------------------------------------------------------------------------------------

    def find(self, size_bytes: int) -> None:
        """Learn of a file of another run what is in it, in constant time.

        Args:
            size_bytes: its length.

        Raises:
            SegmentError: it was written by another version, in another byte order, or is something else.
            OSError: it could not be read.
        """
        file = self._opened()
        beginning = file.read(0, _HEADER_READ_BYTES)
        self.size_bytes = self._synced_at = max(size_bytes, len(beginning))
        try:
            self._begin = decode_header(beginning)[1]
        except (Damaged, NotASegment):
            self._begin = self.read_at = self._past_header(beginning)
        else:
            slot = newest_slot(beginning)
            self._generation = slot.generation
            self.read_at = min(max(self._begin, slot.position), self.size_bytes)
        self._count(file)

    def _past_header(self, beginning: bytes) -> int:
        """Where the frames begin though the header is damaged: that hides none of them.

        Raises:
            SegmentError: there is none, and no crash made the file so.
        """
        found = next(frames(beginning, whole=False), None)
        if found is not None:
            self._lost_places = self.damaged = 1
            return found.position
        if not _is_cut_short(beginning):
            decode_header(beginning)
        self.torn = True
        return len(beginning)

    def _count(self, file: StoredFile) -> None:
        self._first = self._first_from(file, self.read_at)
        self._last = self._last_one(file)
        if self._first is not None and self._last is not None:
            self.entries = max(0, self._last.ordinal - self._first.ordinal + 1)

    def _first_from(self, file: StoredFile, begin: int) -> SpooledEntry | None:
        size = _TAIL_BYTES
        while begin < self.size_bytes:
            data = file.read(begin, size)
            whole = begin + len(data) >= self.size_bytes
            for found in frames(data, whole=whole):
                if (entry := decode_entry(found, begin)) is not None:
                    return entry
            if whole or not data:
                break
            size *= _WIDER
        return None

    def _last_one(self, file: StoredFile) -> SpooledEntry | None:
        size = _TAIL_BYTES
        while True:
            begin = max(self.read_at, self.size_bytes - size)
            data = file.read(begin, self.size_bytes - begin)
            reading = Reading()
            found = _decoded(frames(data, reading=reading), begin)
            if found or begin == self.read_at:
                self.torn = self.torn or reading.torn
                self.damaged += 0 if found else reading.quarantined
                return found[-1] if found else None
            size *= _WIDER

    @property
    def first(self) -> SpooledEntry | None:
        """The first entry `find` saw that is not acknowledged."""
        return self._first

    @property
    def last(self) -> SpooledEntry | None:
        """The last entry `find` saw."""
        return self._last

    # ---- out ----------------------------------------------------------------------------------------------------

    def read(self) -> Window:
        """The entries of the next stretch.

        Raises:
            OSError: it could not be read.
        """
        file = self._opened()
        size = _WINDOW_BYTES
        while True:
            data = file.read(self.read_at, min(size, self.size_bytes - self.read_at))
            whole = self.read_at + len(data) >= self.size_bytes or len(data) < size
            found = self._entries_in(data, whole=whole)
            if self._reading.end or whole:
                break
            size *= _WIDER
        self.read_at = self.size_bytes if whole else self.read_at + self._reading.end
        before, self.damaged = self.damaged, self._lost_places + self._reading.quarantined
        return Window(found, self.damaged - before)

    def _entries_in(self, data: bytes, *, whole: bool) -> list[SpooledEntry]:
        found, end = undamaged_entries(data, self.read_at, self.lasti)
        reading = self._reading
        if found:
            reading.in_damage = reading.unfinished = False
        if not found or end < len(data):
            found += _decoded(frames(data, end, reading=reading, whole=whole), self.read_at, self.lasti)
        else:
            reading.end = end
        return found

    def mark_read(self) -> None:
        """What is left to read has been read by other means."""
        self.read_at = self.size_bytes
        self.entries = 0

    def skip_rest(self) -> None:
        """Give up what is left to read."""
        self.read_at = self.size_bytes
        self._lost_places += 1
        self.damaged += 1

    @property
    def exhausted(self) -> bool:
        """Whether all of it has been read."""
        return self.read_at >= self.size_bytes

    def done(self, offset: int) -> None:
        """Note that entries before `offset` need not be sent again.

        Raises:
            OSError: it could not be noted; they may be sent again.
        """
        if self._lost_places:
            return
        self._generation += 1
        self._opened().write(slot_at(self._generation), encode_slot(self._generation, offset))

    # ---- the file -----------------------------------------------------------------------------------------------

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
        self._storage.remove(self.path)

    def set_aside(self) -> None:
        """Close it and keep it to be looked at, out of the queue.

        Raises:
            OSError: it could not be renamed.
        """
        self.close()
        self._storage.rename(self.path, f"{self.path.name}.damaged")

    def _opened(self) -> StoredFile:
        if self._file is None:
            self._file = self._storage.open(self.path, create=False)
        return self._file


def _decoded(found: Iterator[Frame], base: int, lasti: int = -1) -> list[SpooledEntry]:
    return [entry for one in found if (entry := decode_entry(one, base, lasti)) is not None]


def _is_cut_short(beginning: bytes) -> bool:
    """Whether a crash left this of a new file: a part of its header, or pages that were never written."""
    return not beginning.strip(b"\0") or (
        len(beginning) < LEAST_HEADER_BYTES and beginning.startswith(_NEW[: min(len(beginning), len(_NEW))])
    )


_NEW: Final = encode_header(SegmentHeader(kind=Kind.SPOOL, lane=0, created_ns=0, number=0))[:12]
"""What every segment begins with."""
