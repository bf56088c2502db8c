"""The disk queue: segments in one folder, read oldest first, under a cap for which lower classes give way.

Each lane of a run has a series of segments of its own, so that eviction goes by class and by whole segments; reading
merges them by arrival. What is read stays on disk until it is acknowledged: a crash sends it again. A segment is
deleted once all in it is acknowledged, and kept aside when anything in it was damaged.
"""

import errno
import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import takewhile
from math import inf
from pathlib import Path
from typing import Final, final

from metaexpert.logger.entry import LEVEL, LOG_TYPE, Capture, Lane, lane_of
from metaexpert.logger.lanes import Gap
from metaexpert.logger.segment import LEAST_HEADER_BYTES
from metaexpert.logger.spool.runs import (
    Acquire,
    former_files,
    lock_name,
    owned,
    runs_in,
    segment_name,
    sweep,
    taken_over,
)
from metaexpert.logger.spool.segment import SpooledEntry, SpoolSegment, entry_bytes
from metaexpert.logger.spool.series import Losses, Run, Series, whole
from metaexpert.logger.spool.spool import Block, Cursor, Found, SpoolLimits
from metaexpert.logger.spool.storage import Disk, Storage

_FIRST_NUMBER: Final = 50_000_000
_FIRST_ARRIVAL: Final = 1 << 40
"""Both in the middle: what is put back goes in front, numbered downwards."""

_ENTRIES_A_BREATH: Final = 512
"""One or two milliseconds of work, for which the loop may have to wait."""
_breathe: Final = partial(time.sleep, 0.0001)
"""Lets the event loop's thread have the interpreter for real; `sleep(0)` would not."""

_next_run: Final = itertools.count(1).__next__

type _Arrived = tuple[int, Capture, bytes]
type _Written = tuple[SpoolSegment, int, int]


