"""The figures of log files, gathered part by part, in large logs by several processes at once; memory is bounded.

Parts are taken in in the order of the files, whoever looked through them, so that the figures are those of one process.
A part that has entries which stood in the log before is looked through once more, told which these are.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, final

from metaexpert.logger.files.reading.blocks import Block, blocks_of
from metaexpert.logger.files.reading.bounds import Range, aligned, range_in, times_at
from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.files.reading.figures import Figures, Line, line_of
from metaexpert.logger.files.reading.helpers import Helper, processes_for
from metaexpert.logger.files.reading.log_statistics import FileStatistics, LogStatistics
from metaexpert.logger.files.reading.plain_lines import PlainLines
from metaexpert.logger.files.reading.precheck import Precheck
from metaexpert.logger.files.reading.query import Query
from metaexpert.logger.files.reading.report import ReadReport
from metaexpert.logger.files.reading.scan import Scanner
from metaexpert.logger.files.reading.sequence_numbers import SequenceNumbers
from metaexpert.logger.files.reading.sources import ReadError, Source
from metaexpert.logger.files.reading.text_copies import Standing, Writer

PART_BYTES: Final = 8 * 1024 * 1024
_PIECE_BYTES: Final = 128 * 1024
"""What is decoded at once: of larger pieces the objects do not fit the processor's cache."""
_UNDER_WAY: Final = 3
"""Parts a process has at once: one it is at, and what follows."""

_WAITING_PARTS: Final = 64


class Asked(NamedTuple):
    """What to look through.

    Attributes:
        source: the file.
        part: of its content.
        is_first: whether nothing of it is looked through before.
        known: numbers of entries that stood in the log before, by run.
        copies: lines without id that did, and how often each stands in the part again.
    """

    source: Source
    part: Range
    is_first: bool
    known: Mapping[str, SequenceNumbers] | None = None
    copies: Mapping[Line, int] | None = None


class Counted(NamedTuple):
    """What was found."""

    figures: Figures
    report: ReadReport


@final
@dataclass(slots=True)
class Counting:
    """Gathers the figures of parts.

    Attributes:
        query: what to count.
    """

    query: Query
    _precheck: Precheck = field(init=False)
    _is_all: bool = field(init=False)
    """Whether times alone decide what counts."""

    def __post_init__(self) -> None:
        self._precheck = Precheck.of(self.query)
        self._is_all = self.query == Query(since_ns=self.query.since_ns, until_ns=self.query.until_ns)

    def through(self, asked: Asked) -> Counted:
        """What a part holds."""
        source, report = asked.source, ReadReport()
        figures = Figures(source.path, source.log, asked.known, asked.copies, is_first=asked.is_first)
        scanner = Scanner(self.query, self._precheck, source.path, report, asked.part.begin_ns)
        for block in blocks_of(source, asked.part.start, asked.part.end, lambda: _PIECE_BYTES, report):
            lines = PlainLines.of(source.path, block.data) if self._is_all and block.data[:1] == b"{" else None
            if lines is None or not self._is_taken(lines, figures):
                figures.add_all(scanner.kept(block))
            else:
                self._tell(block, lines, scanner, report)
        figures.damaged = report.damaged
        return Counted(figures, report)

    def _is_taken(self, lines: PlainLines, figures: Figures) -> bool:
        """Whether a block was taken in as a whole, or ruled out as one."""
        since_ns, until_ns = self.query.since_ns, self.query.until_ns
        if since_ns is None and until_ns is None:
            return figures.add_lines(lines)
        first_ns, last_ns = lines.first_ns, lines.last_ns
        if (since_ns is not None and last_ns < since_ns) or (until_ns is not None and first_ns >= until_ns):
            return True
        is_within = (since_ns is None or first_ns >= since_ns) and (until_ns is None or last_ns < until_ns)
        return is_within and figures.add_lines(lines)

    @staticmethod
    def _tell(block: Block, lines: PlainLines, scanner: Scanner, report: ReadReport) -> None:
        report.bytes += len(block.data)
        report.lines += len(lines.lines)
        scanner.time_ns = lines.time_ns(-1)


def counted(
    sources: Iterable[Source], query: Query, report: ReadReport, *, parallel: int | None = None
) -> LogStatistics:
    """The figures of files.

    Args:
        sources: the files.
        query: what to count; files its times rule out are counted as files, and not read.
        report: what there is, and what is damaged, is counted here.
        parallel: how many processes look through them; None for as many as are worth it, 1 for this one alone.

    Raises:
        ReadError: something is wrong in a process that looks through them.
    """
    reading = _Reading(sorted(sources, key=_order), query, report)
    processes = processes_for(sum(map(_content_bytes, reading.sources))) if parallel is None else parallel
    if processes <= 1 or not reading.beside(processes):
        reading.here()
    return reading.found


def _order(source: Source) -> tuple[str, str]:
    """Files of a log in the order they were written, as far as their names tell."""
    return source.log, source.path.name


def _process_of(source: Source) -> str:
    """The process that wrote a file: its id, when it began, and what tells it from others that had both."""
    return "" if source.file is None else str(source.file.run)


