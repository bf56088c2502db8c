"""What a disk queue's thread is asked to do, and what becomes of batches when it has done it, or could not.

A move is a job and what takes its result on the loop. A disk that refused is asked again after a while.
"""

import time
from collections.abc import Sequence
from functools import partial
from typing import final

from metaexpert.logger.batch import Batch
from metaexpert.logger.spool import spill_work
from metaexpert.logger.spool.spill_accounts import Accounts
from metaexpert.logger.spool.spill_gate import Gate
from metaexpert.logger.spool.spill_job import Job
from metaexpert.logger.spool.spill_sync import AGAIN_SECONDS, Syncing
from metaexpert.logger.spool.spill_transit import Transit
from metaexpert.logger.spool.spill_work import Outlet
from metaexpert.logger.spool.spool import Block, Cursor, Found, Spool


@final
class Moves:
    """The moves of one disk queue.

    Args:
        spool: the queue.
        gate: what waits for it.
        transit: what is on disk and with the worker.
        syncing: when it is brought to the disk.
        accounts: what is told of it.

    Attributes:
        opened: it is known what earlier runs left.
        closed: it has been brought to disk for another run.
        write_again_at: when a disk that refused to write is asked again, on the monotonic clock.
        read_again_at: the same for reading.
        ack_again_at: the same for acknowledging.
    """

    def __init__(self, spool: Spool, gate: Gate, transit: Transit, syncing: Syncing, accounts: Accounts) -> None:
        self.opened = False
        self.closed = False
        self.write_again_at = self.read_again_at = self.ack_again_at = 0.0
        self._spool = spool
        self._gate = gate
        self._transit = transit
        self._syncing = syncing
        self._accounts = accounts

    def open(self, outlet: Outlet) -> Job:
        """Learn what earlier runs left."""
        return self._spool.open, partial(self._take_found, outlet)

    def acknowledge(self) -> Job:
        """Note what need not be sent again."""
        cursor = self._transit.take_due()
        return partial(self._spool.ack, cursor), partial(self._take_acked, cursor)

    def sync(self) -> Job:
        """Bring to the disk what was written."""
        self._syncing.begin()
        return self._spool.sync, self._take_synced

    def adopt(self, batches: Sequence[Batch]) -> Job:
        """Write what a worker has in memory alone."""
        self._transit.adopting(batches)
        return partial(spill_work.adopt, self._spool, batches), partial(self._take_adopted, batches)

    def read(self, outlet: Outlet) -> Job:
        """Bring the oldest entries to the worker."""
        limits = outlet.limits
        return partial(self._spool.read, limits.max_entries, limits.max_bytes), partial(self._take_read, outlet)

    def write(self, outlet: Outlet) -> Job:
        """Write all that waits."""
        batches = tuple(self._gate.slots)
        return partial(spill_work.write, self._spool, batches), partial(self._take_written, outlet, batches)

    def put_front(self, outlet: Outlet, front: Batch) -> Job:
        """Write what was put back before all others."""
        append = partial(self._spool.append, front.entries, front.parts, front=True)
        return append, partial(self._take_front, outlet, front)

    def close(self) -> Job:
        """Bring all of it to the disk and let another run have it."""
        return self._spool.close, self._take_closed

    # ---- what a job did ---------------------------------------------------------------------------------------

    def _take_found(self, outlet: Outlet, found: Found | Exception) -> None:
        self.opened = True
        if isinstance(found, Exception):
            self._accounts.failed(found, "what earlier runs left can't be looked for: ")
        else:
            self._accounts.found(outlet, found)
            if found.entries:
                self._syncing.found(time.monotonic())
            self._gate.taken_in += found.entries
        outlet.moved()

    def _take_acked(self, cursor: Cursor, result: Exception | None) -> None:
        if result is not None:
            self._accounts.failed(result)
            self._transit.still_due(cursor)
            self.ack_again_at = time.monotonic() + AGAIN_SECONDS
        else:
            self.write_again_at = 0.0  # there may be room again

    def _take_written(self, outlet: Outlet, batches: Sequence[Batch], result: Exception | None) -> None:
        lost, self._spool.lost = self._spool.lost, None
        if lost is not None:
            self._gate.given_out += lost.total
            self._accounts.lost(outlet, lost)
        if result is not None:
            self._accounts.failed(result)
            self.write_again_at = time.monotonic() + AGAIN_SECONDS
            return
        self._accounts.last_error = None
        self._gate.written(batches)
        for batch in batches:
            outlet.lanes.release(batch.entries)
            self._syncing.written(batch.entries, time.monotonic())
        outlet.moved()

    def _take_synced(self, result: Exception | None) -> None:
        if result is not None:
            self._accounts.failed(result, "cannot be brought to the disk: ")
            self._syncing.failed(time.monotonic())
        else:
            self._syncing.done()

    def _take_adopted(self, batches: Sequence[Batch], result: list[Cursor] | Exception) -> None:
        """The worker's batches are on disk now, where they stay until they are settled."""
        if isinstance(result, Exception):
            self._transit.adopted(None)
            self._accounts.failed(result)
            self.write_again_at = time.monotonic() + AGAIN_SECONDS
            return
        self._transit.adopted(result)
        for batch in batches:
            self._syncing.written(batch.entries, time.monotonic())

    def _take_read(self, outlet: Outlet, block: Block | Exception) -> None:
        if isinstance(block, Exception):
            self._accounts.failed(block)
            self.read_again_at = time.monotonic() + AGAIN_SECONDS
            return
        self._accounts.read(outlet, block)
        self._gate.given_out += len(block.entries) + block.missing + block.duplicates
        self._hand_out(outlet, block)
        outlet.moved()

    def _hand_out(self, outlet: Outlet, block: Block) -> None:
        if block.entries and block.cursor is not None:
            outlet.lanes.hold(block.entries)
            batch = Batch(block.entries, block.parts)
            self._transit.read(batch, block.cursor)
            outlet.put(batch)
        elif block.cursor is not None:
            self._transit.skipped(block.cursor)

    def _take_front(self, outlet: Outlet, front: Batch, result: Exception | None) -> None:
        if result is not None:
            self._accounts.failed(result)
            return
        self._accounts.last_error = None
        self._transit.front_written()
        outlet.lanes.release(front.entries)
        self._syncing.written(front.entries, time.monotonic())

    def _take_closed(self, result: Exception | None) -> None:
        self.closed = True
        if result is not None:
            self._accounts.failed(result)
        else:
            self._syncing.done()