@final
class SegmentSpool:
    """Segments in one folder.

    Args:
        folder: where they are, this queue's alone; made when first needed.
        boot_id: names this run of the program; ids of later runs sort later.
        pid: the process.
        limits: how much it may take.
        storage: the file system.
        acquire: locks what names an owner.
    """

    def __init__(
        self,
        folder: Path,
        boot_id: str,
        pid: int,
        limits: SpoolLimits,
        *,
        storage: Storage | None = None,
        acquire: Acquire = owned,
    ) -> None:
        self._folder = folder
        self._run_name = f"{boot_id}-{pid}-{_next_run()}"
        self._limits = limits
        self._storage: Storage = Disk() if storage is None else storage
        self._acquire = acquire
        self._runs: list[Run] = []
        self._own: Run | None = None
        self._tails: dict[Lane, SpoolSegment] = {}
        self._unsure: list[SpoolSegment] = []
        self._number = _FIRST_NUMBER
        self._next_arrival = _FIRST_ARRIVAL
        self.entries = 0
        self.disk_bytes = 0
        self.lost: Gap | None = None

    # ---- what others left -------------------------------------------------------------------------------------

    def open(self) -> Found:
        """See `Spool`."""
        files = self._storage.files(self._folder)
        told = [f"{path}: written by a former version" for path in self._former()]
        found: list[Run] = []
        for name, segments in runs_in(files).items():
            lock = None if name == self._run_name else self._acquire(self._folder / lock_name(name))
            if lock is not None:
                run = Run(name, lock)
                found.append(run)
                told += taken_over(self._storage, self._folder, segments, files, run)
        sweep(self._folder, files, self._acquire, self._run_name)
        self._runs[:0] = found
        # what a killed process wrote last may be in the page cache alone
        self._unsure = [series.segments[-1] for run in found for series in run.lanes.values() if series.segments]
        segments = [(run, segment) for run in found for segment in run.segments()]
        damaged, torn = sum(one.damaged for _, one in segments), sum(one.torn for _, one in segments)
        for run, segment in segments:
            if not segment.entries:
                self._dispose(run.series(segment.lane), segment)
        self._count()
        return Found(self.entries, damaged, torn, tuple(told))

    def _former(self) -> list[Path]:
        return former_files(self._storage, self._folder, self._folder.name)

    # ---- in ---------------------------------------------------------------------------------------------------

    def append(self, entries: Sequence[Capture], parts: Sequence[bytes], *, front: bool = False) -> None:
        """See `Spool`."""
        try:
            if front:
                self._put_front(entries, parts)
            else:
                self._put_behind(entries, parts)
        finally:
            self._count()

    def _put_behind(self, entries: Sequence[Capture], parts: Sequence[bytes]) -> None:
        arrival, self._next_arrival = self._next_arrival, self._next_arrival + len(entries)
        groups = _by_lane(entries, parts, arrival)
        refused = self._without_room(groups)
        written: list[_Written] = []
        try:
            for lane, group in groups.items():
                if lane not in refused:
                    self._write(self._tail(lane), group, written)
        except OSError:
            for segment, size, count in written:
                segment.take_back(size, count)
            raise
        self._lose(entry for lane in refused for _, entry, _ in groups[lane])
        if self._limits.fsync == "always":
            self._sync_at_once()

    def _sync_at_once(self) -> None:
        """Bring what was put to the disk; where that failed it may be there in another segment, and is not put again.

        Raises:
            OSError: it is not there.
        """
        try:
            self.sync()
        except OSError:
            if any(tail.is_dirty for tail in self._tails.values()):
                raise

    def _write(self, segment: SpoolSegment, group: Sequence[_Arrived], written: list[_Written]) -> None:
        frames: list[bytes] = []
        for begin in range(0, len(group), _ENTRIES_A_BREATH):
            frames += segment.encoded(group[begin : begin + _ENTRIES_A_BREATH], begin)
            _breathe()
        size = segment.size_bytes
        segment.append(b"".join(frames), len(group))
        written.append((segment, size, len(group)))

    def _tail(self, lane: Lane) -> SpoolSegment:
        tail = self._tails.get(lane)
        if tail is None or tail.size_bytes >= self._limits.ends_at_bytes:
            if tail is not None:
                self._sealed(tail)
            run = self._own_run()
            tail = self._tails[lane] = self._new(run.name, lane, self._number)
            self._number += 1
            run.series(lane).segments.append(tail)
        return tail

    def _sealed(self, segment: SpoolSegment) -> None:
        """Nothing follows in this segment."""
        if self._limits.fsync != "never":
            self._sync(segment)
        self._tails.pop(segment.lane, None)
        segment.close()

    def _own_run(self) -> Run:
        if self._own is None:
            lock = self._acquire(self._folder / lock_name(self._run_name))
            if lock is None:
                raise OSError(errno.EAGAIN, f"{self._run_name} in {self._folder} is locked by somebody else")
            self._own = Run(self._run_name, lock, lowest=_FIRST_ARRIVAL)
            self._runs.append(self._own)
        return self._own

    def _new(self, run: str, lane: Lane, number: int) -> SpoolSegment:
        segment = SpoolSegment(self._storage, self._folder / segment_name(run, lane, number), lane, number)
        segment.create(time.time_ns())
        return segment

    def adopt(self, entries: Sequence[Capture], parts: Sequence[bytes]) -> Cursor:
        """See `Spool`."""
        try:
            made = self._put_front(entries, parts, read=True)
            return tuple((segment, segment.size_bytes) for segment in made)
        finally:
            self._count()

    def _put_front(
        self, entries: Sequence[Capture], parts: Sequence[bytes], *, read: bool = False
    ) -> list[SpoolSegment]:
        run = next((run for run in self._runs if run.entries), None) or self._own_run()
        run.lowest -= len(entries)
        made: list[SpoolSegment] = []
        written: list[_Written] = []
        try:
            for lane, group in _by_lane(entries, parts, run.lowest).items():
                segments = run.series(lane).segments
                number = (segments[0].number if segments else self._number) - 1
                made.append(self._new(run.name, lane, number))
                self._write(made[-1], group, written)
                if self._limits.fsync != "never":
                    made[-1].sync()
            found = [[] if read else whole(segment) for segment in made]
        except OSError:
            for segment in made:
                with suppress(OSError):
                    segment.delete()
            raise
        for segment, entries_in_it in zip(made, found, strict=True):
            if read:
                segment.mark_read()
            run.series(segment.lane).put_first(segment, entries_in_it)
        return made

    # ---- room -------------------------------------------------------------------------------------------------

    def _without_room(self, groups: Mapping[Lane, Sequence[_Arrived]]) -> set[Lane]:
        """Make room for entries, highest class first; those for which there is none, as higher ones have it.

        Raises:
            OSError: there is none for protected ones, or the disk is full of what is not ours.
        """
        refused: set[Lane] = set()
        needed = 0
        for lane in sorted(groups, reverse=True):
            more = LEAST_HEADER_BYTES + sum([entry_bytes(entry, part) for _, entry, part in groups[lane]])
            if self._make_room(lane, needed + more):
                needed += more
            else:
                refused.add(lane)
        return refused

    def _make_room(self, lane: Lane, needed_bytes: int) -> bool:
        """Evict until so much fits; False when what is there must not give way to entries of this lane."""
        limits = self._limits
        while self._total_bytes() + needed_bytes > limits.max_bytes:
            if needed_bytes > limits.max_bytes or not self._evict(lane):
                if lane is Lane.PROTECTED:
                    raise OSError(errno.ENOSPC, f"the disk queue has reached its cap of {limits.max_bytes} bytes")
                return False
        while limits.min_free_bytes and self._storage.free_bytes(self._folder) - needed_bytes < limits.min_free_bytes:
            if not self._evict(lane):
                text = f"less than {limits.min_free_bytes} bytes would be left free on the disk"
                raise OSError(errno.ENOSPC, text)
        return True

    def _evict(self, lane: Lane) -> bool:
        """Delete the oldest segment of the lowest class, up to `lane`, never a protected one; whether there was one."""
        for candidate in Lane:
            if candidate > lane or candidate is Lane.PROTECTED:
                return False
            for run in self._runs:
                series = run.lanes.get(candidate)
                if series is not None and series.segments:
                    self._give_up(series, series.segments[0])
                    return True
        return False

    def _give_up(self, series: Series, segment: SpoolSegment) -> None:
        losses = Losses()
        with suppress(OSError):  # what can't be read is given up without its levels
            while not segment.exhausted:
                series.read(segment, losses)
                _breathe()
        left = series.forget(segment)
        self._lose((each.entry for each in left), segment.entries - len(left) + losses.missing)
        if self._tails.get(segment.lane) is segment:
            del self._tails[segment.lane]
        segment.delete()

    def _lose(self, entries: Iterable[Capture], unknown: int = 0) -> None:
        lost = Gap() if self.lost is None else self.lost
        for entry in entries:
            lost.add(entry)
        if unknown > 0:
            lost.by_level[0] += unknown
        self.lost = lost if lost.by_level else None

    def _total_bytes(self) -> int:
        return sum([segment.size_bytes for run in self._runs for segment in run.segments()])

    # ---- out --------------------------------------------------------------------------------------------------

    def read(self, most: int, most_bytes: int) -> Block:
        """See `Spool`."""
        block = Block()
        losses = Losses()
        reached: dict[SpoolSegment, int] = {}
        left_bytes = most_bytes
        try:
            for run in self._runs:
                while len(block.parts) < most and left_bytes > 0:
                    taken = _merged(run, min(_ENTRIES_A_BREATH, most - len(block.parts)), left_bytes, losses)
                    if not taken:
                        break
                    left_bytes -= _hand_out(taken, block, reached)
                    _breathe()
        except OSError:
            if not block.parts:
                raise
        finally:
            block.damaged, block.missing, block.duplicates = losses.damaged, losses.missing, losses.duplicates
            block.cursor = self._cursor(reached)
            self._count()
        return block

    def _cursor(self, reached: dict[SpoolSegment, int]) -> Cursor | None:
        """How far all was read: where nothing is left of a segment, to its end, past damage."""
        for run in self._runs:
            for series in run.lanes.values():
                for segment in takewhile(_is_empty, series.segments):
                    reached[segment] = segment.size_bytes
        for segment in reached:
            if self._tails.get(segment.lane) is not segment:
                segment.close()
        return tuple(reached.items()) or None

    def ack(self, cursor: Cursor) -> None:
        """See `Spool`."""
        failed: OSError | None = None
        for segment, offset in cursor:
            series = self._series_of(segment)
            if series is None:  # evicted meanwhile, or named twice: by the block that ended it and by the next
                continue
            try:
                if _is_empty(segment) and offset >= segment.size_bytes:
                    self._dispose(series, segment)
                else:
                    segment.done(offset)
            except OSError as error:  # the others are none of its
                failed = error
        self._count()
        if failed is not None:
            raise failed

    def _series_of(self, segment: SpoolSegment) -> Series | None:
        lanes = (run.lanes.get(segment.lane) for run in self._runs)
        return next((series for series in lanes if series is not None and segment in series.segments), None)

    def _dispose(self, series: Series, segment: SpoolSegment) -> None:
        """Take a segment away of which nothing is needed; one with damage in it is kept aside to be looked at."""
        if segment.damaged:
            segment.set_aside()
        else:
            segment.delete()
        series.segments.remove(segment)
        if self._tails.get(segment.lane) is segment:
            del self._tails[segment.lane]

    # ---- to the disk, and the end -----------------------------------------------------------------------------

    def sync(self) -> None:
        """See `Spool`."""
        failed: OSError | None = None
        unsure, self._unsure = self._unsure, []
        here = {segment for run in self._runs for segment in run.segments()}
        for sync, segments in ((SpoolSegment.sync_again, unsure), (self._sync, list(self._tails.values()))):
            for segment in segments:
                try:
                    if segment in here:
                        sync(segment)
                except OSError as error:
                    failed = error
        if failed is not None:
            raise failed

    def _sync(self, segment: SpoolSegment) -> None:
        """Bring a segment to the disk; where the system could not, write what is at risk to another one.

        Raises:
            OSError: it could not, even where the other one could.
        """
        try:
            segment.sync()
        except OSError:
            self._rewritten(segment)
            raise

    def _rewritten(self, segment: SpoolSegment) -> None:
        run = self._own_run()
        self._tails.pop(segment.lane, None)
        at_risk = segment.at_risk()
        fresh = self._new(run.name, segment.lane, self._number)
        self._number += 1
        self._write(fresh, [(each.arrival, each.entry, each.part) for each in at_risk], [])
        segment.cut_risk(len(at_risk))
        segment.close()
        run.series(segment.lane).segments.append(fresh)
        self._tails[segment.lane] = fresh
        fresh.sync()

    def close(self) -> None:
        """See `Spool`."""
        try:
            self.sync()
        finally:
            for run in self._runs:
                for segment in run.segments():
                    segment.close()
                run.lock.release(delete=not any(run.segments()))
            if self._runs and not any(True for run in self._runs for _ in run.segments()):
                with suppress(OSError):
                    self._storage.remove(self._folder)
            self._runs.clear()
            self._tails.clear()

    def _count(self) -> None:
        self.entries = sum([run.entries for run in self._runs])
        self.disk_bytes = self._total_bytes()


