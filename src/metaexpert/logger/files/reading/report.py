"""What reading came upon: how much there was, and what of it is no log."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, final

type _Line = bytes

_MOST_PLACES: Final = 100
_SHOWN_BYTES: Final = 4096


@final
@dataclass(frozen=True, slots=True)
class Damage:
    """A place in a file that is no entry.

    Attributes:
        path: the file.
        offset: where it begins, bytes; in a compressed file, of its content.
        reason: what is wrong with it.
        line: its first bytes, as they are.
    """

    path: Path
    offset: int
    reason: str
    line: bytes = b""


@final
@dataclass(slots=True)
class ReadReport:
    """What reading came upon so far.

    Attributes:
        files: files read, in whole or part; `skipped` counts those the query's times rule out.
        lines: entries looked at, damaged lines among them; what a file's time bounds rule out is not looked at.
        bytes: as many bytes, uncompressed.
        kept: entries the query keeps.
        duplicates: entries left out since they were there already: ids tell, of text the lines and who wrote them.
        late: entries that came out after a later one, since they stand too far behind it in their file.
        damaged: damaged lines and places.
        places: the first of these.
        notes: what else is to be told, such as a file that vanished.
        faults: files that could not be read, or not to their end, and why; what else there is was read.
    """

    files: int = 0
    skipped: int = 0
    lines: int = 0
    bytes: int = 0
    kept: int = 0
    duplicates: int = 0
    late: int = 0
    damaged: int = 0
    places: list[Damage] = field(default_factory=list[Damage])
    notes: list[str] = field(default_factory=list[str])
    faults: list[str] = field(default_factory=list[str])

    def damage(self, path: Path, offset: int, reason: str, line: _Line = b"") -> None:
        """Count a damaged place; the first ones are kept."""
        self.damaged += 1
        if len(self.places) < _MOST_PLACES:
            self.places.append(Damage(path, offset, reason, line[:_SHOWN_BYTES]))

    def note(self, text: str) -> None:
        """Keep what is to be told, once."""
        if text not in self.notes and len(self.notes) < _MOST_PLACES:
            self.notes.append(text)

    def fault(self, text: str) -> None:
        """Keep what could not be read, once."""
        if text not in self.faults and len(self.faults) < _MOST_PLACES:
            self.faults.append(text)

    def unread(self, path: Path, error: OSError, where: str) -> None:
        """Tell of a file that is not read: one that vanished is noted, as files come and go; else it is a fault."""
        if isinstance(error, FileNotFoundError):
            self.note(f"{path}: vanished {where}")
        else:
            self.fault(f"{path}: {error.strerror or error} {where}")

    def taken(self) -> "ReadReport":
        """What is told so far, and begin anew."""
        told = replace(self)
        self.__init__()
        return told

    def add(self, other: "ReadReport") -> None:
        """Add what another part of the reading came upon."""
        self.files += other.files
        self.skipped += other.skipped
        self.lines += other.lines
        self.bytes += other.bytes
        self.kept += other.kept
        self.duplicates += other.duplicates
        self.late += other.late
        self.damaged += other.damaged
        self.places += other.places[: _MOST_PLACES - len(self.places)]
        for text in other.notes:
            self.note(text)
        for text in other.faults:
            self.fault(text)
