"""A capture as one frame and back: all it takes to encode the same bytes for any sink after a crash.

Payload, little-endian: lengths of message and fields and the charged size (4 bytes each); where flag 2 is set the
monotonic time (8); where flag 1 is set lengths of exception, stack_info and own data (4 each); then site, origin,
message, fields, these three, and the context. Site: its length (2), level (4), line (4), lengths of logger, file,
function, qualified name and log type (2 each), these texts. Origin: its length (2), thread (8), and where a task was
running 1 byte and its name.
"""

import struct
import sys
from functools import lru_cache
from types import CodeType
from typing import Final, cast, final
from zlib import crc32

from metaexpert.logger.entry import NO_MONOTONIC_NS, Capture, lane_of
from metaexpert.logger.formats.sites import bounded_name
from metaexpert.logger.segment import frames
from metaexpert.logger.site import line_of

MAGIC: Final = b"\xf5MX\xff"
HAS_DETAILS: Final = 1
HAS_MONOTONIC: Final = 2
"""Every frame since the second version of the format."""
FRAME_HEAD_BYTES: Final = 40

_FRAME_HEAD: Final = struct.Struct("<4sIQ")
_BODY_HEAD: Final = struct.Struct("<IBBHQqIIIq")
_LENGTHS: Final = struct.Struct("<III")
_STEADY: Final = struct.Struct("<q")
_SITE: Final = struct.Struct("<HiIHHHHH")
_ORIGIN: Final = struct.Struct("<HQ")
_MOST_SITES: Final = 10_000
_MOST_LEVEL: Final = 2**31 - 1
_THREAD_BITS: Final = 2**64 - 1
SIZE_BITS: Final = 2**32 - 1

pack_body: Final = _BODY_HEAD.pack
pack_frame_into: Final = _FRAME_HEAD.pack_into
_pack_frame: Final = _FRAME_HEAD.pack
_pack_lengths: Final = _LENGTHS.pack


@final
class FrameEncoder:
    """Makes a capture's frame, to be copied into a segment; any thread may call it at any moment."""

    __slots__ = ("_origin", "sites")

    def __init__(self) -> None:
        self.sites: dict[tuple[int, int, int, str, str], tuple[int, bytes, CodeType]] = {}
        self._origin: tuple[int, str | None, bytes] = (0, None, origin_bytes(0, None))

    def __call__(self, capture: Capture) -> bytes:
        """The frame without the zeros behind it; its mark is 0."""
        seq, time_ns, level, name, message, code, lasti, fields, context, thread, task, kind, details, size, steady = (
            capture
        )
        site = self.sites.get((id(code), lasti, level, name, kind))
        if site is None:
            site = self.add_site(code, lasti, level, name, kind)
        lane, place, _ = site
        origin = self._origin  # one object, so that nothing of another thread's is mixed in
        if origin[0] != thread or origin[1] is not task:
            origin = self._origin = (thread, task, origin_bytes(thread, task))
        try:
            text = message.encode()
        except UnicodeEncodeError:
            text = message.encode("utf-8", "surrogatepass")
        where = origin[2]
        if details is None:
            length = 20 + len(place) + len(where) + len(text) + len(fields) + len(context)
            head = pack_body(
                length, lane, HAS_MONOTONIC, 0, seq, time_ns, len(text), len(fields), size & SIZE_BITS, steady
            )
            body = b"".join((head, place, where, text, fields, context))
        else:
            exception, stack, data = details
            length = (
                32 + len(place) + len(where) + len(text) + len(fields) + len(context)
                + len(exception) + len(stack) + len(data)
            )  # fmt: skip
            sizes = (len(text), len(fields), size & SIZE_BITS, steady)
            head = pack_body(length, lane, HAS_DETAILS | HAS_MONOTONIC, 0, seq, time_ns, *sizes)
            lengths = _pack_lengths(len(exception), len(stack), len(data))
            body = b"".join((head, lengths, place, where, text, fields, exception, stack, data, context))
        return _pack_frame(MAGIC, crc32(body), 0) + body

    def add_site(
        self, code: CodeType, lasti: int, level: int, logger: str, log_type: str
    ) -> tuple[int, bytes, CodeType]:
        """Know a place that logs: its lane, its bytes in a frame, and its code."""
        texts = [
            bounded_name(text).encode("utf-8", "surrogatepass")
            for text in (logger, code.co_filename, code.co_name, code.co_qualname, log_type)
        ]
        number = max(-_MOST_LEVEL, min(level, _MOST_LEVEL))
        length = _SITE.size + sum(map(len, texts))
        place = _SITE.pack(length, number, line_of(code, lasti), *map(len, texts)) + b"".join(texts)
        if len(self.sites) >= _MOST_SITES:
            self.sites.clear()
        # the code object is kept alive, so that its id() is not given to another
        site = self.sites[id(code), lasti, level, logger, log_type] = (int(lane_of(level, log_type)), place, code)
        return site


