"""Files merged by time: each put in order within a window, then one against the other; duplicates left out.

Guaranteed: entries come out by time, and by id where times are equal, if within its file none stands behind more than
`WINDOW_ENTRIES` later ones that are kept. One that stands further behind comes out as soon as it is met, counted as
late. An entry is left out when it came out before, as its id tells, or of text `text_copies`: always where both come
out in order, and among the last `KNOWN_IDS` where one is late.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final, final

from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.files.reading.report import ReadReport
from metaexpert.logger.files.reading.text_copies import TextCopies

WINDOW_ENTRIES: Final = 256
KNOWN_IDS: Final = 65_536

type Batches = Iterator[list[LogEntry]]
type Opening = tuple[int, Callable[[], Batches]]
"""The earliest time a file may hold, and what begins to read it."""


def in_order(batches: Iterable[list[LogEntry]], window: int = WINDOW_ENTRIES) -> Batches:
    """A file's entries, sorted within the window."""
    held: list[LogEntry] = []
    for batch in batches:
        held += batch
        held.sort(key=_order)
        if len(held) > window:
            yield held[:-window]
            del held[:-window]
    if held:
        yield held


def _order(entry: LogEntry) -> tuple[int, int, str]:
    return entry.order


def merged(files: Iterable[Opening], opened: Callable[[int], None]) -> Iterator[LogEntry]:
    """The entries of all files by time; each file is begun when its time comes.

    Args:
        files: what there is.
        opened: told how many files are being read, when it changes.
    """
    waiting = sorted(files, key=lambda each: each[0], reverse=True)
    heads: list[tuple[tuple[int, int, str], int, LogEntry, Iterator[LogEntry]]] = []
    number = 0
    while waiting or heads:
        while waiting and (not heads or waiting[-1][0] <= heads[0][0][0]):
            _begin_ns, begin = waiting.pop()
            opened(len(heads) + 1)
            entries = _each(begin())
            first = next(entries, None)
            if first is not None:
                number += 1
                heapq.heappush(heads, (first.order, number, first, entries))
        if not heads:
            continue
        _, place, entry, entries = heads[0]
        yield entry
        following = next(entries, None)
        if following is None:
            heapq.heappop(heads)
            opened(len(heads))
        else:
            heapq.heapreplace(heads, (following.order, place, following, entries))


def _each(batches: Batches) -> Iterator[LogEntry]:
    for batch in batches:
        yield from batch


def each_once(entries: Iterable[LogEntry], report: ReadReport) -> Iterator[LogEntry]:
    """Entries without those that came out before."""
    return Once(report).of(entries)


@final
class Once:
    """Leaves out entries that came out before: what every way of reading does.

    Two of one id have one time, so that in order they stand side by side: the ids of the present time tell all of
    them. The last `KNOWN_IDS` ids tell those that come out of order. Lines of text have no id: `TextCopies` tells them.

    Args:
        report: what is left out is counted here.
    """

    def __init__(self, report: ReadReport) -> None:
        self._report = report
        self._time_ns = -1
        self._present = set[str]()
        self._known = set[str]()
        self._oldest = deque[str]()
        self._copies = TextCopies()

    def of(self, entries: Iterable[LogEntry]) -> Iterator[LogEntry]:
        """The entries that are new."""
        for entry in entries:
            name = entry.entry_id
            if self._copies.is_copy(entry) if name is None else self._is_known(name, entry.time_ns):
                self._report.duplicates += 1
            else:
                yield entry

    def _is_known(self, name: str, time_ns: int) -> bool:
        if time_ns != self._time_ns:
            self._present.clear()
            self._time_ns = time_ns
        if name in self._present or name in self._known:
            return True
        self._present.add(name)
        self._known.add(name)
        self._oldest.append(name)
        if len(self._oldest) > KNOWN_IDS:
            self._known.remove(self._oldest.popleft())
        return False
