"""What runs that ended have left in the journal's folder: entries that sinks have not settled, and how the run ended.

Several processes share the folder: a run's files are its own as long as its lock is held, and afterwards of whoever
gets the lock. Files that this version cannot read stay where they are, and so does what nobody was asked to settle.
"""

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

from metaexpert.logger.entry import SEQ, TIME_NS, Capture
from metaexpert.logger.identity import Identity
from metaexpert.logger.journal.frames import capture_of
from metaexpert.logger.journal.medium import machine_start
from metaexpert.logger.journal.segments import read_at, write_at
from metaexpert.logger.owner_lock import OwnerLock
from metaexpert.logger.segment import (
    MARK_AT,
    Kind,
    NotASegment,
    Reading,
    SegmentError,
    SegmentHeader,
    decode_header,
    frames,
)

_NAME: Final = re.compile(r"(?P<run>[^.]+)\.(?:(?P<number>\d{8})\.journal|recorder|running|unsynced)")


@final
class LeftSegment:
    """A segment of a run that has ended, kept until its entries are settled.

    Attributes:
        path: its file.
        header: what it says of itself.
        entries: (place, mark, entry) of each frame, in order of writing.
        damaged: places skipped.
        torn: its last frame was never written to its end.
        appended: entries in it that somebody has still to settle.
        settled: those among them that are.
        is_handed_over: its entries were offered to the sinks; until then all of them are needed.
        unclaimed: entries in it that only sinks which are configured no more have not settled.
        old_bits: this run's bit of a sink to that run's.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.appended = 0
        self.settled = 0
        self.is_handed_over = False
        self.unclaimed = 0
        self.old_bits: dict[int, int] = {}
        self.entries: list[tuple[int, int, Capture]] = []
        self.damaged = 0
        self.torn = False
        self.header = self._read(path.read_bytes())
        self._descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))

    def _read(self, data: bytes) -> SegmentHeader:
        header, begin = decode_header(data)
        if header.kind is not Kind.JOURNAL:
            raise NotASegment(f"the segment is part of a {header.kind.name.lower()}, not of a journal")
        reading = Reading()
        for frame in frames(data, begin, reading=reading):
            try:
                capture = capture_of(frame.seq, frame.time_ns, frame.payload, frame.flags)
            except ValueError:
                self.damaged += 1
                continue
            self.entries.append((frame.position, frame.mark, capture))
        self.damaged += reading.quarantined
        self.torn = reading.torn
        return header

    def mark(self, at: int, bit: int) -> None:
        """Note that the sink with this run's `bit` has settled an entry.

        Raises:
            OSError: it cannot be noted.
        """
        old = self.old_bits.get(bit)
        if old is None:
            return  # a sink that run did not have got an entry it had not routed
        place = at + MARK_AT + old // 8
        write_at(self._descriptor, place, bytes((read_at(self._descriptor, place, 1)[0] | 1 << old % 8,)))

    def mark_all(self, at: int, mark: int) -> None:
        """Leave a frame's mark as that run left it: `mark` is by this run's bits."""

    def mark_routed(self, at: int, mark: int) -> None:
        """Set the whole mark, by that run's bits, of an entry that it had not routed yet."""
        with suppress(OSError):  # without it the entry is offered to all sinks once more if this run is killed
            write_at(self._descriptor, at + MARK_AT, mark.to_bytes(8, "little"))

    @property
    def is_settled(self) -> bool:
        """Whether nobody needs it any longer."""
        return self.is_handed_over and self.settled >= self.appended

    def close(self, *, delete: bool) -> None:
        """Let go of the file; `delete` takes it away, or aside where something in it was damaged or is unclaimed."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        if delete:
            with suppress(OSError):
                if self.damaged or self.unclaimed:
                    self.path.replace(self.path.with_suffix(".unclaimed" if self.unclaimed else ".damaged"))
                else:
                    self.path.unlink(missing_ok=True)


@dataclass(slots=True)
class Leftover:
    """One run that has ended.

    Attributes:
        run: its name, `boot_id-pid`.
        lock: says that its files are ours now.
        folder: where they are.
        segments: what it left, oldest first.
        unreadable: files that stay where they are, and why.
        crashed: it ended without a stop.
        meta: what its files say of it.
        started_ns: when its oldest file was made, nanoseconds since 1970.
        damaged: damaged places in them.
        last_ns: time of the last entry in its segments, nanoseconds since 1970; 0 when there is none.
        is_told: what there is to say of it was said, and its lock may go with its last segment.
        is_unsynced: the disk had refused what it had written to log files.
        is_safe: what it had written to log files is on the disk.
    """

    run: str
    lock: OwnerLock
    folder: Path
    segments: list[LeftSegment] = field(default_factory=list[LeftSegment])
    unreadable: list[str] = field(default_factory=list[str])
    crashed: bool = False
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])
    started_ns: int = 0
    damaged: int = 0
    last_ns: int = 0
    is_told: bool = False
    is_unsynced: bool = False
    is_safe: bool = False

    @property
    def identity(self) -> Identity:
        """Whose entries they are."""
        meta = self.meta
        return Identity(
            service=str(meta.get("service", "")),
            boot_id=str(meta.get("boot_id", "")),
            pid=int(meta.get("pid", 0)),
            host=str(meta.get("host", "")),
        )

    @property
    def marks_count(self) -> bool:
        """Whether its marks can be relied on: not where the machine went down since."""
        return self.meta.get("machine_start") == machine_start()

    @property
    def sinks(self) -> list[str]:
        """Its sinks, by bit."""
        return [str(name) for name in self.meta.get("sinks", ())]

    def in_order(self) -> list[tuple[LeftSegment, int, int, Capture]]:
        """Its entries in the order of their calls, with segment, place and mark; each once.

        One that was written anew after a failed sync may stand in two segments: whoever settled either of them has it.
        """
        found: dict[int, tuple[LeftSegment, int, int, Capture]] = {}
        for segment in self.segments:
            for at, mark, capture in segment.entries:
                known = found.get(capture[SEQ])
                found[capture[SEQ]] = (segment, at, mark if known is None else mark | known[2], capture)
        return [found[seq] for seq in sorted(found)]

    @property
    def has_settled(self) -> bool:
        """Whether there is something to take away."""
        return any(segment.is_settled for segment in self.segments) if self.segments else self.is_told

    def discard_settled(self) -> None:
        """Take away what is settled; the lock goes with the last of it."""
        for segment in [each for each in self.segments if each.is_settled]:
            self.segments.remove(segment)
            segment.close(delete=True)
        if not self.segments and self.is_told:
            self._forget_refusal()
            self.lock.release(delete=True)

    def close(self, *, keep_settled: bool = False) -> None:
        """Leave what is not settled to the next start; `keep_settled` leaves that as well."""
        left = [segment for segment in self.segments if keep_settled or not segment.is_settled]
        for segment in self.segments:
            segment.close(delete=segment not in left)
        self.segments.clear()
        if not left and self.is_told:
            self._forget_refusal()
        self.lock.release(delete=True)

    def _forget_refusal(self) -> None:
        with suppress(OSError):
            unsynced_mark(self.folder, self.run).unlink(missing_ok=True)


def unsynced_mark(folder: Path, run: str) -> Path:
    """The file that is there where a run's stop could not bring its log files to the disk."""
    return folder / f"{run}.unsynced"


