"""Reading logs back: live, rotated, compressed and archived files of many processes as one stream, merged by time.

    for entry in Reader(sources_in([Path("logs")]), Query.parsed(level="ERROR", since="2h")):
        print(entry.time_ns, entry.message)

Memory is constant, whatever the files' size; damaged lines are counted and told, never fatal.
"""

from collections.abc import Generator, Iterable, Iterator
from functools import partial
from typing import Final, final

from metaexpert.logger.files.reading.ahead import Ahead
from metaexpert.logger.files.reading.blocks import blocks_of
from metaexpert.logger.files.reading.bounds import Range, range_in
from metaexpert.logger.files.reading.conditions import Condition, QueryError
from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.files.reading.follow import follow
from metaexpert.logger.files.reading.helpers import processes_for
from metaexpert.logger.files.reading.merge import Batches, Opening, each_once, in_order, merged
from metaexpert.logger.files.reading.precheck import Precheck
from metaexpert.logger.files.reading.query import Query
from metaexpert.logger.files.reading.report import Damage, ReadReport
from metaexpert.logger.files.reading.scan import Scanner
from metaexpert.logger.files.reading.sources import ReadError, Source, sources_in
from metaexpert.logger.files.reading.tail import last

__all__ = [
    "Condition",
    "Damage",
    "LogEntry",
    "Query",
    "QueryError",
    "ReadError",
    "ReadReport",
    "Reader",
    "Source",
    "follow",
    "last",
    "sources_in",
]

_PIECE_BYTES: Final = 256 * 1024
"""A block is gone over several times: one that fits the processor's cache takes two thirds of the time."""

_LEAST_PIECE_BYTES: Final = 64 * 1024
_ALL_PIECES_BYTES: Final = 8 * 1024 * 1024
_KEPT_DECODED: Final = 2


@final
class Reader:
    """The entries of some files that a query keeps, merged by time; may be iterated once at a time.

    Args:
        sources: the files, as `sources_in` finds them.
        query: what to keep.
        distinct: whether an entry that stands in several files, as recovery may leave it, comes once.
        parallel: how many processes look through the files; None for as many as are worth it, 1 for this one alone.

    Attributes:
        report: what reading came upon so far.
    """

    def __init__(
        self,
        sources: Iterable[Source],
        query: Query | None = None,
        *,
        distinct: bool = True,
        parallel: int | None = None,
    ) -> None:
        self._sources = tuple(sources)
        self._query = query or Query()
        self._precheck = Precheck.of(self._query)
        self._distinct = distinct
        self._parallel = parallel
        self._open = 0
        self.report = ReadReport()

    def __iter__(self) -> Iterator[LogEntry]:
        return self._entries()

    def _entries(self) -> Generator[LogEntry]:
        self.report, self._open = ReadReport(), 0
        files = list(self._files())
        ahead = self._ahead(files)
        if ahead is None:
            yield from self._told(merged(self._here(files), self._opened))
            return
        try:
            yield from self._told(merged(self._beside(files, ahead), self._opened))
        finally:
            ahead.close()

    def _ahead(self, files: list[tuple[Source, Range]]) -> Ahead | None:
        """The processes that look through the files; None where this one does alone, as it does if none can start."""
        processes = self._processes(files)
        if processes <= 1:
            return None
        try:
            return Ahead(files, self._query, processes, self.report, lambda: self._open)
        except OSError:
            return None

    def _files(self) -> Iterator[tuple[Source, Range]]:
        for source in self._sources:
            part = range_in(source, self._query)
            if part is None:
                self.report.skipped += 1
            else:
                self.report.files += 1
                yield source, part

    def _processes(self, files: list[tuple[Source, Range]]) -> int:
        if self._parallel is not None:
            return self._parallel
        return processes_for(
            sum(source.content_bytes if part.end is None else part.end - part.start for source, part in files)
        )

    def _told(self, entries: Iterator[LogEntry]) -> Iterator[LogEntry]:
        latest_ns = 0
        for entry in each_once(entries, self.report) if self._distinct else entries:
            self.report.kept += 1
            if entry.time_ns < latest_ns:
                self.report.late += 1
            latest_ns = max(latest_ns, entry.time_ns)
            yield entry

    def _opened(self, count: int) -> None:
        self._open = count

    def _here(self, files: list[tuple[Source, Range]]) -> Iterator[Opening]:
        return ((part.begin_ns, partial(self._read, source, part)) for source, part in files)

    def _beside(self, files: list[tuple[Source, Range]], ahead: Ahead) -> Iterator[Opening]:
        for number, (_source, part) in enumerate(files):
            yield part.begin_ns, partial(_ordered, ahead, number)

    def _piece_bytes(self) -> int:
        return max(_LEAST_PIECE_BYTES, min(_PIECE_BYTES, _ALL_PIECES_BYTES // max(1, self._open)))

    def _read(self, source: Source, part: Range) -> Batches:
        scanner = Scanner(self._query, self._precheck, source.path, self.report, part.begin_ns)
        blocks = blocks_of(source, part.start, part.end, self._piece_bytes, self.report)
        return in_order(self._waiting(scanner.kept(block)) for block in blocks)

    def _waiting(self, batch: list[LogEntry]) -> list[LogEntry]:
        """Entries as they wait for their turn: where many files do, in little room."""
        return batch if self._open <= _KEPT_DECODED else [each.without_values() for each in batch]


def _ordered(ahead: Ahead, number: int) -> Batches:
    return in_order(ahead.batches(number))
