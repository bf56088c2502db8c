"""Many entries at once: a block of lines that all say their time, level and number where `JsonLines` writes them; pure.

What is asked of all of them is taken out by column. Of a block with one line that says any of it in another way there
are none: it is then looked at entry by entry.
"""

import re
from collections.abc import Sequence
from itertools import repeat
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, final

import orjson

from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.files.reading.moments import stamp_ns

_LONGEST_LINE_BYTES: Final = 1024 * 1024
_STAMPS: Final = re.compile(r"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z)+", re.ASCII)
_STAMP: Final = 30
_SECOND: Final = slice(19)
_BOOT: Final = re.compile(r"[0-9a-f]{17}-")
_BOOT_CHARACTERS: Final = 18
_NUMBER: Final = slice(_BOOT_CHARACTERS, None)
_NUMBER_CHARACTERS: Final = 14
"""No number of so many digits is larger than a process gives."""


@final
class PlainLines:
    """Entries of one run.

    Attributes:
        stamps: their times as they stand there, which sort as the times do.
        seconds: their parts up to the second.
        levels: names of their levels.
        boot_id: the run's.
        numbers: theirs within the run.
    """

    __slots__ = ("_path", "_values", "boot_id", "levels", "lines", "numbers", "seconds", "stamps")

    def __init__(  # noqa: PLR0917 - one for each column
        self,
        path: Path,
        lines: Sequence[bytes],
        values: list[dict[str, Any]],
        stamps: list[str],
        levels: list[str],
        ids: list[str],
    ) -> None:
        self._path = path
        self._values = values
        self.lines = lines
        self.stamps = stamps
        self.seconds = list(map(itemgetter(_SECOND), stamps))
        self.levels = levels
        self.boot_id = ids[0][: _BOOT_CHARACTERS - 1]
        self.numbers = list(map(int, map(itemgetter(_NUMBER), ids)))

    @classmethod
    def of(cls, path: Path, data: bytes) -> "PlainLines | None":
        """Those of a block; None where it is to be looked at entry by entry.

        Args:
            path: the file.
            data: the block, whole lines.
        """
        if len(data) > _LONGEST_LINE_BYTES:
            return None
        lines = data.removesuffix(b"\n").split(b"\n")
        try:
            values = list(map(orjson.loads, lines))
            stamps = list(map(itemgetter("timestamp"), values))
            levels = list(map(itemgetter("level"), values))
            ids = list(map(itemgetter("id"), values))
        except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
            return None
        if not stamps or {*map(type, stamps), *map(type, levels), *map(type, ids)} != {str}:
            return None
        if not _are_stamps(stamps) or not _are_of_one_run(ids):
            return None
        return cls(path, lines, values, stamps, levels, ids)

    @property
    def first_ns(self) -> int:
        """The earliest time, nanoseconds since the epoch."""
        return _ns(min(self.stamps))

    @property
    def last_ns(self) -> int:
        """The latest time."""
        return _ns(max(self.stamps))

    def time_ns(self, at: int) -> int:
        """The time of one of them."""
        return _ns(self.stamps[at])

    @staticmethod
    def second_ns(second: str) -> int:
        """The time at which one of `seconds` begins."""
        return _ns(f"{second}.000000000Z")

    def told_by(self, key: str, value: str) -> set[int]:
        """Which of them say this under a key."""
        said = list(map(dict[str, Any].get, self._values, repeat(key)))
        return {at for at, each in enumerate(said) if each == value} if value in said else set()

    def entry(self, at: int) -> LogEntry:
        """One of them."""
        values = self._values[at]
        return LogEntry(self.lines[at], self._path, self.time_ns(at), values, values["id"])


def _ns(stamp: str) -> int:
    return stamp_ns(stamp) or 0


def _are_stamps(stamps: list[str]) -> bool:
    """Whether each is a time as we write it, and there is such a time."""
    if set(map(len, stamps)) != {_STAMP} or _STAMPS.fullmatch("".join(stamps)) is None:
        return False
    return all(stamp_ns(f"{second}.000000000Z") is not None for second in set(map(itemgetter(_SECOND), stamps)))


def _are_of_one_run(ids: list[str]) -> bool:
    boot_ids = set(map(itemgetter(slice(_BOOT_CHARACTERS)), ids))
    numbers = list(map(itemgetter(_NUMBER), ids))
    together = "".join(numbers)
    return (
        len(boot_ids) == 1
        and _BOOT.fullmatch(boot_ids.pop()) is not None
        and together.isascii()
        and together.isdecimal()
        and "" not in numbers
        and max(map(len, numbers)) <= _NUMBER_CHARACTERS
    )
