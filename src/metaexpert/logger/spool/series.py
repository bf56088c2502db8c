"""The segments of one lane that one run has written, read one after the other, and a run with all its lanes.

Reading looks ahead by one window a lane, so that the lanes of a run can be merged by arrival; what is looked ahead
counts as unread. An arrival that was seen is on disk twice and is skipped.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, final

from metaexpert.logger.entry import Lane
from metaexpert.logger.owner_lock import OwnerLock
from metaexpert.logger.spool.segment import SpooledEntry, SpoolSegment

MOST_FAILURES: Final = 5
"""Failed attempts to read a segment before it is left alone."""


@dataclass(slots=True)
class Losses:
    """What reading came across besides entries.

    Attributes:
        damaged: damaged places skipped.
        missing: entries that were counted and can't be read.
        duplicates: entries found a second time.
    """

    damaged: int = 0
    missing: int = 0
    duplicates: int = 0


@final
class Series:
    """One lane of one run; synchronous.

    Attributes:
        segments: oldest first; those read to their end stay until they are acknowledged.
        waiting: entries read ahead, each with its segment.
    """

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.segments: list[SpoolSegment] = []
        self.waiting: deque[tuple[SpoolSegment, SpooledEntry]] = deque()
        self._last_arrival = -1
        self._failures = 0

    def load(self, losses: Losses) -> bool:
        """Read ahead when nothing is; whether there is an entry.

        Raises:
            OSError: the segment could not be read now; after some attempts it is given up.
        """
        while not self.waiting:
            segment = next((one for one in self.segments if not one.exhausted), None)
            if segment is None:
                return False
            self.read(segment, losses)
        return True

    def read(self, segment: SpoolSegment, losses: Losses) -> None:
        """Read ahead one window of the first segment that has not been read to its end.

        Raises:
            OSError: as `load`.
        """
        try:
            window = segment.read()
        except OSError:
            self._failures += 1
            if self._failures < MOST_FAILURES:
                raise
            segment.skip_rest()
            losses.damaged += 1
        else:
            losses.damaged += window.damaged
            self._take(segment, window.entries, losses)
        self._failures = 0
        if segment.exhausted:
            ahead = sum(of is segment for of, _ in self.waiting)
            losses.missing += segment.entries - ahead
            segment.entries = ahead

    def _take(self, segment: SpoolSegment, entries: Sequence[SpooledEntry], losses: Losses) -> None:
        last, take = self._last_arrival, self.waiting.append
        for entry in entries:
            if entry.arrival <= last:
                losses.duplicates += 1
                segment.entries -= 1
            else:
                last = entry.arrival
                take((segment, entry))
        self._last_arrival = last

    def put_first(self, segment: SpoolSegment, found: Sequence[SpooledEntry]) -> None:
        """Take a new segment in whose entries, all of them read, come before all others here."""
        self.segments.insert(0, segment)
        self.waiting.extendleft((segment, entry) for entry in reversed(found))

    def forget(self, segment: SpoolSegment) -> list[SpooledEntry]:
        """Take a segment out; returns what was read ahead of it."""
        ahead = [entry for of, entry in self.waiting if of is segment]
        self.waiting = deque((of, entry) for of, entry in self.waiting if of is not segment)
        self.segments.remove(segment)
        return ahead


@dataclass(slots=True)
class Run:
    """What one run of a program has written.

    Attributes:
        name: names it, and its files.
        lock: says whose it is.
        lanes: its series, by lane.
        lowest: no arrival in it is lower.
    """

    name: str
    lock: OwnerLock
    lanes: dict[Lane, Series] = field(default_factory=dict[Lane, Series])
    lowest: int = 1 << 62

    def series(self, lane: Lane) -> Series:
        """The series of a lane, made when there is none."""
        return self.lanes.setdefault(lane, Series(lane))

    def segments(self) -> Iterator[SpoolSegment]:
        """All segments, lane by lane."""
        for series in self.lanes.values():
            yield from series.segments

    @property
    def entries(self) -> int:
        """Entries that have not been handed out."""
        return sum([segment.entries for segment in self.segments()])


def whole(segment: SpoolSegment) -> list[SpooledEntry]:
    """Read a segment to its end.

    Raises:
        OSError: it could not be read.
    """
    found: list[SpooledEntry] = []
    while not segment.exhausted:
        found += segment.read().entries
    return found
