"""The content of compressed files as a stream, past what is damaged in them.

A gzip file may have several members, a zstd file several frames. One that is cut or damaged gives all that can be
decoded of it; behind the damaged place reading goes on at the next member or frame, on a line of its own. Memory is
bounded by the format's window.
"""

import importlib
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, Protocol, final

from metaexpert.logger.files.reading.report import ReadReport
from metaexpert.logger.files.reading.sources import ReadError, Source

_READ_BYTES: Final = 256 * 1024
GIVEN_BYTES: Final = 256 * 1024
"""What a piece has at most when nothing else is asked for."""

_FINE_BYTES: Final = 1024
"""How much of a file is read at once where damage is near."""

_ANY_GZIP: Final = 31
_MAGIC: Final = {".gz": b"\x1f\x8b\x08", ".zst": b"\x28\xb5\x2f\xfd"}


class _Decompressor(Protocol):
    """One member or frame."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


class _Gzip:
    """zlib's, in the shape zstd's has."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(_ANY_GZIP)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, max_length: int = GIVEN_BYTES) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


@final
class _Feed:
    """A compressed file piece by piece; the last one is kept, for it is where damage is noticed."""

    def __init__(self, file: BinaryIO, path: Path, report: ReadReport) -> None:
        self._file = file
        self._path = path
        self._report = report
        self._last = b""
        self._looked_at = 0
        self._read_bytes = 0
        self.begun_at = 0
        """Where in the file the present member begins."""

    def read(self) -> bytes:
        """The next piece; empty at the end, and where the disk gives no more, which is told."""
        try:
            self._last, self._looked_at = self._file.read(_READ_BYTES), 0
        except OSError as error:
            self._report.unread(self._path, error, "while it was read")
            self._last = b""
        self._read_bytes += len(self._last)
        return self._last

    def begin(self, data: bytes) -> bytes:
        """Take what a member begins with for the last piece."""
        self._last, self._looked_at = data, 1
        self.begun_at = self._read_bytes - len(data)
        return data

    def next_member(self, magic: bytes) -> bytes:
        """What follows from the next member's begin on; empty where there is none."""
        data = self._last[self._looked_at :]
        while True:
            at = data.find(magic)
            if at >= 0:
                return data[at:]
            more = self.read()
            if not more:
                return b""
            data = data[-len(magic) :] + more


def _zstd_module() -> object:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ReadError("zstd files cannot be read here: install metaexpert[zstd], or Python 3.14 or later")


def _decompressor(packing: str) -> _Decompressor:
    if packing == ".gz":
        return _Gzip()
    return getattr(_zstd_module(), "ZstdDecompressor")()  # noqa: B009 - two modules of one interface, neither always there


def _errors(packing: str) -> tuple[type[Exception], ...]:
    if packing == ".gz":
        return (zlib.error,)
    return (getattr(_zstd_module(), "ZstdError"),)  # noqa: B009 - as above


def unpacked(source: Source, report: ReadReport, most_bytes: int = GIVEN_BYTES) -> Iterator[bytes]:
    """The content of a compressed file, in pieces.

    Args:
        source: the file.
        report: damage is told here, by its offset in the content.
        most_bytes: how much a piece has at most.

    Raises:
        ReadError: nothing here can read zstd files.
    """
    errors, given = _errors(source.packing), 0
    try:
        file = source.path.open("rb", buffering=0)
    except OSError as error:
        report.unread(source.path, error, "when it was opened")
        return
    with file:
        feed = _Feed(file, source.path, report)
        waiting = feed.read()
        while waiting:
            one, begun = _decompressor(source.packing), given
            try:
                for piece in _member(one, feed.begin(waiting), feed.read, most_bytes):
                    given += len(piece)
                    yield piece
            except errors as error:
                rest = _before_damage(source, feed.begun_at, given - begun)
                for piece in (rest, b"" if rest.endswith(b"\n") else b"\n"):
                    given += len(piece)
                    yield piece
                report.damage(source.path, given, f"damaged {source.packing} data: {error}")
                waiting = feed.next_member(_MAGIC[source.packing])
                continue
            if not one.eof:
                report.damage(source.path, given, f"the {source.packing} data end too early")
            waiting = (one.unused_data or feed.read()) if one.eof else b""
            if waiting and not waiting.strip(b"\0"):
                return  # padding


def _member(one: _Decompressor, begun: bytes, read: Callable[[], bytes], most_bytes: int) -> Iterator[bytes]:
    data = begun
    while True:
        piece = one.decompress(data, most_bytes)
        if piece:
            yield piece
        if one.eof:
            return
        data = read() if one.needs_input else b""
        if not data and not piece and one.needs_input:  # not before what it held back is there
            return


def _before_damage(source: Source, begun_at: int, given: int) -> bytes:
    """What a damaged member holds behind what it gave: the piece in which damage is noticed is lost as a whole.

    It is unpacked once more, byte by byte where the damage must be, since one that is noticed spoils what unpacks it.
    """
    one, found, passed = _decompressor(source.packing), bytearray(), 0
    with suppress(OSError, *_errors(source.packing)), source.path.open("rb") as file:
        if source.identity != Source.at(source.path).identity:
            return b""
        file.seek(begun_at)
        while not one.eof:
            is_near, is_hungry = passed >= given, one.needs_input
            data = file.read(1 if is_near else _FINE_BYTES) if is_hungry else b""
            piece = one.decompress(data, 1 if is_near else given - passed)
            passed += len(piece)
            if is_near:
                found += piece
            if is_hungry and not data and not piece:
                break
    return bytes(found)
