"""One pipeline's journal with all that belongs to it: the task that keeps it, what former runs left, its figures."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import final

from metaexpert.logger.delivery import Delivery
from metaexpert.logger.entry import Capture
from metaexpert.logger.filters import Takes
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Jobs, Worker
from metaexpert.logger.journal.custody import Custody
from metaexpert.logger.journal.journal import FIXED, Journal
from metaexpert.logger.journal.keeper import JournalKeeper
from metaexpert.logger.journal.obligations import MOST_SINKS
from metaexpert.logger.notices import Notices
from metaexpert.logger.options.journal import JournalOptions
from metaexpert.logger.recovery import Recovery, SyncFormer
from metaexpert.logger.retry import SinkState
from metaexpert.logger.stats import JournalStats


@final
class Keeping:
    """Keeps protected entries until every sink has settled them, across runs.

    Args:
        journal: where they are.
        options: how it is kept.
        jobs: the executor jobs under way.
        notices: where trouble is told.
        encoders: makes the sinks' encoders for another run, by sink.
        report: routes a marker entry.
        sync_sinks: brings to the disk what sinks of this machine have.
        sync_former: the same of what runs that ended wrote to their files.
        unheard: called, from any thread, when somebody waits and no loop is there to hear of it.
    """

    def __init__(
        self,
        journal: Journal,
        options: JournalOptions,
        jobs: Jobs,
        notices: Notices,
        *,
        encoders: Callable[[Identity], Mapping[str, Callable[[Capture], bytes]]],
        report: Callable[[Capture], None],
        sync_sinks: Callable[[], Awaitable[None]],
        sync_former: SyncFormer,
        unheard: Callable[[], None],
    ) -> None:
        worker = Worker(jobs, "journal")
        self.journal = journal
        self._notices = notices
        self._is_recovered = False
        self._is_closed = False
        self._recovery = Recovery(
            journal,
            worker,
            notices,
            keep_crashes=options.keep_crashes,
            encoders=encoders,
            report=report,
            sync_former=sync_former,
        )
        self._keeper = JournalKeeper(
            journal,
            worker,
            notices,
            interval_seconds=options.fsync_interval,
            sync_sinks=sync_sinks,
            recovery=self._recovery,
            unheard=unheard,
        )

    def open(self, sinks: Sequence[str]) -> None:
        """Make what calls need to write; blocks for a moment."""
        try:
            self.journal.open(sinks)
        except OSError as error:
            text = f"cannot be opened in {self.journal.folder}: {error.strerror or error}; trying again"
            self._notices.say("journal", text)
        except BaseException:  # interrupted: it is not used, and must not look like a run that was killed
            self.journal.close()
            raise
        self._tell_of_more(sinks)

    def know(self, sinks: Sequence[str]) -> None:
        """Serve further sinks."""
        try:
            self.journal.know_sinks(sinks)
        except OSError as error:
            self._notices.say("journal", f"no room for new sinks: {error.strerror or error}")
        self._tell_of_more(sinks)

    def _tell_of_more(self, sinks: Sequence[str]) -> None:
        more = [name for name in sinks if name not in self.journal.obligations.bits]
        if more:
            text = f"it serves {MOST_SINKS} sinks; what a crash leaves is not recovered for {', '.join(more)}"
            self._notices.say("journal", text)

    def reconfigure(self, options: JournalOptions, folder: Path) -> list[str]:
        """Go over to what of `options` can change in a run; returns the names of those that cannot, and differ."""
        former = self.journal.options
        fixed = [name for name in FIXED if getattr(options, name) != getattr(former, name)]
        self.journal.reconfigure(options)
        self._keeper.keep_pace(options.fsync_interval)
        self._recovery.keep_crashes = options.keep_crashes
        return [*(("folder",) if folder != self.journal.folder else ()), *fixed]

    def keep_for(self, name: str, delivery: Delivery) -> None:
        """Let a delivery tell what becomes of its entries."""
        delivery.keep_in(Custody(self.journal, name))

    async def run(self) -> None:
        """Keep the journal until cancelled."""
        await self._keeper.run()

    @property
    def has_to_recover(self) -> bool:
        """Whether former runs may have left something that has to go first."""
        return not self._is_recovered and self._recovery.is_needed

    async def recover(self, recipients: Mapping[str, tuple[Delivery, Takes]]) -> None:
        """Hand over to the deliveries what former runs have left; cancelled, it goes on when it is called again."""
        await self._recovery.run(recipients)
        self._is_recovered = True

    async def close(self) -> bool:
        """End it; whether the calling task was cancelled meanwhile."""
        cancelled = False
        while not self._is_closed:
            try:
                left = await self._keeper.close()
            except asyncio.CancelledError:
                cancelled = True
            else:
                self._is_closed = True
                if left:
                    self._notices.say("journal", f"{left} entries are kept for the next start")
        return cancelled

    def stats(self) -> JournalStats:
        """A snapshot."""
        journal = self.journal
        return JournalStats(
            state=SinkState.ACTIVE if journal.counters.last_error is None else SinkState.DEGRADED,
            kept_entries=len(journal.obligations.kept),
            disk_bytes=journal.room.bytes,
            recovered=self._recovery.recovered,
            segments_made_in_calls=journal.room.made_in_calls,
            **asdict(journal.counters),
        )
