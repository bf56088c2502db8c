"""The last entries of a log, read from the files' ends."""

from collections import deque
from collections.abc import Iterable
from functools import partial
from typing import Final

from metaexpert.logger.files.blocks import blocks_of
from metaexpert.logger.files.entries import LogEntry
from metaexpert.logger.files.merge import Batches, each_once, in_order, merged
from metaexpert.logger.files.query import Query
from metaexpert.logger.files.report import ReadReport
from metaexpert.logger.files.scan import Scanner
from metaexpert.logger.files.sources import Source

_PIECE_BYTES: Final = 1024 * 1024


def last(
    sources: Iterable[Source], query: Query | None = None, count: int = 10, *, report: ReadReport | None = None
) -> list[LogEntry]:
    """The last entries that a query keeps, the latest at the end.

    Args:
        sources: the files.
        query: what to keep; None for everything.
        count: how many at most.
        report: what reading comes upon is added here.
    """
    told = ReadReport() if report is None else report
    entries = merged([(0, partial(_read, each, query or Query(), told)) for each in sources], lambda _: None)
    return list(deque(each_once(entries, told), maxlen=count))


def _read(source: Source, query: Query, report: ReadReport) -> Batches:
    scanner = Scanner(query, source.path, report)
    return in_order(scanner.kept(block) for block in blocks_of(source, 0, None, lambda: _PIECE_BYTES, report))
