"""Text entries that stand in several logs, told apart from repetitions: text has no ids that would tell; pure."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from metaexpert.logger.files.reading.entries import LogEntry

_MOST: Final = 10_000
"""Lines of one moment that are remembered."""


def without_text_copies(entries: "Iterable[LogEntry]") -> "Iterator[LogEntry]":
    """Entries without those text ones that stand in another file, byte for byte and with the same time.

    Args:
        entries: by time. Within one file equal lines are repetitions, and stay.
    """
    time_ns, first_in = -1, dict[bytes, Path]()
    for entry in entries:
        if not entry.is_json:
            if entry.time_ns != time_ns:
                time_ns = entry.time_ns
                first_in.clear()
            if len(first_in) < _MOST and first_in.setdefault(entry.line, entry.source) != entry.source:
                continue
        yield entry
