"""Which files to read: live, rotated, compressed, archived ones, each once.

A place is a folder (its log files, not those in folders below it, nor the record of commands), a log's name
(`logs/expert.log`: all files of it, those of other programs' rotation `expert.log.1` too), or a single file. The link
of a log's name is no file of its own. Where a file is there twice, while it is compressed or moved to the archive, the
one as it was written is read, or the one in the place named first.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from metaexpert.exceptions import MetaExpertError
from metaexpert.logger.files.names import OPERATIONS, PACKINGS, LogFile

_OF_A_FOLDER: Final = re.compile(r".+\.(?:log|jsonl|ndjson)(?:\.\d+)?(?:\.gz|\.zst)?")
_PACKED: Final = 8
"""About how many times its size a compressed file holds."""

_NUMBERED: Final = re.compile(r"\.\d+")


class ReadError(MetaExpertError):
    """What was to be read cannot be; the message names it and says why."""


@final
@dataclass(frozen=True, slots=True)
class Source:
    """One file to read.

    Attributes:
        path: where it is.
        file: what its name says of it; None for a file of another program's naming.
        packing: `.gz` or `.zst` when it is compressed, else empty.
        size_bytes: its size when it was found.
        modified_ns: when it was last written, as its file system says, nanoseconds since the epoch.
        identity: device and inode, which tell it from another file that gets its name.
    """

    path: Path
    file: LogFile | None
    packing: str
    size_bytes: int
    modified_ns: int
    identity: tuple[int, int]

    @classmethod
    def at(cls, path: Path) -> "Source":
        """The file at a path.

        Raises:
            OSError: there is none, or it cannot be looked at.
        """
        state = path.stat()
        packing = path.suffix if path.suffix in PACKINGS else ""
        identity = (state.st_dev, state.st_ino)
        return cls(path, LogFile.parsed(path), packing, state.st_size, state.st_mtime_ns, identity)

    @property
    def log(self) -> str:
        """The name of the log it belongs to, such as `expert.log`."""
        if self.file is not None:
            return self.file.log.name
        return _NUMBERED.sub("", self.path.name.removesuffix(self.packing))

    @property
    def content_bytes(self) -> int:
        """How much it holds; of a compressed file about."""
        return self.size_bytes * _PACKED if self.packing else self.size_bytes

    @property
    def content(self) -> object:
        """What is one for a file and its copies, compressed or in the archive."""
        file = self.file
        if file is not None:
            return file.run, file.number, file.stem, file.suffix
        return self.path.parent, self.path.name.removesuffix(self.packing)


def sources_in(places: Iterable[Path], log: str | None = None) -> tuple[Source, ...]:
    """The files at some places, in no order that matters.

    Args:
        places: folders, logs' names and single files.
        log: keep files of this log only, such as `expert.log` or `expert`.

    Raises:
        ReadError: a place does not exist, or cannot be looked at.
    """
    found: dict[object, Source] = {}
    for place in places:
        for source in _sources_at(place):
            known = found.get(source.content)
            if (log is None or _is_of(source, log)) and (known is None or (known.packing and not source.packing)):
                found[source.content] = source
    return tuple(_each_once(found.values()))


def _is_of(source: Source, log: str) -> bool:
    return log in {source.log, Path(source.log).stem}


def _each_once(sources: Iterable[Source]) -> Iterator[Source]:
    """Without the further names of a file; the one that says when it was written is kept."""
    once: dict[tuple[int, int], Source] = {}
    for source in sources:
        if source.identity not in once or once[source.identity].file is None:
            once[source.identity] = source
    yield from once.values()


def _sources_at(place: Path) -> Iterator[Source]:
    try:
        if place.is_dir():
            paths = [each for each in place.iterdir() if _is_log_file(each)]
        elif LogFile.parsed(place) is not None:
            paths = [place]
        else:
            paths = _paths_of_log(place)
    except OSError as error:
        raise ReadError(f"{place} cannot be read: {error.strerror or error}") from error
    if not paths and not place.is_dir():
        raise ReadError(f"{place}: no such folder, log or file")
    for path in paths:
        source = _source_at(path)
        if source is not None:
            yield source


def _is_log_file(path: Path) -> bool:
    is_named_so = _OF_A_FOLDER.fullmatch(path.name) is not None and path.name != OPERATIONS
    return is_named_so or LogFile.parsed(path) is not None


def _paths_of_log(log: Path) -> list[Path]:
    """A file, and what belongs to the log of its name."""
    others = [each for each in log.parent.iterdir() if _is_file_of(each, log)] if log.parent.is_dir() else []
    return [log, *others] if log.is_file() else others


def _is_file_of(path: Path, log: Path) -> bool:
    file = LogFile.parsed(path)
    if file is not None:
        return (file.stem, file.suffix) == (log.stem, log.suffix)
    rest = path.name.removeprefix(log.name)
    return rest != path.name and re.fullmatch(r"\.\d+(?:\.gz|\.zst)?", rest) is not None


def _source_at(path: Path) -> Source | None:
    """The regular file at a path; None for a link that leads to a file of ours, a pipe, and what is gone by now."""
    try:
        if path.is_symlink() and LogFile.parsed(Path(os.path.realpath(path))) is not None:
            path = Path(os.path.realpath(path))
        return Source.at(path) if path.is_file() else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror or error}") from error
