"""One log as one process writes it: a batch at a time through aiofiles, in files that are rotated between batches.

A write that fails half-way goes on where it stopped at the next attempt, so that no byte is written twice and no line
is torn by us; where the file was taken away meanwhile, all of it goes into the new one. To rotate is to begin the next
file, in the thread of the writes; a second thread brings the old one to the disk and closes it, so that neither the
event loop nor the next write waits for that, however large the file is.
"""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol, final

from aiofiles.threadpool.binary import AsyncFileIO

from metaexpert.logger.files.names import LogFile
from metaexpert.logger.files.retiring import Retiring, nobody
from metaexpert.logger.files.rotation import Rotation, Term
from metaexpert.logger.files.series import OpenFile, Seal, Series
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Worker

_LOOK_SECONDS: Final = 1.0
"""How often we look whether somebody else moved, deleted or truncated our file."""


class ChainWriter(Protocol):
    """What keeps the hash chain of a log's files; called in the thread of the writes alone, but for the seals.

    Each method may raise OSError; it is then called again with the same arguments, or not at all.
    """

    def begin(self, file: LogFile, size_bytes: int) -> None:
        """A file begins, before its first line; `size_bytes` long."""
        ...

    def add(self, lines: Sequence[bytes], end_bytes: int) -> None:
        """These lines, without newlines, were written completely; the file is `end_bytes` long now."""
        ...

    def sync(self) -> None:
        """Bring what there is to the disk."""
        ...

    def seal(self, reason: str) -> Seal | None:
        """The file is done with, for `rotation` or `stop`; it is never gone on with. What brings that to the disk."""
        ...

    def close(self) -> None:
        """Let go of everything; `begin` may come again."""
        ...


