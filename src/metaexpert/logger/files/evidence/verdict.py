"""What verifying log files says about them: values, for people and programs."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, final


class State(StrEnum):
    """How a file was found."""

    INTACT = "intact"
    LIVE = "being written"
    CUT_SHORT = "cut short"
    """It is unsealed, since its process was killed or the disk refused: intact as far as it is covered."""
    UNCHAINED = "no chain"
    """It was written without tamper evidence, or is none of the log's: nothing is known of it."""
    PURGED = "purged"
    """It was removed on purpose, and the seals say so."""
    TAMPERED = "tampered"
    MISSING = "missing"
    UNREADABLE = "unreadable"


class Kind(StrEnum):
    """What was done."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    FILE_MISSING = "file missing"
    CHAIN_MISSING = "chain missing"
    CHAIN_CHANGED = "chain changed"
    CHAIN_REPLACED = "chain replaced"
    ROLLED_BACK = "rolled back"
    SWAPPED = "swapped"
    SEALS_CHANGED = "seals changed"
    SEALS_MISSING = "seals missing"
    LOG_MISSING = "log missing"
    """Another place knows a log of which there is nothing."""
    FORGED = "wrong key"
    """What signs it is not the key that was given: it is another log's, or somebody without the key rewrote it."""
    ANCHOR = "anchor"
    """What another place holds of it says otherwise."""


HARMED: Final = frozenset({State.TAMPERED, State.MISSING})


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """The first thing that is wrong with a file or with a log's seals.

    Attributes:
        kind: what was done.
        text: the same for people, with the place.
        line: number of the first affected line of the log file; 0 when it is about no line.
        entry_id: the affected entry's id, or that of the entry before what was removed; empty when unknown.
        time: when that entry was logged, as it says; empty when unknown.
    """

    kind: Kind
    text: str
    line: int = 0
    entry_id: str = ""
    time: str = ""


@final
@dataclass(frozen=True, slots=True)
class FileVerdict:
    """What is known of one file.

    Attributes:
        name: the file's name, as it was written.
        path: where it is; None when it is nowhere.
        state: how it was found.
        lines: how many of its lines are proven.
        size_bytes: how many of its bytes those are.
        uncovered_lines: lines that nothing proves, and that are no sign of tampering.
        signed: whether its chain is signed and the key was there to check that.
        finding: what is wrong; None when nothing is.
        notes: what else there is to say, for people.
    """

    name: str
    path: Path | None
    state: State
    lines: int = 0
    size_bytes: int = 0
    uncovered_lines: int = 0
    signed: bool = False
    finding: Finding | None = None
    notes: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class SealsVerdict:
    """What is known of the seals of a log.

    Attributes:
        log: the log's path.
        path: where the seals are.
        lines: how many lines they have.
        signed: whether they are signed and the key was there to check that.
        findings: what is wrong, in order.
        notes: what else there is to say, for people.
    """

    log: Path
    path: Path
    lines: int
    signed: bool
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Report:
    """Everything that verifying found.

    Attributes:
        files: each file, in the order of their names.
        seals: the seals of each log.
        anchors: how many anchors were compared.
        notes: what else there is to say, for people.
    """

    files: tuple[FileVerdict, ...]
    seals: tuple[SealsVerdict, ...]
    anchors: int = 0
    notes: tuple[str, ...] = field(default=())

    @property
    def is_intact(self) -> bool:
        """Whether nothing was tampered with, as far as can be told."""
        return not any(each.state in HARMED for each in self.files) and not any(each.findings for each in self.seals)

    @property
    def is_readable(self) -> bool:
        """Whether everything could be read."""
        return not any(each.state is State.UNREADABLE for each in self.files)

    def count(self, states: Iterable[State]) -> int:
        """How many files were found so."""
        wanted = frozenset(states)
        return sum(each.state in wanted for each in self.files)