def origin_bytes(thread: int, task: str | None) -> bytes:
    """Where an entry comes from, as it stands in a frame."""
    name = b"" if task is None else b"\x01" + bounded_name(task).encode("utf-8", "surrogatepass")
    return _ORIGIN.pack(_ORIGIN.size + len(name), thread & _THREAD_BITS) + name


def capture_of(seq: int, time_ns: int, payload: bytes, flags: int) -> Capture:
    """The capture a frame was made of.

    Raises:
        ValueError: the payload is none of ours.
    """
    try:
        return _capture_of(seq, time_ns, _Parts(payload), flags)
    except (struct.error, OverflowError) as error:
        raise ValueError(f"not the payload of an entry: {error}") from error


def captured(data: bytes) -> Capture:
    """The capture that one frame, the whole of `data`, was made of.

    Raises:
        ValueError: it is damaged, or none of ours.
    """
    for frame in frames(data):
        return capture_of(frame.seq, frame.time_ns, frame.payload, frame.flags)
    raise ValueError("its frame is damaged")


def _capture_of(seq: int, time_ns: int, parts: "_Parts", flags: int) -> Capture:
    text_length, fields_length, size = cast("tuple[int, int, int]", _LENGTHS.unpack(parts.take(_LENGTHS.size)))
    steady = cast("int", _STEADY.unpack(parts.take(_STEADY.size))[0]) if flags & HAS_MONOTONIC else NO_MONOTONIC_NS
    lengths = None
    if flags & HAS_DETAILS:
        lengths = cast("tuple[int, int, int]", _LENGTHS.unpack(parts.take(_LENGTHS.size)))
    level, logger, code, log_type = _site(parts.take_counted())
    thread, task = _thread_and_task(parts.take_counted())
    message, fields = parts.take(text_length).decode("utf-8", "surrogatepass"), parts.take(fields_length)
    details = lengths and (parts.take(lengths[0]), parts.take(lengths[1]), parts.take(lengths[2]))
    context = parts.rest()
    origin = (thread, task, log_type, details, size, steady)
    return (seq, time_ns, level, logger, message, code, -1, fields, context, *origin)


@lru_cache(maxsize=4096)
def _site(place: bytes) -> tuple[int, str, CodeType, str]:
    parts = _Parts(place)
    _, level, line, *lengths = cast("tuple[int, ...]", _SITE.unpack(parts.take(_SITE.size)))
    logger, file, function, qualified_name, log_type = [
        parts.take(length).decode("utf-8", "surrogatepass") for length in lengths
    ]
    code = _nowhere.__code__.replace(
        co_filename=file, co_name=function, co_qualname=qualified_name, co_firstlineno=line
    )
    return level, sys.intern(logger), code, sys.intern(log_type)


def _nowhere() -> None:
    """Lends its code to places known by name only."""


def _thread_and_task(origin: bytes) -> tuple[int, str | None]:
    thread = cast("int", _ORIGIN.unpack_from(origin)[1])
    if len(origin) == _ORIGIN.size:
        return thread, None
    return thread, origin[_ORIGIN.size + 1 :].decode("utf-8", "surrogatepass")


@final
class _Parts:
    """Bytes taken off one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, length: int) -> bytes:
        begin, end = self._at, self._at + length
        if end > len(self._data):
            raise ValueError("not the payload of an entry: it ends too early")
        self._at = end
        return self._data[begin:end]

    def take_counted(self) -> bytes:
        """A part that begins with its own length."""
        length = int.from_bytes(self._data[self._at : self._at + 2], "little")
        return self.take(length)

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)
