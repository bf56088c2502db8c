"""The journal: protected entries on disk before their call returns, until every sink that takes them has settled them.

The call's side (`into`, `protect`) makes no syscall, takes no lock and starts no thread, as long as a spare segment is
ready when one is full. An entry's frame has a mark with one bit for each sink; a segment goes when all of its entries
are settled by all sinks that take them. What a run leaves, the next one finds: see `leftovers`.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from logging import ERROR
from pathlib import Path
from typing import Final, final

from metaexpert.exceptions import ReceiptError
from metaexpert.logger.entry import GENERAL, LEVEL, LOG_TYPE, PROTECTED_LOG_TYPES, SEQ, Capture
from metaexpert.logger.identity import Identity
from metaexpert.logger.journal.frames import FrameEncoder
from metaexpert.logger.journal.medium import machine_start, may_map
from metaexpert.logger.journal.obligations import Obligations
from metaexpert.logger.journal.promises import Promises
from metaexpert.logger.journal.recorder import FlightRecorder
from metaexpert.logger.journal.room import Room
from metaexpert.logger.journal.segments import JournalSegment
from metaexpert.logger.options.journal import JournalOptions
from metaexpert.logger.owner_lock import OwnerLock
from metaexpert.logger.receipts import Put, Receipt
from metaexpert.logger.segment import MIXED_LANES, Kind, SegmentHeader

_MOST_PARKED: Final = 100_000
"""Entries in disk queues of which it is known that a sink has not got them yet; for receipts."""

_STOPPED: Final = "logging has stopped before"


@dataclass(slots=True)
class JournalCounters:
    """What the journal did.

    Attributes:
        entries: entries written to it.
        failures: entries that could not be made safe; `on_audit_failure` was told of each.
        syncs: group syncs that have ended well.
        sync_failures: syncs the system refused.
        last_error: what is wrong now; None while all is well.
    """

    entries: int = 0
    failures: int = 0
    syncs: int = 0
    sync_failures: int = 0
    last_error: str | None = None


@final
class Journal:
    """One run's journal.

    Args:
        folder: where its files are.
        identity: the process that writes.
        options: sizes and the hook.
    """

    def __init__(self, folder: Path, identity: Identity, options: JournalOptions) -> None:
        self.folder = folder
        self.run = f"{identity.boot_id}-{identity.pid}"
        self.counters = JournalCounters()
        self.obligations = Obligations()
        self.room = Room(self._new_segment, options.segment_bytes, options.max_bytes, self._turned)
        self.wake: Callable[[], None] = _nobody
        """Called from any thread when there is something to do at once."""
        self.touched: Callable[[], None] = _nobody
        """Called on the loop when entries were written."""
        self._identity = identity
        self._options = options
        self._encode = FrameEncoder()
        self._promises = Promises()
        self._mapped = False
        self._running = folder / f"{self.run}.running"  # stays where the run ends without a stop
        self._lock: OwnerLock | None = None
        self._recorder: FlightRecorder | None = None
        self._record: Callable[[bytes], None] | None = None
        self._sync_started = 0
        self._parked: dict[tuple[int, int], None] = {}
        self._hook = threading.local()
        self._closed = False

    # ---- begin and end ----------------------------------------------------------------------------------------

    def open(self, sinks: Sequence[str]) -> None:
        """Make the first segment and the recorder; blocks for a moment.

        Args:
            sinks: names of the sinks there are.

        Raises:
            OSError: the folder does not allow it; entries cannot be made safe until `prepare` can.
        """
        self.obligations.know(sinks)
        try:
            self.prepare()
        except OSError as error:
            self.counters.last_error = f"{error.strerror or error}"
            raise

    def prepare(self) -> None:
        """Make what is missing: the folder, the recorder, the segment in use, the spare one; blocks.

        Raises:
            OSError: it cannot be made.
        """
        if self._lock is None:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._mapped = self._options.mode == "mmap" or (self._options.mode == "auto" and may_map(self.folder))
            self._lock = OwnerLock.acquire(self.folder / f"{self.run}.lock")
            self._running.touch(mode=0o600)
            if self._options.recorder_bytes:
                path = self.folder / f"{self.run}.recorder"
                header = self._header(Kind.RECORDER, 0)
                self._recorder = FlightRecorder(path, header, self._options.recorder_bytes, mapped=self._mapped)
                self._record = self._recorder.add
        self.room.prepare()

    def _new_segment(self, number: int) -> JournalSegment:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"{self.run}.{number:08d}.journal"
        return JournalSegment(
            path, self._header(Kind.JOURNAL, number), self._options.segment_bytes, mapped=self._mapped
        )

    def _header(self, kind: Kind, number: int) -> SegmentHeader:
        identity = self._identity
        meta = {
            "run": self.run,
            "service": identity.service,
            "boot_id": identity.boot_id,
            "pid": identity.pid,
            "host": identity.host,
            "machine_start": machine_start(),
            "sinks": list(self.obligations.bits),
        }
        return SegmentHeader(kind=kind, lane=MIXED_LANES, created_ns=time.time_ns(), number=number, meta=meta)

    def know_sinks(self, sinks: Sequence[str]) -> None:
        """Serve further sinks from now on; their names stand in a segment of their own.

        Raises:
            OSError: it cannot be made; what these sinks have not got is not recovered for them after a crash.
        """
        if self.obligations.know(sinks):
            self.room.begin_anew()

    def close(self) -> int:
        """Bring what is left to the disk and let go; blocks. Returns how many entries wait for the next start."""
        self._closed = True
        left = len(self.obligations.kept)
        if left:
            with suppress(OSError):
                self.sync()
        self.answer_deliveries()
        self._promises.end(f"{_STOPPED}; the journal keeps {left} entries for the next start" if left else _STOPPED)
        self.room.close()
        recorder, self._recorder, self._record = self._recorder, None, None
        if recorder is not None:
            recorder.close(delete=True)
        if self._lock is not None:
            self._running.unlink(missing_ok=True)
            self._lock.release(delete=True)
            self._lock = None
        with suppress(OSError):
            self.folder.rmdir()  # where nothing of anybody's is left in it
        return left

    def forget(self) -> None:
        """In a forked child: nothing of this is to be written any more."""
        self._closed = True
        self.room.forget()
        recorder, self._recorder, self._record = self._recorder, None, None
        if recorder is not None:
            recorder.forget()

    # ---- the call's side, any thread --------------------------------------------------------------------------

    def into(self, put: Put) -> Put:
        """The way of a call into the pipeline: first here, then to `put`."""
        encode = self._encode

        def keep_and_put(capture: Capture) -> Receipt | None:
            if capture[2] >= ERROR or capture[11] is not GENERAL:
                receipt = self.protect(capture)
                put(capture)
                return receipt
            record = self._record
            if record is not None:
                try:
                    record(encode(capture))
                except (OSError, ValueError) as error:
                    self._stop_recording(error)
            put(capture)
            return None

        return keep_and_put

    def protect(self, capture: Capture) -> Receipt | None:
        """Write an entry, where it is protected; whatever fails is told by the receipt, the counters and the hook."""
        if capture[LEVEL] < ERROR and capture[LOG_TYPE] not in PROTECTED_LOG_TYPES:
            return None
        seq = capture[SEQ]
        try:
            frame = self._encode(capture)
            self.obligations.kept[seq] = self.room.append(frame)
            if self._record is not None:
                self._record(frame)
        except (OSError, ValueError) as error:
            return Receipt(self, seq, 0, self._failed(f"the journal cannot be written: {error}", 1))
        self.counters.entries += 1
        return Receipt(self, seq, self._sync_started)

    def _turned(self) -> None:
        self.wake()

    def _stop_recording(self, error: Exception) -> None:
        recorder, self._recorder, self._record = self._recorder, None, None
        if recorder is not None:
            recorder.close(delete=False)
            self.counters.last_error = f"flight recorder: {error}"

    def _failed(self, reason: str, entries: int) -> str:
        """Count and tell that entries are not safe; returns the reason."""
        held_up = ", ".join(f"{name} has {count} to settle" for name, count in self.obligations.laggards().items())
        reason = f"{reason} ({held_up})" if held_up else reason
        self.counters.failures += entries
        self.counters.last_error = reason
        hook = self._options.on_audit_failure
        if hook is not None and not getattr(self._hook, "told", False):
            self._hook.told = True  # what the hook logs fails likewise
            try:
                hook(reason, entries)
            except Exception as error:  # noqa: BLE001 - the user's code; a log call does not raise
                self.counters.last_error = f"{reason}; on_audit_failure raised {type(error).__name__}: {error}"
            finally:
                self._hook.told = False
        self.wake()
        return reason

    # ---- receipts, any thread ---------------------------------------------------------------------------------

    def when_synced(self, since: int) -> Future[None]:
        """See `receipts.Keeper`."""
        future = self._promises.sync_after(since)
        if not future.done():
            self.wake()
        return future

    def when_delivered(self, seq: int, sink: str) -> Future[None]:
        """See `receipts.Keeper`."""
        bit = self.obligations.bits.get(sink)
        if bit is None or self._closed:
            future: Future[None] = Future()
            names = ", ".join(sorted(self.obligations.bits))
            future.set_exception(ReceiptError(_STOPPED if bit is not None else f"no sink {sink!r}; there are {names}"))
            return future
        future = self._promises.delivery(seq, bit)
        self.wake()
        return future

    def answer_deliveries(self) -> None:
        """Answer receipts that wait for a sink; on the loop."""
        if self._promises.awaits_delivery:
            self._promises.answer(self._judge)

    def _judge(self, seq: int, bit: int) -> str | None:
        if not self.obligations.is_settled(seq, bit) or (seq, bit) in self._parked:
            return None
        refusal = self.obligations.refusal(seq, bit)
        return "" if refusal is None else f"{self._name_of(bit)} has not taken the entry: {refusal}"

    def _name_of(self, bit: int) -> str:
        return next(name for name, number in self.obligations.bits.items() if number == bit)

    # ---- what became of entries, on the loop ------------------------------------------------------------------

    def routed(self, entries: Sequence[Capture], mask: int) -> None:
        """These entries go to the sinks of `mask`."""
        self.obligations.routed(entries, mask)
        self.touched()

    def settle(self, sink: str, entries: Sequence[Capture], refused: str = "") -> None:
        """A sink needs these entries no longer; `refused` says why it has not got them, when it has not."""
        bit = self.obligations.bits.get(sink)
        if bit is None:
            return
        found = self.obligations.settled(bit, entries, refused)
        if self._parked:
            for entry in entries:
                self._parked.pop((entry[SEQ], bit), None)
        if found or self._parked:
            self.answer_deliveries()

    def park(self, sink: str, entries: Sequence[Capture]) -> None:
        """A sink's disk queue answers for these from now on; a receipt waits until the sink has them."""
        bit = self.obligations.bits.get(sink)
        if bit is not None:
            for seq in self.obligations.settled(bit, entries):
                self._parked[seq, bit] = None
            while len(self._parked) > _MOST_PARKED:
                del self._parked[next(iter(self._parked))]

    def disown(self, sink: str) -> None:
        """A sink is removed: nothing is kept for it any longer."""
        bit = self.obligations.bits.get(sink)
        if bit is not None:
            self.obligations.disown(bit, "the sink was removed")
            self.answer_deliveries()

    def keeps_for(self, sink: str, seq: int) -> bool:
        """Whether an entry is kept for a sink."""
        bit = self.obligations.bits.get(sink)
        return bit is not None and self.obligations.is_owed(seq, bit)

    # ---- the keeper's side ------------------------------------------------------------------------------------

    @property
    def awaits_sync(self) -> bool:
        """Whether somebody waits for a sync."""
        return self._promises.awaits_sync

    def begin_sync(self) -> int:
        """Number a sync that begins now; on the loop."""
        self._sync_started += 1
        return self._sync_started

    def sync(self) -> None:
        """Bring to the disk what was written before this call; off the loop.

        Raises:
            OSError: the system could not; `rescue` can still.
        """
        for segment in self.room.dirty:
            segment.dirty = False
            try:
                segment.sync()
            except OSError:
                segment.dirty = True
                raise

    def synced(self, number: int) -> None:
        """The sync of that number has ended well; on the loop."""
        self.counters.syncs += 1
        self.counters.last_error = None
        self._promises.synced(number)

    def rescue(self) -> None:
        """Write all entries that are kept to new segments and sync these, off the loop.

        After a failed sync a descriptor says nothing more (the kernel drops the pages and reports success next time:
        https://wiki.postgresql.org/wiki/Fsync_Errors), so that its file is given up whole; likewise files that somebody
        has deleted, of which the map is still there.

        Raises:
            OSError: new segments cannot be written or synced either.
        """
        old = self.room.replace()
        for seq, (segment, at) in list(self.obligations.kept.items()):
            if isinstance(segment, JournalSegment) and segment in old:
                self._move(seq, segment, at)
        for segment in old:
            segment.close(delete=True)
        self.sync()

    def _move(self, seq: int, segment: JournalSegment, at: int) -> None:
        place = self.room.append(segment.frame_at(at))
        if self.obligations.kept.get(seq) == (segment, at):
            self.obligations.kept[seq] = place
        else:  # settled meanwhile
            place[0].settled += 1

    def give_up_sync(self, reason: str) -> None:
        """What was written so far cannot be brought to the disk; on the loop."""
        self._failed(reason, max(1, len(self.obligations.kept)))
        self._promises.fail_syncs(reason)


def _nobody() -> None:
    """No keeper yet."""
