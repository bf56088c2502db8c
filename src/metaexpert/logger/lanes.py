"""A sink's waiting room: bounds by entries and bytes, overflow policy, watermarks, and the gap to be reported.

With `grow` the bounds say from where on the sink is under pressure, and the room ends at `grow_max_bytes`. Where a sink
has a disk queue, as with `spill`, delivery empties this room to disk, and only what it can't is shed.

Pure: no clock, no I/O. One deque a lane; all lanes share the entries' sequence and are emptied merged by it, so
shedding one lane never reorders the rest. The bound holds for what waits here plus what the sink holds further on
(`held`).
"""

import logging
import sys
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, final

from metaexpert.logger.entry import LEVEL, LOG_TYPE, SEQ, SIZE, TIME_NS, Capture, Lane, lane_of
from metaexpert.logger.ledger import Ledger

if TYPE_CHECKING:
    from metaexpert.logger.journal.custody import Custody


class Overflow(StrEnum):
    """What gives way when a sink's room is full."""

    DROP_LOWEST = "drop_lowest"
    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"
    BLOCK = "block"
    GROW = "grow"
    SPILL = "spill"


RESERVED_SHARE: Final = 0.25
"""Room beyond the bound that only errors and protected entries may use."""

QUEUE_FULL: Final = "queue full"


@dataclass(slots=True)
class Gap:
    """Entries shed and not yet reported in the stream."""

    by_level: Counter[int] = field(default_factory=Counter[int])
    first_seq: int = 0
    last_seq: int = 0
    first_ns: int = 0
    last_ns: int = 0

    def add(self, entry: Capture) -> None:
        """Count one shed entry."""
        if not self.by_level:
            self.first_seq = self.last_seq = entry[SEQ]
            self.first_ns = self.last_ns = entry[TIME_NS]
        self.by_level[entry[LEVEL]] += 1
        self.first_seq = min(self.first_seq, entry[SEQ])
        self.last_seq = max(self.last_seq, entry[SEQ])
        self.first_ns = min(self.first_ns, entry[TIME_NS])
        self.last_ns = max(self.last_ns, entry[TIME_NS])

    @property
    def total(self) -> int:
        """Entries shed."""
        return self.by_level.total()


