"""The entries of a log as they are written: `tail -f` over all its processes and rotations.

Where reading stands is kept for each file by its inode, so that one that is renamed goes on, and by what it holds, so
that one that is compressed does. Entries come sorted, and each once: what a look finds beyond the place where another
file, of which there is more than a look takes, is still to be read waits for that. What waits is bounded: beyond
`_MOST_HELD_BYTES` the file that lies furthest behind is read alone. Looks are at most `LONGEST_SECONDS` apart; nothing
is open between two but a compressed file that is not read to its end yet.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from metaexpert.logger.files.ownership import is_written
from metaexpert.logger.files.reading.blocks import LONGEST_BYTES, Block, blocks_of, read_at
from metaexpert.logger.files.reading.bounds import MARGIN_NS
from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.files.reading.held_back import HeldBack
from metaexpert.logger.files.reading.merge import Once
from metaexpert.logger.files.reading.precheck import Precheck, entry_begin
from metaexpert.logger.files.reading.query import Query
from metaexpert.logger.files.reading.report import ReadReport
from metaexpert.logger.files.reading.scan import Scanner
from metaexpert.logger.files.reading.sources import ReadError, Source, sources_in
from metaexpert.logger.files.reading.tail import last

LONGEST_SECONDS: Final = 0.25
_SHORTEST_SECONDS: Final = 0.02
_MOST_HELD_BYTES: Final = 32 * 1024 * 1024
_LOOKED_BACK_BYTES: Final = 1024 * 1024
_MANY_CONTENTS: Final = 1000
_NEWLINE: Final = ord("\n")
_NEVER_NS: Final = 2**63


def follow(
    places: Iterable[Path],
    query: Query | None = None,
    *,
    log: str | None = None,
    count: int = 0,
    report: ReadReport | None = None,
    wait: Callable[[float], object] = time.sleep,
) -> Iterator[LogEntry]:
    """Entries as they are written from this call on; it ends by KeyboardInterrupt, or when its user stops iterating.

    Args:
        places: folders, logs' names and single files, as for `sources_in`; they may come into being later.
        query: what to keep; None for everything.
        log: keep files of this log only.
        count: how many of the entries there are already come first.
        report: what reading comes upon is added here.
        wait: waits between two looks, seconds; a true answer ends the iteration.
    """
    told = ReadReport() if report is None else report
    following = Following(tuple(places), query or Query(), log, told)
    return _followed(following, following.begin(count), told, wait)


def _followed(
    following: "Following", first: list[LogEntry], report: ReadReport, wait: Callable[[float], object]
) -> Iterator[LogEntry]:
    once, pause = Once(report), _SHORTEST_SECONDS
    yield from once.of(first)
    while True:
        for entry in once.of(following.look()):
            report.kept += 1
            yield entry
        pause = _SHORTEST_SECONDS if following.has_grown else min(LONGEST_SECONDS, pause * 2)
        if wait(0.0 if following.has_more else pause):
            return


@final
@dataclass(slots=True)
class _Reading:
    """Where reading a file stands.

    Attributes:
        source: the file as it was seen last.
        scanner: looks through it.
        at: bytes read.
        held_at: the size at which its last text entry was held back, since lines of it may follow.
        is_closed: whether nobody writes it any more; what he wrote last may still be unread.
        is_done: whether all of it was read and nobody writes it any more.
        is_overlong: whether what comes is the rest of a line passed over.
        is_told: whether it was told that it cannot be read.
        is_behind: whether there was more to read than the last look took.
        blocks: what is left of it where it is compressed, and was not read to its end yet.
        since_ns: entries before that are no news.
    """

    source: Source
    scanner: Scanner
    at: int = 0
    held_at: int = -1
    is_closed: bool = False
    is_done: bool = False
    is_overlong: bool = False
    is_told: bool = False
    is_behind: bool = False
    blocks: Iterator[Block] | None = None
    since_ns: int = 0


@final
class Following:
    """What is read of some places, look by look.

    Args:
        places: folders, logs' names and single files.
        query: what to keep.
        log: keep files of this log only.
        report: what reading comes upon.

    Attributes:
        has_grown: whether the last look found anything new in a file.
        has_more: whether it left something behind to be read at once.
    """

    def __init__(self, places: tuple[Path, ...], query: Query, log: str | None, report: ReadReport) -> None:
        self._places = places
        self._query = query
        self._log = log
        self._report = report
        self._precheck = Precheck.of(query)
        self._by_inode: dict[tuple[int, int], _Reading] = {}
        self._by_content: dict[object, _Reading] = {}
        self._held = HeldBack()
        self._began_ns = 0
        self.has_grown = False
        self.has_more = False

    def begin(self, count: int) -> list[LogEntry]:
        """Take what is there as read; its last entries are answered."""
        self._began_ns = time.time_ns()
        sources = self._present()
        for source in sources:
            reading = self._add(source)
            reading.at = 0 if source.packing else _behind_last_line(source)
            reading.is_done = bool(source.packing)
        return last(sources, self._query, count, report=self._report)

    def look(self) -> list[LogEntry]:
        """What was written since the last look, as far as all files were read, sorted."""
        self.has_grown = False
        sources, has_new = tuple(sorted(self._present(), key=self._time_of)), False
        for number, source in enumerate(sources):
            if number and self._held.size_bytes > _MOST_HELD_BYTES:
                has_new |= self._is_left_new(source)
            else:
                self._held.add(self._more_of(source))
        self._forget(sources)
        behind = [each.scanner.time_ns for each in self._by_inode.values() if each.is_behind] + [0] * has_new
        self.has_more = bool(behind)
        return self._held.let_go(min(behind, default=None))

    def _time_of(self, source: Source) -> int:
        """How far a file was read; those behind, and those that are new, come first."""
        reading = self._known(source)
        return 0 if reading is None else reading.scanner.time_ns if reading.is_behind else _NEVER_NS

    def _is_left_new(self, source: Source) -> bool:
        """Leave a file for another look; whether it is new. One there is more of is behind from now on."""
        reading = self._known(source)
        if reading is not None and not source.packing and source.size_bytes != reading.at:
            reading.is_behind = True
        return reading is None

    def _present(self) -> tuple[Source, ...]:
        try:
            return sources_in(self._places, self._log)
        except ReadError:
            return sources_in([place for place in self._places if _is_there(place, self._log)], self._log)

    def _add(self, source: Source) -> _Reading:
        scanner = Scanner(self._query, self._precheck, source.path, self._report)
        reading = self._by_inode[source.identity] = _Reading(source, scanner)
        self._by_content[source.content] = reading
        self._report.files += 1
        return reading

    def _forget(self, sources: tuple[Source, ...]) -> None:
        """What was there; what it held is known for a while, since it may come back compressed."""
        inodes = {each.identity for each in sources}
        self._by_inode = {key: value for key, value in self._by_inode.items() if key in inodes}
        if len(self._by_content) > _MANY_CONTENTS + 2 * len(sources):
            contents = {each.content for each in sources}
            self._by_content = {key: value for key, value in self._by_content.items() if key in contents}

    def _known(self, source: Source) -> _Reading | None:
        """The file's, if it is the one that had this inode before: one of ours is never renamed."""
        reading = self._by_inode.get(source.identity)
        ours = reading is not None and (reading.source.file or source.file)
        return None if reading is not None and ours and reading.source.content != source.content else reading

    def _more_of(self, source: Source) -> list[LogEntry]:
        reading = self._known(source)
        if source.packing:
            return self._more_of_blocks(self._begun(source) if reading is None else reading)
        if reading is None:
            reading = self._add(source)
            if source.modified_ns < self._began_ns - MARGIN_NS:
                reading.at = _behind_last_line(source)  # an old file that was brought here
        elif reading.source.path != source.path:
            reading.scanner = Scanner(self._query, self._precheck, source.path, self._report)
            self._by_content[source.content] = reading
        reading.source = source
        if source.size_bytes < reading.at:
            self._report.note(f"{source.path} was cut to {source.size_bytes} bytes; read again from its begin")
            reading.at, reading.is_overlong = 0, False
        return self._more_of_plain(reading)

    def _more_of_plain(self, reading: _Reading) -> list[LogEntry]:
        source, at = reading.source, reading.at
        reading.is_behind = False
        if source.size_bytes == at:
            if reading.is_done:
                return []
            reading.is_done = reading.is_closed
            reading.is_closed = source.file is not None and _is_finished(source)
            return []
        try:
            data = read_at(source.path, at, min(source.size_bytes - at, LONGEST_BYTES), source.identity)
        except FileNotFoundError:
            return []  # gone since it was looked at; the next look finds it where it is
        except OSError as error:
            if not reading.is_told:
                self._report.unread(source.path, error, f"while it was read; read up to byte {at}")
            reading.is_told = True
            return []
        reading.is_told = False
        end = self._whole(reading, data)
        self.has_grown = self.has_grown or end > 0
        reading.is_behind = end > 0 and at + len(data) < source.size_bytes
        reading.at += end
        begin = data.find(b"\n", 0, end) + 1 if reading.is_overlong else 0
        reading.is_overlong = reading.is_overlong and not begin
        return (
            reading.scanner.kept(Block(at + begin, data[begin:end]))
            if begin < end and data[end - 1] == _NEWLINE
            else []
        )

    def _whole(self, reading: _Reading, data: bytes) -> int:
        """How much of what was read is whole entries; all of it where it is part of a line without end."""
        end = data.rfind(b"\n") + 1
        if not end:
            if len(data) < LONGEST_BYTES:
                return 0
            if not reading.is_overlong:
                self._report.damage(reading.source.path, reading.at, f"a line of more than {LONGEST_BYTES} bytes", data)
            reading.is_overlong = True
            return len(data)
        begin = entry_begin(data, end - 1)
        if data[begin : begin + 1] == b"{" or reading.held_at == reading.at + len(data):
            return end
        reading.held_at = reading.at + len(data)
        self.has_grown = True
        return begin

    def _begun(self, source: Source) -> _Reading:
        """A file that was compressed before all of it was read, or that came and was compressed unseen."""
        known = self._by_content.get(source.content)
        reading = self._add(source)
        reading.is_done = True
        if known is None or not known.is_done:
            start, reading.since_ns = (known.at, 0) if known is not None else (0, self._began_ns)
            reading.blocks = blocks_of(source, start, None, lambda: LONGEST_BYTES, self._report)
        return reading

    def _more_of_blocks(self, reading: _Reading) -> list[LogEntry]:
        """What comes next of a compressed file."""
        found, size_bytes, reading.is_behind = list[LogEntry](), 0, False
        for block in reading.blocks or ():
            found += reading.scanner.kept(block)
            size_bytes += len(block.data)
            if size_bytes >= LONGEST_BYTES:
                reading.is_behind = True
                break
        else:
            reading.blocks = None
        self.has_grown = self.has_grown or bool(found)
        return [each for each in found if each.time_ns >= reading.since_ns]


def _is_there(place: Path, log: str | None) -> bool:
    try:
        sources_in([place], log)
    except ReadError:
        return False
    return True


def _is_finished(source: Source) -> bool:
    try:
        return not is_written(source.path)
    except OSError:
        return False


def _behind_last_line(source: Source) -> int:
    """Where the line begins that is not ended yet."""
    begin = max(0, source.size_bytes - _LOOKED_BACK_BYTES)
    try:
        data = read_at(source.path, begin, source.size_bytes - begin, source.identity)
    except OSError:
        return source.size_bytes
    return begin + data.rfind(b"\n") + 1
