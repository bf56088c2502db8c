"""Numbers that a process under test leaves in a memory-mapped file, where they stay when it is killed.

One aligned 8-byte value each: what was stored before the kill is there, whole, and nothing else.
"""

import mmap
import struct
from pathlib import Path

_SLOT = struct.Struct("<Q")


class Progress:
    """A row of numbers in a file, zero at first.

    Args:
        path: the file; made where it is missing.
        slots: how many numbers.
    """

    def __init__(self, path: Path, slots: int) -> None:
        if not path.exists():
            path.write_bytes(bytes(slots * _SLOT.size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), slots * _SLOT.size)

    def __getitem__(self, slot: int) -> int:
        return _SLOT.unpack_from(self._map, slot * _SLOT.size)[0]

    def __setitem__(self, slot: int, value: int) -> None:
        _SLOT.pack_into(self._map, slot * _SLOT.size, value)

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()
