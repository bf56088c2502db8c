"""Bringing archived and compressed log files back for review: unpacked, verified and read-only, in a folder of its own.

Nothing of an archive is changed. A copy that is there already stays, so that an interrupted restore is simply repeated.
Housekeeping looks at the folders of logs and archives alone, so copies elsewhere are kept until somebody deletes them.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from metaexpert.exceptions import MetaExpertError
from metaexpert.logger.files.keeping.kept_logs import KeptLog, found
from metaexpert.logger.files.keeping.pace import Pace
from metaexpert.logger.files.keeping.retention import KeptFile
from metaexpert.logger.files.keeping.transfer import digest, sweep, transfer

_FOLDER_MODE: Final = 0o700
_READ_ONLY: Final = 0o400


class RestoreError(MetaExpertError):
    """A file cannot be restored where it was asked for; the message says why."""


@final
@dataclass(frozen=True, slots=True)
class Restored:
    """A file brought back.

    Attributes:
        source: the archived or compressed file.
        path: its copy.
        size_bytes: of the copy.
        was_there: it was restored before.
    """

    source: Path
    path: Path
    size_bytes: int
    was_there: bool


def restorable(log: KeptLog, since: float | None = None, until: float | None = None) -> list[KeptFile]:
    """The archived and compressed files of a log that may have entries of a time range, the oldest first.

    Args:
        log: the log.
        since: seconds since 1970; from the beginning when left out.
        until: to the end when left out.

    Raises:
        OSError: a folder cannot be read.
    """
    meant = [
        each
        for each in found(log)
        if (each.is_archived or each.file.packing)
        and (since is None or each.last_at >= since)
        and (until is None or each.began_at <= until)
    ]
    return sorted(meant, key=lambda each: each.file)


def prepare(folder: Path, logs: Iterable[KeptLog], now: float) -> None:
    """Make the folder that is restored into, and sweep what a restore that was killed left there.

    Args:
        folder: where to.
        logs: all logs that are kept.
        now: seconds since 1970.

    Raises:
        RestoreError: it is the folder of a log or an archive, where copies would be taken for logs.
        OSError: it cannot be made.
    """
    taken = {place.resolve() for log in logs for place in log.folders}
    if folder.resolve() in taken:
        raise RestoreError(f"{folder} holds logs already; restore into a folder of its own")
    folder.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
    sweep(folder, now)


def restore(kept: KeptFile, folder: Path, pace: Pace) -> Restored:
    """Bring one file back, with its chain; the copy is unpacked, verified and read-only.

    Raises:
        RestoreError: something else is there under its name.
        DamageError: the file is damaged; nothing is made of it.
        OSError: the system refused.
        StoppedError: the work is to end.
    """
    source = kept.file.path
    target = kept.file.packed("").within(folder).path
    was_there = target.exists()
    size_bytes = _same_bytes(source, target, pace) if was_there else _brought(source, target, pace, unpack=True)
    chain = kept.file.within(folder).chain
    if kept.file.chain.exists() and not chain.exists():
        _brought(kept.file.chain, chain, pace, unpack=False)
    for path in (target, chain):
        with suppress(FileNotFoundError):
            path.chmod(_READ_ONLY)
    return Restored(source, target, size_bytes, was_there)


def _brought(source: Path, target: Path, pace: Pace, *, unpack: bool) -> int:
    return transfer(source, target, pace, unpack=unpack).size_bytes


def _same_bytes(source: Path, target: Path, pace: Pace) -> int:
    content = digest(source, pace)
    if digest(target, pace) != content:
        raise RestoreError(f"{target} is there already and differs from {source}; restore into another folder")
    return content.size_bytes
