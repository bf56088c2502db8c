"""Errors grouped by fingerprint, as they come; how many, since when, until when, and an example; pure.

Memory is bounded: beyond so many groups those that come anew are counted together.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast, final

from metaexpert.logger.faults.fingerprint import TOLD_BEFORE
from metaexpert.logger.files.reading.fingerprints import Fingerprint, fingerprint_of

if TYPE_CHECKING:
    from metaexpert.logger.files.reading.entries import LogEntry

MAX_GROUPS: Final = 10_000
_MAX_LOGGERS: Final = 20


@final
@dataclass(slots=True)
class ErrorGroup:
    """The occurrences of one error.

    Attributes:
        fingerprint: what they have in common.
        example: the latest of them.
        whole: the latest of them whose traceback is told in full; None where there was none so far.
        first_ns: when the first one was logged, UTC, nanoseconds since the epoch.
        last_ns: when the last one was.
        count: how many they are.
        loggers: who logged them, the first of these.
    """

    fingerprint: Fingerprint
    example: "LogEntry"
    first_ns: int
    last_ns: int
    count: int = 0
    whole: "LogEntry | None" = None
    loggers: dict[str, None] = field(default_factory=dict[str, None])

    def add(self, entry: "LogEntry") -> None:
        """Take one more in."""
        self.count += 1
        self.first_ns = min(self.first_ns, entry.time_ns)
        if len(self.loggers) < _MAX_LOGGERS:
            self.loggers[entry.logger] = None
        if _is_whole(entry) and (self.whole is None or entry.time_ns >= self.whole.time_ns):
            self.whole = entry
        if entry.time_ns >= self.last_ns:
            self.last_ns, self.example = entry.time_ns, entry
        entry.without_values()

    def update(self, later: "ErrorGroup") -> None:
        """Take in others of the same error, which came after."""
        self.count += later.count
        self.first_ns = min(self.first_ns, later.first_ns)
        for logger in later.loggers:
            if len(self.loggers) < _MAX_LOGGERS:
                self.loggers[logger] = None
        if later.whole is not None and (self.whole is None or later.whole.time_ns >= self.whole.time_ns):
            self.whole = later.whole
        if later.last_ns >= self.last_ns:
            self.last_ns, self.example = later.last_ns, later.example


def _is_whole(entry: "LogEntry") -> bool:
    """Whether it has a traceback of its own, not a reference to that of an equal error before."""
    told = entry.values.get("exception")
    text: object = cast("dict[str, object]", told).get("traceback") if isinstance(told, dict) else None
    return isinstance(text, str) and not text.startswith(TOLD_BEFORE)


@final
class ErrorGroups:
    """All groups.

    Args:
        most: how many there can be; None for any number.

    Attributes:
        groups: by fingerprint.
        entries: how many entries were taken in.
        others: how many of them belong to no group, since there were too many.
    """

    def __init__(self, most: int | None = MAX_GROUPS) -> None:
        self.entries = 0
        self.others = 0
        self._most = most
        self.groups: dict[str, ErrorGroup] = {}

    def add(self, entry: "LogEntry") -> None:
        """Take an entry in; its values are decoded again when they are asked for once more."""
        self.entries += 1
        fingerprint = fingerprint_of(entry)
        group = self.groups.get(fingerprint.digest)
        if group is None:
            if self._is_full():
                self.others += 1
                return
            group = ErrorGroup(fingerprint, entry, entry.time_ns, entry.time_ns)
            self.groups[fingerprint.digest] = group
        group.add(entry)

    def _is_full(self) -> bool:
        return self._most is not None and len(self.groups) >= self._most

    def update(self, later: "ErrorGroups") -> None:
        """Take in what others gathered of what came after; they are not used any more."""
        self.entries += later.entries
        self.others += later.others
        for digest, group in later.groups.items():
            known = self.groups.get(digest)
            if known is not None:
                known.update(group)
            elif self._is_full():
                self.others += group.count
            else:
                self.groups[digest] = group

    def __len__(self) -> int:
        return len(self.groups)

    def most_frequent(self) -> list[ErrorGroup]:
        """The groups, those with the most occurrences first, and the latest first among equals."""
        return sorted(self.groups.values(), key=lambda each: (-each.count, -each.last_ns))
