"""The journal: protected entries on disk before their call returns, until every sink that takes them has settled them.

The call's side (`into`, `protect`) makes no syscall, takes no lock and starts no thread, as long as a spare segment is
ready when one is full. An entry's frame has a mark with one bit for each sink; a segment goes when all of its entries
are settled by all sinks that take them. What a run leaves, the next one finds: see `leftovers`.
"""

import time
from asyncio.events import _get_running_loop  # pyright: ignore[reportPrivateUsage] - None instead of an exception
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from logging import ERROR, getLevelNamesMapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from metaexpert.exceptions import LoggingStateError
from metaexpert.logger.entry import (
    GENERAL,
    LEVEL,
    LOG_TYPE,
    PROTECTED_LOG_TYPES,
    SEQ,
    Capture,
)
from metaexpert.logger.identity import Identity
from metaexpert.logger.journal.counters import JournalCounters
from metaexpert.logger.journal.deliveries import Deliveries
from metaexpert.logger.journal.failures import Failures
from metaexpert.logger.journal.frames import FrameEncoder, captured
from metaexpert.logger.journal.headers import new_header
from metaexpert.logger.journal.leftovers import unsynced_mark
from metaexpert.logger.journal.medium import may_map
from metaexpert.logger.journal.obligations import Obligations
from metaexpert.logger.journal.promises import Promises
from metaexpert.logger.journal.recorder import FlightRecorder
from metaexpert.logger.journal.room import Room
from metaexpert.logger.journal.segments import JournalSegment
from metaexpert.logger.options.journal import JournalOptions
from metaexpert.logger.owner_lock import OwnerLock
from metaexpert.logger.receipts import Put, Receipt
from metaexpert.logger.segment import Kind, SegmentHeader

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

_CHANGEABLE: Final = ("max_bytes", "on_audit_failure", "recorder_level")
"""Options that a running journal can go over to."""

FIXED: Final = ("segment_bytes", "mode", "recorder_bytes")
"""Options that it keeps from its beginning to its end."""

_STOPPED: Final = "logging has stopped before"
_LEFT_TO_PARENT: Final = "the entry was left to the process this one was forked from"

