"""Entries that wait until every file was read as far as their time, so that many files give them in order; pure."""

from collections.abc import Iterable
from typing import Final, final

from metaexpert.logger.files.reading.entries import LogEntry

_OVERHEAD_BYTES: Final = 300


@final
class HeldBack:
    """Entries of several files, let go by time.

    Attributes:
        size_bytes: about what those that wait need in memory.
    """

    def __init__(self) -> None:
        self._entries: list[LogEntry] = []
        self.size_bytes = 0

    def add(self, entries: Iterable[LogEntry]) -> None:
        """Have more wait."""
        for entry in entries:
            self._entries.append(entry.without_values())
            self.size_bytes += _size_of(entry)

    def let_go(self, until_ns: int | None) -> list[LogEntry]:
        """Those up to a time, in order; all where there is no time that any file has still to be read from."""
        self._entries.sort(key=lambda each: each.order)
        if until_ns is None:
            found, self._entries = self._entries, []
        else:
            at = sum(1 for each in self._entries if each.time_ns <= until_ns)
            found, self._entries = self._entries[:at], self._entries[at:]
        self.size_bytes -= sum(map(_size_of, found))
        return found


def _size_of(entry: LogEntry) -> int:
    return len(entry.line) + _OVERHEAD_BYTES
