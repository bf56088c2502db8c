r"""The one file format of journal, flight recorder and spool: a header, then frames that are found again past damage.

Little-endian. Header: `0` magic `MXSEGMT\n`; `8` u16 version; `10` u16 byte-order mark; `12` u32 header_bytes, where
frames begin; `16` u32 crc32 of bytes 20..48 and the meta JSON; `20` u8 kind, u8 lane class, u16 zero; `24` i64
created_ns; `32` u64 number; `40` u32 meta_length, u32 zero; `48` two ack slots (u64 generation, u64 position, u32 crc32
of both, u32 zero); `96` meta, UTF-8 JSON; zeros up to header_bytes, a multiple of 8.
Frame: `0` magic `f5 4d 58 ff` (no UTF-8 text contains it); `4` u32 crc32 of all from 16 to the payload's end; `8` u64
mark, which may change later; `16` u32 payload length; `20` u8 lane, u8 flags, u16 zero; `24` u64 seq; `32` i64 time_ns;
`40` payload; zeros up to a multiple of 8. Zeros between frames are no damage; what else is no valid frame is skipped.
"""

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from mmap import mmap
from struct import Struct
from typing import Any, Final, NamedTuple, cast
from zlib import crc32

from metaexpert.exceptions import MetaExpertError

MIXED_LANES: Final = 255
"""The lane class of a segment that holds entries of all lanes."""

SLOTS_AT: Final = 48
"""Where the ack slots are in the header, bytes."""
SLOT_BYTES: Final = 24
SLOT_COUNT: Final = 2
LEAST_HEADER_BYTES: Final = 96
"""How long a header without meta is; the meta JSON begins there."""
MOST_HEADER_BYTES: Final = 64 * 1024
"""No header is longer: so much of a file's beginning is enough for `decode_header`."""

FRAME_OVERHEAD_BYTES: Final = 40
"""What a frame takes before its payload."""
MARK_AT: Final = 8
"""Where a frame's mark is, from its beginning."""

_MAGIC: Final = b"MXSEGMT\n"
_BYTE_ORDER_MARK: Final = 0xFEFF
_FOREIGN_BYTE_ORDER_MARK: Final = 0xFFFE
_ALIGNMENT: Final = 8
_START: Final = Struct("<8sHHII")
_BODY: Final = Struct("<BBHqQII")
_SLOT: Final = Struct("<QQII")
_SLOT_SUM: Final = Struct("<QQ")
FRAME_MAGIC: Final = b"\xf5MX\xff"
"""What a frame begins with."""
_FRAME_HEAD: Final = Struct("<4sIQ")
_FRAME_BODY: Final = Struct("<IBBHQq")
_FRAME: Final = Struct("<4sIQIBBHQq")
_FRAME_START: Final = Struct("<4sIQI")
SUMMED_FROM: Final = 16
"""From where on a frame's bytes are in its checksum."""
_PADDING: Final = tuple(bytes(-length % _ALIGNMENT) for length in range(_ALIGNMENT))
_ZERO_STRIDE_BYTES: Final = 64 * 1024
_ZEROS: Final = bytes(_ZERO_STRIDE_BYTES)

type Buffer = bytes | bytearray | mmap


class SegmentError(MetaExpertError):
    """A file is no segment that this version reads; it is left as it is."""


class NotASegment(SegmentError):  # noqa: N818 - names what the file is
    """The file does not begin as a segment does."""


class ForeignVersion(SegmentError):  # noqa: N818 - names what the file is
    """The segment was written by a version with another format."""


class ForeignByteOrder(SegmentError):  # noqa: N818 - names what the file is
    """The segment was written in the other byte order."""


class Damaged(SegmentError):  # noqa: N818 - names what the file is
    """The segment's header is incomplete or fails its checksum."""


class Kind(IntEnum):
    """What a segment is a part of."""

    JOURNAL = 1
    SPOOL = 2
    RECORDER = 3


VERSIONS: Final = {Kind.JOURNAL: 2, Kind.SPOOL: 1, Kind.RECORDER: 2}
"""What each kind is written in; former ones are read too: frames tell by their flags what they hold."""

