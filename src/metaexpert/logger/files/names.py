"""How log files are named, and which files in a folder belong to a log; pure but for `files_of`.

A log is what an option names: `logs/expert.log`. Its files stand beside it, each written by one process, each with its
final name from the first byte on:

    expert.20261123T171542Z-4711-9f3a01.0001.log        stem . start - pid - tag . number suffix
    expert.20261123T171542Z-4711-9f3a01.0001.log.gz     compressed
    expert.20261123T171542Z-4711-9f3a01.0001.log.chain  its hash chain

Start is the run's, UTC; the tag is the end of its boot id, so that two processes with one pid in two containers have
names of their own. The log's own name is a link to the file begun last. Names sort by time.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from metaexpert.logger.identity import Identity

PACKINGS: Final = (".gz", ".zst")
"""What compressed files end in."""

CHAIN: Final = ".chain"
"""What a file's hash chain ends in."""

OPERATIONS: Final = "operations.jsonl"
"""In the log folder, and no log: who changed by command what is on disk, when, and how much of it; a JSON line each."""

_TAG_CHARACTERS: Final = 6
_TIME_CHARACTERS: Final = 11
_START: Final = "%Y%m%dT%H%M%SZ"
_RUN: Final = re.compile(r"(\d{8}T\d{6}Z)-(\d+)-([0-9a-f]{6})")


@final
@dataclass(frozen=True, slots=True, order=True)
class Run:
    """One run of a process, as it stands in file names; runs sort by their start.

    Attributes:
        start: when it began, UTC, such as `20261123T171542Z`.
        pid: its process id.
        tag: the end of its boot id.
    """

    start: str
    pid: int
    tag: str

    @classmethod
    def of(cls, identity: "Identity") -> "Run":
        """The run of a process."""
        milliseconds = int(identity.boot_id[:_TIME_CHARACTERS], 16)
        start = datetime.fromtimestamp(milliseconds / 1000, UTC).strftime(_START)
        return cls(start, identity.pid, identity.boot_id[-_TAG_CHARACTERS:])

    @property
    def started_at(self) -> datetime:
        """When it began."""
        return datetime.strptime(self.start, _START).replace(tzinfo=UTC)

    def __str__(self) -> str:
        """As in a file name."""
        return f"{self.start}-{self.pid}-{self.tag}"


@final
@dataclass(frozen=True, slots=True, order=True)
class LogFile:
    """One file of a log; files sort by run and number, which is the order they were written in.

    Attributes:
        run: who wrote it.
        number: its place among the run's files, from 1.
        folder: where it is.
        stem: the log's name before the first of these.
        suffix: the log's suffix, such as `.log`; empty when it has none.
        packing: `.gz` or `.zst` when it is compressed, else empty.
    """

    run: Run
    number: int
    folder: Path
    stem: str
    suffix: str
    packing: str = ""

    @classmethod
    def first(cls, log: Path, identity: "Identity") -> "LogFile":
        """The first file of this run of the log at `log`."""
        return cls(Run.of(identity), 1, log.parent, log.stem, log.suffix)

    @classmethod
    def parsed(cls, path: Path) -> "LogFile | None":
        """What a path says of itself; None when it is no file of any log (chains and temporary files are none)."""
        packing = path.suffix if path.suffix in PACKINGS else ""
        name = path.name.removesuffix(packing)
        if name.endswith(CHAIN):  # or that of a log without a suffix would pass for a log file
            return None
        for suffix in dict.fromkeys((Path(name).suffix, "")):
            stem, dot, number = name.removesuffix(suffix).rpartition(".")
            stem, other_dot, run = stem.rpartition(".")
            match = _RUN.fullmatch(run)
            if dot and other_dot and stem and match and number.isdecimal() and number.isascii():
                start, pid, tag = match.groups()
                return cls(Run(start, int(pid), tag), int(number), path.parent, stem, suffix, packing)
        return None

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.folder / f"{self.stem}.{self.run}.{self.number:04d}{self.suffix}{self.packing}"

    @property
    def log(self) -> Path:
        """The log it belongs to, in its folder."""
        return self.folder / f"{self.stem}{self.suffix}"

    @property
    def chain(self) -> Path:
        """Where its hash chain is, whether it has one or not; a compressed file keeps the chain of its content."""
        return self.folder / f"{self.stem}.{self.run}.{self.number:04d}{self.suffix}{CHAIN}"

    def next(self) -> "LogFile":
        """The one that follows it."""
        return replace(self, number=self.number + 1, packing="")

    def packed(self, packing: str) -> "LogFile":
        """The same compressed; `packing` is one of `PACKINGS`, or empty for as it was written."""
        return replace(self, packing=packing)

    def within(self, folder: Path) -> "LogFile":
        """The same in another folder."""
        return replace(self, folder=folder)


def files_of(log: Path, folder: Path | None = None) -> Iterator[LogFile]:
    """The files of the log at `log` there are, in no order; the link of its name is none of them.

    Args:
        log: the log's path.
        folder: where to look, when it is not beside the log, such as an archive.

    Raises:
        OSError: the folder cannot be read; one that is missing has no files.
    """
    try:
        for path in (log.parent if folder is None else folder).iterdir():
            file = LogFile.parsed(path)
            if file is not None and (file.stem, file.suffix) == (log.stem, log.suffix):
                yield file
    except FileNotFoundError:
        return
