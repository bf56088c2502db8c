"""A log's second thread: it brings files to the disk, and closes those that are done with.

No file is closed anywhere else, so that one that is being synced stays open until that is over. What a sync could not
bring to the disk is told once, to whoever asks next.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, final

from metaexpert.logger.files.names import LogFile
from metaexpert.logger.files.series import OpenFile
from metaexpert.logger.jobs import Worker
from metaexpert.logger.journal.segments import sync_descriptor, sync_folder

_MOST_WAITING: Final = 4
"""Files that may wait to be closed; a disk that is slower than rotations holds them up."""


def nobody(_file: LogFile) -> None:
    """Nobody wants to know."""


@final
class Retiring:
    """Files on their way to the disk.

    Args:
        worker: the thread, closed with it.
        rotated: called in it with each file that is done with.
    """

    def __init__(self, worker: Worker, rotated: Callable[[LogFile], None]) -> None:
        self._worker = worker
        self._rotated = rotated
        self._waiting = deque[OpenFile]()
        self._fault: OSError | None = None

    def take(self, opened: OpenFile) -> None:
        """A file is done with; in any thread."""
        self._waiting.append(opened)

    def begin(self) -> None:
        """Have what was taken brought to the disk and closed; nobody waits for it."""
        if self._waiting:
            self._worker.executor.submit(self._retire_here)

    async def has_room(self) -> None:
        """Wait until few files wait."""
        if len(self._waiting) >= _MOST_WAITING:
            await self._worker.run(self._retire_here)

    async def sync(self, current: OpenFile | None) -> None:
        """Bring everything to the disk.

        Args:
            current: the file that is being written, if any; without one the thread ends.

        Raises:
            OSError: the system could not, now or since it was last asked here.
        """
        if current is None:
            await self.close()
            return
        await self._worker.run(self._sync_here, current)
        self._raise_fault()

    async def sync_written(self, current: OpenFile | None) -> None:
        """As `sync`; a failure is told to whoever calls that next all the same, and one of before is left to it.

        Raises:
            OSError: the system could not.
        """
        if current is not None:
            error = await self._worker.run(self._sync_here, current)
            if error is not None:
                raise error

    async def close(self) -> None:
        """Bring everything to the disk and end the thread.

        Raises:
            OSError: the system could not, now or since it was last asked.
        """
        try:
            if self._waiting:
                await self._worker.run(self._retire_here)
        finally:
            self._worker.close()
        self._raise_fault()

    def _raise_fault(self) -> None:
        fault, self._fault = self._fault, None
        if fault is not None:
            raise fault

    def _retire_here(self) -> None:
        while self._waiting:
            opened = self._waiting[0]
            try:
                self._sync_file(opened)
                opened.raw.close()
            except OSError as error:
                self._fault = error
            finally:
                opened.raw.close()
                self._waiting.popleft()
            if opened.file is not None:
                self._rotated(opened.file)

    def _sync_here(self, current: OpenFile) -> OSError | None:
        self._retire_here()
        try:
            self._sync_file(current)
        except OSError as error:
            self._fault = error
            return error
        return None

    def _sync_file(self, opened: OpenFile) -> None:
        """Bring a file to the disk; a pipe or a device is brought to none."""
        if opened.file is None or opened.raw.closed:
            return
        sync_descriptor(opened.raw.fileno())
        if not opened.is_named:
            sync_folder(opened.file.folder)
            opened.is_named = True