_NEWEST: Final = max(VERSIONS.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentHeader:
    """What a segment says of itself.

    Attributes:
        kind: what it is a part of.
        lane: the lane all its entries belong to; `MIXED_LANES` for all.
        created_ns: when it was made, nanoseconds since 1970.
        number: its place in its series.
        meta: what else its owner notes, as JSON can hold it.
    """

    kind: Kind
    lane: int
    created_ns: int
    number: int
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Slot(NamedTuple):
    """How far a segment's entries are settled.

    Attributes:
        generation: the higher one counts; 0 when none was written.
        position: frames before this place of the file are settled.
    """

    generation: int
    position: int


class Frame(NamedTuple):
    """One valid frame.

    Attributes:
        position: where it begins in the buffer.
        end: where the next one may begin.
        mark: its mutable mark.
        lane: the entry's lane.
        flags: its owner's own.
        seq: the entry's number in its run.
        time_ns: when the entry was logged, nanoseconds since 1970.
        payload: its bytes.
    """

    position: int
    end: int
    mark: int
    lane: int
    flags: int
    seq: int
    time_ns: int
    payload: bytes


@dataclass(slots=True)
class Reading:
    """What reading frames came across besides them, and how far it got; one may serve several windows of a file.

    Attributes:
        end: place of the buffer up to which all was read.
        quarantined: frames with a wrong checksum, and places that hold neither frames nor zeros, all skipped.
        torn: the end holds a frame that was never written to its end, as a crash leaves it; not among `quarantined`.
        in_damage: it ended within a damaged place, which is counted already.
        unfinished: that place began as a frame whose end is missing.
    """

    end: int = 0
    quarantined: int = 0
    torn: bool = False
    in_damage: bool = False
    unfinished: bool = False


def encode_header(header: SegmentHeader, header_bytes: int = 0) -> bytes:
    """The bytes a segment begins with, ack slots empty.

    Args:
        header: what it says.
        header_bytes: how long it is at least; rounded up to a multiple of 8.

    Raises:
        ValueError: it would be longer than `MOST_HEADER_BYTES`.
    """
    meta = json.dumps(header.meta, ensure_ascii=False, separators=(",", ":")).encode() if header.meta else b""
    size = _aligned(max(header_bytes, LEAST_HEADER_BYTES + len(meta)))
    if size > MOST_HEADER_BYTES:
        raise ValueError(f"a segment's header of {size} bytes is longer than {MOST_HEADER_BYTES}")
    body = _BODY.pack(header.kind, header.lane, 0, header.created_ns, header.number, len(meta), 0)
    start = _START.pack(_MAGIC, VERSIONS[header.kind], _BYTE_ORDER_MARK, size, crc32(meta, crc32(body)))
    return b"".join((start, body, bytes(LEAST_HEADER_BYTES - SLOTS_AT), meta)).ljust(size, b"\0")


def decode_header(data: bytes) -> tuple[SegmentHeader, int]:
    """Read a segment's header.

    Args:
        data: the file's beginning; `MOST_HEADER_BYTES` are always enough.

    Returns:
        The header, and where the frames begin.

    Raises:
        NotASegment: the file is something else.
        ForeignByteOrder: it was written in the other byte order.
        ForeignVersion: it was written by a version with another format.
        Damaged: it is incomplete, or its checksum is wrong.
    """
    version, header_bytes, checksum = _decode_start(data)
    kind, lane, _, created_ns, number, meta_bytes, _ = _BODY.unpack_from(data, _START.size)
    meta = bytes(data[LEAST_HEADER_BYTES : LEAST_HEADER_BYTES + meta_bytes])
    if len(data) < header_bytes or LEAST_HEADER_BYTES + meta_bytes > header_bytes:
        raise Damaged("the segment's header is incomplete")
    if crc32(meta, crc32(data[_START.size : SLOTS_AT])) != checksum:
        raise Damaged("the segment's header fails its checksum")
    try:
        told = cast("dict[str, Any]", json.loads(meta)) if meta else {}
        header = SegmentHeader(kind=Kind(kind), lane=lane, created_ns=created_ns, number=number, meta=told)
    except ValueError as error:
        raise Damaged(f"the segment's header can't be understood: {error}") from error
    if version > VERSIONS[header.kind]:
        raise _foreign(version, VERSIONS[header.kind])
    return header, header_bytes


def _decode_start(data: bytes) -> tuple[int, int, int]:
    if not data or data[: len(_MAGIC)] != _MAGIC[: len(data)]:
        raise NotASegment("the file is empty" if not data else "the file does not begin with a segment's magic")
    if len(data) < LEAST_HEADER_BYTES:
        raise Damaged("the segment ends within its header")
    _, version, byte_order, header_bytes, checksum = _START.unpack_from(data)
    if byte_order == _FOREIGN_BYTE_ORDER_MARK:
        raise ForeignByteOrder("the segment was written on a machine with the other byte order: read it there")
    if byte_order != _BYTE_ORDER_MARK:
        raise Damaged("the segment's byte-order mark is none")
    if not 0 < version <= _NEWEST:
        raise _foreign(version, _NEWEST)
    return version, header_bytes, checksum


def _foreign(version: int, newest: int) -> ForeignVersion:
    return ForeignVersion(f"the segment has version {version}, this one reads up to {newest}: read it with its own")


def _aligned(size: int) -> int:
    return size + -size % _ALIGNMENT


def encode_slot(generation: int, position: int) -> bytes:
    """The bytes of an ack slot; it belongs at `slot_at(generation)`."""
    summed = _SLOT_SUM.pack(generation, position)
    return _SLOT.pack(generation, position, crc32(summed), 0)


def slot_at(generation: int) -> int:
    """Where the slot of a generation is: they take turns, so that a torn write leaves the one before."""
    return SLOTS_AT + generation % SLOT_COUNT * SLOT_BYTES


def newest_slot(data: bytes) -> Slot:
    """The valid ack slot with the highest generation in a file's beginning; generation 0 when there is none."""
    slots = [_slot(data, SLOTS_AT + index * SLOT_BYTES) for index in range(SLOT_COUNT)]
    return max(slots)


def _slot(data: bytes, at: int) -> Slot:
    if len(data) < at + SLOT_BYTES:
        return Slot(0, 0)
    generation, position, checksum, _ = _SLOT.unpack_from(data, at)
    valid = generation and crc32(data[at : at + _SLOT_SUM.size]) == checksum
    return Slot(generation, position) if valid else Slot(0, 0)


def frame(seq: int, time_ns: int, lane: int, payload: bytes, flags: int = 0) -> bytes:
    """The bytes of one frame, padding included; its mark is 0."""
    length = len(payload)
    body = _FRAME_BODY.pack(length, lane, flags, 0, seq, time_ns)
    head = _FRAME_HEAD.pack(FRAME_MAGIC, crc32(payload, crc32(body)), 0)
    return b"%b%b%b%b" % (head, body, payload, _PADDING[length % _ALIGNMENT])


def frame_bytes(payload_bytes: int) -> int:
    """How long the frame of a payload is, padding included."""
    return FRAME_OVERHEAD_BYTES + _aligned(payload_bytes)


def frames(
    data: Buffer, begin: int = 0, end: int | None = None, reading: Reading | None = None, *, whole: bool = True
) -> Generator[Frame]:
    """Read the valid frames of a stretch, in order, past holes and damage.

    Args:
        data: the stretch; an mmap must stay open while this is read.
        begin: where to begin, a frame's beginning.
        end: where to end; None for the end of `data`.
        reading: told what was skipped and how far it got; when the caller stops early, up to the last frame given.
        whole: nothing follows `end`; else what may be completed behind it is left for the next window.
    """
    told = Reading() if reading is None else reading
    stop = len(data) if end is None else min(end, len(data))
    told.end = begin
    with memoryview(data) as view:
        while (at := told.end) < stop:
            ends = _frame_end(view, at, stop)
            if ends > stop and not whole:
                return
            if not 0 < ends <= stop:
                if not _skip(data, view, stop, told, ends=ends, whole=whole):
                    break
                continue
            _, _, mark, length, lane, flags, _, seq, time_ns = _FRAME.unpack_from(view, at)
            payload_at = at + FRAME_OVERHEAD_BYTES
            payload = bytes(view[payload_at : payload_at + length])
            told.end = min(ends + -length % _ALIGNMENT, stop)
            told.in_damage = told.unfinished = False
            yield Frame(at, told.end, mark, lane, flags, seq, time_ns, payload)
    if whole and told.in_damage and told.unfinished:
        told.torn = True
        told.quarantined -= 1
        told.in_damage = told.unfinished = False


def _frame_end(view: memoryview, at: int, stop: int) -> int:
    """Where the payload of the frame ends, which may be past `stop`; 0 when there is no valid frame."""
    if at + FRAME_OVERHEAD_BYTES > stop:
        begins = bytes(view[at : at + len(FRAME_MAGIC)]) == FRAME_MAGIC[: stop - at]
        return at + FRAME_OVERHEAD_BYTES if begins else 0
    magic, checksum, _, length = _FRAME_START.unpack_from(view, at)
    if magic != FRAME_MAGIC:
        return 0
    ends = at + FRAME_OVERHEAD_BYTES + length
    if ends > stop:
        return ends
    return ends if crc32(view[at + SUMMED_FROM : ends]) == checksum else 0


def _skip(data: Buffer, view: memoryview, stop: int, told: Reading, *, ends: int, whole: bool) -> bool:
    """Go to the next place that begins as a frame; whether there is one. Counts a damaged place where it begins."""
    at = told.end
    following = data.find(FRAME_MAGIC, at + 1, stop)
    until = following if following >= 0 else stop
    begins = bytes(view[at : at + len(FRAME_MAGIC)]) == FRAME_MAGIC[: stop - at]
    if begins or not (told.in_damage or _zeros(view, at, until)):
        told.quarantined += 1
        told.in_damage = True
        told.unfinished = begins and (ends > stop or _ends_in_zeros(view, at, stop))
    if following < 0 and not whole:  # the last bytes may begin a frame that the next window completes
        until = max(at, stop - len(FRAME_MAGIC) + 1)
    told.end = until
    return following >= 0


def _ends_in_zeros(view: memoryview, at: int, stop: int) -> bool:
    """Whether the frame, complete by its length, lacks its end: pages that were never written read as zeros."""
    length = _FRAME_START.unpack_from(view, at)[3]
    last = at + FRAME_OVERHEAD_BYTES + length - 1
    return last < stop and not view[last : last + 1].tobytes()[0]


def _zeros(view: memoryview, begin: int, end: int) -> bool:
    """Whether there is nothing but zeros."""
    for at in range(begin, end, _ZERO_STRIDE_BYTES):
        stretch = bytes(view[at : min(at + _ZERO_STRIDE_BYTES, end)])
        if stretch != _ZEROS[: len(stretch)]:
            return False
    return True
