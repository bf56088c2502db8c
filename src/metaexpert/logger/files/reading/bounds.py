"""Where in a file a time is, found by looking at few places of it.

Entries of a process's own file stand in the order of their times, but for what comes late: threads by microseconds,
what a sink in trouble held back, and what a former run left, which the next one writes when it begins. Hence a margin:
entries up to `MARGIN_NS` out of order are found, however late a run's recovery is written within `MARGIN_NS` of its
begin. Those of former runs are told by their ids, and do not mislead the search.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from metaexpert.logger.files.reading.blocks import read_at
from metaexpert.logger.files.reading.moments import SECOND_NS
from metaexpert.logger.files.reading.precheck import entry_end
from metaexpert.logger.files.reading.query import Query
from metaexpert.logger.files.reading.report import ReadReport
from metaexpert.logger.files.reading.scan import time_and_id
from metaexpert.logger.files.reading.sources import Source
from metaexpert.logger.files.reading.unpacking import unpacked

MARGIN_NS: Final = 60 * SECOND_NS
_HEAD_BYTES: Final = 16 * 1024
_PROBE_BYTES: Final = 16 * 1024
_FINE_BYTES: Final = 256 * 1024


class Range(NamedTuple):
    """What of a file to read.

    Attributes:
        begin_ns: the earliest time near the file's begin; 0 when it tells none.
        start: the first byte.
        end: the byte behind the last; None for the end of a compressed file.
    """

    begin_ns: int
    start: int
    end: int | None


def range_in(source: Source, query: Query) -> Range | None:
    """What of a file a query's times leave to read; None for nothing."""
    if _ended_before(source, query.since_ns):
        return None
    head = _head(source)
    times = [time for time, _own in _times(source, head)]
    begin_ns = min(times, default=0)
    if query.until_ns is not None and begin_ns >= _past_ns(source, query.until_ns):
        return None
    if source.packing:
        return Range(begin_ns, 0, None)
    start = 0 if query.since_ns is None else _first_since(source, query.since_ns - MARGIN_NS)
    end = source.size_bytes if query.until_ns is None else _first_past(source, query.until_ns, start)
    if start >= end > 0:
        return None
    if start:
        begin_ns = min(times_at(source, start), default=begin_ns)
    return Range(begin_ns, start, end)


def _ended_before(source: Source, since_ns: int | None) -> bool:
    """Whether a file was last written before a time; not where its own name shows that it was not dated well."""
    if since_ns is None or source.file is None:
        return False
    return begun_ns(source) <= source.modified_ns < since_ns - MARGIN_NS


def begun_ns(source: Source) -> int:
    """When the run began whose file it is, nanoseconds since the epoch; 0 when its name does not tell."""
    return 0 if source.file is None else int(source.file.run.started_at.timestamp()) * SECOND_NS


def _past_ns(source: Source, until_ns: int) -> int:
    """The time of a file's own entries behind which none is left of before `until_ns`."""
    return max(until_ns, begun_ns(source)) + MARGIN_NS


def _head(source: Source) -> bytes:
    if source.packing:
        piece = next(unpacked(source, ReadReport(), _HEAD_BYTES), b"")
        return _whole(piece, more=len(piece) == _HEAD_BYTES)
    return _read(source, 0, _HEAD_BYTES)


def _read(source: Source, offset: int, size: int) -> bytes:
    """The whole lines in some bytes of a file; empty when it cannot be read: who reads it will tell."""
    try:
        data = read_at(source.path, offset, size, source.identity)
    except OSError:
        return b""
    return _whole(data, more=len(data) == size)


def _whole(data: bytes, *, more: bool) -> bytes:
    return data[: data.rfind(b"\n") + 1] if more else data


def _times(source: Source, data: bytes) -> Iterator[tuple[int, bool]]:
    """The times of entries, and whether each is of the run whose file it is."""
    tag = "" if source.file is None else source.file.run.tag
    begin = 0
    while begin < len(data):
        end = entry_end(data, begin)
        time_ns, name = time_and_id(data[begin:end])
        if time_ns is not None:
            yield time_ns, not tag or not name or name.rpartition("-")[0].endswith(tag)
        begin = end + 1


def times_at(source: Source, offset: int) -> list[int]:
    """The times of the entries that begin behind a place of a file, those of its own run."""
    data = _read(source, offset, _PROBE_BYTES)
    if offset:
        data = data[entry_end(data, 0) + 1 :]
    return [time for time, own in _times(source, data) if own]


def _first_since(source: Source, time_ns: int) -> int:
    """A place before which every entry is older."""
    low, high = 0, source.size_bytes
    while high - low > _FINE_BYTES:
        middle = (low + high) // 2
        times = times_at(source, middle)
        low, high = (middle, high) if times and max(times) < time_ns else (low, middle)
    return aligned(source, low) or 0


def _first_past(source: Source, until_ns: int, start: int) -> int:
    """A place behind which every entry is newer."""
    time_ns = _past_ns(source, until_ns)
    low, high = start, source.size_bytes
    while high - low > _FINE_BYTES:
        middle = (low + high) // 2
        times = times_at(source, middle)
        low, high = (low, middle) if times and min(times) >= time_ns else (middle, high)
    end = aligned(source, high)
    return source.size_bytes if end is None else end


def aligned(source: Source, offset: int) -> int | None:
    """Where the first entry begins at or behind a place of a file, its end if none does; None where it is gone."""
    if offset <= 0:
        return 0
    at = offset - 1
    while at < source.size_bytes:
        try:
            data = read_at(source.path, at, _PROBE_BYTES, source.identity)
        except OSError:
            return None
        newline = entry_end(data, 0)
        if newline < len(data) - 1:
            return at + newline + 1
        if len(data) < _PROBE_BYTES:
            break
        at += len(data) - 1
    return source.size_bytes