@final
class Lanes:
    """The waiting room of one sink.

    Args:
        max_entries: entries the sink may hold, here and further on.
        max_bytes: memory it may hold, bytes.
        grow_max_bytes: where the room ends with the policy `grow`, bytes.
        ledger: where shed entries are counted.
        overflow: what gives way when it is full.
        high_watermark: share of the bounds from which the sink is under pressure.
        low_watermark: share at which the pressure ends.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        max_entries: int,
        max_bytes: int,
        overflow: Overflow = Overflow.DROP_LOWEST,
        high_watermark: float = 0.8,
        low_watermark: float = 0.5,
        grow_max_bytes: int = 0,
    ) -> None:
        self._ledger = ledger
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        grows = overflow is Overflow.GROW
        self._room_entries = sys.maxsize if grows else max_entries
        self._room_bytes = max(max_bytes, grow_max_bytes) if grows else max_bytes
        self._overflow = overflow
        self._high_watermark = high_watermark
        self._low_watermark = low_watermark
        self._lanes: tuple[deque[Capture], ...] = tuple(deque[Capture]() for _ in Lane)
        self._pressed = False
        self._reports: deque[tuple[tuple[int, ...], Capture]] = deque()
        self._pushed = [0] * (len(Lane) + 1)
        self.entries = 0
        self.bytes = 0
        self.held_entries = 0
        self.held_bytes = 0
        self.gap: Gap | None = None
        self.custody: Custody | None = None
        self.highest_first = False
        """Empty the highest lane before the lower ones, not merged by sequence; for a stop against the clock."""

    # ---- in ---------------------------------------------------------------------------------------------------

    def offer(self, lane: Lane, entries: list[Capture], total_bytes: int) -> None:
        """Take `entries` of one lane; what does not fit is shed by the policy, counted and put into the gap."""
        if self._fits(len(entries), total_bytes):
            self._lanes[lane].extend(entries)
            self._pushed[lane] += len(entries)
            self.entries += len(entries)
            self.bytes += total_bytes
            return
        for entry in entries:
            self._offer_one(lane, entry)

    def offer_reserved(self, entry: Capture) -> None:
        """Take an entry that reports a loss, whatever the bounds say; there is at most one a gap."""
        self._follow(entry)

    def offer_report(self, entry: Capture, *, reserved: bool = False) -> None:
        """Take an entry the pipeline made; it follows all that waits here now, and delays nothing that comes later.

        Its number is newer than those of entries still on their way: in a lane it would hold them up.

        Args:
            entry: the entry.
            reserved: it may use the reserve, as one that reports a loss.
        """
        if not (self._fits(1, entry[SIZE]) or (reserved and self._fits_reserve(Lane.PROTECTED, entry[SIZE]))):
            self._shed(entry)
            return
        self._follow(entry)

    def _follow(self, entry: Capture) -> None:
        self._reports.append((self.mark(), entry))
        self._pushed[-1] += 1
        self.entries += 1
        self.bytes += entry[SIZE]

    def _offer_one(self, lane: Lane, entry: Capture) -> None:
        if self._fits(1, entry[SIZE]) or self._make_room(lane, entry[SIZE]):
            self._push(lane, entry)
        else:
            self._shed(entry)

    def _make_room(self, lane: Lane, size_bytes: int) -> bool:
        """Shed others for an entry, if the policy lets it go before them; True when it may come in."""
        while not self._fits(1, size_bytes):
            victim = self._victim(lane, size_bytes)
            if victim is None:
                return self._fits_reserve(lane, size_bytes)
            self._shed(self._pop(victim))
        return True

    def _victim(self, lane: Lane, size_bytes: int) -> Lane | None:
        """The lane whose oldest entry gives way to an entry of `lane`; protected entries never do."""
        if self._overflow is Overflow.DROP_OLDEST:
            heads = [
                (waiting[0][SEQ], lane)
                for lane, waiting in zip(Lane, self._lanes, strict=True)
                if waiting and lane < Lane.ERROR
            ]
            return min(heads)[1] if heads else None
        # errors and protected entries have their reserve; when that is full too, they displace the ordinary
        if self._overflow is Overflow.DROP_NEWEST and (lane < Lane.ERROR or self._fits_reserve(lane, size_bytes)):
            return None
        lowest = next((candidate for candidate in Lane if self._lanes[candidate]), None)
        if lowest is None or lowest >= lane or lowest >= Lane.ERROR:
            return None
        return lowest

    def _fits(self, entries: int, total_bytes: int) -> bool:
        return (
            self.entries + self.held_entries + entries <= self._room_entries
            and self.bytes + self.held_bytes + total_bytes <= self._room_bytes
        )

    def _fits_reserve(self, lane: Lane, size_bytes: int) -> bool:
        """Whether the room kept for errors and protected entries takes it; half of it is for protected ones alone."""
        if lane < Lane.ERROR:
            return False
        share = 1.0 + (RESERVED_SHARE if lane is Lane.PROTECTED else RESERVED_SHARE / 2)
        return (
            self.entries + self.held_entries + 1 <= self._room_entries * share
            and self.bytes + self.held_bytes + size_bytes <= self._room_bytes * share
        )

    def _push(self, lane: Lane, entry: Capture) -> None:
        self._lanes[lane].append(entry)
        self._pushed[lane] += 1
        self.entries += 1
        self.bytes += entry[SIZE]

    def _pop(self, lane: Lane) -> Capture:
        entry = self._lanes[lane].popleft()
        self.entries -= 1
        self.bytes -= entry[SIZE]
        return entry

    def _shed(self, entry: Capture) -> None:
        if self.gap is None:
            self.gap = Gap()
        self.gap.add(entry)
        self._ledger.dropped[logging.getLevelName(entry[LEVEL]), QUEUE_FULL] += 1
        if self.custody is not None:
            self.custody.lost(entry, QUEUE_FULL)

    # ---- out --------------------------------------------------------------------------------------------------

    def take(self, most: int, most_bytes: int) -> list[Capture]:
        """Up to `most` entries of together about `most_bytes`, at least one, merged by sequence; they become held."""
        if self._reports and (self.highest_first or self.passed(self._reports[0][0])):
            report = self._reports.popleft()[1]
            return self._hold([report], report[SIZE])
        waiting = [lane for lane in self._lanes if lane]
        if self.highest_first:
            waiting = waiting[-1:]
        taken = _from_one(waiting[0], most) if len(waiting) == 1 else list(_merged(waiting, most))
        taken_bytes = sum([entry[SIZE] for entry in taken])
        while len(taken) > 1 and taken_bytes - taken[-1][SIZE] >= most_bytes:
            entry = taken.pop()
            self._lanes[lane_of(entry[LEVEL], entry[LOG_TYPE])].appendleft(entry)
            taken_bytes -= entry[SIZE]
        return self._hold(taken, taken_bytes)

    def _hold(self, taken: list[Capture], taken_bytes: int) -> list[Capture]:
        self.entries -= len(taken)
        self.bytes -= taken_bytes
        self.held_entries += len(taken)
        self.held_bytes += taken_bytes
        return taken

    def hold(self, entries: Sequence[Capture]) -> None:
        """These entries have come back from disk; they are held until they are settled."""
        self.held_entries += len(entries)
        self.held_bytes += sum([entry[SIZE] for entry in entries])

    def release(self, entries: Sequence[Capture]) -> None:
        """These entries are settled; they are held no longer."""
        self.held_entries -= len(entries)
        self.held_bytes -= sum([entry[SIZE] for entry in entries])

    def give_up(self) -> list[Capture]:
        """Empty all lanes; for the end, when nothing more can be sent."""
        left: list[Capture] = []
        while self.entries:
            left += self.take(self.entries, self.bytes + 1)
        return left

    def take_gap(self) -> Gap | None:
        """The gap to report, once there is room again to report it in."""
        if self.gap is None or self.fill > self._low_watermark:
            return None
        return self.take_open_gap()

    def take_open_gap(self) -> Gap | None:
        """The gap to report now, whatever room there is."""
        gap, self.gap = self.gap, None
        return gap

    # ---- figures ----------------------------------------------------------------------------------------------

    @property
    def fill(self) -> float:
        """How full the sink is by the tighter bound: 0 to 1 and a little over, and beyond where it may grow."""
        return max(
            (self.entries + self.held_entries) / self._max_entries, (self.bytes + self.held_bytes) / self._max_bytes
        )

    def pressed(self, coming_entries: int = 0, coming_bytes: int = 0) -> bool:
        """Whether the sink is under pressure: from the high watermark until the low one.

        Args:
            coming_entries: entries on their way here, counted in.
            coming_bytes: their memory, bytes.
        """
        coming = max(coming_entries / self._max_entries, coming_bytes / self._max_bytes)
        self._pressed = self.fill + coming >= (self._low_watermark if self._pressed else self._high_watermark)
        return self._pressed

    @property
    def room(self) -> tuple[int, int] | None:
        """Entries and bytes that may still come before threads have to wait; None unless the policy is `block`."""
        if self._overflow is not Overflow.BLOCK:
            return None
        return (
            max(0, self._max_entries - self.entries - self.held_entries),
            max(0, self._max_bytes - self.bytes - self.held_bytes),
        )

    def mark(self) -> tuple[int, ...]:
        """Names everything that has come in so far, for `passed`."""
        return tuple(self._pushed)

    def passed(self, mark: tuple[int, ...]) -> bool:
        """Whether all that `mark` names has left; each lane is first in, first out."""
        return all(
            pushed - len(queue) >= goal
            for pushed, queue, goal in zip(self._pushed, (*self._lanes, self._reports), mark, strict=True)
        )


def _from_one(lane: deque[Capture], most: int) -> list[Capture]:
    popleft = lane.popleft
    return [popleft() for _ in range(min(most, len(lane)))]


def _merged(waiting: list[deque[Capture]], most: int) -> Iterator[Capture]:
    """Pop from several lanes in the order of their entries' sequence."""
    while most > 0 and len(waiting) > 1:
        lane = min(waiting, key=_head_seq)
        most -= 1
        yield lane.popleft()
        if not lane:
            waiting.remove(lane)
    if waiting:
        lane = waiting[0]
        for _ in range(min(most, len(lane))):
            yield lane.popleft()


def _head_seq(lane: deque[Capture]) -> int:
    return lane[0][SEQ]
