"""The last entries of a log, read from the files' ends.

Files are taken from the one written last on, and reading ends where no file is left that was written late enough; a
compressed one is read through, but only then. What `merge` guarantees of the order holds here too: an entry is among
the last ones if in its file no more than `WINDOW_ENTRIES` later ones stand before it, in the same 128 KiB.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from metaexpert.logger.files.reading.blocks import blocks_of
from metaexpert.logger.files.reading.bounds import MARGIN_NS, Range, aligned, begun_ns, range_in
from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.files.reading.merge import WINDOW_ENTRIES, each_once
from metaexpert.logger.files.reading.precheck import Precheck
from metaexpert.logger.files.reading.query import Query
from metaexpert.logger.files.reading.report import ReadReport
from metaexpert.logger.files.reading.scan import Scanner
from metaexpert.logger.files.reading.sources import Source

_FIRST_BYTES: Final = 128 * 1024
_MOST_BYTES: Final = 4 * 1024 * 1024
_PIECE_BYTES: Final = 256 * 1024
_UNKNOWN_NS: Final = 2**63


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
    told, query = ReadReport() if report is None else report, query or Query()
    precheck, found = Precheck.of(query), list[LogEntry]()
    for source in sorted(sources, key=latest_ns, reverse=True) if count > 0 else ():
        begin = _begin(found, count)
        if begin is not None and latest_ns(source) < found[begin].time_ns - MARGIN_NS:
            break
        part = _part(source, query)
        if part is None:
            told.skipped += 1
            continue
        told.files += 1
        scanner = Scanner(query, precheck, source.path, told, part.begin_ns)
        more = _last_of_packed if part.end is None else _last_of_plain
        found = sorted(found + more(source, part, scanner, count, told), key=_order)
        found = found[_begin(found, count + WINDOW_ENTRIES) or 0 :]
    found = list(each_once(found, told))[-count:] if count > 0 else []
    told.kept += len(found)
    return found


def latest_ns(source: Source) -> int:
    """The time no entry of a file is later than, as far as its file system tells it."""
    if source.modified_ns < begun_ns(source):
        return _UNKNOWN_NS  # dated by somebody who does not know
    return source.modified_ns


def _part(source: Source, query: Query) -> Range | None:
    if query.since_ns is None and query.until_ns is None:
        return Range(0, 0, None if source.packing else source.size_bytes)
    return range_in(source, query)


def _order(entry: LogEntry) -> tuple[tuple[int, int, str], Path]:
    return entry.order, entry.source  # of copies the original comes first


def _begin(entries: list[LogEntry], count: int) -> int | None:
    """Where the last `count` of sorted entries begin, what stands in several files counted once; None for fewer."""
    known, lines = set[object](), Counter[object]()
    for at in range(len(entries) - 1, -1, -1):
        entry = entries[at]
        if entry.entry_id:
            known.add(entry.order)
        else:  # lines of one file that are the same are repetitions
            line = (entry.time_ns, entry.line, entry.source)
            lines[line] += 1
            known.add((*line[:2], lines[line]))
        if len(known) > count:
            return at + 1
    return 0 if len(known) == count else None


def _newest(entries: list[LogEntry], count: int) -> list[LogEntry]:
    """The last ones of a file, and as many before them as may be out of order."""
    return sorted(entries, key=_order)[-count - WINDOW_ENTRIES :]


def _last_of_plain(source: Source, part: Range, scanner: Scanner, count: int, report: ReadReport) -> list[LogEntry]:
    found: list[LogEntry] = []
    size, end, is_enough = _FIRST_BYTES, part.end or 0, False
    while end > part.start and not is_enough:
        start = max(part.start, aligned(source, max(part.start, end - size)) or 0)
        if start >= end:
            size *= 2  # an entry is larger than that
            continue
        # once there are enough, some lines before them: they may be out of order
        is_enough = len(found) >= count
        for block in blocks_of(source, start, end, lambda: _PIECE_BYTES, report):
            found += scanner.kept(block)
        found, end = _newest(found, count), start
        is_enough = is_enough or len(found) >= count + WINDOW_ENTRIES
        size = _FIRST_BYTES if len(found) >= count else min(2 * size, _MOST_BYTES)
    return found


def _last_of_packed(source: Source, part: Range, scanner: Scanner, count: int, report: ReadReport) -> list[LogEntry]:
    found: list[LogEntry] = []
    for block in blocks_of(source, part.start, None, lambda: _PIECE_BYTES, report):
        found = _newest(found + scanner.kept(block), count)
    return found
