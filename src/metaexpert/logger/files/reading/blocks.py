"""Files as blocks of whole entries: plain ones from any offset, compressed ones from their beginning.

A block ends where the next line begins an entry, so that a text entry's traceback is never cut off. What exceeds
`LONGEST_BYTES` without such a place is passed over and told as damage: memory stays bounded whatever a file holds. No
file stays open between two blocks of a plain file. One that is compressed or renamed meanwhile is gone on with at the
same offset.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from metaexpert.logger.files.names import PACKINGS
from metaexpert.logger.files.ownership import is_written
from metaexpert.logger.files.reading.report import ReadReport
from metaexpert.logger.files.reading.sources import Source
from metaexpert.logger.files.reading.unpacking import unpacked

LONGEST_BYTES: Final = 4 * 1024 * 1024
"""What an entry may have at most to be looked for its end."""

type PieceBytes = Callable[[], int]
"""How much to read at once; asked before each piece."""


class Block(NamedTuple):
    """Whole entries.

    Attributes:
        offset: where it begins in the file, or in a compressed file's content; bytes.
        data: the lines; the last one has no newline only where the file ends.
    """

    offset: int
    data: bytes


def blocks_of(source: Source, start: int, end: int | None, piece: PieceBytes, report: ReadReport) -> Iterator[Block]:
    """The blocks of a file.

    Args:
        source: the file.
        start: where to begin, bytes of the content; the begin of an entry.
        end: where to end; None for the end of the file.
        piece: how much to read at once.
        report: what is damaged, and files that vanish, are told here.
    """
    pieces = _packed(source, start, end, report) if source.packing else _plain(source, start, end, piece, report)
    yield from _cut(pieces, start, source, report)


def _cut(pieces: Iterator[bytes], offset: int, source: Source, report: ReadReport) -> Iterator[Block]:
    rest, overlong = b"", False
    for piece in pieces:
        data = rest + piece if rest else piece
        at = _last_begin(data)
        if at and overlong:
            first = _first_begin(data)
            offset, data, at, overlong = offset + first, data[first:], at - first, False
        if at:
            yield Block(offset, data[:at])
            offset += at
        rest = data[at:]
        if len(rest) > LONGEST_BYTES:
            if not overlong:
                report.lines += 1
                report.damage(source.path, offset, f"a line of more than {LONGEST_BYTES} bytes", rest)
            offset, rest, overlong = offset + len(rest) - 1, rest[-1:], True
    if rest and not overlong and (rest.endswith(b"\n") or not _is_being_written(source)):
        yield Block(offset, rest)


def _is_being_written(source: Source) -> bool:
    """Whether the rest of a line may still come."""
    try:
        return not source.packing and source.file is not None and is_written(source.path)
    except OSError:
        return False


def _last_begin(data: bytes) -> int:
    """Where the last entry that begins behind a newline does; 0 if none."""
    at = data.rfind(b"\n", 0, -1)
    while at >= 0 and data[at + 1] in b" \t":
        at = data.rfind(b"\n", 0, at)
    return at + 1


def _first_begin(data: bytes) -> int:
    at = data.find(b"\n")
    while 0 <= at < len(data) - 1 and data[at + 1] in b" \t":
        at = data.find(b"\n", at + 1)
    return at + 1


def _plain(source: Source, start: int, end: int | None, piece: PieceBytes, report: ReadReport) -> Iterator[bytes]:
    at, path = start, source.path
    while end is None or at < end:
        size = piece() if end is None else min(piece(), end - at)
        try:
            data = read_at(path, at, size, source.identity)
        except OSError as error:
            found = elsewhere(source)
            if found is None or found.path == path:
                report.unread(path, error, f"while it was read; read up to byte {at}")
                return
            if found.packing:
                yield from _packed(found, at, end, report)
                return
            path = found.path
            continue
        if not data:
            if end is not None:
                report.note(f"{path} was cut to {at} bytes while it was read")
            return
        at += len(data)
        yield data


def read_at(path: Path, offset: int, size: int, identity: tuple[int, int]) -> bytes:
    """Bytes of a file.

    Raises:
        OSError: it cannot be read, or is another file by now.
    """
    with path.open("rb", buffering=0) as file:
        state = os.fstat(file.fileno())
        if identity != (state.st_dev, state.st_ino):
            raise FileNotFoundError(f"{path} is another file by now")
        file.seek(offset)
        return file.read(size)


def elsewhere(source: Source) -> Source | None:
    """Where a file went that is not found under its name: compressed beside it, or renamed by another program."""
    for packing in PACKINGS:
        try:
            return Source.at(source.path.with_name(source.path.name + packing))
        except OSError:
            continue
    try:
        for path in source.path.parent.iterdir():
            state = path.stat()
            if (state.st_dev, state.st_ino) == source.identity:
                return Source.at(path)
    except OSError:
        return None
    return None


def _packed(source: Source, start: int, end: int | None, report: ReadReport) -> Iterator[bytes]:
    at = 0
    for piece in unpacked(source, report):
        begin, at = at, at + len(piece)
        if end is not None and begin >= end:
            return
        if at > start:
            yield piece[max(0, start - begin) : None if end is None else end - begin]
