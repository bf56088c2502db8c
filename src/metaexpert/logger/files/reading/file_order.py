"""One file's entries in the order they stand in there, which tells where its clock went back; memory is constant."""

from typing import TYPE_CHECKING, Final

from metaexpert.logger.files.reading.blocks import blocks_of
from metaexpert.logger.files.reading.precheck import Precheck
from metaexpert.logger.files.reading.scan import Scanner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from metaexpert.logger.files.reading.entries import LogEntry
    from metaexpert.logger.files.reading.query import Query
    from metaexpert.logger.files.reading.report import ReadReport
    from metaexpert.logger.files.reading.sources import Source

_PIECE_BYTES: Final = 256 * 1024


def in_file_order(source: "Source", query: "Query", report: "ReadReport") -> "Iterator[LogEntry]":
    """The entries of a file that a query keeps.

    Args:
        source: the file.
        query: what to keep.
        report: what there is, and what is damaged, is counted here.
    """
    report.files += 1
    scanner = Scanner(query, Precheck.of(query), source.path, report)
    for block in blocks_of(source, 0, None, lambda: _PIECE_BYTES, report):
        yield from scanner.kept(block)
