"""The files one run writes of one log: the next one made, its last one gone on with, the log's name led to it.

Blocks; to be run in the file's thread. A file is made under its final name, which nobody else has (O_EXCL), and locked
as long as it is open. A forked child lets go of what it inherited.
"""

import itertools
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Final, Protocol, final
from weakref import WeakSet

from metaexpert.logger.files.links import is_written_directly, leads_to_a_file, point
from metaexpert.logger.files.names import LogFile, Run, files_of
from metaexpert.logger.files.ownership import hold, is_written
from metaexpert.logger.files.tears import tears, torn_bytes
from metaexpert.logger.identity import Identity
from metaexpert.logger.journal.segments import sync_folder

_MODE: Final = 0o600
"""Logs of money are for their owner."""

_AT_REST_SECONDS: Final = 82_800.0
"""Age from which a file is not gone on with: housekeeping takes those of a day for finished ones."""

_LONG_PATH_CHARACTERS: Final = 240


class Seal(Protocol):
    """The end of a file's hash chain; in one thread at a time."""

    def bring_to_disk(self) -> bool:
        """Bring it there, after the file; whether it is."""
        ...

    def give_up(self) -> None:
        """Leave the file without."""
        ...


@final
@dataclass(slots=True, eq=False)
class OpenFile:
    """A file that is written.

    Attributes:
        raw: what it is written through.
        file: which one it is; None for a pipe or a device.
        size_bytes: how long it is.
        begun_at: when its first entry was written, at the earliest, seconds since the epoch; None for a new one.
        is_named: whether the folder's entry of it was brought to the disk.
        synced_bytes: how much of it is on the disk for sure.
        is_suspect: the disk refused to take what follows; the system may hold it for written, and have thrown it away.
        is_replacement: it was begun because the disk refused another one.
        seal: what brings the end of its hash chain to the disk, once it is done with.
    """

    raw: FileIO
    file: LogFile | None
    size_bytes: int = 0
    begun_at: float | None = None
    is_named: bool = False
    synced_bytes: int = 0
    is_suspect: bool = False
    is_replacement: bool = False
    seal: Seal | None = None


@final
@dataclass(slots=True)
class Series:
    """One log, as one run writes it.

    Args:
        log: the log's path; its folder is created when missing.
        identity: the process that writes.
        is_chained: each file has a hash chain, which ends with the file: none is gone on with.

    Attributes:
        is_linked: whether the log's name leads to the file begun last.
    """

    log: Path
    identity: Identity
    is_chained: bool = False
    is_linked: bool = False
    _told: list[str] = field(default_factory=list[str])
    _last: LogFile | None = None
    _looked: bool = False

    def open(self, may_go_on: Callable[[float, float], bool]) -> OpenFile:
        """What to write to: a pipe or a device at the log's name, this run's last file, or a new one.

        Args:
            may_go_on: whether a file whose first entry came at the first time at the earliest, and its last one at the
                second, is gone on with; seconds since the epoch.

        Raises:
            OSError: it cannot be opened.
        """
        _make(self.log.parent)
        if is_written_directly(self.log):
            self.is_linked = False
            return OpenFile(_opened(self.log, os.O_CREAT), None)
        self._look_for_tears()
        return self._gone_on_with(may_go_on) or self.begin()

    def begin(self) -> OpenFile:
        """The next file.

        Raises:
            OSError: it cannot be made.
        """
        _make(self.log.parent)
        file = self._last.next() if self._last else LogFile.first(self.log, self.identity)
        while True:
            try:
                raw = _opened(file.path, os.O_CREAT | os.O_EXCL)
            except FileExistsError:
                file = file.next()
            else:
                break
        hold(raw.fileno())
        self._last = file
        self._link(file)
        return OpenFile(raw, file)

    def take_told(self) -> list[str]:
        """What went wrong and harmed no entry, since it was last asked."""
        told, self._told = self._told, []
        return told

    def is_taken_away(self) -> bool:
        """Whether somebody moved the log's name, or put something else there."""
        return self.is_linked and not leads_to_a_file(self.log)

    def _gone_on_with(self, may_go_on: Callable[[float, float], bool]) -> OpenFile | None:
        run = Run.of(self.identity)
        ours = sorted(file for file in self._listed() if file.run == run)
        if not ours:
            return None
        self._last = last = ours[-1]
        if self.is_chained or last.packing or last.chain.exists():
            return None
        begun_at = ours[-2].path.stat().st_mtime if len(ours) > 1 else run.started_at.timestamp()
        try:
            written_at = last.path.stat().st_mtime
            rested = time.time() - written_at > _AT_REST_SECONDS
            if rested or is_written(last.path) or not may_go_on(begun_at, written_at) or torn_bytes(last.path):
                return None
            raw = _opened(last.path, 0)
        except OSError:  # whatever is wrong with it, the next one has to do
            return None
        if not _is_ours(raw, last.path):
            raw.close()
            return None
        self._link(last)
        size_bytes = os.fstat(raw.fileno()).st_size
        return OpenFile(raw, last, size_bytes, begun_at, synced_bytes=size_bytes)

    def _listed(self) -> list[LogFile]:
        try:
            return list(files_of(self.log))
        except PermissionError:  # one may be allowed to make files in a folder, and not to list it
            return []

    def _link(self, file: LogFile) -> None:
        try:
            self.is_linked, aside = point(file)
        except OSError as error:
            self.is_linked = False
            self._told.append(f"{self.log} is not ours, and could not be set aside: {error.strerror or error}")
            return
        if aside is not None:
            self._told.append(f"{self.log} was a file of somebody else; it is kept as {aside.name}")

    def _look_for_tears(self) -> None:
        if not self._looked:
            self._looked = True
            self._told += [
                f"the last line of {tear.file.path} is torn ({tear.bytes} bytes of it); the file is left as it is"
                for tear in tears(self._listed(), Run.of(self.identity))
            ]


def _make(folder: Path) -> None:
    """Make a folder that is missing, on the disk: a power loss would take it with all that is in it."""
    if folder.is_dir():
        return
    missing = [folder, *itertools.takewhile(lambda each: not each.exists(), folder.parents)]
    folder.mkdir(parents=True, exist_ok=True)
    for each in missing:
        with suppress(OSError):  # somebody else's folder, which we may write to and not read
            sync_folder(each.parent)


def _opened(path: Path, more_flags: int) -> FileIO:
    """A file to append to, made only when `more_flags` says so."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags & ~os.O_CREAT | more_flags, _MODE)

    raw = FileIO(_reachable(path), "ab", opener=opener)
    _open.add(raw)
    return raw


def _is_ours(raw: FileIO, path: Path) -> bool:
    """Whether it is held, and still has its name: housekeeping may have it in hand, or had it a moment ago."""
    try:
        return hold(raw.fileno()) and os.path.samestat(path.stat(), os.fstat(raw.fileno()))
    except OSError:
        return False


def _reachable(path: Path) -> str:
    """The path as the system takes it however long it is: Windows has to be told."""
    if sys.platform == "win32" and len(str(path.absolute())) > _LONG_PATH_CHARACTERS:
        return f"\\\\?\\{os.path.abspath(path)}"  # noqa: PTH100 - the path as it is spelled, links and all
    return str(path)


_open: Final = WeakSet[FileIO]()


def _let_go_of_all() -> None:
    for raw in list(_open):
        raw.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_of_all)