def exist(folder: Path, own_run: str) -> bool:
    """Whether there is anything of other runs; quick."""
    with suppress(OSError), os.scandir(folder) as entries:
        return any(match["run"] != own_run for entry in entries if (match := _NAME.fullmatch(entry.name)) is not None)
    return False


def taken(folder: Path, own_run: str, breathe: Callable[[], None]) -> list[Leftover]:
    """Take over what runs that ended left, the oldest run first; blocks.

    Args:
        folder: the journal's.
        own_run: this one.
        breathe: called between segments, to let other threads work.
    """
    found: list[Leftover] = []
    for run in _files(folder).keys() - {own_run}:
        lock = OwnerLock.acquire(folder / f"{run}.lock")
        if lock is None:
            continue
        paths = _files(folder).get(run, [])  # asked again: whoever had the lock before may have taken them away
        if paths:
            found.append(_leftover(Leftover(run, lock, folder), paths, breathe))
        else:
            lock.release(delete=True)
    return sorted(found, key=lambda leftover: (leftover.started_ns, leftover.run))


def _files(folder: Path) -> dict[str, list[Path]]:
    """The files of each run."""
    runs: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        match = _NAME.fullmatch(path.name)
        if match is not None:
            runs.setdefault(match["run"], []).append(path)
    return runs


def _leftover(leftover: Leftover, paths: list[Path], breathe: Callable[[], None]) -> Leftover:
    for path in paths:
        if path.suffix != ".journal":
            leftover.crashed |= path.suffix == ".running"
            leftover.is_unsynced |= path.suffix == ".unsynced"
            continue
        try:
            segment = LeftSegment(path)
        except (OSError, SegmentError) as error:
            leftover.unreadable.append(f"{path}: {error}")
            continue
        breathe()
        if not leftover.segments:
            leftover.started_ns = segment.header.created_ns
        leftover.meta = segment.header.meta  # the newest knows all sinks
        leftover.last_ns = max([leftover.last_ns, *(entry[TIME_NS] for _, _, entry in segment.entries)])
        leftover.damaged += segment.damaged
        leftover.segments.append(segment)
    return leftover
