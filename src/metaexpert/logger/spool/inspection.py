"""Disk queues from outside: what waits in them, read without touching it, and dropped or taken over by hand.

Looking changes no file and needs no lock, so it may be done while the owner lives; what is acknowledged or evicted
meanwhile may show or not. Dropping and taking over hold the locks of the runs that wrote the entries: what belongs to a
run that is alive is left to it.
"""

import os
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from re import Match
from typing import Final

from metaexpert.logger.entry import LEVEL, LOG_TYPE, SEQ, TIME_NS, Lane
from metaexpert.logger.owner_lock import OwnerLock
from metaexpert.logger.segment import SegmentError
from metaexpert.logger.spool.queue import SegmentSpool
from metaexpert.logger.spool.runs import ASIDE, lock_name, runs_in
from metaexpert.logger.spool.segment import SpooledEntry, SpoolSegment
from metaexpert.logger.spool.spool import SpoolLimits
from metaexpert.logger.spool.storage import Disk

_DISK: Final = Disk()
_UNBOUNDED: Final = SpoolLimits(max_bytes=2**62)


@dataclass(frozen=True, slots=True)
class QueueState:
    """One disk queue as it is now.

    Attributes:
        name: the folder's name, `<sink type>-<sink name>`.
        folder: where it is.
        alive: whether a run that writes to it lives.
        entries: entries that wait, as far as the segments' counts tell.
        size_bytes: what its segments take on disk, bytes.
        oldest_ns: when the oldest entry was logged, nanoseconds since 1970; None when nothing waits.
        newest_ns: when the newest one was.
        by_lane: entries by class.
        damaged: segments kept aside for damage, and those that can't be read, with the reason.
    """

    name: str
    folder: Path
    alive: bool
    entries: int
    size_bytes: int
    oldest_ns: int | None
    newest_ns: int | None
    by_lane: Mapping[Lane, int]
    damaged: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WaitingEntry:
    """One entry that waits on disk.

    Attributes:
        run: the run that wrote it, `<boot id>-<pid>-<count>`.
        seq: its number in that run; its id is `<boot id>-<seq>`.
        time_ns: when it was logged, nanoseconds since 1970.
        level: its level number.
        lane: its class.
        log_type: its log type.
        part: what the sink made of it.
    """

    run: str
    seq: int
    time_ns: int
    level: int
    lane: Lane
    log_type: str
    part: bytes


@dataclass(frozen=True, slots=True)
class DroppedEntries:
    """What `drop` deleted, and what it left to runs that live."""

    entries: int
    size_bytes: int
    left_entries: int


def queue_folders(log_dir: Path) -> list[Path]:
    """The folders of all disk queues below a log folder, by name."""
    root = log_dir / "spool"
    try:
        return sorted(folder for folder in root.iterdir() if folder.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def queue_state(folder: Path) -> QueueState:
    """Look at one disk queue, in constant time a segment.

    Raises:
        OSError: the folder cannot be read.
    """
    files = _DISK.files(folder)
    damaged = {name: "kept aside: something in it was damaged" for name in files if name.endswith(ASIDE)}
    by_lane: Counter[Lane] = Counter()
    times: list[int] = []
    for _, segment in _found(folder, runs_in(files), files, damaged):
        by_lane[segment.lane] += segment.entries
        times += [each.entry[TIME_NS] for each in (segment.first, segment.last) if each is not None]
    return QueueState(
        name=folder.name,
        folder=folder,
        alive=any(_is_alive(folder / lock_name(run)) for run in runs_in(files)),
        entries=by_lane.total(),
        size_bytes=sum(size for name, size in files.items() if name.endswith(".segment")),
        oldest_ns=min(times, default=None),
        newest_ns=max(times, default=None),
        by_lane={lane: count for lane, count in sorted(by_lane.items()) if count},
        damaged=damaged,
    )


def waiting_entries(folder: Path) -> Iterator[WaitingEntry]:
    """The entries of a disk queue, oldest first: run by run, in the order in which they arrived.

    Raises:
        OSError: a segment cannot be read.
    """
    files = _DISK.files(folder)
    lanes: dict[str, dict[Lane, list[SpoolSegment]]] = {}
    for run, segment in _found(folder, runs_in(files), files, {}):
        lanes.setdefault(run, {}).setdefault(segment.lane, []).append(segment)
    for run, by_lane in lanes.items():
        for lane, each in merge(*[_entries_of(segments) for segments in by_lane.values()], key=_arrival):
            entry = each.entry
            yield WaitingEntry(run, entry[SEQ], entry[TIME_NS], entry[LEVEL], lane, entry[LOG_TYPE], each.part)


def drop(folder: Path) -> DroppedEntries:
    """Delete what ended runs have left in a disk queue; what a live run has is left.

    Raises:
        OSError: a file could not be deleted.
    """
    files = _DISK.files(folder)
    entries = size = left = 0
    for run, names in runs_in(files).items():
        lock = OwnerLock.acquire(folder / lock_name(run))
        unreadable: dict[str, str] = {}
        segments = [segment for _, segment in _found(folder, {run: names}, files, unreadable)]
        count = sum(segment.entries for segment in segments)
        if lock is None:
            left += count
            continue
        for segment in segments:
            segment.delete()
        entries += count
        size += sum(segment.size_bytes for segment in segments)
        lock.release(delete=not unreadable)
    return DroppedEntries(entries, size, left)


@contextmanager
def taken_over(folder: Path, name: str = "replay") -> Generator[SegmentSpool]:
    """Hold what ended runs have left, to send it by hand: `read`, send, `ack`, until `entries` is 0.

    What is not acknowledged stays for the next start. Live runs keep theirs, and begin no replay of this meanwhile.

    Args:
        folder: the queue's folder.
        name: names this run, in lower case letters and digits.

    Raises:
        OSError: the folder cannot be read or locked.
    """
    spool = SegmentSpool(folder, name, 0, _UNBOUNDED)
    spool.open()
    try:
        yield spool
    finally:
        spool.close()


def _found(
    folder: Path, runs: Mapping[str, Iterable[Match[str]]], files: Mapping[str, int], damaged: dict[str, str]
) -> Generator[tuple[str, SpoolSegment]]:
    for run, names in runs.items():
        for name in names:
            path = folder / name.string
            segment = SpoolSegment(_DISK, path, Lane(int(name["lane"])), int(name["number"]))
            try:
                segment.find(files[name.string])
            except FileNotFoundError:  # delivered meanwhile
                continue
            except SegmentError as error:
                damaged[name.string] = str(error)
                continue
            finally:
                segment.close()
            yield run, segment


def _entries_of(segments: Iterable[SpoolSegment]) -> Generator[tuple[Lane, SpooledEntry]]:
    last = -1
    for segment in segments:
        while not segment.exhausted:
            for each in segment.read().entries:
                if each.arrival > last:
                    last = each.arrival
                    yield segment.lane, each
        segment.close()


def _arrival(of: tuple[Lane, SpooledEntry]) -> int:
    return of[1].arrival


def _is_alive(lock: Path) -> bool:
    """Whether somebody holds the lock; it is tried only where a process of that number lives, so as to be in no way."""
    pid = int(lock.name.split("-")[1])
    if not lock.exists() or (os.name == "posix" and not _runs(pid)):
        return False
    held = OwnerLock.acquire(lock)
    if held is None:
        return True
    held.release(delete=False)
    return False


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
