"""Overflow to disk for one sink: what a full or failing sink does not take goes through a disk queue to its worker.

The order stays: [cut batches] <- [disk queue] <- [lanes]. While anything is on disk, or was found there and is not
counted yet, nothing goes past it but what can't wait: trade and audit entries logged while a backlog is worked off.
While the sink is down its worker's batches are on disk, too. `spill_gate` knows what waits for the disk,
`spill_transit` what is on disk and with the worker at once, `spill_moves` how they move. One job at a time runs in a
thread of its own; what it did is taken in on the loop.
"""

import asyncio
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, final

from metaexpert.logger.batch import Batch
from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.entry import Capture
from metaexpert.logger.jobs import Worker
from metaexpert.logger.notices import Notices
from metaexpert.logger.spool.spill_accounts import Accounts
from metaexpert.logger.spool.spill_gate import Gate
from metaexpert.logger.spool.spill_job import Job, OneJob
from metaexpert.logger.spool.spill_moves import Moves
from metaexpert.logger.spool.spill_sync import Syncing
from metaexpert.logger.spool.spill_transit import Transit
from metaexpert.logger.spool.spill_work import Outlet
from metaexpert.logger.spool.spool import Spool
from metaexpert.logger.tasks import OwnedTask

if TYPE_CHECKING:
    from metaexpert.logger.journal.custody import Custody

_STANDSTILL_SECONDS: Final = 0.25
"""A sink that has been at one batch for so long stands still: bulk producers are not to wait for it."""