@final
class AppendFile:
    """The files this process writes of one log; nobody else writes to them.

    Args:
        path: the log, such as `logs/expert.log`; its files stand beside it, its folder is created when missing.
        rotation: when to begin a new file.
        worker: the thread its writes run in.
        identity: the process that writes.
        rotated: called in a thread of its own with each file that is done with, closed and on the disk.
        chain: keeps the files' hash chain.
        clock: seconds, as `time.monotonic`.
        now: seconds since the epoch, as `time.time`.

    """

    def __init__(
        self,
        path: Path,
        rotation: Rotation,
        worker: Worker,
        identity: Identity,
        *,
        rotated: Callable[[LogFile], None] = nobody,
        chain: ChainWriter | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self._warning = ""
        self._max_bytes = rotation.max_bytes
        self._term = Term(rotation.schedule)
        self._worker = worker
        self._disk = Retiring(worker.beside("disk"), rotated, clock)
        self._series = Series(path, identity, is_chained=chain is not None)
        self._chain = chain
        self._clock = clock
        self._now = now
        self._open_file: OpenFile | None = None
        self._written_bytes = 0
        self._begun_at_bytes = 0
        self._unfinished: object = None
        self._chained: object = None
        self._chained_file: OpenFile | None = None
        self._has_to_begin = False
        self._looked_at = 0.0
        self._cancelled_in_thread = False
        self._is_unsynced = False
        self._syncing: asyncio.Task[None] | None = None

    # ---- writing ----------------------------------------------------------------------------------------------

    async def append(self, parts: Sequence[bytes], token: object) -> None:
        """Write lines.

        Args:
            parts: the lines without newlines.
            token: names this write; the same token after a failure goes on where that attempt stopped.

        Raises:
            OSError: not all was written.
        """
        if self._cancelled_in_thread:
            await self._settle()
        data = b"\n".join([*parts, b""])
        opened = self._open_file or await self._open()
        if token is self._unfinished:
            opened = await self._resume(opened)
        else:
            opened = await self._begin(opened, len(data))
            self._begin_write(opened, token)
        if self._chain is not None and opened.file is not None and self._chained_file is not opened:
            await self._run_to_its_end(self._begin_chain_here, self._chain, opened.file, opened)
            self._disk.begin()  # now: amid the old file's way to the disk the seals would wait for it
        await self._write(opened, data)
        if self._chain is not None and opened.file is not None:
            await self._run_to_its_end(self._add_here, self._chain, parts, opened.size_bytes, token)
        self._unfinished = None

    def _begin_write(self, opened: OpenFile, token: object) -> None:
        self._unfinished, self._written_bytes, self._begun_at_bytes = token, 0, opened.size_bytes
        if opened.file is not None:
            self._term.begin(self._now())

    async def _write(self, opened: OpenFile, data: bytes) -> None:
        # without a loop of its own, so that it can be written to from whichever loop the runtime lives on
        file = AsyncFileIO(opened.raw, None, self._worker.executor)
        view = memoryview(data)
        while self._written_bytes < len(data):
            with self._worker.jobs.running():
                count = await file.write(view[self._written_bytes :])
            self._written_bytes += count
            opened.size_bytes += count

    def _begin_chain_here(self, chain: ChainWriter, file: LogFile, opened: OpenFile) -> None:
        if self._chained_file is not opened:
            chain.begin(file, opened.size_bytes)
            self._chained_file = opened

    def _add_here(self, chain: ChainWriter, parts: Sequence[bytes], end_bytes: int, token: object) -> None:
        if self._chained is not token:  # else it went on in its thread when the one who waited was cancelled
            chain.add(parts, end_bytes)
            self._chained = token

    async def _begin(self, opened: OpenFile, more_bytes: int) -> OpenFile:
        """The file to write the next batch to: this one, the next one, or one where this one was taken away."""
        if self._clock() - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = self._clock()
            self._disk.begin()  # what the disk refused before
            harm = await self._worker.run(self._harm_here, opened)
            if harm:
                return await self._begin_anew(harm)
        is_refused = opened.is_suspect and not opened.is_replacement
        is_over = is_refused or self._is_full(opened, more_bytes) or self._term.is_over(self._now())
        if await self._is_half_written(opened) or is_over:
            old, opened = opened, await self._rotate(opened)
            if is_refused and opened is not old:
                opened.is_replacement = True
                self._warn(f"the disk refused to take {old.raw.name!r}; the next file is begun")
        return opened

    async def _is_half_written(self, opened: OpenFile) -> bool:
        """Whether a write was given up, perhaps amid a line, which the next one would go on with."""
        if self._unfinished is None or opened.file is None:  # a pipe is gone on with whatever came before
            return False
        await self._find_written(opened)
        return self._written_bytes > 0

    def _is_full(self, opened: OpenFile, more_bytes: int) -> bool:
        most = self._max_bytes
        return bool(most and opened.file and opened.size_bytes and opened.size_bytes + more_bytes > most)

    # ---- what was begun before --------------------------------------------------------------------------------

    async def _begin_anew(self, harm: str) -> OpenFile:
        self._has_to_begin = True
        self._warn(f"{harm}; begun anew")
        await self._run_to_its_end(self._let_go_here)
        self._disk.begin()
        return await self._open()

    async def _resume(self, opened: OpenFile) -> OpenFile:
        """The file to go on in; where another one had to be begun, it gets the whole of the write."""
        harm = await self._worker.run(self._harm_here, opened)
        if not harm:
            await self._find_written(opened)
            if opened.size_bytes >= self._begun_at_bytes:
                return opened
            harm = f"{self.path} was truncated by somebody else"
        token, self._unfinished = self._unfinished, None  # the rest alone would be a torn line there
        opened = await self._begin_anew(harm)
        self._begin_write(opened, token)
        return opened

    async def _find_written(self, opened: OpenFile) -> None:
        """How much of an unfinished write arrived; a cancelled one may have gone on in its thread."""
        if opened.file is not None:
            opened.size_bytes = (await self._worker.run(os.fstat, opened.raw.fileno())).st_size
            self._written_bytes = max(0, opened.size_bytes - self._begun_at_bytes)

    def _harm_here(self, opened: OpenFile) -> str:
        """What somebody else did to the file, or to the log's name; empty when nothing."""
        path = self.path if opened.file is None else opened.file.path
        gone = f"{path} was moved or deleted by somebody else"
        try:
            ours, there = os.fstat(opened.raw.fileno()), path.stat()
            if not os.path.samestat(there, ours) or self._series.is_taken_away():
                return gone
        except PermissionError:
            return ""  # the way to it was barred; what is open stays open
        except (OSError, ValueError):
            return gone
        if opened.file is not None and self._unfinished is None and ours.st_size < opened.size_bytes:
            return f"{path} was truncated by somebody else"
        return ""

    # ---- one file after another -------------------------------------------------------------------------------

    async def _open(self) -> OpenFile:
        return await self._run_to_its_end(self._open_here)

    def _open_here(self) -> OpenFile:
        opened = self._series.open(self._may_go_on)
        self._has_to_begin = False
        self._term.end()
        if opened.begun_at is not None:
            self._term.begin(opened.begun_at)
        self._open_file = opened
        return opened

    def _may_go_on(self, begun_at: float, written_at: float) -> bool:
        return not self._has_to_begin and self._term.would_go_on(begun_at, written_at, self._now())

    async def _rotate(self, opened: OpenFile) -> OpenFile:
        await self._disk.has_room()
        opened = await self._run_to_its_end(self._rotate_here, opened)
        if self._chain is None:
            self._disk.begin()
        return opened

    def _rotate_here(self, old: OpenFile) -> OpenFile:
        try:
            new = self._series.begin()
        except OSError as error:
            if self._unfinished is not None:  # what goes on in the old file would go on amid a line
                raise
            # an overlong file is better than a lost entry
            self._warn(f"could not rotate {self.path}: {error}")
            return old
        self._let_go_of(old)
        self._term.end()
        self._open_file = new
        return new

    def _let_go_here(self, reason: str = "rotation") -> None:
        if self._open_file is not None:
            self._let_go_of(self._open_file, reason)

    def _let_go_of(self, opened: OpenFile, reason: str = "rotation") -> None:
        self._open_file = None
        if self._chain is not None and self._chained_file is opened:
            self._chained_file = self._chained = None
            try:
                opened.seal = self._chain.seal(reason)
            except OSError as error:
                self._warn(f"the hash chain of {opened.raw.name!r} could not be sealed: {error}")
        self._disk.take(opened)

    async def _run_to_its_end[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run in the thread what opens or closes the file; it goes on there when the one who waits is cancelled."""
        try:
            return await self._worker.run(function, *args, **kwargs)
        except asyncio.CancelledError:
            self._cancelled_in_thread = True
            raise

    async def _settle(self) -> None:
        """Let the thread come past what was cancelled, so that the file is known to be open or not."""
        await self._worker.run(int)
        self._cancelled_in_thread = False

    def _warn(self, text: str) -> None:
        self._warning = f"{self._warning}; {text}" if self._warning else text

    def take_warning(self) -> str:
        """What went wrong and harmed no entry, since it was last asked; empty when nothing did."""
        for text in self._series.take_told():
            self._warn(text)
        warning, self._warning = self._warning, ""
        return warning

    # ---- to the disk ------------------------------------------------------------------------------------------

    async def sync(self) -> None:
        """Bring what was written to the disk, files that are done with included.

        Raises:
            OSError: the system could not, now or since it was last asked here; what was written may not survive a
                power loss.
        """
        await self._disk.sync(self._open_file)
        await self._sync_chain()

    async def sync_written(self) -> None:
        """Bring what was written last to the disk.

        Raises:
            OSError: the system could not; `sync` will tell that once more.
        """
        await self._disk.sync_written(self._open_file)
        await self._sync_chain()

    def is_to_be_written_again(self) -> bool:
        """Whether what the disk refused of the last write has another file to go to, where it is written as a whole."""
        opened = self._open_file
        return opened is not None and opened.is_suspect and not opened.is_replacement

    async def _sync_chain(self) -> None:
        if self._chain is not None and self._open_file is not None:  # after the lines it speaks of
            await self._worker.run(self._chain.sync)

    def sync_within(self, seconds: float) -> None:
        """Bring what was written to the disk within that time, without anybody waiting for it; on the loop."""
        self._is_unsynced = True
        task = self._syncing
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            self._syncing = asyncio.create_task(self._sync_every(seconds), name=f"metaexpert-sync-{self.path.name}")

    async def _sync_every(self, seconds: float) -> None:
        while self._is_unsynced:
            await asyncio.sleep(seconds)
            self._is_unsynced = False
            try:
                await self.sync_written()
            except OSError as error:
                self._warn(f"what was written to {self.path} could not be brought to the disk: {error}")

    async def _end_syncing(self) -> None:
        task, self._syncing = self._syncing, None
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            task.cancel()
            await asyncio.wait([task])

    async def close(self) -> None:
        """Bring the files to the disk and close them.

        Raises:
            OSError: the system could not; what was written may not survive a power loss.
        """
        try:
            await self._end_syncing()
            if self._cancelled_in_thread:
                await self._settle()
            await self._run_to_its_end(self._close_here)
        finally:
            await self._disk.close()

    def _close_here(self) -> None:
        self._let_go_here("stop")
        if self._chain is not None:
            self._chain.close()
