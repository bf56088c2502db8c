"""The journal's task beside your coroutines: group syncs, a spare segment ready, settled segments away, trouble mended.

One sync is under way at a time; all who ask meanwhile share the next. What blocks runs in a thread of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Final, Protocol, final

from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.jobs import Worker
from metaexpert.logger.journal.journal import Journal
from metaexpert.logger.notices import Notices


def _nobody() -> None:
    """Nobody wants to know."""


_LOOK_SECONDS: Final = 1.0
"""How often it looks whether the files are still there, and asks a disk again that has refused."""


class Recoverable(Protocol):
    """What former runs have left, as the keeper sees it."""

    @property
    def has_settled(self) -> bool:
        """Whether some of it is settled and can go."""
        ...

    def discard_settled(self) -> None:
        """Take that away; blocks.

        Raises:
            OSError: what those runs had written cannot be brought to the disk.
        """
        ...

    def close(self, *, keep_settled: bool = False) -> None:
        """Leave the rest to the next start, `keep_settled` what is settled as well; blocks."""
        ...


_SINKS_SECONDS: Final = 1.0
"""How long a log file's disk may take before the journal goes on with its other work."""

_ASK_SINKS_AGAIN_SECONDS: Final = 5.0
_CLOSE_SECONDS: Final = 2.0