@final
class Spilling:
    """A sink's disk queue, driven from the event loop.

    Args:
        name: the sink's name.
        spool: the queue; touched in the worker's thread alone.
        worker: that thread.
        notices: where trouble with the disk is told.
        kind: how its entries are encoded; a sink that encodes otherwise can't take it over.
        high_watermark: fill of the sink's room from which bulk producers wait. A sink that stands still is spared that:
            its entries go to disk from there. Those of one that moves on, though too slowly, do from half-way to full,
            so that a producer that heeds the watermark never pays for the disk.
        sync_seconds: longest time until what was written is brought to the disk; None to leave that to the queue.

    Attributes:
        entries: entries on disk, not read back.
        disk_bytes: what they take there.
    """

    def __init__(
        self,
        name: str,
        spool: Spool,
        worker: Worker,
        notices: Notices,
        *,
        kind: str,
        high_watermark: float,
        sync_seconds: float | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.entries = 0
        self.disk_bytes = 0
        self._spool = spool
        self._jobs = OneJob(worker)
        self._accounts = Accounts(name, notices)
        self._high_watermark = high_watermark
        self._stands_since: float | None = None
        self._gate = Gate()
        self._transit = Transit()
        self._syncing = Syncing(sync_seconds)
        self._read_next = False
        self._moves = Moves(spool, self._gate, self._transit, self._syncing, self._accounts)
        self._woken = asyncio.Event()

    @property
    def closed(self) -> bool:
        """Whether it has been brought to disk for another run."""
        return self._moves.closed

    @property
    def failures(self) -> int:
        """Refusals by the disk, its cap among them."""
        return self._accounts.failures

    @property
    def damaged(self) -> int:
        """Damaged places found in files."""
        return self._accounts.damaged

    @property
    def last_error(self) -> str | None:
        """What is wrong with the disk now; None when it works."""
        return self._accounts.last_error

    @property
    def custody(self) -> "Custody | None":
        """The journal's side, told what is safe on disk."""
        return self._syncing.custody

    @custody.setter
    def custody(self, custody: "Custody | None") -> None:
        self._syncing.custody = custody

    # ---- batching's side -------------------------------------------------------------------------------------

    @property
    def spills(self) -> bool:
        """Whether it takes more than what it has: else it only works that off."""
        return self._high_watermark != float("inf")

    @property
    def engaged(self) -> bool:
        """Whether entries are on disk, or on their way there: all that follow must queue behind them."""
        return self.entries > 0 or not self._moves.opened or self._transit.front is not None or bool(self._gate.waiting)

    def waiting(self) -> list[Capture]:
        """Entries on their way to disk, or past it."""
        front = self._transit.front
        batches = (*(() if front is None else (front,)), *self._gate.waiting)
        return [entry for batch in batches for entry in batch.entries]

    def blocked(self, fill: float, *, has_room: bool, down: bool) -> bool:
        """Whether nothing may be taken from the lanes now.

        Args:
            fill: how full the sink's room is.
            has_room: whether the worker's queue takes another batch.
            down: whether the sink gets nothing but probes.
        """
        if not self._moves.opened:
            return True
        if self.engaged or (down and self.spills):
            return self._gate.is_full
        if has_room:
            return False
        if self._stands_since is None:
            self._stands_since = time.monotonic()
        return fill < (1.0 + self._high_watermark) / 2 and (fill < self._high_watermark or self.stands_still_in() > 0)

    def stands_still_in(self) -> float:
        """Seconds until a sink without room counts as standing still, unless it settles a batch before."""
        if self._stands_since is None:
            return _STANDSTILL_SECONDS
        return max(0.0, self._stands_since + _STANDSTILL_SECONDS - time.monotonic())

    def push(self, batch: Batch) -> None:
        """Take a batch that has to wait behind what is on disk, or finds no room before it."""
        self._gate.push(batch)
        self.wake()

    def push_past(self, batch: Batch) -> None:
        """As `push` while a backlog is worked off, which its trade and audit entries don't wait for."""
        if self.entries:
            self._gate.push_past(batch)
        else:
            self._gate.push(batch)
        self.wake()

    def settled(self, batch: Batch) -> None:
        """The worker is done with all entries of a batch it was given, whether it came from disk or not."""
        self._stands_since = None
        self._transit.settled(batch)
        self.wake()

    def mark(self) -> tuple[int, int] | None:
        """Names all that is here now, for `passed`; None while it is not known what earlier runs left."""
        return self._gate.mark() if self._moves.opened else None

    def passed(self, mark: tuple[int, int]) -> bool:
        """Whether all that `mark` names has gone on to the worker."""
        return self._gate.passed(mark)

    def wake(self) -> None:
        """The worker has room, or done something: look again."""
        self._woken.set()

    def rebind(self) -> None:
        """Forget the loop that was."""
        self._woken = asyncio.Event()

    def follow(self, other: "Spilling | None") -> None:
        """Go on by the rules of another that never began; without one, only work off what there is."""
        self._high_watermark = float("inf") if other is None else other._high_watermark  # noqa: SLF001
        self.wake()

    # ---- the task ---------------------------------------------------------------------------------------------

    @contextmanager
    def running(self, outlet: Outlet) -> Generator[None]:
        """Let a task of the running loop move entries to disk and back while the block lasts."""
        task = OwnedTask(f"spool-{self.name}", partial(self._run, outlet))
        try:
            yield
        finally:
            if task.task.get_loop().is_running():
                task.cancel()
            else:
                task.abandon()

    async def _run(self, outlet: Outlet) -> None:
        current_fields.set(PIPELINE)
        while True:
            await self._job_done()
            self._woken.clear()
            self._pass_by(outlet)
            self._accounts.report(outlet)
            job = self._next_job(outlet)
            if job is None:
                await self._rest()
            else:
                self._jobs.start(job)

    def _next_job(self, outlet: Outlet) -> Job | None:
        if not self._moves.opened:
            return self._moves.open(outlet)
        return self._upkeep(outlet) or self._moving(outlet)

    def _upkeep(self, outlet: Outlet) -> Job | None:
        """What comes before entries move on: acknowledge, sync, bring to disk what is in memory alone."""
        now = time.monotonic()
        if self._transit.has_due and now >= self._moves.ack_again_at:
            return self._moves.acknowledge()
        if self._syncing.is_due(now):
            return self._moves.sync()
        homeless = self._homeless(outlet)
        if homeless and now >= self._moves.write_again_at:
            return self._moves.adopt(homeless)
        return None

    def _moving(self, outlet: Outlet) -> Job | None:
        may_write = bool(self._gate.slots) and time.monotonic() >= self._moves.write_again_at
        if self._may_read(outlet) and (self._read_next or not may_write):
            self._read_next = False
            return self._moves.read(outlet)
        if may_write:
            self._read_next = True
            return self._moves.write(outlet)
        return None

    def _may_read(self, outlet: Outlet) -> bool:
        if not self.entries or self._transit.front is not None or not outlet.has_room:
            return False
        if time.monotonic() < self._moves.read_again_at:
            return False
        if outlet.down:  # one batch is enough to see whether it is up again
            return not outlet.with_worker()
        return self._transit.is_empty or outlet.lanes.fill < 1.0  # at most one batch beyond the room the sink has

    def _homeless(self, outlet: Outlet) -> list[Batch]:
        """Batches with the worker of a sink that is down that are in memory alone; all else is on disk."""
        if not outlet.down or not self.spills:
            return []
        return self._transit.homeless(outlet.with_worker())

    def _pass_by(self, outlet: Outlet) -> None:
        """What could not be put back goes to the worker again; with nothing on disk, so does what was to go there."""
        if outlet.has_room and (front := self._transit.begin_again()) is not None:
            outlet.put(front)
            self._gate.given_out += len(front)
        while self._gate.live and outlet.has_room and not outlet.down:
            outlet.put(self._gate.pop_live())
        self._pass_slots(outlet)

    def _pass_slots(self, outlet: Outlet) -> None:
        if self.entries or self._transit.front is not None or self._gate.live or not self._moves.opened:
            return
        if outlet.down and self.spills:
            return
        while self._gate.slots and outlet.has_room:
            outlet.put(self._gate.pop())
            outlet.moved()

    async def _rest(self) -> None:
        """Wait until woken, or until the disk is to be asked again."""
        now = time.monotonic()
        again = (self._moves.write_again_at, self._moves.read_again_at, self._moves.ack_again_at)
        waits = [at - now for at in (*again, self._syncing.due_at, self._accounts.due_at) if at > now]
        try:
            async with asyncio.timeout(min(waits, default=None)):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _job_done(self) -> None:
        if await self._jobs.done():
            self.entries, self.disk_bytes = self._spool.entries, self._spool.disk_bytes

    # ---- the end ----------------------------------------------------------------------------------------------

    async def paused(self) -> None:
        """Wait for the job under way, once the task has ended."""
        await self._job_done()

    def put_back(self, batches: Iterable[Batch]) -> None:
        """Take what the worker had and did not settle; it goes in front of all that is on disk."""
        self._gate.taken_in += self._transit.put_back(batches)

    async def written(self, outlet: Outlet) -> bool:
        """Bring to disk, outside of the task, what is on its way there; whether all of it is there.

        Cancelled, it can be called again once `paused` has waited for what was under way.
        """
        if self.closed:
            return not self.waiting()
        if not self._moves.opened:  # what is there counts as left by this run as well
            await self._do(self._moves.open(outlet))
        await self._write_front(outlet)
        if self._transit.has_due:
            await self._do(self._moves.acknowledge())
        self._gate.stop_passing()
        if self._gate.slots and self._transit.front is None:
            await self._do(self._moves.write(outlet))
        self._accounts.report(outlet, at_once=True)
        return not self.waiting()

    async def _do(self, job: Job) -> None:
        self._jobs.start(job)
        await self._job_done()

    async def _write_front(self, outlet: Outlet) -> None:
        front = self._transit.front
        if front is None:
            self._transit.front_written()
            return
        await self._do(self._moves.put_front(outlet, front))

    async def close(self) -> None:
        """Close the queue for this run; its entries wait for the next."""
        if not self.closed:
            await self._do(self._moves.close())
        self._jobs.close()

    def give_up(self) -> list[Capture]:
        """Hand over what is on its way to disk; for the end, when nothing more can be written."""
        left = self.waiting()
        self._gate.clear()
        self._transit.front = None
        return left
