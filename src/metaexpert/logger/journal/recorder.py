"""The flight recorder: a memory-mapped ring of the last entries of every level, for whoever asks how a run ended.

An entry is a frame copied over the oldest ones; a frame that is overwritten in part fails its checksum and is skipped
in reading. There is no syscall and no lock, and nothing is ever synced: it is for a process that died, not a machine.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final, final
from zlib import crc32

from metaexpert.logger.entry import Capture
from metaexpert.logger.journal.frames import (
    FRAME_HEAD_BYTES,
    HAS_MONOTONIC,
    MAGIC,
    SIZE_BITS,
    FrameEncoder,
    capture_of,
    origin_bytes,
    pack_body,
    pack_frame_into,
)
from metaexpert.logger.journal.segments import JournalSegment
from metaexpert.logger.segment import SegmentHeader, decode_header, frames

_ALIGNMENT_BITS: Final = 7
_BODY_AT: Final = 16
_WARM_BYTES: Final = 4 * 1024 * 1024
"""More would hold up the start: a millisecond is enough for two mebibytes."""

_MOST_SHARE: Final = 4
"""An entry that would take more than this part of the ring is left out: it would wipe out what led to it."""


@final
class FlightRecorder:
    """The ring.

    Args:
        path: its file.
        header: what it says of itself.
        size_bytes: its length.
        mapped: copy into a memory map, else write.

    Raises:
        OSError: it cannot be made.
    """

    __slots__ = ("_at", "_begin", "_map", "_most_bytes", "_segment", "_size_bytes")

    def __init__(self, path: Path, header: SegmentHeader, size_bytes: int, *, mapped: bool) -> None:
        self._segment = JournalSegment(path, header, size_bytes, mapped=mapped)
        self._segment.warm(_WARM_BYTES)
        self._map = self._segment.map
        self._begin = self._at = self._segment.begin
        self._size_bytes = size_bytes
        self._most_bytes = (size_bytes - self._begin) // _MOST_SHARE

    def add(self, frame: bytes) -> None:
        """Copy a frame in.

        Raises:
            OSError: the file is written, not mapped, and the system refused.
        """
        length = len(frame)
        if length > self._most_bytes:
            return
        # no call stands between reading and moving the place on: CPython switches threads at calls and loops alone
        at = seam = self._at
        end = at + length + _ALIGNMENT_BITS & ~_ALIGNMENT_BITS
        if end > self._size_bytes:
            at = self._begin
            end = at + length + _ALIGNMENT_BITS & ~_ALIGNMENT_BITS
        self._at = end
        mapped = self._map
        if mapped is not None:
            mapped[at : at + length] = frame
        else:
            self._segment.write(at, frame)
        if at < seam:
            self._clear_from(seam)

    def _clear_from(self, seam: int) -> None:
        """Else frames of an earlier turn, behind the last one of the turn before, would come to light there."""
        zeros = bytes(self._size_bytes - seam)
        mapped = self._map
        if mapped is not None:
            mapped[seam:] = zeros
        else:
            self._segment.write(seam, zeros)

    def recording(self, encoder: FrameEncoder) -> Callable[[Capture], None]:
        """What encodes and adds an entry, most of them in one Python frame: each costs the call that waits for it.

        What it returns raises as `add` does.
        """
        find, join = encoder.sites.get, b"".join
        begin, size_bytes, most_bytes = self._begin, self._size_bytes, self._most_bytes
        origin = (-1, "", b"", 0)

        def record(capture: Capture) -> None:
            nonlocal origin
            (
                seq, time_ns, level, name, message, code, lasti, fields, context, thread, task, kind, details, size,
                at_ns,
            ) = capture  # fmt: skip
            mapped = self._map
            if details is not None or mapped is None:
                self.add(encoder(capture))
                return
            site = find((id(code), lasti, level, name, kind))
            if site is None:
                site = encoder.add_site(code, lasti, level, name, kind)
            lane, place, _ = site
            known = origin  # one object, as in the encoder
            if known[0] != thread or known[1] is not task:
                where = origin_bytes(thread, task)
                known = origin = (thread, task, where, len(where))
            try:
                text = message.encode()
            except UnicodeEncodeError:
                text = message.encode("utf-8", "surrogatepass")
            text_bytes, fields_bytes = len(text), len(fields)
            length = 20 + len(place) + known[3] + text_bytes + fields_bytes + len(context)
            head = pack_body(
                length, lane, HAS_MONOTONIC, 0, seq, time_ns, text_bytes, fields_bytes, size & SIZE_BITS, at_ns
            )
            body = join((head, place, known[2], text, fields, context))
            length += FRAME_HEAD_BYTES
            if length > most_bytes:
                return
            checksum = crc32(body)
            # as in `add`: no call stands between reading and moving the place on
            at = seam = self._at
            end = at + length + _ALIGNMENT_BITS & ~_ALIGNMENT_BITS
            if end > size_bytes:
                at = begin
                end = at + length + _ALIGNMENT_BITS & ~_ALIGNMENT_BITS
            self._at = end
            mapped[at + _BODY_AT : at + length] = body
            pack_frame_into(mapped, at, MAGIC, checksum, 0)
            if at < seam:
                self._clear_from(seam)

        return record

    def is_gone(self) -> bool:
        """Whether somebody has taken the file away."""
        return self._segment.is_gone()

    def close(self, *, delete: bool) -> None:
        """Let go of the file; `delete` takes it away."""
        self._map = None
        self._segment.close(delete=delete)

    def forget(self) -> None:
        """In a forked child: write nowhere any more."""
        self._map = None
        self._segment.forget()


def recorded(path: Path) -> tuple[SegmentHeader, list[Capture]]:
    """The entries in a recorder's file, oldest first.

    Raises:
        OSError: it cannot be read.
        SegmentError: it is no such file of this version.
    """
    data = path.read_bytes()
    header, begin = decode_header(data)
    found: list[Capture] = []
    for frame in frames(data, begin):
        try:
            found.append(capture_of(frame.seq, frame.time_ns, frame.payload, frame.flags))
        except ValueError:
            continue  # a checksum met by chance, of bytes that are none of ours
    found.sort(key=lambda capture: capture[0])
    return header, found
