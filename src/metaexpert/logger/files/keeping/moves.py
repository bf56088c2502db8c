"""What is done with one finished file of a log: pack it, move it to the archive, delete it, settle what a kill left.

Each leaves at every moment at least one whole copy under a final name; what stands twice after a kill is compared and
the copy that is further on stays. A deletion is written down, and on the disk, before anything goes.
"""

import errno
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from metaexpert.logger.files.evidence.chain import record_removal
from metaexpert.logger.files.keeping.pace import Pace
from metaexpert.logger.files.keeping.retention import KeptFile
from metaexpert.logger.files.keeping.transfer import DamageError, Digest, digest, is_one_place, transfer
from metaexpert.logger.files.links import release
from metaexpert.logger.files.names import CHAIN, LogFile
from metaexpert.logger.journal.segments import sync_folder

PURGED_FILE: Final = "purged.records"
"""Beside the logs: which files were deleted, when and why; one JSON line each."""

_MODE: Final = 0o600


def pack(file: LogFile, packing: str, pace: Pace) -> LogFile:
    """Replace a file by its packed one.

    Raises:
        DamageError: somebody wrote to it meanwhile; it stays as it is.
        OSError: the system refused; likewise.
        StoppedError: the work is to end; likewise.
    """
    packed = file.packed(packing)
    written = transfer(file.path, packed.path, pace, packing=packing)
    if file.path.stat().st_size != written.size_bytes:
        packed.path.unlink()
        raise DamageError(f"{file.path} is finished, but was written to while it was compressed; it stays as it is")
    _delete(file.path)
    return packed


def archive(file: LogFile, folder: Path, pace: Pace) -> LogFile:
    """Move a file, and its chain, to another folder, which may be on another disk.

    Raises:
        DamageError: the copy there differs; the file stays.
        OSError: the system refused, or the folder is away; the file stays.
        StoppedError: the work is to end; the file stays.
    """
    moved = file.within(folder)
    move(file.path, moved.path, pace)
    if file.chain.exists():
        move(file.chain, moved.chain, pace)
    return moved


def move(source: Path, target: Path, pace: Pace) -> None:
    """Move a file that nobody writes; raises as `archive`."""
    if target.exists():
        _require_same(source, target, pace)
        _delete(source)
        return
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        transfer(source, target, pace)
        _delete(source)
    else:
        sync_folder(target.parent)
        sync_folder(source.parent)


def purge(log: Path, file: LogFile, reason: str, now: float) -> None:
    """Delete a file and its chain; first write that down beside the log, and in its seals where it has them.

    Args:
        log: the log.
        file: which, wherever it is.
        reason: why.
        now: seconds since 1970.

    Raises:
        OSError: it cannot be written down, and stays; or not be deleted.
        ChainKeyError: it cannot be written into the seals, and stays.
    """
    _write_down(log.parent, file, reason, now)
    record_removal(log, file, reason)
    release(file)
    file.path.unlink(missing_ok=True)
    file.chain.unlink(missing_ok=True)
    sync_folder(file.folder)


def settle(copies: Sequence[KeptFile], pace: Pace) -> str:
    """Of the copies of one content, as a kill leaves them, keep the one that is further on, when it is whole.

    Returns:
        Which copies were damaged and therefore taken away, for people; empty when none was.

    Raises:
        DamageError: the copies differ and all are whole, or the last one is damaged; they stay.
        OSError: the system refused.
        StoppedError: the work is to end.
    """
    damaged: list[str] = []
    kept, *behind = sorted(copies, key=_progress, reverse=True)
    for each in behind:
        _require_two(each.file.path, kept.file.path)
        content = digest(each.file.path, pace)
        there = _digest_or_none(kept.file.path, pace)
        if there is None:
            kept.file.path.unlink()
            damaged.append(str(kept.file.path))
            kept = each
        elif there == content:
            _delete(each.file.path)
        else:
            raise _differ(each.file.path, kept.file.path)
    return ", ".join(damaged)


def _progress(kept: KeptFile) -> tuple[bool, bool]:
    return kept.is_archived, bool(kept.file.packing)


def _digest_or_none(path: Path, pace: Pace) -> Digest | None:
    try:
        return digest(path, pace)
    except DamageError:
        return None


def _differ(one: Path, other: Path) -> DamageError:
    return DamageError(f"{one} and {other} differ, which should be the same; both stay, look at them")


def _require_two(one: Path, other: Path) -> None:
    """That they are two files, so that one is left when the other goes."""
    if is_one_place(one, other):
        raise DamageError(f"{one} and {other} are one file; give the archive a folder of its own")


def _require_same(one: Path, other: Path, pace: Pace) -> None:
    _require_two(one, other)
    if digest(one, pace, "") != digest(other, pace, ""):
        raise _differ(one, other)


def _delete(path: Path) -> None:
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


# ---- chains without their file -----------------------------------------------------------------------------------


def lone_chains(log: Path, folder: Path) -> Iterator[LogFile]:
    """The files of a log of which there is a chain in a folder and nothing else.

    Raises:
        OSError: the folder cannot be read.
    """
    for path in folder.glob(f"{_escaped(log.stem)}.*{_escaped(log.suffix)}{CHAIN}"):
        file = LogFile.parsed(path.with_suffix(""))
        if file is not None and file.log.name == log.name and not any(each.exists() for each in _forms(file)):
            yield file


def follow(file: LogFile, archive_folder: Path | None, record_folder: Path, pace: Pace) -> None:
    """Bring a lone chain to where its file went: into the archive, or away with it. One that nobody sent away stays.

    Raises:
        DamageError: as `archive`.
        OSError: the system refused.
    """
    away = None if archive_folder in {None, file.folder} else archive_folder
    if away is not None and any(each.exists() for each in _forms(file.within(away))):
        move(file.chain, file.within(away).chain, pace)
    elif file.path.name in set(purged_names(record_folder)):
        _delete(file.chain)


def _forms(file: LogFile) -> tuple[Path, ...]:
    return tuple(file.packed(packing).path for packing in ("", ".gz", ".zst"))


def _escaped(text: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in text)


# ---- what was deleted --------------------------------------------------------------------------------------------


def purged_names(folder: Path) -> Iterator[str]:
    """The names, without packing, of the files that were deleted from here; damaged lines are passed over."""
    with suppress(FileNotFoundError), (folder / PURGED_FILE).open("rb") as lines:
        for line in lines:
            with suppress(ValueError, KeyError, TypeError):
                yield str(json.loads(line)["name"])


def _write_down(folder: Path, file: LogFile, reason: str, now: float) -> None:
    facts: dict[str, Any] = {
        "time": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        "name": file.packed("").path.name,
        "file": str(file.path),
        "reason": reason,
        "pid": os.getpid(),
    }
    descriptor = os.open(folder / PURGED_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _MODE)
    try:
        os.write(descriptor, (json.dumps(facts) + "\n").encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