_COPY_SECONDS: Final = 0.001
_MOST_COPY_SECONDS: Final = 1.0
"""Longest wait for calls that have their place in a segment and have not copied their frame there."""


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
        self._failures = Failures(self.counters, self.obligations)
        self.room = Room(self._new_segment, options.segment_bytes, options.max_bytes, self._turned)
        self.wake: Callable[[], None] = _nobody
        """Called from any thread when there is something to do at once."""
        self.touched: Callable[[], None] = _nobody
        """Called on the loop when entries were written."""
        self.loop: AbstractEventLoop | None = None
        """Where it is kept; None between two loops."""
        self._identity = identity
        self._options = options
        self._encoder = FrameEncoder()
        self._encode = self._encoder.__call__  # as a method: Python goes a longer way to call an object
        self._promises = Promises()
        self.deliveries = Deliveries(self.obligations, self._promises)
        self._mapped = False
        self._running = folder / f"{self.run}.running"  # stays where the run ends without a stop
        self._lock: OwnerLock | None = None
        self._recorder: FlightRecorder | None = None
        self._record: Callable[[Capture], None] | None = None
        self._sync_started = 0
        self._records = self._options.recorder_bytes > 0
        self._unsafe_from = 0
        self._mistrusted = False
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
        self._own()
        self.room.prepare()
        if self._records and (self._recorder is None or self._recorder.is_gone()):
            self._begin_recording()

    def _own(self) -> None:
        """Hold the lock, without which another process would take this run for one that has ended."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._lock is None or self._lock.is_gone():
            self._mapped = self._options.mode == "mmap" or (self._options.mode == "auto" and may_map(self.folder))
            lock = OwnerLock.acquire(self.folder / f"{self.run}.lock")
            if lock is None:
                raise OSError(f"another process holds {self.run}.lock")
            self._let_go_of_lock(delete=False)
            self._lock = lock
        self._running.touch(mode=0o600)

    def _let_go_of_lock(self, *, delete: bool) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release(delete=delete)

    def _begin_recording(self) -> None:
        """Make the recorder; without one the journal does its work as well."""
        former = self._recorder
        path, header = self.folder / f"{self.run}.recorder", self._header(Kind.RECORDER, 0)
        try:
            self._recorder = FlightRecorder(path, header, self._options.recorder_bytes, mapped=self._mapped)
            self._record = self._recorder.recording(self._encoder)
        except OSError as error:
            self._stop_recording(error)
        if former is not None:
            former.close(delete=False)

    @property
    def is_gone(self) -> bool:
        """Whether somebody has taken files of it away; blocks for a moment."""
        lock, recorder = self._lock, self._recorder
        return lock is not None and (
            lock.is_gone()
            or not self._running.exists()
            or self.room.are_gone()
            or (recorder is not None and recorder.is_gone())
        )

    def _new_segment(self, number: int) -> JournalSegment:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"{self.run}.{number:08d}.journal"
        return JournalSegment(
            path, self._header(Kind.JOURNAL, number), self._options.segment_bytes, mapped=self._mapped
        )

    def _header(self, kind: Kind, number: int) -> SegmentHeader:
        return new_header(kind, number, self.run, self._identity, self.obligations.bits)

    def know_sinks(self, sinks: Sequence[str]) -> None:
        """Serve further sinks from now on; their names stand in a segment of their own.

        Raises:
            OSError: it cannot be made; what these sinks have not got is not recovered for them after a crash.
        """
        if self.obligations.know(sinks) and self._lock is not None:
            self.room.begin_anew()

    @property
    def options(self) -> JournalOptions:
        """The options in force."""
        return self._options

    def reconfigure(self, options: JournalOptions) -> None:
        """Go over to what of `options` can change in a run: cap, hook, level of the recorder."""
        self._options = self._options.model_copy(update={name: getattr(options, name) for name in _CHANGEABLE})
        self.room.limit(options.max_bytes)

    def close(self, *, keep_settled: bool = False) -> int:
        """Bring what is left to the disk and let go; blocks. Returns how many entries wait for the next start.

        Args:
            keep_settled: leave files of settled entries as well, for a machine that goes down before these are safe.
        """
        self._closed = True
        left = len(self.obligations.kept)
        self._sync_last(needed=bool(left) or keep_settled)
        self.deliveries.answer()
        self._promises.end(f"{_STOPPED}; the journal keeps {left} entries for the next start" if left else _STOPPED)
        if keep_settled and self._lock is not None:
            with suppress(OSError):  # without it the next start takes them for what the disk never refused
                unsynced_mark(self.folder, self.run).touch(mode=0o600)
        self.room.close(keep_settled=keep_settled)
        recorder, self._recorder, self._record = self._recorder, None, None
        if recorder is not None:
            recorder.close(delete=True)
        if self._lock is not None:
            with suppress(OSError):  # where they stay, the next start takes this end for a crash
                self._running.with_suffix(".recorder").unlink(missing_ok=True)  # one that was given up
                self._running.unlink(missing_ok=True)
            self._let_go_of_lock(delete=True)
        with suppress(OSError):
            self.folder.rmdir()  # where nothing of anybody's is left in it
        return left

    def give_up(self, reason: str) -> None:
        """Its end cannot be waited for: let nobody wait who asks for a receipt."""
        self.give_up_sync(reason)
        self._promises.end(reason)

    def _sync_last(self, *, needed: bool) -> None:
        """Keep the promises of receipts: what every sink has is safe without a sync of the journal's own."""
        number = self.begin_sync()
        try:
            if needed:
                self.sync()
        except OSError:
            try:
                self.rescue()
            except (OSError, ValueError) as error:
                self.give_up_sync(f"the disk refused the last sync: {error}")
                return
        self._promises.synced(number)

    def forget(self) -> None:
        """In a forked child: nothing of this is to be written any more."""
        self._closed = True
        self.wake = self.touched = _nobody
        self._promises = Promises()  # another thread may have held the lock of the parent's
        self._promises.end(_LEFT_TO_PARENT)
        self.deliveries = Deliveries(self.obligations, self._promises)
        self._lock = None  # let go of by itself
        self.room.forget()
        recorder, self._recorder, self._record = self._recorder, None, None
        if recorder is not None:
            recorder.forget()

    # ---- the call's side, any thread --------------------------------------------------------------------------

    def into(self, put: Put) -> Put:
        """The way of a call into the pipeline: first here, then to `put`."""

        def keep_and_put(capture: Capture) -> Receipt | None:
            if capture[2] >= ERROR or capture[11] is not GENERAL:
                receipt = self.protect(capture)
                put(capture)
                return receipt
            record = self._record
            if record is not None:
                try:
                    record(capture)
                except (OSError, ValueError) as error:
                    self._stop_recording(error)
            put(capture)
            return None

        return keep_and_put

    @property
    def held_back(self) -> Put | None:
        """Where entries go that levels hold back; None where the recorder does not take them."""
        name = self._options.recorder_level
        if name is None or self._recorder is None:
            return None
        lowest = getLevelNamesMapping()[name]

        def record(capture: Capture) -> None:
            if capture[LEVEL] >= lowest and self._record is not None:
                try:
                    self._record(capture)
                except (OSError, ValueError) as error:
                    self._stop_recording(error)

        return record

    def protect(self, capture: Capture) -> Receipt | None:
        """Write an entry, where it is protected; whatever fails is told by the receipt, the counters and the hook."""
        if capture[LEVEL] < ERROR and capture[LOG_TYPE] not in PROTECTED_LOG_TYPES:
            return None
        seq = capture[SEQ]
        try:
            frame = self._encode(capture)
            self.obligations.kept[seq] = self.room.append(frame)
        except Exception as error:  # noqa: BLE001 - whatever it is, the entry goes on to its sinks
            text = f"the journal cannot be written: {error or type(error).__name__}"
            return Receipt(self, seq, 0, self.failed(text, 1))
        self.counters.entries += 1
        recorder = self._recorder
        if recorder is not None:
            try:
                recorder.add(frame)
            except (OSError, ValueError) as error:
                self._stop_recording(error)
        return Receipt(self, seq, self._sync_started)

    def keeps(self, seq: int) -> bool:
        """Whether the entry of this number is kept here; any thread."""
        return seq in self.obligations.kept

    def read(self, seq: int) -> Capture | None:
        """An entry that is kept here, read back; None when it cannot be: it waits for the next start then."""
        place = self.obligations.kept.get(seq)
        while place is not None and isinstance(place[0], JournalSegment):
            try:
                return captured(place[0].frame_at(place[1]))
            except (OSError, ValueError) as error:
                former, place = place, self.obligations.kept.get(seq)
                if place == former:  # it was not written anew meanwhile
                    self.counters.last_error = f"an entry cannot be read back: {error}"
                    return None
        return None

    def _turned(self) -> None:
        self.wake()

    def _stop_recording(self, error: Exception) -> None:
        recorder, self._recorder, self._record = self._recorder, None, None
        if self._closed:
            return  # a call that came when it was just closed
        self._records = False
        if recorder is not None:
            recorder.close(delete=False)
        self.counters.last_error = f"flight recorder: {error}"

    def failed(self, reason: str, entries: int) -> str:
        """Count and tell that entries are not safe; returns the reason."""
        reason = self._failures.tell(reason, entries, self._options.on_audit_failure)
        self.wake()
        return reason

    # ---- receipts, any thread ---------------------------------------------------------------------------------

    def entry_id(self, seq: int) -> str:
        """See `receipts.Keeper`."""
        return self._identity.entry_id(seq)

    def when_synced(self, since: int) -> Future[None]:
        """See `receipts.Keeper`."""
        future = self._promises.sync_after(since)
        if not future.done():
            self.wake()
        return future

    def must_not_block(self, *, for_ever: bool) -> None:
        """See `receipts.Keeper`."""
        loop = self.loop
        if loop is None or loop.is_closed():
            return
        if _get_running_loop() is loop:
            raise LoggingStateError("wait() would block the loop that logging lives on; write `await receipt`")
        if for_ever and not loop.is_running():
            raise LoggingStateError("wait() would last for ever: the loop that logging lives on does not run")

    def when_delivered(self, seq: int, sink: str) -> Future[None]:
        """See `receipts.Keeper`."""
        future = self.deliveries.promise(seq, sink, is_over=self._closed)
        if not future.done():
            self.wake()
        return future

    # ---- what became of entries, on the loop ------------------------------------------------------------------

    def routed(self, entries: Sequence[Capture], mask: int) -> None:
        """These entries go to the sinks of `mask`."""
        self.obligations.routed(entries, mask)
        self.touched()

    def settle(self, sink: str, entries: Sequence[Capture], refused: str = "") -> None:
        """A sink needs these entries no longer; `refused` says why it has not got them, when it has not."""
        self.deliveries.settle(sink, entries, refused)

    def disown(self, sink: str) -> None:
        """A sink is removed: nothing is kept for it any longer."""
        count = self.deliveries.disown(sink)
        if count:
            self.failed(f"{sink} was removed before it had all protected entries", count)

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
        if self._mistrusted:
            raise OSError("what was written before a sync that failed cannot be relied on")
        entries = self.counters.entries
        for segment in self.room.dirty:
            segment.dirty = False
            try:
                segment.sync()
            except OSError:
                self._mistrusted = segment.dirty = True
                raise
        self._unsafe_from = entries

    def synced(self, number: int) -> None:
        """The sync of that number has ended well; on the loop."""
        self.counters.syncs += 1
        self.counters.last_error = None
        self._promises.synced(number)

    @property
    def is_mistrusted(self) -> bool:
        """Whether a sync has failed and its entries are not on the disk elsewhere yet."""
        return self._mistrusted

    def rescue(self) -> None:
        """Write all entries that are kept to new segments and sync these, off the loop.

        After a failed sync a descriptor says nothing more (the kernel drops the pages and reports success next time:
        https://wiki.postgresql.org/wiki/Fsync_Errors), so that its file is given up whole; likewise files that somebody
        has deleted, of which the map is still there.

        Raises:
            OSError: new segments cannot be written or synced either; it can be tried again.
        """
        self._mistrusted = True
        self._own()
        old = self.room.replace()
        deadline = time.monotonic() + _MOST_COPY_SECONDS
        while True:
            for seq, (segment, at) in list(self.obligations.kept.items()):
                if isinstance(segment, JournalSegment) and segment in old:
                    self._move(seq, segment, at)
            if all(segment.is_settled for segment in old):
                break
            if time.monotonic() > deadline:
                raise OSError("a log call has been writing to it for too long")
            time.sleep(_COPY_SECONDS)  # a call has its place in one of them and copies its frame there
        self._mistrusted = False
        try:
            self.sync()
        except OSError:  # what was brought to the disk before stays there
            self.room.drop([segment for segment in old if not segment.was_synced])
            raise
        self.room.drop(old)

    def _move(self, seq: int, segment: JournalSegment, at: int) -> None:
        place = self.room.append(segment.frame_at(at))
        self.obligations.move(seq, (segment, at), place)

    def give_up_sync(self, reason: str, *, lost: int = 0) -> None:
        """What was written so far cannot be brought to the disk. Tells of each entry once.

        Args:
            reason: why.
            lost: entries that were on the disk, and are no more.
        """
        unsafe = self.counters.entries - self._unsafe_from
        self._unsafe_from += unsafe
        unsafe = max(unsafe, lost)
        if unsafe or self._promises.awaits_sync:
            self.failed(reason, max(1, unsafe))
        self._promises.fail_syncs(reason)


def _nobody() -> None:
    """No keeper yet."""
