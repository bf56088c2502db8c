"""Compressed log files: which compressions there are, how content is packed, and how it is read back.

Content is packed in one piece (a gzip member, a zstd frame) with a checksum at its end, so that reading a damaged or a
cut file raises instead of ending early. gzip is RFC 1952, zstd RFC 8878.
"""

import gzip
import sys
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, Final, Protocol, cast, final

from metaexpert.exceptions import ConfigError

SUFFIXES: Final = {"none": "", "gzip": ".gz", "zstd": ".zst"}
"""What a compression adds to a file's name."""

_GZIP_WINDOW: Final = 31  # a window of 32 KiB, with gzip's header and trailer
_GZIP_LEVEL: Final = 6
_HAS_OWN_ZSTD: Final = sys.version_info >= (3, 14)


class Packer(Protocol):
    """Packs content that comes in pieces."""

    def compress(self, data: bytes, /) -> bytes:
        """What is ready after `data`."""
        ...

    def flush(self) -> bytes:
        """The rest."""
        ...


@final
class Plain:
    """Leaves content as it is."""

    def compress(self, data: bytes, /) -> bytes:
        """As it came."""
        return data

    def flush(self) -> bytes:
        """Nothing is kept back."""
        return b""


def has_zstd() -> bool:
    """Whether this interpreter can pack and read zstd."""
    return _HAS_OWN_ZSTD or (find_spec("backports") is not None and find_spec("backports.zstd") is not None)


def zstd() -> ModuleType:
    """The module for zstd: the standard library's from Python 3.14 on, else that of the extra.

    Raises:
        ConfigError: it is not installed; the message names the extra.
    """
    try:
        if _HAS_OWN_ZSTD:
            from compression import zstd as module  # noqa: PLC0415  # pyright: ignore - of Python 3.14
        else:
            from backports import zstd as module  # noqa: PLC0415 - optional
    except ImportError:
        message = "zstd needs a package that is not installed: pip install 'metaexpert[zstd]', or choose gzip"
        raise ConfigError(message) from None
    return cast("ModuleType", module)


def packer(packing: str) -> Packer:
    """What packs new content.

    Args:
        packing: `.gz`, `.zst`, or empty to leave it as it is.

    Raises:
        ConfigError: zstd is not installed.
    """
    return _PACKERS[packing]()


def unpacked(path: Path, packing: str | None = None) -> BinaryIO:
    """A stream of the content of a file, packed or not.

    Args:
        path: the file.
        packing: how it is packed, when its name does not tell.

    Raises:
        OSError: it cannot be opened; reading raises one of `damage()` where its content is damaged.
        ConfigError: zstd is not installed.
    """
    match path.suffix if packing is None else packing:
        case ".gz":
            return cast("BinaryIO", gzip.open(path, "rb"))
        case ".zst":
            return cast("BinaryIO", zstd().open(path, "rb"))
        case _:
            return path.open("rb")


def damage() -> tuple[type[Exception], ...]:
    """What reading damaged packed content raises, beside OSError."""
    return (EOFError, zlib.error, zstd().ZstdError) if has_zstd() else (EOFError, zlib.error)


def _gzip_packer() -> Packer:
    return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)


def _zstd_packer() -> Packer:
    module: Any = zstd()
    return cast("Packer", module.ZstdCompressor(options={module.CompressionParameter.checksum_flag: 1}))


_PACKERS: Final[dict[str, Callable[[], Packer]]] = {"": Plain, ".gz": _gzip_packer, ".zst": _zstd_packer}
