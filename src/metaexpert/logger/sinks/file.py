"""Log files: whole lines, one write a batch."""

from collections.abc import Callable
from typing import final

from metaexpert.logger.batch import Batch
from metaexpert.logger.entry import Capture
from metaexpert.logger.files.writer import AppendFile
from metaexpert.logger.jobs import Worker
from metaexpert.logger.outcome import Delivered, Outcome, Retry


@final
class FileSink:
    """Appends lines to one file.

    Args:
        file: where the lines go.
        encode_line: an entry's line without newline.
        worker: the thread of the file's system calls, closed with the sink.
        fault: why tamper evidence is behind the file; empty when it is not.
    """

    def __init__(
        self,
        file: AppendFile,
        encode_line: Callable[[Capture], bytes],
        worker: Worker,
        fault: Callable[[], str] = str,
    ) -> None:
        self.encode = encode_line
        self._file = file
        self._worker = worker
        self._fault = fault

    async def write(self, batch: Batch) -> Outcome:
        """Append the batch; any system error is a retry, which goes on where this attempt stopped."""
        try:
            await self._file.append(batch.parts, batch)
        except OSError as error:
            return Retry(f"{self._file.path}: {error.strerror or error}")
        return Delivered(warning=self._file.take_warning(), degraded=self._fault())

    async def sync(self) -> None:
        """Bring to the disk what was written.

        Raises:
            OSError: the system could not.
        """
        await self._file.sync()

    async def close(self) -> None:
        """Bring the file to the disk and close it."""
        try:
            await self._file.close()
        finally:
            self._worker.close()
