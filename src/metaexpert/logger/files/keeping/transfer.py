"""One file made of another: packed, unpacked or as it is; safe against a kill at every step.

A temporary file beside the target takes the content, is brought to the disk, read back and compared, and then gets the
target's name, which is brought to the disk too. So a file that has its final name is whole, and a temporary file whose
maker is dead is rubbish: its maker holds it (`ownership`) for as long as it lives.
"""

import os
import re
import secrets
import shutil
import stat
import sys
import zlib
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, final

from metaexpert.exceptions import MetaExpertError
from metaexpert.logger.files.keeping.pace import CHUNK_BYTES, Pace
from metaexpert.logger.files.keeping.packing import Packer, damage, packer, unpacked
from metaexpert.logger.files.names import CHAIN, LogFile
from metaexpert.logger.files.ownership import hold, is_written
from metaexpert.logger.journal.segments import sync_folder

_MODE: Final = 0o600
_TEMPORARY: Final = ".tmp"
_LINK: Final = re.compile(r".+\.\d{8}T\d{6}Z-\d+-[0-9a-f]{6}")
_LINK_SECONDS: Final = 3600.0
"""A link in the making, which nobody can hold, is taken for somebody's for so long."""
_BINARY: Final = os.O_BINARY if sys.platform == "win32" else 0


class DamageError(MetaExpertError):
    """What was written is not what was read, or a packed file cannot be unpacked; the message names the file."""


@final
@dataclass(frozen=True, slots=True)
class Digest:
    """What content is known by.

    Attributes:
        size_bytes: its length, unpacked.
        crc: CRC-32 of it.
    """

    size_bytes: int
    crc: int


def digest(path: Path, pace: Pace, packing: str | None = None) -> Digest:
    """The digest of a file's content, unpacked.

    Args:
        path: the file.
        pace: how fast to read.
        packing: how it is packed, when its name does not tell.

    Raises:
        DamageError: it is damaged.
        OSError: it cannot be read.
        StoppedError: the work is to end.
    """
    with _damage_told(path), unpacked(path, packing) as content:
        return _through(content, packer(""), None, pace)


@contextmanager
def _damage_told(path: Path) -> Generator[None]:
    """What damaged packed content raises, as one error; the system's own errors as they are."""
    try:
        yield
    except damage() as error:
        raise DamageError(f"{path} is damaged: {error}") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise DamageError(f"{path} is damaged: {error}") from error  # gzip's own


def transfer(source: Path, target: Path, pace: Pace, *, packing: str = "", unpack: bool = False) -> Digest:
    """Make `target` of `source`; `source` stays. Mode and time of modification are the source's.

    Args:
        source: a finished file.
        target: its name; what has it is replaced.
        pace: how fast.
        packing: how to pack the content; `.gz`, `.zst`, or empty for as it is.
        unpack: take the source's content unpacked.

    Raises:
        DamageError: the source is damaged, or the disk gave back something else than was written.
        OSError: the system refused.
        StoppedError: the work is to end.
    """
    temporary = target.with_name(f"{target.name}{_TEMPORARY}-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        written = _write_and_verify(source, temporary, pace, packing=packing, unpack=unpack)
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)
    return written


def _write_and_verify(source: Path, temporary: Path, pace: Pace, *, packing: str, unpack: bool) -> Digest:
    state = source.stat()
    with _created(temporary) as made:
        with _damage_told(source), unpacked(source, None if unpack else "") as content:
            written = _through(content, packer(packing), made, pace)
        shutil.copymode(source, temporary)
        _bring_to_disk(made)
        os.utime(temporary, ns=(state.st_atime_ns, state.st_mtime_ns))
        _verify(temporary, written, pace, packing)
    return written


def _bring_to_disk(made: BinaryIO) -> None:
    made.flush()
    os.fsync(made.fileno())
    _forget_pages(made.fileno())


@contextmanager
def _created(path: Path) -> Generator[BinaryIO]:
    """A new file that is ours as long as we write it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, _MODE)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor
        hold(descriptor)
        yield file


def _forget_pages(descriptor: int) -> None:
    """Have what is read back come from the disk, and leave the page cache to those who trade."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _through(content: BinaryIO, packing: Packer, made: BinaryIO | None, pace: Pace) -> Digest:
    size_bytes = crc = 0
    while chunk := content.read(CHUNK_BYTES):
        size_bytes, crc = size_bytes + len(chunk), zlib.crc32(chunk, crc)
        if made is not None:
            made.write(packing.compress(chunk))
        pace.rest()
    if made is not None:
        made.write(packing.flush())
    return Digest(size_bytes, crc)


def _verify(temporary: Path, written: Digest, pace: Pace, packing: str) -> None:
    if digest(temporary, pace, packing) != written:
        raise DamageError(f"{temporary} does not hold what was written to it: the disk, or its memory, is faulty")


def is_one_place(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file or folder, through links or mounts; what is missing is in no place."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def sweep(folder: Path, now: float) -> list[Path]:
    """Take away the temporary files in a folder whose makers are dead.

    Args:
        folder: where.
        now: seconds since 1970; a link half made, which nobody can hold, goes when it is an hour old.

    Returns:
        What was taken away.

    Raises:
        OSError: the folder cannot be read, or a file of it not deleted.
    """
    try:
        candidates = [path for path in folder.iterdir() if _is_temporary(path)]
    except FileNotFoundError:
        return []
    swept = [path for path in candidates if _is_left(path, now)]
    for path in swept:
        path.unlink(missing_ok=True)
    return swept


def _is_temporary(path: Path) -> bool:
    """Whether it is called like a temporary file of a log file, of its chain, or of a log's link."""
    name, _, _ = path.name.rpartition(_TEMPORARY)
    final = name.removesuffix(CHAIN)
    return bool(final) and (LogFile.parsed(path.with_name(final)) is not None or _LINK.fullmatch(name) is not None)


def _is_left(path: Path, now: float) -> bool:
    """Whether nobody is at it any more. What we make ourselves is held before it can be old."""
    try:
        state = path.lstat()
        if stat.S_ISLNK(state.st_mode):
            return now - state.st_mtime > _LINK_SECONDS
        return stat.S_ISREG(state.st_mode) and not is_written(path, lambda: now + _LINK_SECONDS)
    except FileNotFoundError:
        return False
