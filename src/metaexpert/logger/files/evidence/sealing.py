"""The end of a chain on its way to the disk, beside the thread that writes the log.

The chain's last line is made where the log is written, so that the next file's chain can name it; it is written here,
after the log file is on the disk: lines before what says how many there are, or a power loss would look like
tampering. What the disk refuses is kept and tried again; given up, it leaves the file unsealed, as a kill does.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, final

from metaexpert.exceptions import MetaExpertError
from metaexpert.logger.files.evidence.chain_format import FormatError
from metaexpert.logger.files.evidence.seals import Line, opened
from metaexpert.logger.files.names import LogFile
from metaexpert.logger.journal.segments import write_at

REFUSALS: Final = (OSError, MetaExpertError, FormatError)
"""What keeps chain or seals from being written."""


@final
@dataclass(frozen=True, slots=True)
class Ended:
    """A chain that has come to its end.

    Attributes:
        file: the log file.
        descriptor: the chain, open; closed when it is sealed or given up.
        size_bytes: of the chain, as far as it is on disk.
        pending: what is to follow there, its seal last.
        lines: of the log file.
        end_bytes: of the log file.
        head: of the seal.
        reason: why the file is done with.
    """

    file: LogFile
    descriptor: int
    size_bytes: int
    pending: bytes
    lines: int
    end_bytes: int
    head: bytes
    reason: str


@final
class Sealing:
    """Brings it to the disk; in any one thread at a time.

    Args:
        ended: what.
        sealed: told of the line of the seals.
        failed: told why it could not be.
        given_up: told that it is not to be any more.
    """

    def __init__(
        self,
        ended: Ended,
        *,
        sealed: Callable[[Line], None],
        failed: Callable[[str], None],
        given_up: Callable[[], None],
    ) -> None:
        self._ended = ended
        self._sealed = sealed
        self._failed = failed
        self._given_up = given_up
        self._is_chained = False

    def bring_to_disk(self) -> bool:
        """Once the log file is there: the chain's end, then the seals' line; whether both are."""
        try:
            self._end_chain()
            line = self._append()
        except REFUSALS as error:
            self._failed(f"the chain of {self._ended.file.path} is not sealed: {error}")
            return False
        self._let_go()
        self._sealed(line)
        return True

    def give_up(self) -> None:
        """Leave the file unsealed; the next one to begin the log says in the seals how it is found."""
        self._let_go()
        self._given_up()

    def _end_chain(self) -> None:
        if not self._is_chained:
            end = self._ended
            os.ftruncate(end.descriptor, end.size_bytes)  # of what was written of it before
            write_at(end.descriptor, end.size_bytes, end.pending)
            os.fsync(end.descriptor)
            self._is_chained = True

    def _append(self) -> Line:
        end = self._ended
        values = {"file": end.file.path.name, "lines": end.lines, "bytes": end.end_bytes, "seal": end.head.hex()}
        with opened(end.file.log) as seals:
            return seals.append("sealed", values | {"reason": end.reason})

    def _let_go(self) -> None:
        with suppress(OSError):
            os.close(self._ended.descriptor)
