"""Overflow to disk for one sink: the batches of full lanes go through a disk queue on their way to the worker.

The order stays: [cut batches] <- [disk queue] <- [lanes]. While anything is on disk, or was found there and is not
counted yet, nothing goes past it. One job at a time runs in a thread of its own; what it did is taken in on the loop,
and a job whose waiting task was cancelled is taken in by the next one that waits.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, final

from metaexpert.logger.batch import Batch, BatchLimits
from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.entry import Capture
from metaexpert.logger.jobs import Worker
from metaexpert.logger.lanes import Lanes
from metaexpert.logger.ledger import Ledger
from metaexpert.logger.notices import Notices
from metaexpert.logger.spool import Block, Cursor, Found, Spool
from metaexpert.logger.tasks import OwnedTask

if TYPE_CHECKING:
    from concurrent.futures import Future

SLOTS: Final = 2
"""Batches that wait for the disk at most; while they do, nothing is taken from the lanes."""

DAMAGED: Final = "disk queue damaged"
_UNKNOWN_LEVEL: Final = "NOTSET"
_AGAIN_SECONDS: Final = 1.0
"""Wait before a disk that refused is asked again."""

type _Job = tuple[Callable[[], Any], Callable[[Any], None]]


class Outlet(Protocol):
    """What the disk queue stands between, lanes and worker, as it sees them."""

    lanes: Lanes
    ledger: Ledger
    limits: BatchLimits

    @property
    def has_room(self) -> bool:
        """Whether the worker's queue takes another batch."""
        ...

    def put(self, batch: Batch) -> None:
        """Queue a batch for the worker."""
        ...

    def moved(self) -> None:
        """Something changed on disk: look again."""
        ...


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

    Attributes:
        entries: entries on disk, not read back.
        disk_bytes: what they take there.
        failures: refusals by the disk, its cap among them.
        damaged: damaged places found in files.
        last_error: what is wrong with the disk now; None when it works.
        closed: it has been brought to disk for another run.
    """

    def __init__(
        self, name: str, spool: Spool, worker: Worker, notices: Notices, *, kind: str, high_watermark: float
    ) -> None:
        self.name = name
        self.kind = kind
        self.entries = 0
        self.disk_bytes = 0
        self.failures = 0
        self.damaged = 0
        self.last_error: str | None = None
        self.closed = False
        self._spool = spool
        self._worker = worker
        self._notices = notices
        self._high_watermark = high_watermark
        self._opened = False
        self._slots: deque[Batch] = deque()
        self._front: Batch | None = None
        self._outgoing: deque[tuple[Batch, Cursor]] = deque()
        self._acked: Cursor | None = None
        self._job: tuple[Future[Any], Callable[[Any], None]] | None = None
        self._read_next = False
        self._write_again_at = self._read_again_at = 0.0
        self._taken_in = 0
        self._given_out = 0
        self._woken = asyncio.Event()

    # ---- batching's side -------------------------------------------------------------------------------------

    @property
    def engaged(self) -> bool:
        """Whether entries are on disk, or on their way there: all that follow must queue behind them."""
        return self.entries > 0 or bool(self._slots) or self._front is not None or not self._opened

    def waiting(self) -> list[Capture]:
        """Entries on their way to disk."""
        batches = self._slots if self._front is None else (self._front, *self._slots)
        return [entry for batch in batches for entry in batch.entries]

    def blocked(self, fill: float, *, has_room: bool) -> bool:
        """Whether nothing may be taken from the lanes now.

        Args:
            fill: how full the sink's room is.
            has_room: whether the worker's queue takes another batch.
        """
        if not self._opened:
            return True
        if self.engaged:
            return len(self._slots) >= SLOTS
        return not has_room and fill < self._high_watermark

    def push(self, batch: Batch) -> None:
        """Take a batch that has to wait behind what is on disk, or finds no room before it."""
        self._slots.append(batch)
        self._taken_in += len(batch)
        self.wake()

    def settled(self, batch: Batch) -> None:
        """The worker is done with all entries of a batch it was given, whether it came from disk or not."""
        if self._outgoing and self._outgoing[0][0] is batch:
            self._acked = self._outgoing.popleft()[1]
        self.wake()

    def mark(self) -> int | None:
        """Names all that is here now, for `passed`; None while it is not known what earlier runs left."""
        return self._taken_in if self._opened else None

    def passed(self, mark: int) -> bool:
        """Whether all that `mark` names has gone on to the worker."""
        return self._given_out >= mark

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
            job = self._next_job(outlet)
            if job is None:
                await self._rest()
            else:
                self._start(*job)

    def _next_job(self, outlet: Outlet) -> _Job | None:
        if not self._opened:
            return self._spool.open, partial(self._take_found, outlet)
        if self._acked is not None:
            cursor, self._acked = self._acked, None
            return partial(self._spool.ack, cursor), self._take_acked
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
        return not self._outgoing or outlet.lanes.fill < 1.0  # at most one batch beyond the room the sink has

    def _writing(self, outlet: Outlet) -> _Job:
        batches = tuple(self._slots)
        return partial(_write, self._spool, batches), partial(self._take_written, outlet, batches)

    def _pass_by(self, outlet: Outlet) -> None:
        """What could not be put back goes to the worker again; with nothing on disk, so does what was to go there."""
        if self._front is not None and outlet.has_room:
            front, self._front = self._front, None
            self._outgoing = deque((front, cursor) for _, cursor in list(self._outgoing)[-1:])
            outlet.put(front)
            self._given_out += len(front)
        while self._slots and self._opened and not self.entries and self._front is None and outlet.has_room:
            batch = self._slots.popleft()
            outlet.put(batch)
            self._given_out += len(batch)
            outlet.moved()

    async def _rest(self) -> None:
        """Wait until woken, or until the disk is to be asked again."""
        now = time.monotonic()
        waits = [at - now for at in (self._write_again_at, self._read_again_at) if at > now]
        try:
            async with asyncio.timeout(min(waits, default=None)):
                await self._woken.wait()
        except TimeoutError:
            return

    def _start(self, work: Callable[[], Any], take: Callable[[Any], None]) -> None:
        context = copy_context()
        self._job = (self._worker.executor.submit(lambda: context.run(_guarded, work)), take)

    async def _job_done(self) -> None:
        if self._job is None:
            return
        future, take = self._job
        with self._worker.jobs.running():
            await asyncio.wait([asyncio.wrap_future(future)])
        self._job = None
        take(future.result())
        self.entries, self.disk_bytes = self._spool.entries, self._spool.disk_bytes

    # ---- what a job did ---------------------------------------------------------------------------------------

    def _take_found(self, outlet: Outlet, found: Found | Exception) -> None:
        self._opened = True
        if isinstance(found, Exception):
            self._failed(f"what earlier runs left can't be looked for: {_told(found)}")
        else:
            outlet.ledger.recovered += found.entries
            self._taken_in += found.entries
            self.damaged += found.damaged + found.torn
            for text in _found_trouble(found):
                self._notices.say(f"disk queue of {self.name}", text)
        outlet.moved()

    def _take_acked(self, result: Exception | None) -> None:
        if result is not None:
            self._failed(_told(result))
        else:
            self._write_again_at = 0.0  # there may be room again

    def _take_written(self, outlet: Outlet, batches: Sequence[Batch], result: Exception | None) -> None:
        if result is not None:
            self._failed(_told(result))
            self._write_again_at = time.monotonic() + _AGAIN_SECONDS
            return
        self.last_error = None
        for batch in batches:
            self._slots.popleft()
            outlet.lanes.release(batch.entries)
        outlet.moved()

    def _take_read(self, outlet: Outlet, block: Block | Exception) -> None:
        if isinstance(block, Exception):
            self._failed(_told(block))
            self._read_again_at = time.monotonic() + _AGAIN_SECONDS
            return
        self.damaged += block.damaged
        if block.missing:
            outlet.ledger.dropped[_UNKNOWN_LEVEL, DAMAGED] += block.missing
        if block.damaged or block.missing:
            text = f"{block.damaged} damaged places skipped, {block.missing} entries lost with them"
            self._notices.say(f"disk queue of {self.name}", text)
        self._given_out += len(block.entries) + block.missing
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
                self._outgoing[-1] = (self._outgoing[-1][0], block.cursor)
            else:
                self._acked = block.cursor

    def _failed(self, reason: str) -> None:
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
        if self._front is None and self._outgoing:
            self._acked = self._outgoing[-1][1]  # of all these, what is not settled is in front now
            self._outgoing.clear()
        if self._acked is not None:
            cursor, self._acked = self._acked, None
            self._start(partial(self._spool.ack, cursor), self._take_acked)
            await self._job_done()
        if self._slots and self._front is None:
            self._start(*self._writing(outlet))
            await self._job_done()
        return not self.waiting()

    def _take_front(self, outlet: Outlet, front: Batch, result: Exception | None) -> None:
        if result is not None:
            self._failed(_told(result))
            return
        self.last_error = None
        self._front = None
        outlet.lanes.release(front.entries)

    async def close(self) -> None:
        """Close the queue for this run; its entries wait for the next."""
        self.closed = True
        self._start(self._spool.close, self._take_acked)
        await self._job_done()
        self._worker.close()

    def give_up(self) -> list[Capture]:
        """Hand over what is on its way to disk; for the end, when nothing more can be written."""
        left = self.waiting()
        self._slots.clear()
        self._front = None
        return left


def _write(spool: Spool, batches: Sequence[Batch]) -> None:
    spool.append(
        [entry for batch in batches for entry in batch.entries], [part for batch in batches for part in batch.parts]
    )


def _guarded(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - taken in on the loop, counted and told there, as a refusal of the disk
        return error


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{f': {error.filename}' if error.filename else ''}"
    return f"{type(error).__name__}: {error}"


def _found_trouble(found: Found) -> list[str]:
    told = [f"left where it is: {text}" for text in found.unreadable]
    if found.torn:
        told.append(f"{found.torn} files of earlier runs end in an incomplete entry, which is lost")
    if found.damaged:
        told.append(f"{found.damaged} damaged places in files of earlier runs were skipped; the files are kept aside")
    return told