@final
class JournalKeeper:
    """Keeps one run's journal.

    Args:
        journal: what it keeps.
        worker: the thread of its system calls, closed with it.
        notices: where trouble is told.
        interval_seconds: longest time until an entry is synced.
        sync_sinks: brings to the disk what sinks of this machine have settled, before the journal forgets it.
        recovery: what former runs have left, kept likewise.
        unheard: called, from any thread, when somebody waits and no loop is there to hear of it.
    """

    def __init__(
        self,
        journal: Journal,
        worker: Worker,
        notices: Notices,
        *,
        interval_seconds: float,
        sync_sinks: Callable[[], Awaitable[None]],
        recovery: Recoverable,
        unheard: Callable[[], None] = _nobody,
    ) -> None:
        self.journal = journal
        self._unheard = unheard
        self._worker = worker
        self._notices = notices
        self._interval_seconds = interval_seconds
        self._sync_sinks = sync_sinks
        self._recovery = recovery
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._due = False
        self._look_at = 0.0
        self._ask_again_at = self._ask_sinks_again_at = 0.0

    async def run(self) -> None:
        """Keep it until cancelled."""
        current_fields.set(PIPELINE)
        loop = self._loop = self.journal.loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self.journal.wake = self._wake_from_anywhere
        self.journal.touched = self.touched
        try:
            if self.journal.room.dirty:
                self.touched()
            await self._keep(loop, self._woken)
        finally:  # abandoned as well: what is routed on the next loop must not ask this one
            self._leave(loop)

    async def _keep(self, loop: asyncio.AbstractEventLoop, woken: asyncio.Event) -> None:
        while True:
            await self._work()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(loop.time() + _LOOK_SECONDS):
                    await woken.wait()
            woken.clear()

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is loop:
            self._loop = self.journal.loop = None
            timer, self._timer = self._timer, None
            if timer is not None:
                timer.cancel()

    def _wake_from_anywhere(self) -> None:
        loop = self._loop
        try:
            if loop is not None:
                loop.call_soon_threadsafe(self._woken.set)
                return
        except RuntimeError:  # closed
            pass
        self._unheard()

    def touched(self) -> None:
        """Entries were written: have them synced in time; on the loop."""
        if self._timer is None and self._loop is not None:
            self._timer = self._loop.call_later(self._interval_seconds, self._sync_is_due)

    def keep_pace(self, interval_seconds: float) -> None:
        """Sync within another time from now on; on the loop."""
        self._interval_seconds = interval_seconds
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            self.touched()

    def _sync_is_due(self) -> None:
        self._timer = None
        self._due = True
        self._woken.set()

    async def _work(self) -> None:
        journal = self.journal
        journal.deliveries.answer()
        now = monotonic()
        if journal.room.wants_spare and now >= self._ask_again_at:
            await self._prepare()
        if now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            self._due = self._due or journal.is_mistrusted
            if await self._worker.run(lambda: journal.is_gone):
                self._notices.say("journal", f"files in {journal.folder} were deleted by somebody else; written anew")
                lost = 0 if journal.is_mistrusted else len(journal.obligations.kept)  # told once
                await self._rescue("the journal's files were deleted", lost=lost)
        while journal.awaits_sync or self._due:
            self._due = False
            await self._sync()
            journal.deliveries.answer()
        await self._discard()

    async def _prepare(self) -> None:
        try:
            for _ in range(2):  # the one in use, and the spare one
                await self._worker.run(self.journal.prepare)
        except (OSError, ValueError) as error:
            self._ask_again_at = monotonic() + _LOOK_SECONDS
            self._trouble(f"no room can be made in {self.journal.folder}: {told(error)}")

    async def _sync(self) -> None:
        number = self.journal.begin_sync()
        try:
            await self._worker.run(self.journal.sync)
        except (OSError, ValueError) as error:
            self.journal.counters.sync_failures += 1
            reason = f"the disk refused a sync: {told(error)}"
            self._trouble(reason)
            if not await self._rescue(reason):
                return
        self.journal.synced(number)

    async def _rescue(self, reason: str, *, lost: int = 0) -> bool:
        """Write all that is kept anew; whether it is on the disk now."""
        number = self.journal.begin_sync()
        try:
            await self._worker.run(self.journal.rescue)
        except (OSError, ValueError) as error:
            text = f"{reason}, and the entries cannot be written anew: {told(error)}"
            self._trouble(text)
            self.journal.give_up_sync(text, lost=lost)
            return False
        self.journal.synced(number)
        return True

    async def _discard(self) -> None:
        settled = self.journal.room.settled()
        if not settled and not self._recovery.has_settled:
            return
        if not await self._sinks_are_safe():
            return
        for segment in settled:
            await self._worker.run(self.journal.room.discard, segment)
        try:
            await self._worker.run(self._recovery.discard_settled)
        except OSError as error:
            self._sinks_are_not_safe(error)

    async def _sinks_are_safe(self) -> bool:
        """Bring to the disk what sinks of this machine have; a disk that hangs is asked again at the next look."""
        if monotonic() < self._ask_sinks_again_at:
            return False
        try:
            async with asyncio.timeout(_SINKS_SECONDS):
                await self._sync_sinks()
        except (OSError, ValueError, TimeoutError) as error:  # until they are safe the journal keeps what they have
            self._sinks_are_not_safe(error)
            return False
        return True

    def _sinks_are_not_safe(self, error: Exception) -> None:
        self._ask_sinks_again_at = monotonic() + _ASK_SINKS_AGAIN_SECONDS
        self._trouble(f"a log file cannot be brought to the disk: {told(error) or 'it hangs'}")

    def _trouble(self, text: str) -> None:
        self.journal.counters.last_error = text
        self._notices.say("journal", text)

    async def close(self) -> int:
        """End it, once its task has ended; returns how many entries wait for the next start."""
        if self._timer is not None:
            self._timer.cancel()
        self._ask_sinks_again_at = 0.0
        keep_settled = not await self._sinks_are_safe()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._worker.run(self._recovery.close, keep_settled=keep_settled)
                return await self._worker.run(self.journal.close, keep_settled=keep_settled)
        except TimeoutError:  # the next start finds everything
            text = f"{self.journal.folder} hangs; what it keeps waits for the next start"
            self._trouble(text)
            self.journal.give_up(text)
            return 0
        finally:
            self._worker.close()


def told(error: Exception) -> str:
    """What an error says, without its number."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
