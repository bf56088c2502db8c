"""Writing once more what a failed sync may have lost: the system says of it that it is written, and may know better.

After a failed write-back Linux takes the pages for clean: another sync succeeds and writes nothing. So what is not on
the disk for sure is read back, which the page cache can do as long as it holds it, and is written to its own place, so
that the pages are there to be written. Pages that came back empty are lost, and told.
"""

import errno
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Final

from metaexpert.logger.journal.segments import write_at

_PAGE_BYTES: Final = 4096
_BLOCK_BYTES: Final = 256 * _PAGE_BYTES
_BINARY: Final = os.O_BINARY if sys.platform == "win32" else 0


def write_again(path: Path, descriptor: int, begin_bytes: int, end_bytes: int) -> None:
    """Write a part of an open file once more, in place, its time kept; appending to it meanwhile harms nothing.

    Args:
        path: the file, by its name.
        descriptor: the same, open.
        begin_bytes: where the part begins.
        end_bytes: where it ends.

    Raises:
        OSError: the system refused, the file has lost its name, or its content.
    """
    own = os.open(path, os.O_RDWR | _BINARY)  # what is open for appending can write at its end alone
    try:
        state = os.fstat(own)
        if not os.path.samestat(state, os.fstat(descriptor)):
            raise OSError(errno.ESTALE, "it is another file by now")
        while begin_bytes < end_bytes:
            stop = min(end_bytes, begin_bytes - begin_bytes % _PAGE_BYTES + _BLOCK_BYTES)
            data = _read(own, begin_bytes, stop - begin_bytes)
            if len(data) < stop - begin_bytes or _has_lost_a_page(data, begin_bytes):
                raise OSError(errno.EIO, "what was written is no longer there")
            write_at(own, begin_bytes, data)
            begin_bytes = stop
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))  # ages are taken from the last entry
    finally:
        os.close(own)


def _read(descriptor: int, begin_bytes: int, size_bytes: int) -> bytes:
    os.lseek(descriptor, begin_bytes, os.SEEK_SET)
    data = b""
    while len(data) < size_bytes and (more := os.read(descriptor, size_bytes - len(data))):
        data += more
    return data


def _has_lost_a_page(data: bytes, begin_bytes: int) -> bool:
    """Whether a page of it holds zeros alone; log lines hold some other byte at least, the newline."""
    first = _PAGE_BYTES - begin_bytes % _PAGE_BYTES
    edges = [0, *range(first, len(data), _PAGE_BYTES), len(data)]
    return any(not data[begin:end].strip(b"\0") for begin, end in pairwise(edges) if begin < end)
