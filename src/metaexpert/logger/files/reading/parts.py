"""A part of a file, looked through: what processes that read together hand each other."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, final

from metaexpert.logger.files.reading.blocks import Block, blocks_of
from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.files.reading.precheck import Precheck
from metaexpert.logger.files.reading.query import Query
from metaexpert.logger.files.reading.report import ReadReport
from metaexpert.logger.files.reading.scan import Scanner
from metaexpert.logger.files.reading.sources import Source

_PIECE_BYTES: Final = 256 * 1024
_MOST_KEPT: Final = 10_000
_OVERHEAD_BYTES: Final = 200
_MOST_STREAMS: Final = 16

type _Bare = tuple[bytes, int, str | None]
"""An entry's line, time and id."""


class Part(NamedTuple):
    """What to look through.

    Attributes:
        source: the file.
        start: the first byte of its content; the begin of an entry.
        end: the byte behind the last; None for a compressed file, of which a part is as much as `size_bytes`.
        time_ns: the time of entries without one at its begin.
        size_bytes: how much of a compressed file's content to look through.
    """

    source: Source
    start: int
    end: int | None
    time_ns: int
    size_bytes: int


class Answer(NamedTuple):
    """What was found.

    Attributes:
        kept: line, time and id of each entry the query keeps.
        report: what there was.
        next_start: where a compressed file goes on; None where all was read.
        time_ns: the time of the last entry.
        kept_bytes: about what they need in memory.
    """

    kept: list[_Bare]
    report: ReadReport
    next_start: int | None
    time_ns: int
    kept_bytes: int

    def entries(self, source: Source) -> list[LogEntry]:
        """The entries, to be decoded when they are asked for."""
        return [LogEntry(line, source.path, time_ns, None, name) for line, time_ns, name in self.kept]


@final
@dataclass(slots=True)
class _Stream:
    """A compressed file that is being read."""

    blocks: Iterator[Block]
    report: ReadReport
    at: int


@final
@dataclass(slots=True)
class Looking:
    """Looks through parts of files for a query; compressed files stay open between two parts, a few of them.

    Attributes:
        query: what to keep.
    """

    query: Query
    _precheck: Precheck = field(init=False)
    _streams: dict[Source, _Stream] = field(init=False, default_factory=dict["Source", "_Stream"])

    def __post_init__(self) -> None:
        self._precheck = Precheck.of(self.query)

    def through(self, part: Part) -> Answer:
        """What a part holds."""
        return self._plain(part) if part.end is not None else self._packed(part)

    def _plain(self, part: Part) -> Answer:
        report = ReadReport()
        scanner = Scanner(self.query, self._precheck, part.source.path, report, part.time_ns)
        blocks = blocks_of(part.source, part.start, part.end, lambda: _PIECE_BYTES, report)
        kept = [_bare(entry) for block in blocks for entry in scanner.kept(block)]
        return Answer(kept, report, None, scanner.time_ns, _memory(kept))

    def _packed(self, part: Part) -> Answer:
        stream = self._stream(part)
        scanner = Scanner(self.query, self._precheck, part.source.path, stream.report, part.time_ns)
        kept, next_start = list[_Bare](), None
        for block in stream.blocks:
            stream.at = block.offset + len(block.data)
            kept += [_bare(entry) for entry in scanner.kept(block)]
            if stream.at - part.start >= part.size_bytes or len(kept) >= _MOST_KEPT:
                next_start = stream.at
                break
        if next_start is not None:
            self._keep(part.source, stream)
        return Answer(kept, stream.report.taken(), next_start, scanner.time_ns, _memory(kept))

    def _stream(self, part: Part) -> _Stream:
        stream = self._streams.pop(part.source, None)
        if stream is not None and stream.at == part.start:
            return stream
        report = ReadReport()
        return _Stream(blocks_of(part.source, part.start, None, lambda: _PIECE_BYTES, report), report, part.start)

    def _keep(self, source: Source, stream: _Stream) -> None:
        self._streams[source] = stream
        while len(self._streams) > _MOST_STREAMS:
            del self._streams[next(iter(self._streams))]


def _bare(entry: LogEntry) -> _Bare:
    return entry.line, entry.time_ns, entry.entry_id


def _memory(kept: list[_Bare]) -> int:
    return sum(len(line) for line, _, _ in kept) + _OVERHEAD_BYTES * len(kept)