def _content_bytes(source: Source) -> int:
    return source.content_bytes


@final
@dataclass(slots=True)
class _Ticket:
    file: FileStatistics
    asked: Asked
    future: Future[Counted]
    helper: int


@final
class _Reading:
    """One gathering of figures."""

    def __init__(self, sources: Sequence[Source], query: Query, report: ReadReport) -> None:
        self.sources = sources
        self.found = LogStatistics()
        self._query = query
        self._report = report
        self._work = Counting(query)

    def here(self) -> None:
        """Look through everything in this process."""
        for file, asked in self._parts():
            self._take(file, asked, self._work.through(asked))

    def beside(self, processes: int) -> bool:
        """Have everything looked through by others; False where none can be started."""
        with ExitStack() as stack:
            try:
                helpers = [stack.enter_context(Helper(self._work)) for _ in range(processes)]
            except OSError:
                return False
            tickets, ended = deque[_Ticket](), set[int]()
            for file, asked in self._parts():
                helper = self._free(tickets, len(helpers), ended)
                future = helpers[helper].ask(asked) if helper >= 0 else _failed()
                tickets.append(_Ticket(file, asked, future, helper))
            while tickets:
                self._take_ticket(tickets.popleft(), ended)
        return True

    def _free(self, tickets: deque[_Ticket], helpers: int, ended: set[int]) -> int:
        """A process with little to do, waited for; -1 where none is left. What is done is taken in meanwhile."""
        while True:
            while tickets and tickets[0].future.done():
                self._take_ticket(tickets.popleft(), ended)
            loads = Counter(ticket.helper for ticket in tickets if not ticket.future.done())
            left = [number for number in range(helpers) if number not in ended]
            helper = min(left, key=loads.__getitem__, default=-1)
            if helper < 0 or (loads[helper] < _UNDER_WAY and len(tickets) < _WAITING_PARTS):
                return helper
            waiting = [ticket.future for ticket in tickets if not ticket.future.done()]
            wait(waiting[:1] if len(tickets) >= _WAITING_PARTS else waiting, return_when=FIRST_COMPLETED)

    def _take_ticket(self, ticket: _Ticket, ended: set[int]) -> None:
        try:
            counted = ticket.future.result()
        except (OSError, EOFError):  # that process ended
            ended.add(ticket.helper)
            counted = self._work.through(ticket.asked)
        except Exception as error:
            raise ReadError(f"{ticket.asked.source.path} cannot be read: {error or type(error).__name__}") from error
        self._take(ticket.file, ticket.asked, counted)

    def _parts(self) -> Iterator[tuple[FileStatistics, Asked]]:
        for source in self.sources:
            file = self.found.file(source.log, _process_of(source), source.size_bytes)
            part = range_in(source, self._query)
            if part is None:
                self._report.skipped += 1
                continue
            self._report.files += 1
            for number, piece in enumerate(_pieces(source, part)):
                yield file, Asked(source, piece, is_first=not number)

    def _take(self, file: FileStatistics, asked: Asked, counted: Counted) -> None:
        copies = self._copies(asked.source, counted.figures.recovered)
        if copies or file.overlaps(counted.figures):
            counted = self._work.through(asked._replace(known=file.known, copies=copies))
        self._report.add(counted.report)
        file.take(counted.figures)

    def _copies(self, source: Source, lines: Sequence[Line]) -> Counter[Line]:
        """How many of some lines that may be a former run's stand in a file of such a one, and how often."""
        copies = Counter[Line]()
        if not lines:
            return copies
        times = [time_ns for time_ns, _ in lines]
        standing = {line: Standing() for line in lines}
        query = replace(self._query, since_ns=min(times), until_ns=max(times) + 1)
        for other in self.sources:
            if other.log == source.log and _process_of(other) < _process_of(source):
                writer = Writer.of(other.path)
                for entry in _entries_of(other, query):
                    if entry.entry_id is None and (line := line_of(entry)) in standing:
                        standing[line].is_copy(writer, entry.time_ns)
        here = Writer.of(source.path)
        for line in lines:
            copies[line] += standing[line].is_copy(here, line[0])
        return +copies


def _failed() -> Future[Counted]:
    future: Future[Counted] = Future()
    future.set_exception(EOFError())
    return future


def _entries_of(source: Source, query: Query) -> Iterator[LogEntry]:
    part, report = range_in(source, query), ReadReport()
    if part is None:
        return
    scanner = Scanner(query, Precheck.of(query), source.path, report, part.begin_ns)
    for block in blocks_of(source, part.start, part.end, lambda: _PIECE_BYTES, report):
        yield from scanner.kept(block)


def _pieces(source: Source, part: Range) -> Iterator[Range]:
    """A plain file's parts; a compressed one is one."""
    if part.end is None:
        yield part
        return
    start, begin_ns = part.start, part.begin_ns
    while start < part.end or start == part.start:
        found = aligned(source, start + PART_BYTES) if start + PART_BYTES < part.end else part.end
        end = part.end if found is None else min(found, part.end)
        yield Range(begin_ns, start, end)
        if end >= part.end:
            return
        start, begin_ns = end, min(times_at(source, end), default=begin_ns)
