"""A sink's disk queue as delivery sees it, and what it answers.

Synchronous, for one thread at a time; nothing here knows of event loops. `queue` is the one there is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from metaexpert.logger.entry import Capture
from metaexpert.logger.lanes import Gap
from metaexpert.logger.spool.segment import SpoolSegment

_LEAST_SEGMENT_BYTES: Final = 16 * 1024
_SEGMENTS_UNDER_CAP: Final = 8
"""A segment ends at this part of the cap at the latest, so that room comes back while the queue is worked off."""

type Cursor = tuple[tuple[SpoolSegment, int], ...]
"""A place in the queue, for `ack`; where it is inside is the queue's own business."""

type Fsync = Literal["interval", "always", "never"]


@dataclass(frozen=True, slots=True)
class Found:
    """What runs that ended have left.

    Attributes:
        entries: entries that can be read, as far as their counts tell.
        damaged: segments whose header is damaged; their entries are read all the same.
        torn: segments that end in an incomplete entry, as a crash leaves them.
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
        duplicates: entries that were on disk twice, and came before.
    """

    entries: list[Capture] = field(default_factory=list[Capture])
    parts: list[bytes] = field(default_factory=list[bytes])
    cursor: Cursor | None = None
    damaged: int = 0
    missing: int = 0
    duplicates: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolLimits:
    """How much a disk queue may take.

    Attributes:
        max_bytes: disk it takes at most, bytes; what is put back comes on top, at most what a worker holds.
        min_free_bytes: disk it leaves to others, bytes.
        segment_bytes: size at which a segment ends, bytes.
        fsync: when what is written is brought to the disk: at most once in an interval, at each write, or at the end.
    """

    max_bytes: int
    min_free_bytes: int = 0
    segment_bytes: int = 8 * 1024 * 1024
    fsync: Fsync = "interval"

    @property
    def ends_at_bytes(self) -> int:
        """Size at which a segment ends under this cap, bytes."""
        return max(_LEAST_SEGMENT_BYTES, min(self.segment_bytes, self.max_bytes // _SEGMENTS_UNDER_CAP))


class Spool(Protocol):
    """A disk queue of one sink, as delivery sees it.

    Attributes:
        entries: entries on disk that have not been read.
        disk_bytes: what the queue takes there.
        lost: what had to give way since somebody took this, or found no room among what must not.
    """

    entries: int
    disk_bytes: int
    lost: Gap | None

    def open(self) -> Found:
        """Take over what runs that ended left for this sink; it comes first."""
        ...

    def append(self, entries: Sequence[Capture], parts: Sequence[bytes], *, front: bool = False) -> None:
        """Write all of these, or none, behind what is there; `front` before all that has not been read.

        Entries of lower classes give way for them; `lost` tells of those, and of new ones that found no room.

        Raises:
            OSError: the system refused, or there is no room for what must not give way.
        """
        ...

    def adopt(self, entries: Sequence[Capture], parts: Sequence[bytes]) -> Cursor:
        """Write entries that somebody is delivering already, before all others, as if they had just been read.

        Raises:
            OSError: the system refused.
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

    def sync(self) -> None:
        """Bring what was written to the disk.

        Raises:
            OSError: the system could not.
        """
        ...

    def close(self) -> None:
        """Bring everything to the disk and let another process have it.

        Raises:
            OSError: the system refused.
        """
        ...