def _by_lane(entries: Sequence[Capture], parts: Sequence[bytes], arrival: int) -> dict[Lane, list[_Arrived]]:
    groups: dict[Lane, list[_Arrived]] = {}
    for at, (entry, part) in enumerate(zip(entries, parts, strict=True)):
        groups.setdefault(lane_of(entry[LEVEL], entry[LOG_TYPE]), []).append((arrival + at, entry, part))
    return groups


def _merged(run: Run, most: int, most_bytes: int, losses: Losses) -> list[tuple[SpoolSegment, SpooledEntry]]:
    """Take the next entries of a run, in the order of their arrival."""
    lanes = [series for series in run.lanes.values() if series.load(losses)]
    taken: list[tuple[SpoolSegment, SpooledEntry]] = []
    while lanes and len(taken) < most and most_bytes > 0:
        first = min(lanes, key=_head)
        until = min([_head(series) for series in lanes if series is not first], default=inf)
        waiting = first.waiting
        while waiting and len(taken) < most and most_bytes > 0 and waiting[0][1].arrival < until:
            one = waiting.popleft()
            segment, each = one
            segment.entries -= 1  # at once: reading ahead counts what is missing
            most_bytes -= len(each.part)
            taken.append(one)
        if not waiting and not _loaded(first, losses):
            lanes.remove(first)
    return taken


def _is_empty(segment: SpoolSegment) -> bool:
    """Whether all of it was read and handed out; in a series these come first."""
    return segment.exhausted and not segment.entries


def _loaded(series: Series, losses: Losses) -> bool:
    """As `load`; a refusal ends the block here, and shows with the next one, whose first step it is."""
    try:
        return series.load(losses)
    except OSError:
        return False


def _head(series: Series) -> int:
    return series.waiting[0][1].arrival


def _hand_out(taken: list[tuple[SpoolSegment, SpooledEntry]], block: Block, reached: dict[SpoolSegment, int]) -> int:
    """Move entries into a block; returns their size, bytes."""
    parts = [each.part for _, each in taken]
    block.entries += [each.entry for _, each in taken]
    block.parts += parts
    reached.update([(segment, each.end) for segment, each in taken])
    return sum(map(len, parts))
