"""The entries of a log as they are written: `tail -f` over all its processes and rotations."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from metaexpert.logger.files.blocks import Block, read_at
from metaexpert.logger.files.entries import LogEntry
from metaexpert.logger.files.query import Query
from metaexpert.logger.files.report import ReadReport
from metaexpert.logger.files.scan import Scanner
from metaexpert.logger.files.sources import ReadError, Source, sources_in
from metaexpert.logger.files.tail import last

_SHORTEST_SECONDS: Final = 0.02
_LONGEST_SECONDS: Final = 0.25


def follow(
    places: Iterable[Path],
    query: Query | None = None,
    *,
    log: str | None = None,
    count: int = 0,
    report: ReadReport | None = None,
    wait: Callable[[float], object] = time.sleep,
) -> Iterator[LogEntry]:
    """Entries as they are written, for ever; it ends by KeyboardInterrupt, or when its user stops iterating.

    Args:
        places: folders, logs' names and single files, as for `sources_in`; they may come into being later.
        query: what to keep; None for everything.
        log: keep files of this log only.
        count: how many of the entries there are already come first.
        report: what reading comes upon is added here.
        wait: waits between two looks, seconds; a true answer ends the iteration.
    """
    told = ReadReport() if report is None else report
    watched, query = tuple(places), query or Query()
    known = {source.path: source.size_bytes for source in _present(watched, log)}
    if count:
        yield from last(_present(watched, log), query, count)
    pause = _SHORTEST_SECONDS
    while True:
        found: list[LogEntry] = []
        for source in _present(watched, log):
            if source.packing:
                continue
            at = known.get(source.path, 0)
            if source.size_bytes > at:
                data = read_at(source.path, at, source.size_bytes - at, source.identity)
                whole = data.rfind(b"\n") + 1
                found += Scanner(query, source.path, told).kept(Block(at, data[:whole]))
                known[source.path] = at + whole
        yield from sorted(found, key=lambda each: each.order)
        pause = _SHORTEST_SECONDS if found else min(_LONGEST_SECONDS, pause * 2)
        if wait(pause):
            return


def _present(places: tuple[Path, ...], log: str | None) -> tuple[Source, ...]:
    found: list[Source] = []
    for place in places:
        try:
            found += sources_in([place], log)
        except ReadError:
            continue
    return tuple(found)
