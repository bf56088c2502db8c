"""The segments of one run: where the next frame goes, and which segments nobody needs any longer.

`append` makes no syscall and takes no lock as long as a spare segment is ready when one is full; it may be called from
any thread at any moment, signal handlers included.
"""

import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, final

from metaexpert.logger.journal.segments import JournalSegment

_ALIGNMENT_BITS: Final = 7
_GIL: Final = bool(getattr(sys, "_is_gil_enabled", lambda: True)())
_MAKING_PATIENCE_SECONDS: Final = 1.0
_LEAST_SEGMENTS: Final = 2


@final
class Room:
    """The segments.

    Args:
        make: makes a segment of a number, on disk.
        segment_bytes: its size.
        max_bytes: what all of them take at most, bytes.
        turned: called, from any thread, when a segment is full and the spare one in use.
    """

    def __init__(
        self, make: Callable[[int], JournalSegment], segment_bytes: int, max_bytes: int, turned: Callable[[], None]
    ) -> None:
        self.made_in_calls = 0
        self._make = make
        self._segment_bytes = segment_bytes
        self._max_segments = max_bytes // segment_bytes
        self._turned = turned
        self._number = 0
        self._segments: list[JournalSegment] = []
        self._given_up: list[JournalSegment] = []
        self._current: JournalSegment | None = None
        self._spare: JournalSegment | None = None
        self._turning = threading.RLock()  # a signal handler may log while its own thread holds it
        self._reserving = threading.RLock()

    # ---- the call's side --------------------------------------------------------------------------------------

    def append(self, frame: bytes) -> tuple[JournalSegment, int]:
        """Copy a frame in; returns where it is.

        Raises:
            OSError: there is no room and none can be made, or the system refused.
            ValueError: the segment is closed.
        """
        length = len(frame)
        while True:
            segment = self._current
            if segment is None:
                raise OSError("it has no file")
            if _GIL:
                # no call stands between these: CPython switches threads, and handles signals, at calls and loops
                at = segment.end
                segment.end = end = at + length + _ALIGNMENT_BITS & ~_ALIGNMENT_BITS
                if end <= segment.size_bytes:
                    segment.appended += 1
                    break
            elif (at := self._reserved(segment, length)) >= 0:
                break
            self._turn_from(segment, length)
        try:
            mapped = segment.map
            if mapped is not None:
                mapped[at : at + length] = frame
            else:
                segment.write(at, frame)
        except BaseException:
            segment.settled += 1
            raise
        segment.dirty = True
        return segment, at

    def _reserved(self, segment: JournalSegment, length: int) -> int:
        """The same for a build without a GIL; -1 where the segment is full."""
        with self._reserving:
            at = segment.end
            segment.end = end = at + length + _ALIGNMENT_BITS & ~_ALIGNMENT_BITS
            if end > segment.size_bytes:
                return -1
            segment.appended += 1
            return at

    def _turn_from(self, full: JournalSegment, length: int) -> None:
        """Go on in another segment; the calls of several threads may ask for it at once."""
        if length > full.size_bytes - full.begin:
            raise OSError(f"an entry of {length} bytes is larger than a segment (journal.segment_bytes)")
        if not self._turning.acquire(timeout=_MAKING_PATIENCE_SECONDS):
            raise OSError("another thread has been making a new segment for too long")
        try:
            if self._current is full:
                self._turn()
        finally:
            self._turning.release()

    def _turn(self) -> None:
        spare, self._spare = self._spare, None
        if spare is None:
            spare = self._new()
            self.made_in_calls += 1
        self._current = spare
        self._turned()

    def _new(self) -> JournalSegment:
        if len(self._segments) >= self._max_segments:
            raise OSError(f"it has reached its cap of {self._max_segments * self._segment_bytes} bytes")
        self._number += 1
        segment = self._make(self._number)
        self._segments.append(segment)
        return segment

    # ---- the keeper's side ------------------------------------------------------------------------------------

    def limit(self, max_bytes: int) -> None:
        """Have another cap from now on; nothing that is there is taken away for it."""
        self._max_segments = max(_LEAST_SEGMENTS, max_bytes // self._segment_bytes)

    @property
    def wants_spare(self) -> bool:
        """Whether there is no segment ready for when the present one is full."""
        return self._spare is None

    def prepare(self) -> None:
        """Make the segment to begin with, and the spare one, which is ready to be written to at once.

        Raises:
            OSError: it cannot be made.
        """
        with self._turning:
            if self._current is None:
                self._current = self._new()
                return
            if self._spare is not None:
                return
            made = self._new()
        try:  # a call that needs a segment meanwhile does not wait for this one
            made.warm(made.size_bytes)
        except OSError:
            self.discard(made)
            raise
        made.dirty = False  # the zeros need no sync
        with self._turning:
            if made not in self._segments:
                return  # replaced meanwhile, and taken away by whoever did so
            if self._spare is None:
                self._spare = made
            else:
                self.discard(made)

    def begin_anew(self) -> None:
        """Go on in a segment made now, as when what segments say of themselves has changed.

        Raises:
            OSError: it cannot be made.
        """
        with self._turning:
            spare, self._spare = self._spare, None
            if spare is not None:
                self._segments.remove(spare)
                spare.close(delete=True)
            self._current = self._new()

    @property
    def dirty(self) -> list[JournalSegment]:
        """Segments with bytes that no sync has begun with."""
        return [segment for segment in list(self._segments) if segment.dirty]

    @property
    def bytes(self) -> int:
        """What they take on disk, bytes."""
        return (len(self._segments) + len(self._given_up)) * self._segment_bytes

    def settled(self) -> list[JournalSegment]:
        """Full segments that nobody needs any longer."""
        kept = (self._current, self._spare)
        return [segment for segment in list(self._segments) if segment not in kept and segment.is_settled]

    def discard(self, segment: JournalSegment) -> None:
        """Take a segment away."""
        self._segments.remove(segment)
        segment.close(delete=True)

    def are_gone(self) -> bool:
        """Whether somebody has taken files away."""
        return any(segment.is_gone() for segment in list(self._segments))

    def replace(self) -> list[JournalSegment]:
        """Begin anew with no trust in what there is; returns the segments that were, open until `drop`.

        Raises:
            OSError: no new segment can be made; everything is as it was.
        """
        with self._turning:
            old, current, spare = self._segments, self._current, self._spare
            self._segments, self._spare = [], None
            try:
                self._current = self._new()
            except BaseException:
                self._segments, self._current, self._spare = old, current, spare
                raise
            self._given_up += old
        return list(self._given_up)

    def drop(self, segments: Iterable[JournalSegment]) -> None:
        """Take segments away that were replaced and hold nothing any more."""
        for segment in segments:
            self._given_up.remove(segment)
            segment.close(delete=True)

    def close(self, *, keep_settled: bool = False) -> None:
        """Let go of all segments, and take away those that nobody needs; `keep_settled` takes none away."""
        segments, self._segments, self._given_up = self._segments + self._given_up, [], []
        self._current = self._spare = None
        for segment in segments:
            segment.close(delete=segment.is_settled and not keep_settled)

    def forget(self) -> None:
        """In a forked child: write nowhere any more; the parent's files stay as they are."""
        segments, self._segments, self._given_up = self._segments + self._given_up, [], []
        self._current = self._spare = None
        for segment in segments:
            with suppress(OSError):
                segment.forget()
