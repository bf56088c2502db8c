"""One file, appended to a batch at a time through aiofiles, rotated by size between batches.

A write that fails half-way goes on where it stopped at the next attempt, so that no byte is written twice and no line
is torn by us; where the file was taken away meanwhile, all of it goes into the new one. A file found with a torn last
line is set aside as it is, and a new one is begun.
"""

import asyncio
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from time import monotonic
from typing import Final, final

from aiofiles.threadpool.binary import AsyncFileIO

from metaexpert.logger.files.rotation import rotate, set_torn_aside
from metaexpert.logger.jobs import Worker

_LOOK_SECONDS: Final = 1.0
"""How often we look whether the path still names our file."""

_MODE: Final = 0o600
"""Logs of money are for their owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeRotation:
    """Rotate before a write that would make the file larger than `max_bytes`; 0 for either means never."""

    max_bytes: int
    backup_count: int


@final
class AppendFile:
    """An append-only file with one writer.

    Args:
        path: the file; its folder is created when missing.
        rotation: when to begin a new one.
        worker: the thread its system calls run in.
        clock: seconds, as `time.monotonic`.
    """

    def __init__(
        self, path: Path, rotation: SizeRotation, worker: Worker, clock: Callable[[], float] = monotonic
    ) -> None:
        self.path = path
        self.warning = ""
        self._rotation = rotation
        self._worker = worker
        self._file: AsyncFileIO | None = None
        self._raw: FileIO | None = None
        self._size_bytes = 0
        self._written_bytes = 0
        self._begun_at_bytes = 0
        self._unfinished: object = None
        self._clock = clock
        self._looked_at = 0.0
        self._cancelled_in_thread = False
        self._is_regular = True
        self._opened_in = worker.executor

    async def append(self, data: bytes, token: object) -> None:
        """Write all of `data`.

        Args:
            data: whole lines.
            token: names this write; the same token after a failure goes on where that attempt stopped.

        Raises:
            OSError: not all was written.
        """
        if self._cancelled_in_thread:
            await self._settle()
        file = self._in_present_thread() or await self._open()
        if token is self._unfinished:
            file = await self._resume(file)
        else:
            file = await self._begin(file, len(data))
            self._unfinished, self._written_bytes, self._begun_at_bytes = token, 0, self._size_bytes
        await self._write(file, data)
        self._unfinished = None

    def _in_present_thread(self) -> AsyncFileIO | None:
        """The open file, if there is one; a close that was cancelled has left it open and ended its thread."""
        if self._file is not None and self._raw is not None and self._opened_in is not self._worker.executor:
            self._use_in_thread(self._raw)
        return self._file

    def _use_in_thread(self, raw: FileIO) -> AsyncFileIO:
        # without a loop of its own, so that it can be written to from whichever loop the runtime lives on
        self._opened_in = self._worker.executor
        self._file, self._raw = AsyncFileIO(raw, None, self._opened_in), raw
        return self._file

    async def _begin(self, file: AsyncFileIO, more_bytes: int) -> AsyncFileIO:
        """The file to write the next batch to: this one, a new one by size, or one where this one was taken away."""
        if self._clock() - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = self._clock()
            if await self._worker.run(self._is_gone, file.fileno()):
                return await self._begin_anew()
        return await self._rotate() if self._is_full(more_bytes) else file

    async def _begin_anew(self) -> AsyncFileIO:
        self.warning = f"{self.path} was moved or deleted by somebody else; begun anew"
        await self._close_file()
        return await self._open()

    async def _resume(self, file: AsyncFileIO) -> AsyncFileIO:
        """The file to go on in; where another one had to be begun, it gets the whole of the write."""
        if not await self._worker.run(self._is_gone, file.fileno()):
            await self._find_written(file)
            return file
        token, self._unfinished = self._unfinished, None  # the rest alone would be a torn line there
        file = await self._begin_anew()
        self._unfinished, self._written_bytes, self._begun_at_bytes = token, 0, self._size_bytes
        return file

    async def _find_written(self, file: AsyncFileIO) -> None:
        """How much of an unfinished write arrived; a cancelled one may have gone on in its thread."""
        if self._is_regular:
            state = await self._worker.run(os.fstat, file.fileno())
            self._size_bytes = state.st_size
            self._written_bytes = max(0, state.st_size - self._begun_at_bytes)

    def _is_gone(self, descriptor: int) -> bool:
        """Whether the path no longer names the open file, or the descriptor is good for nothing any more."""
        try:
            ours = os.fstat(descriptor)
            there = self.path.stat()
        except PermissionError:
            return False  # the way to it was barred; what is open stays open
        except OSError:
            return True
        return not os.path.samestat(there, ours)

    async def _write(self, file: AsyncFileIO, data: bytes) -> None:
        view = memoryview(data)
        while self._written_bytes < len(data):
            with self._worker.jobs.running():
                count = await file.write(view[self._written_bytes :])
            self._written_bytes += count
            self._size_bytes += count

    def _is_full(self, more_bytes: int) -> bool:
        limit = self._rotation
        return bool(
            self._is_regular
            and limit.max_bytes
            and limit.backup_count
            and self._size_bytes
            and self._size_bytes + more_bytes > limit.max_bytes
        )

    async def _open(self) -> AsyncFileIO:
        await self._worker.run(self.path.parent.mkdir, parents=True, exist_ok=True)
        torn = None if self._unfinished else await self._worker.run(set_torn_aside, self.path)
        if torn is not None:
            self.warning = f"the last line of {self.path} was torn; the file is kept as {torn.name}"
        return await self._run_to_its_end(self._open_here)

    def _open_here(self) -> AsyncFileIO:
        file = FileIO(self.path, "ab", opener=lambda name, flags: os.open(name, flags, _MODE))
        # a pipe or a device has no size, is not rotated and not brought to any disk
        self._is_regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
        self._size_bytes = file.tell() if self._is_regular else 0
        return self._use_in_thread(file)

    async def _run_to_its_end[T](self, function: Callable[[], T]) -> T:
        """Run in the thread what opens or closes the file; it goes on there when the one who waits is cancelled."""
        try:
            return await self._worker.run(function)
        except asyncio.CancelledError:
            self._cancelled_in_thread = True
            raise

    async def _settle(self) -> None:
        """Let the thread come past what was cancelled, so that the file is known to be open or not."""
        await self._worker.run(int)
        self._cancelled_in_thread = False

    async def _rotate(self) -> AsyncFileIO:
        await self._close_file()
        try:
            await self._worker.run(rotate, self.path, self._rotation.backup_count)
        except OSError as error:
            # an overlong file is better than a lost entry: go on in the old one
            self.warning = f"could not rotate {self.path}: {error}"
        return await self._open()

    async def _close_file(self) -> None:
        if self._file is not None:
            await self._run_to_its_end(self._close_here)

    def _close_here(self) -> None:
        self._file = None
        if self._raw is not None:
            self._raw.close()

    async def sync(self) -> None:
        """Bring what was written to the disk.

        Raises:
            OSError: the system could not; what was written may not survive a power loss.
        """
        file = self._file
        if file is not None and self._is_regular:
            await self._worker.run(os.fsync, file.fileno())

    async def close(self) -> None:
        """Bring the file to the disk and close it.

        Raises:
            OSError: the system could not; what was written may not survive a power loss.
        """
        if self._cancelled_in_thread:
            await self._settle()
        try:
            if self._file is not None and self._is_regular:
                await self._worker.run(os.fsync, self._file.fileno())
        finally:
            await self._close_file()
