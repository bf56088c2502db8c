"""Errors counted by their fingerprint, for as many kinds as memory is set aside for; pure."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from metaexpert.logger.files.reading.fingerprints import fingerprint_of

if TYPE_CHECKING:
    from metaexpert.logger.files.reading.entries import LogEntry

_MAX_GROUPS: Final = 10_000
_SHOWN_CHARACTERS: Final = 300


@final
@dataclass(slots=True)
class ErrorGroup:
    """Errors of one kind in one log.

    Attributes:
        fingerprint: names the kind.
        exception: the exception's type; empty where there is none.
        place: module and function.
        message: of the newest one.
    """

    fingerprint: str
    level: str
    logger: str
    exception: str
    place: str
    message: str = ""
    count: int = 0
    first_ns: int = 0
    last_ns: int = 0


@final
class ErrorGroups:
    """The errors of one log.

    Attributes:
        groups: by fingerprint.
        ungrouped: errors of further kinds, once there are too many kinds.
    """

    def __init__(self) -> None:
        self.groups: dict[str, ErrorGroup] = {}
        self.ungrouped = 0

    def add(self, entry: "LogEntry") -> None:
        """Count an error."""
        found = fingerprint_of(entry)
        group = self.groups.get(found.digest)
        if group is None:
            if len(self.groups) >= _MAX_GROUPS:
                self.ungrouped += 1
                return
            group = ErrorGroup(found.digest, entry.level, entry.logger, found.kind, found.place, first_ns=entry.time_ns)
            self.groups[found.digest] = group
        group.count += 1
        group.first_ns = min(group.first_ns, entry.time_ns)
        if entry.time_ns >= group.last_ns:
            group.last_ns, group.message = entry.time_ns, entry.message[:_SHOWN_CHARACTERS]
