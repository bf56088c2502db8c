"""Whose the files in an archive are, where several programs share one: each counts and deletes its own alone.

A folder of logs has a random name of its own (`archive.origin` in it). What is moved from there to an archive is
claimed in it first, in `<log>.<origin>.origin`: a line with the name of each file. So a file that is claimed by nobody
came there in another way, and is nobody's to delete; only in an archive within the log's own folder is it that log's.
One process at a time claims for a folder, the one that has its housekeeping's lock.
"""

import os
import re
import secrets
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from metaexpert.logger.files.names import LogFile
from metaexpert.logger.journal.segments import sync_folder

ORIGIN_FILE: Final = "archive.origin"
_SUFFIX: Final = ".origin"
_ID: Final = re.compile(r"[0-9a-f]{32}")
_MODE: Final = 0o600
_BINARY: Final = os.O_BINARY if sys.platform == "win32" else 0
_MANY_CLAIMS: Final = 1000
"""More than so many, and most of them about files that are gone, are written anew."""


@final
@dataclass(frozen=True, slots=True)
class Claims:
    """Which files of a log in an archive are whose, by their names without packing.

    Attributes:
        own: what this folder of logs claimed.
        others: what others did.
        is_within: the archive lies within the log's folder, so that what nobody claimed is its own.
    """

    own: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    is_within: bool = False

    def whose(self, file: LogFile) -> bool | None:
        """Whether it is this log's own: True, another one's: False, or nobody knows: None."""
        name = file.packed("").path.name
        if name in self.own:
            return True
        if name in self.others:
            return False
        return True if self.is_within else None


def claims_in(archive: Path, log: Path) -> Claims:
    """The claims there are in an archive to files of a log's name.

    Raises:
        OSError: they cannot be read.
    """
    own_id, own, others = origin_of(log.parent), set[str](), set[str]()
    for path, origin in _records(archive, log):
        (own if origin == own_id else others).update(_names(path))
    return Claims(frozenset(own), frozenset(others), _is_within(archive, log.parent))


def origin_of(folder: Path) -> str | None:
    """The name of a folder of logs; None when it has none.

    Raises:
        OSError: it cannot be read.
    """
    try:
        text = (folder / ORIGIN_FILE).read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return None
    return text if _ID.fullmatch(text) else None


def claim(log: Path, files: Iterable[LogFile], archive: Path) -> None:
    """Say in an archive that these files are this log's own, on the disk when this returns.

    Raises:
        OSError: it cannot be written, or the archive is away.
    """
    archive.mkdir(exist_ok=True, mode=0o700)  # not its parents: where a disk is not mounted, none is to be made
    origin = origin_of(log.parent) or _named(log.parent)
    record = archive / f"{log.name}.{origin}{_SUFFIX}"
    names = {file.packed("").path.name for file in files} - _names(record)
    if names:
        _append(record, "".join(f"\n{name}\n" for name in sorted(names)))  # a torn line before it harms none


def forget_gone(log: Path, archive: Path, there: Iterable[LogFile]) -> None:
    """Write the claims anew where most of them are about files that are gone from the archive and the log's folder.

    Raises:
        OSError: the system refused; the claims are as they were.
    """
    origin = origin_of(log.parent)
    record = archive / f"{log.name}.{origin}{_SUFFIX}"
    claimed = _names(record)
    left = claimed & {file.packed("").path.name for file in there}
    if len(claimed) > _MANY_CLAIMS and len(left) < len(claimed) / 2:
        anew = record.with_name(f"{record.name}.new")
        anew.unlink(missing_ok=True)
        _append(anew, "".join(f"{name}\n" for name in sorted(left)))
        anew.replace(record)
        sync_folder(archive)


def _records(archive: Path, log: Path) -> Iterator[tuple[Path, str]]:
    prefix = f"{log.name}."
    with suppress(FileNotFoundError), os.scandir(archive) as entries:
        for entry in entries:
            origin = entry.name.removeprefix(prefix).removesuffix(_SUFFIX)
            if entry.name == f"{prefix}{origin}{_SUFFIX}" and _ID.fullmatch(origin):
                yield Path(entry.path), origin


def _names(record: Path) -> frozenset[str]:
    with suppress(FileNotFoundError):
        return frozenset(record.read_bytes().decode("utf-8", "surrogateescape").split("\n")) - {""}
    return frozenset()


def _named(folder: Path) -> str:
    """Give a folder of logs its name; one that is no name of ours is given up, with all it claimed."""
    origin = secrets.token_hex(16)
    (folder / ORIGIN_FILE).unlink(missing_ok=True)
    _append(folder / ORIGIN_FILE, f"{origin}\n")
    return origin


def _append(path: Path, text: str) -> None:
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _BINARY, _MODE)
    try:
        os.write(descriptor, text.encode("utf-8", "surrogateescape"))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        sync_folder(path.parent)


def _is_within(archive: Path, folder: Path) -> bool:
    try:
        return archive.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a loop of links
        return False
