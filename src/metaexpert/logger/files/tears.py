"""Files of earlier runs that end amid a line, as a kill or a full disk leaves them; they stay as they are.

Each tear is told once: by the first run that begins after the writer's end.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from metaexpert.logger.files.names import LogFile, Run
from metaexpert.logger.files.ownership import is_written

_BLOCK_BYTES: Final = 64 * 1024


@final
@dataclass(frozen=True, slots=True)
class Tear:
    """A file whose last line is incomplete, and how many bytes of that line there are."""

    file: LogFile
    bytes: int


def tears(files: Iterable[LogFile], run: Run) -> Iterator[Tear]:
    """The torn ones among a log's files that no run before `run` can have seen; those still written are none."""
    last: dict[Run, LogFile] = {}
    for file in files:
        if file.run != run and not file.packing and (file.run not in last or last[file.run] < file):
            last[file.run] = file
    *_, before, newest = sorted([0.0, 0.0, *(each.started_at.timestamp() for each in last)])
    for each, file in sorted(last.items()):
        seen_until = before if each.started_at.timestamp() == newest else newest
        with suppress(OSError):  # one that cannot be read is nothing the log has to wait for
            if file.path.stat().st_mtime >= seen_until and not is_written(file.path):
                torn = torn_bytes(file.path)
                if torn:
                    yield Tear(file, torn)


def torn_bytes(path: Path) -> int:
    """How many bytes come after the last newline.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        end = at = file.seek(0, os.SEEK_END)
        while at:
            begin = max(0, at - _BLOCK_BYTES)
            file.seek(begin)
            newline = file.read(at - begin).rfind(b"\n")
            if newline >= 0:
                return end - begin - newline - 1
            at = begin
    return end
