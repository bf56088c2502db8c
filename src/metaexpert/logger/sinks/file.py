"""Log files: whole lines, one write a batch, brought to the disk as often as wanted."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, final

from metaexpert.logger.batch import Batch
from metaexpert.logger.entry import LOG_TYPE, PROTECTED_LOG_TYPES, Capture
from metaexpert.logger.files.writer import AppendFile
from metaexpert.logger.jobs import Worker
from metaexpert.logger.outcome import Delivered, Outcome, Retry

_MOST_REFUSED_SYNCS: Final = 2
"""So often the disk is asked to take a batch where it was written; after that another file is begun."""


@final
@dataclass(frozen=True, slots=True)
class Syncing:
    """When what was written is brought to the disk itself, beside what a stop and the journal want.

    Attributes:
        policy: within the interval, after each batch, after each with a protected entry, or not on its own account.
        interval_seconds: for the first of these.
    """

    policy: Literal["never", "interval", "batch", "protected"] = "never"
    interval_seconds: float = 1.0

    def awaits(self, batch: Batch) -> bool:
        """Whether the batch counts as delivered only when it is on the disk."""
        if self.policy == "protected":
            return any(entry[LOG_TYPE] in PROTECTED_LOG_TYPES for entry in batch.entries)
        return self.policy == "batch"


@final
class FileSink:
    """Appends lines to one file.

    Args:
        file: where the lines go.
        encode_line: an entry's line without newline.
        worker: the thread of the file's system calls, closed with the sink.
        fault: why tamper evidence is behind the file; empty when it is not.
        syncing: when it is brought to the disk.
    """

    def __init__(
        self,
        file: AppendFile,
        encode_line: Callable[[Capture], bytes],
        worker: Worker,
        fault: Callable[[], str] = str,
        syncing: Syncing = Syncing(),
    ) -> None:
        self.encode = encode_line
        self._file = file
        self._worker = worker
        self._fault = fault
        self._syncing = syncing
        self._awaiting_sync: Batch | None = None
        self._refused_syncs = 0

    async def write(self, batch: Batch) -> Outcome:
        """Append the batch; any system error is a retry, which goes on where this attempt stopped."""
        try:
            if self._awaiting_sync is not batch:
                await self._file.append(batch.parts, batch)
            await self._sync_after(batch)
        except OSError as error:
            return Retry(f"{self._file.path}: {error.strerror or error}")
        return Delivered(warning=self._file.take_warning(), degraded=self._fault())

    async def _sync_after(self, batch: Batch) -> None:
        if self._syncing.policy == "interval":
            self._file.sync_within(self._syncing.interval_seconds)
        elif self._syncing.awaits(batch):
            self._awaiting_sync = batch
            try:
                await self._file.sync_written()
            except OSError:
                self._refused()
                raise
            self._awaiting_sync, self._refused_syncs = None, 0

    def _refused(self) -> None:
        """It is written, and the disk refused it: in place it is tried once more, then in a file begun for it."""
        self._refused_syncs += 1
        if self._refused_syncs >= _MOST_REFUSED_SYNCS and self._file.is_to_be_written_again():
            self._awaiting_sync, self._refused_syncs = None, 0

    async def sync(self) -> None:
        """Bring to the disk what was written.

        Raises:
            OSError: the system could not.
        """
        await self._file.sync()

    @property
    def log(self) -> Path:
        """The log's path."""
        return self._file.path

    async def close(self) -> None:
        """Bring the file to the disk and close it."""
        try:
            await self._file.close()
        finally:
            self._worker.close()
