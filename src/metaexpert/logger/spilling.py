"""Overflow to disk for one sink: what a full or failing sink does not take goes through a disk queue to its worker.

The order stays: [cut batches] <- [disk queue] <- [lanes]. While anything is on disk, or was found there and is not
counted yet, nothing goes past it but what can't wait: trade and audit entries logged while a backlog is worked off.
While the sink is down its worker's batches are on disk, too. One job at a time runs in a thread of its own; what it did
is taken in on the loop, and a job whose waiting task was cancelled is taken in by the next one that waits.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final, final

from metaexpert.logger import spill_work
from metaexpert.logger.batch import Batch
from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.entry import AUDIT, LEVEL, LOG_TYPE, TRADE, Capture, Lane, lane_of
from metaexpert.logger.gaps import gap_entry
from metaexpert.logger.jobs import Worker
from metaexpert.logger.notices import Notices
from metaexpert.logger.spill_work import Outlet
from metaexpert.logger.spool import Block, Cursor, Found, Spool
from metaexpert.logger.tasks import OwnedTask

if TYPE_CHECKING:
    from concurrent.futures import Future

    from metaexpert.logger.journal.custody import Custody

SLOTS: Final = 2
"""Batches that wait for the disk at most; while they do, nothing is taken from the lanes."""

LIVE_SLOTS: Final = 2
"""Batches of live trade and audit entries that wait for the worker at most; more go the way of all others."""

DAMAGED: Final = "disk queue damaged"
SPOOL_FULL: Final = "spool full"
_LIVE: Final = frozenset({TRADE, AUDIT})
_UNKNOWN_LEVEL: Final = "NOTSET"
_AGAIN_SECONDS: Final = 1.0
"""Wait before a disk that refused is asked again."""

type _Job = tuple[Callable[[], Any], Callable[[Any], None]]


@final
class Spilling:
    """A sink's disk queue, driven from the event loop.

    Args:
        name: the sink's name.
        spool: the queue; touched in the worker's thread alone.
        worker: that thread.
        notices: where trouble with the disk is told.
        kind: how its entries are encoded; a sink that encodes otherwise can't take it over.
        high_watermark: fill of the sink's room from which its entries go to disk.
        sync_seconds: longest time until what was written is brought to the disk; None to leave that to the queue.

    Attributes:
        entries: entries on disk, not read back.
        disk_bytes: what they take there.
        failures: refusals by the disk, its cap among them.
        damaged: damaged places found in files.
        last_error: what is wrong with the disk now; None when it works.
        closed: it has been brought to disk for another run.
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
        self.failures = 0
        self.damaged = 0
        self.last_error: str | None = None
        self.closed = False
        self.custody: Custody | None = None
        self._spool = spool
        self._worker = worker
        self._notices = notices
        self._high_watermark = high_watermark
        self._opened = False
        self._slots: deque[Batch] = deque()
        self._front: Batch | None = None
        self._outgoing: deque[tuple[Batch, Cursor]] = deque()
        self._acked: Cursor = ()
        self._job: tuple[Future[Any], Callable[[Any], None]] | None = None
        self._read_next = False
        self._write_again_at = self._read_again_at = 0.0
        self._sync_seconds = sync_seconds
        self._sync_at: float | None = None
        self._unsynced: list[Capture] = []
        self._live: deque[Batch] = deque()
        self._live_in = self._live_out = 0
        self._settled: deque[Batch] = deque(maxlen=4)
        self._losses = spill_work.Losses()
        self._taken_in = 0
        self._given_out = 0
        self._woken = asyncio.Event()

    # ---- batching's side -------------------------------------------------------------------------------------

    @property
    def spills(self) -> bool:
        """Whether it takes more than what it has: else it only works that off."""
        return self._high_watermark != float("inf")

    @property
    def engaged(self) -> bool:
        """Whether entries are on disk, or on their way there: all that follow must queue behind them."""
        waiting = bool(self._slots) or bool(self._live) or self._front is not None
        return self.entries > 0 or waiting or not self._opened

    def waiting(self) -> list[Capture]:
        """Entries on their way to disk, or past it."""
        batches = (*(() if self._front is None else (self._front,)), *self._live, *self._slots)
        return [entry for batch in batches for entry in batch.entries]

    def blocked(self, fill: float, *, has_room: bool, down: bool) -> bool:
        """Whether nothing may be taken from the lanes now.

        Args:
            fill: how full the sink's room is.
            has_room: whether the worker's queue takes another batch.
            down: whether the sink gets nothing but probes.
        """
        if not self._opened:
            return True
        if self.engaged or (down and self.spills):
            return len(self._slots) >= SLOTS
        return not has_room and fill < self._high_watermark

    def push(self, batch: Batch) -> None:
        """Take a batch that has to wait behind what is on disk, or finds no room before it."""
        self._slots.append(batch)
        self._taken_in += len(batch)
        self.wake()

    def push_past(self, batch: Batch) -> None:
        """As `push` while a backlog is worked off, which its trade and audit entries don't wait for."""
        live = [at for at, entry in enumerate(batch.entries) if entry[LOG_TYPE] in _LIVE]
        if not live or not self.entries or len(self._live) >= LIVE_SLOTS:
            self.push(batch)
            return
        first = batch.subset(live)
        first.live = True
        self._live.append(first)
        self._live_in += len(first)
        rest = batch.subset([at for at, entry in enumerate(batch.entries) if entry[LOG_TYPE] not in _LIVE])
        if rest.entries:
            self.push(rest)
        self.wake()

    def settled(self, batch: Batch) -> None:
        """The worker is done with all entries of a batch it was given, whether it came from disk or not."""
        self._settled.append(batch)
        if self._outgoing and self._outgoing[0][0] is batch:
            cursor = self._outgoing.popleft()[1]
            self._acked += cursor
        self.wake()

    def mark(self) -> tuple[int, int] | None:
        """Names all that is here now, for `passed`; None while it is not known what earlier runs left."""
        return (self._taken_in, self._live_in) if self._opened else None

    def passed(self, mark: tuple[int, int]) -> bool:
        """Whether all that `mark` names has gone on to the worker."""
        return self._given_out >= mark[0] and self._live_out >= mark[1]

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
            self._report(outlet)
            job = self._next_job(outlet)
            if job is None:
                await self._rest()
            else:
                self._start(*job)

    def _next_job(self, outlet: Outlet) -> _Job | None:
        if not self._opened:
            return self._spool.open, partial(self._take_found, outlet)
        return self._upkeep(outlet) or self._moving(outlet)

    def _upkeep(self, outlet: Outlet) -> _Job | None:
        """What comes before entries move on: acknowledge, sync, bring to disk what is in memory alone."""
        if self._acked:
            cursor, self._acked = self._acked, ()
            return partial(self._spool.ack, cursor), self._take_acked
        if self._sync_at is not None and time.monotonic() >= self._sync_at:
            self._sync_at = None
            return self._spool.sync, self._take_synced
        homeless = self._homeless(outlet)
        if homeless and time.monotonic() >= self._write_again_at:
            return partial(spill_work.adopt, self._spool, homeless), partial(self._take_adopted, outlet, homeless)
        return None

    def _moving(self, outlet: Outlet) -> _Job | None:
        may_write = bool(self._slots) and time.monotonic() >= self._write_again_at
        if self._may_read(outlet) and (self._read_next or not may_write):
            self._read_next = False
            limits = outlet.limits
            return partial(self._spool.read, limits.max_entries, limits.max_bytes), partial(self._take_read, outlet)
        if may_write:
            self._read_next = True
            return self._writing(outlet)
        return None

    def _may_read(self, outlet: Outlet) -> bool:
        if not self.entries or self._front is not None or not outlet.has_room or time.monotonic() < self._read_again_at:
            return False
        if outlet.down:  # one batch is enough to see whether it is up again
            return not outlet.with_worker()
        return not self._outgoing or outlet.lanes.fill < 1.0  # at most one batch beyond the room the sink has

    def _homeless(self, outlet: Outlet) -> list[Batch]:
        """Batches with the worker of a sink that is down that are in memory alone; all else is on disk."""
        if not outlet.down or not self._opened or not self.spills:
            return []
        on_disk = [batch for batch, _ in self._outgoing]
        return [batch for batch in outlet.with_worker() if not any(batch is one for one in on_disk)]

    def _writing(self, outlet: Outlet) -> _Job:
        batches = tuple(self._slots)
        return partial(spill_work.write, self._spool, batches), partial(self._take_written, outlet, batches)

    def _pass_by(self, outlet: Outlet) -> None:
        """What could not be put back goes to the worker again; with nothing on disk, so does what was to go there."""
        if self._front is not None and outlet.has_room:
            front, self._front = self._front, None
            cursors = tuple(place for _, cursor in self._outgoing for place in cursor)
            self._outgoing = deque([(front, cursors)] if cursors else [])
            outlet.put(front)
            self._given_out += len(front)
        while self._live and outlet.has_room and not outlet.down:
            self._live_out += len(self._live[0])
            outlet.put(self._live.popleft())
        self._pass_slots(outlet)

    def _pass_slots(self, outlet: Outlet) -> None:
        if self.entries or self._front is not None or self._live or not self._opened:
            return
        if outlet.down and self.spills:
            return
        while self._slots and outlet.has_room:
            batch = self._slots.popleft()
            outlet.put(batch)
            self._given_out += len(batch)
            outlet.moved()

    async def _rest(self) -> None:
        """Wait until woken, or until the disk is to be asked again."""
        now = time.monotonic()
        due = (
            self._write_again_at,
            self._read_again_at,
            self._sync_at or 0.0,
            self._losses.due_at,
        )
        waits = [at - now for at in due if at > now]
        try:
            async with asyncio.timeout(min(waits, default=None)):
                await self._woken.wait()
        except TimeoutError:
            return

    def _start(self, work: Callable[[], Any], take: Callable[[Any], None]) -> None:
        context = copy_context()
        self._job = (self._worker.executor.submit(lambda: context.run(spill_work.guarded, work)), take)

    async def _job_done(self) -> None:
        if self._job is None:
            return
        future, take = self._job
        with self._worker.jobs.running():
            await asyncio.wait([asyncio.wrap_future(future)])
        self._job = None
        take(future.result())
        self.entries, self.disk_bytes = self._spool.entries, self._spool.disk_bytes

    def _take_lost(self, outlet: Outlet) -> None:
        """Count what had to give way on disk; `_report` says so in the stream."""
        lost, self._spool.lost = self._spool.lost, None
        if lost is None:
            return
        for level, count in lost.by_level.items():
            outlet.ledger.dropped[logging.getLevelName(level), SPOOL_FULL] += count
        self._given_out += lost.total
        self._losses.add(lost)

    def _report(self, outlet: Outlet, *, at_once: bool = False) -> None:
        gap = self._losses.take(time.monotonic(), at_once=at_once)
        if gap is None:
            return
        seqs, times_ns = (gap.first_seq, gap.last_seq), (gap.first_ns, gap.last_ns)
        outlet.report(gap_entry(self.name, gap.by_level, seqs, times_ns, SPOOL_FULL))
        outlet.moved()
        self._notices.say(f"disk queue of {self.name}", f"{gap.total} entries had to give way: it has reached its cap")

    # ---- what a job did ---------------------------------------------------------------------------------------

    def _take_found(self, outlet: Outlet, found: Found | Exception) -> None:
        self._opened = True
        if isinstance(found, Exception):
            self._failed(found, "what earlier runs left can't be looked for: ")
        else:
            outlet.ledger.recovered += found.entries
            if found.entries and self._sync_seconds is not None:
                self._sync_at = time.monotonic() + self._sync_seconds
            self._taken_in += found.entries
            self.damaged += found.damaged + found.torn
            for text in spill_work.found_trouble(found):
                self._notices.say(f"disk queue of {self.name}", text)
        outlet.moved()

    def _take_acked(self, result: Exception | None) -> None:
        if result is not None:
            self._failed(result)
        else:
            self._write_again_at = 0.0  # there may be room again

    def _take_written(self, outlet: Outlet, batches: Sequence[Batch], result: Exception | None) -> None:
        self._take_lost(outlet)
        if result is not None:
            self._failed(result)
            self._write_again_at = time.monotonic() + _AGAIN_SECONDS
            return
        self.last_error = None
        for batch in batches:
            self._slots.popleft()
            outlet.lanes.release(batch.entries)
            self._written(batch.entries)
        outlet.moved()

    def _written(self, entries: Sequence[Capture]) -> None:
        """These are in the disk queue, which answers for them once they are on the disk itself."""
        if self._sync_seconds is not None:
            self._sync_at = time.monotonic() + self._sync_seconds if self._sync_at is None else self._sync_at
        if self.custody is not None:
            self._unsynced += [entry for entry in entries if lane_of(entry[LEVEL], entry[LOG_TYPE]) >= Lane.ERROR]
            if self._sync_seconds is None:
                self._park()

    def _park(self) -> None:
        parked, self._unsynced = self._unsynced, []
        if self.custody is not None and parked:
            self.custody.parked(parked)

    def _take_synced(self, result: Exception | None) -> None:
        if result is not None:
            self._failed(result, "cannot be brought to the disk: ")
            if self._sync_seconds is not None:
                self._sync_at = time.monotonic() + max(self._sync_seconds, _AGAIN_SECONDS)
        else:
            self._park()

    def _take_adopted(self, outlet: Outlet, batches: Sequence[Batch], result: list[Cursor] | Exception) -> None:
        """The worker's batches are on disk now, where they stay until they are settled."""
        if isinstance(result, Exception):
            self._failed(result)
            self._write_again_at = time.monotonic() + _AGAIN_SECONDS
            return
        adopted = list(zip(batches, result, strict=True))
        for batch, cursor in adopted:
            self._written(batch.entries)
            if any(batch is one for one in self._settled):
                self._acked += cursor
        known = [*self._outgoing, *adopted]
        self._outgoing = deque(
            (batch, cursor) for batch in outlet.with_worker() for one, cursor in known if one is batch
        )

    def _take_read(self, outlet: Outlet, block: Block | Exception) -> None:
        if isinstance(block, Exception):
            self._failed(block)
            self._read_again_at = time.monotonic() + _AGAIN_SECONDS
            return
        self.damaged += block.damaged
        if block.missing:
            outlet.ledger.dropped[_UNKNOWN_LEVEL, DAMAGED] += block.missing
        if block.damaged or block.missing:
            text = f"{block.damaged} damaged places skipped, {block.missing} entries lost with them"
            self._notices.say(f"disk queue of {self.name}", text)
        if block.duplicates:
            outlet.ledger.duplicate += block.duplicates
        self._given_out += len(block.entries) + block.missing + block.duplicates
        self._hand_out(outlet, block)
        outlet.moved()

    def _hand_out(self, outlet: Outlet, block: Block) -> None:
        if block.entries and block.cursor is not None:
            outlet.lanes.hold(block.entries)
            batch = Batch(block.entries, block.parts)
            self._outgoing.append((batch, block.cursor))
            outlet.put(batch)
        elif block.cursor is not None:  # nothing but damage: acknowledged with what was read before it
            if self._outgoing:
                batch, cursor = self._outgoing[-1]
                self._outgoing[-1] = (batch, (*cursor, *block.cursor))
            else:
                self._acked += block.cursor

    def _failed(self, error: Exception, what: str = "") -> None:
        reason = f"{what}{spill_work.told(error)}"
        self.failures += 1
        self.last_error = reason
        self._notices.say(f"disk queue of {self.name}", reason)

    # ---- the end ----------------------------------------------------------------------------------------------

    async def paused(self) -> None:
        """Wait for the job under way, once the task has ended."""
        await self._job_done()

    def put_back(self, batches: Iterable[Batch]) -> None:
        """Take what the worker had and did not settle; it goes in front of all that is on disk."""
        front = Batch([], []) if self._front is None else self._front
        for batch in batches:
            front.extend(batch.entries, batch.parts)
            self._taken_in += len(batch)
        self._front = front if front.entries else None

    async def written(self, outlet: Outlet) -> bool:
        """Bring to disk, outside of the task, what is on its way there; whether all of it is there."""
        if self._front is not None:
            front = self._front
            self._start(
                partial(self._spool.append, front.entries, front.parts, front=True),
                partial(self._take_front, outlet, front),
            )
            await self._job_done()
        if self._front is None:
            for _, cursor in self._outgoing:  # of all these, what is not settled is in front now
                self._acked += cursor
            self._outgoing.clear()
        if self._acked:
            cursor, self._acked = self._acked, ()
            self._start(partial(self._spool.ack, cursor), self._take_acked)
            await self._job_done()
        self._slots.extendleft(reversed(self._live))
        self._taken_in += sum(map(len, self._live))
        self._live_out = self._live_in
        self._live.clear()
        if self._slots and self._front is None:
            self._start(*self._writing(outlet))
            await self._job_done()
        self._report(outlet, at_once=True)
        return not self.waiting()

    def _take_front(self, outlet: Outlet, front: Batch, result: Exception | None) -> None:
        if result is not None:
            self._failed(result)
            return
        self.last_error = None
        self._front = None
        outlet.lanes.release(front.entries)
        self._written(front.entries)

    async def close(self) -> None:
        """Close the queue for this run; its entries wait for the next."""
        self.closed = True
        self._start(self._spool.close, self._take_closed)
        await self._job_done()
        self._worker.close()

    def _take_closed(self, result: Exception | None) -> None:
        if result is not None:
            self._failed(result)
        else:
            self._park()

    def give_up(self) -> list[Capture]:
        """Hand over what is on its way to disk; for the end, when nothing more can be written."""
        left = self.waiting()
        self._slots.clear()
        self._live.clear()
        self._front = None
        return left
