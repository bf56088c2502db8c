"""Dead letters as an operator sees them: which sinks and runs have some, what they say, and taking them away.

Synchronous. A run whose process lives is only read; whoever changes files holds the run's lock meanwhile, so that no
process can give them up at the same time. A line that is no letter, as a crash leaves one, is skipped, counted and
kept.
"""

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final, final

from metaexpert.logger.dead_letters.format import DeadLetter
from metaexpert.logger.dead_letters.store import FOLDER, FileName, files_in, lock_path
from metaexpert.logger.owner_lock import OwnerLock

_MODE: Final = 0o600


@final
@dataclass(frozen=True, slots=True)
class Sheet:
    """One file of letters.

    Attributes:
        path: the file.
        lines: its lines, newline included.
        letters: the letter of each; None for a line that is none.
    """

    path: Path
    lines: Sequence[bytes]
    letters: Sequence[DeadLetter | None]

    @property
    def unreadable(self) -> int:
        """Lines that are no letters."""
        return self.letters.count(None)

    def keep(self, positions: Sequence[int]) -> None:
        """Leave only these lines in the file; without any, delete it. A crash leaves the file as it was.

        Raises:
            OSError: the system refused; the file is as it was.
        """
        if len(positions) == len(self.lines):
            return
        if not positions:
            self.path.unlink(missing_ok=True)
            return
        beside = self.path.with_suffix(".new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), _MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"".join([self.lines[at] for at in positions]))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)


@final
@dataclass(frozen=True, slots=True)
class Run:
    """The letters of one run of a program.

    Attributes:
        folder: the sink's folder.
        name: the run's.
        pid: the process it was.
        paths: its files, oldest first.
    """

    folder: Path
    name: str
    pid: int
    paths: tuple[Path, ...]

    def is_live(self) -> bool:
        """Whether its process runs.

        Raises:
            OSError: it cannot be told, for instance for want of permission.
        """
        if not lock_path(self.folder, self.name).exists():
            return False
        with self.held() as ours:
            return not ours

    @contextmanager
    def held(self) -> Generator[bool]:
        """Hold the run's lock; False where its process runs, or somebody else holds it.

        Raises:
            OSError: the lock cannot be taken at all.
        """
        lock = OwnerLock.acquire(lock_path(self.folder, self.name))
        try:
            yield lock is not None
        finally:
            if lock is not None:
                lock.release(delete=True)


def folders_in(log_dir: Path) -> list[Path]:
    """The sinks' folders that hold letters, or cannot be looked into.

    Raises:
        OSError: the folder above cannot be looked into.
    """
    root = log_dir / FOLDER
    return sorted(path for path in root.iterdir() if path.is_dir() and _may_hold(path)) if root.is_dir() else []


def _may_hold(folder: Path) -> bool:
    try:
        return bool(files_in(folder))
    except OSError:
        return True


def runs_in(folder: Path) -> list[Run]:
    """The runs that left letters in a sink's folder, oldest first.

    Raises:
        OSError: the folder cannot be looked into.
    """
    return [_run(folder, list(files)) for _, files in groupby(files_in(folder), key=lambda each: each[1].run)]


def _run(folder: Path, files: list[tuple[Path, FileName]]) -> Run:
    name = files[0][1]
    return Run(folder, name.run, name.pid, tuple(path for path, _ in files))


def read_sheet(path: Path) -> Sheet:
    """A file of letters.

    Raises:
        OSError: it cannot be read.
    """
    lines = path.read_bytes().splitlines(keepends=True)
    return Sheet(path, lines, [_letter_or_none(line) for line in lines])


def _letter_or_none(line: bytes) -> DeadLetter | None:
    try:
        return DeadLetter.from_line(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
