"""A log's second thread: it brings files to the disk, and closes those that are done with.

No file is closed anywhere else, so that one that is being synced stays open until that is over. A sync that failed
counts as failed for good: the system may hold what it could not write for written. So what was not on the disk before
is written once more, in place, before the next attempt. Files that are done with and that the disk refuses stay open,
and are tried again; what could not be brought to the disk is told to whoever asks.
"""

import errno
import os
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final, final

from metaexpert.logger.files.names import LogFile
from metaexpert.logger.files.rewriting import write_again
from metaexpert.logger.files.series import OpenFile
from metaexpert.logger.jobs import Worker
from metaexpert.logger.journal.segments import sync_descriptor, sync_folder

_MOST_WAITING: Final = 4
"""Files that may wait to be closed; a disk that is slower than rotations holds them up."""

_MOST_REFUSED: Final = 16
"""Files that the disk refused and that are kept open; the oldest of more are given up."""

_ASK_AGAIN_SECONDS: Final = 1.0


def nobody(_file: LogFile) -> None:
    """Nobody wants to know."""


@final
class Retiring:
    """Files on their way to the disk.

    Args:
        worker: the thread, closed with it.
        rotated: called in it with each file that is done with.
        clock: seconds, as `time.monotonic`.
    """

    def __init__(
        self, worker: Worker, rotated: Callable[[LogFile], None], clock: Callable[[], float] = monotonic
    ) -> None:
        self._worker = worker
        self._rotated = rotated
        self._clock = clock
        self._waiting = deque[OpenFile]()
        self._refused: list[OpenFile] = []
        self._ask_again_at = 0.0
        self._fault: OSError | None = None
        self._given_up: OSError | None = None

    def take(self, opened: OpenFile) -> None:
        """A file is done with; in any thread."""
        self._waiting.append(opened)

    def begin(self) -> None:
        """Have what was taken, or was refused, brought to the disk and closed; nobody waits for it."""
        if self._waiting or self._refused:
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
            OSError: the system could not, now or since it was last asked here; without a file, ever.
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
            OSError: the system could not, now or since it was last asked, or gave a file up.
        """
        try:
            if self._waiting or self._refused:
                await self._worker.run(self._retire_here, is_last=True)
        finally:
            self._worker.close()
        self._raise_fault()
        if self._given_up is not None:  # the journal asks after the sink's own end
            raise self._given_up

    def _raise_fault(self) -> None:
        fault, self._fault = self._fault, None
        if fault is not None:
            raise fault

    def _retire_here(self, *, is_last: bool = False) -> None:
        self._ask_again(is_last=is_last)
        while self._waiting:
            opened = self._waiting[0]
            try:
                if not self._is_retired(opened):
                    self._keep(opened)
            finally:
                self._waiting.popleft()
        while len(self._refused) > (0 if is_last else _MOST_REFUSED):
            self._give_up(self._refused.pop(0))

    def _keep(self, opened: OpenFile) -> None:
        if not self._refused:
            self._ask_again_at = self._clock() + _ASK_AGAIN_SECONDS
        self._refused.append(opened)

    def _ask_again(self, *, is_last: bool) -> None:
        if self._refused and (is_last or self._clock() >= self._ask_again_at):
            self._refused = [each for each in self._refused if not self._is_retired(each)]
            self._ask_again_at = self._clock() + _ASK_AGAIN_SECONDS

    def _is_retired(self, opened: OpenFile) -> bool:
        """Bring a file that is done with to the disk, seal it and close it; False when the disk refuses."""
        try:
            self._sync_file(opened)
        except OSError as error:
            self._fault = error
            return False
        if opened.seal is not None and not opened.seal.bring_to_disk():
            return False
        self._close(opened)
        return True

    def _give_up(self, opened: OpenFile) -> None:
        if opened.is_suspect:
            self._given_up = self._fault or OSError(errno.EIO, f"{opened.raw.name!r} is not on the disk")
        if opened.seal is not None:
            opened.seal.give_up()
        self._close(opened)

    def _close(self, opened: OpenFile) -> None:
        try:
            opened.raw.close()
        except OSError as error:
            self._fault = error
        if opened.file is not None:
            self._rotated(opened.file)

    def _sync_here(self, current: OpenFile) -> OSError | None:
        self._retire_here()
        try:
            self._sync_file(current)
        except OSError as error:
            self._fault = error
            return error
        if self._fault is None and any(each.is_suspect for each in self._refused):
            self._fault = OSError(errno.EIO, "an earlier file is not on the disk yet")
        return None

    def _sync_file(self, opened: OpenFile) -> None:
        """Bring a file to the disk; a pipe or a device is brought to none."""
        if opened.file is None or opened.raw.closed:
            return
        descriptor = opened.raw.fileno()
        size_bytes = os.fstat(descriptor).st_size
        if opened.is_suspect:
            write_again(opened.file.path, descriptor, opened.synced_bytes, size_bytes)
        try:
            sync_descriptor(descriptor)
        except OSError:
            opened.is_suspect = True
            raise
        opened.is_suspect, opened.synced_bytes = False, size_bytes
        if not opened.is_named:
            sync_folder(opened.file.folder)
            opened.is_named = True
