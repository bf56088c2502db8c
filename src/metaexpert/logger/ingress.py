"""The way in: a bounded, thread-safe deque between any thread's log calls and the dispatcher.

Synchronous and lock-free on the way of a call: `deque.append` is atomic, and the byte counter is read and stored
without a point at which CPython could switch threads. One `call_soon_threadsafe` wakes the dispatcher for any number
of entries, and none is made while the dispatcher is known to look again by itself.
"""

import itertools
import threading
from asyncio import AbstractEventLoop
from asyncio.events import _get_running_loop  # pyright: ignore[reportPrivateUsage] - None instead of an exception
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, final

from metaexpert.logger.entry import LEVEL, SEQ, SIZE, Capture, Lane, lane_of

UNATTACHED_MAX_ENTRIES: Final = 10_000
UNATTACHED_MAX_BYTES: Final = 8 * 1024 * 1024

INGRESS_FULL: Final = "ingress full"

_GRADED_SHARE: Final = {Lane.DEBUG: 0.80, Lane.INFO: 0.90, Lane.WARNING: 0.95, Lane.ERROR: 1.0, Lane.PROTECTED: 1.25}
_EQUAL_SHARE: Final = {Lane.DEBUG: 1.0, Lane.INFO: 1.0, Lane.WARNING: 1.0, Lane.ERROR: 1.0, Lane.PROTECTED: 1.25}
"""How full the ingress may be for an entry of each lane still to enter; protected entries have room of their own."""

next_seq: Final = itertools.count(1).__next__
"""Numbers every entry of this process, in the order of the calls."""


@dataclass(slots=True)
class IngressLoss:
    """Entries the ingress could not take, until the dispatcher reports them in a gap entry."""

    by_level: Counter[int]
    first_seq: int
    last_seq: int
    first_ns: int
    last_ns: int

    def add(self, other: "IngressLoss") -> None:
        """Count `other` in; threads may come in any order."""
        self.by_level += other.by_level
        self.first_seq = min(self.first_seq, other.first_seq)
        self.last_seq = max(self.last_seq, other.last_seq)
        self.first_ns = min(self.first_ns, other.first_ns)
        self.last_ns = max(self.last_ns, other.last_ns)


class Aside(Protocol):
    """Keeps entries on disk that find no room here."""

    def keeps(self, seq: int) -> bool:
        """Whether it keeps the entry of this number for the next start; any thread."""
        ...

    def read(self, seq: int) -> Capture | None:
        """The entry; None when it cannot be had."""
        ...


@final
class Ingress:
    """Takes captures from any thread and hands them to one dispatcher.

    Args:
        max_entries: entries it holds at most.
        max_bytes: memory it holds at most, bytes.
        block_timeout_seconds: how long a thread waits while the gate is closed.
        graded: keep the last room for the higher lanes; otherwise all share all of it.
    """

    def __init__(
        self,
        max_entries: int = UNATTACHED_MAX_ENTRIES,
        max_bytes: int = UNATTACHED_MAX_BYTES,
        block_timeout_seconds: float = 0.0,
        *,
        graded: bool = True,
    ) -> None:
        self._queue: deque[Capture] = deque()
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._block_timeout_seconds = block_timeout_seconds
        # what put() compares with: the room of the lowest lane, or zero while the gate is closed
        self._room_share = _GRADED_SHARE if graded else _EQUAL_SHARE
        self._easy_entries = int(max_entries * self._room_share[Lane.DEBUG])
        self._easy_bytes = int(max_bytes * self._room_share[Lane.DEBUG])
        self._bytes_in = 0
        self._bytes_out = 0
        self._taken = 0
        self._awake = True
        self._hurried = False
        self._loop: AbstractEventLoop | None = None
        self._notify: Callable[[], None] = _nothing
        self._orphaned: Callable[[], None] = _nothing
        self._gate = threading.Condition()
        self._gated = False
        self._gate_waiters = 0
        self._successor: Callable[[Capture], object] | None = None
        self._loss: IngressLoss | None = None
        self._loss_lock = threading.RLock()  # a signal handler may log while its own thread holds it
        self._aside: Aside | None = None
        self._waiting_aside: deque[int] = deque()
        self.loop_thread = 0
        self.dropped: Counter[tuple[int, str]] = Counter()
        self.self_logged = 0

    # ---- any thread -------------------------------------------------------------------------------------------

    def put(self, capture: Capture) -> None:
        """Take one entry; refuses only when full, and then counts what it refused."""
        queue = self._queue
        crowded = len(queue) >= self._easy_entries or self._bytes_in - self._bytes_out >= self._easy_bytes
        if crowded and not self._admit(capture):
            return
        queue.append(capture)
        self._bytes_in += capture[SIZE]
        if not self._awake:
            self._wake()

    def put_own(self, capture: Capture) -> None:
        """Take an entry of the pipeline's own: also while it stops, when calls wait for the next one already."""
        if self._successor is None:
            self.put(capture)
        else:
            self._queue.append(capture)
            self._bytes_in += capture[SIZE]
            self._wake()

    def hurry(self) -> None:
        """End the dispatcher's linger: an error or protected entry has arrived; coalesced until `take`."""
        if self._loop is not None and not self._hurried:
            self._hurried = True
            self._wake()

    def poke(self) -> None:
        """Wake the dispatcher for somebody who waits, or find out that its loop was closed under us."""
        self._wake()

    def _wake(self) -> None:
        self._awake = True
        loop = self._loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(self._notify)
            except RuntimeError:
                self._loop = None  # the loop was closed under us: entries wait for another one, or for the exit
                self._orphaned()

    def _admit(self, capture: Capture) -> bool:
        """Whether to take an entry that finds little room; one that is refused has been counted or passed on."""
        if self._gated and threading.get_ident() != self.loop_thread and _get_running_loop() is None:
            self._wait_at_gate()
        if self._successor is not None:
            self._successor(capture)
            return False
        share = self._room_share[lane_of(capture[2], capture[11])]
        if (
            len(self._queue) < self._max_entries * share
            and self.queued_bytes + capture[SIZE] <= self._max_bytes * share
        ):
            return True
        if self._aside is not None and self._aside.keeps(capture[SEQ]):
            self._waiting_aside.append(capture[SEQ])  # `take` reads it when it is its turn
            if not self._awake:
                self._wake()
        else:
            self._lose(capture)
        return False

    def _wait_at_gate(self) -> None:
        with self._gate:
            self._gate_waiters += 1
            try:
                self._gate.wait_for(self._may_pass, self._block_timeout_seconds)
            finally:
                self._gate_waiters -= 1

    def _may_pass(self) -> bool:
        crowded = len(self._queue) >= self._easy_entries or self.queued_bytes >= self._easy_bytes
        return not crowded or self._successor is not None

    def _lose(self, capture: Capture) -> None:
        seq, time_ns, level = capture[:3]
        self.add_loss(IngressLoss(Counter({level: 1}), seq, seq, time_ns, time_ns))

    def add_loss(self, loss: IngressLoss) -> None:
        """Count entries that were refused here, or by the ingress that stood here before."""
        with self._loss_lock:
            for level, count in loss.by_level.items():
                self.dropped[level, INGRESS_FULL] += count
            if self._loss is None:
                self._loss = loss
            else:
                self._loss.add(loss)

    # ---- the dispatcher's thread ------------------------------------------------------------------------------

    def attach(
        self, loop: AbstractEventLoop, notify: Callable[[], None], orphaned: Callable[[], None] | None = None
    ) -> None:
        """Let `notify` be called on `loop` when entries arrive while the dispatcher rests.

        Args:
            loop: the dispatcher's.
            notify: called there.
            orphaned: called once, by the log call that finds that the loop has been closed.
        """
        self._loop = loop
        self._notify = notify
        self._orphaned = orphaned or _nothing
        self.loop_thread = threading.get_ident()

    def detach(self) -> None:
        """Forget the loop; entries that still arrive wait to be taken."""
        self._loop = None
        self._orphaned = _nothing
        self._awake = True
        self.open_gate()

    def rely_on(self, aside: Aside) -> None:
        """Leave to it the entries it keeps, when there is no room for them here."""
        self._aside = aside

    def put_first(self, captures: list[Capture]) -> None:
        """Take entries that are older than all that is here, and keep them in front, whatever the room."""
        self._queue.extendleft(reversed(captures))
        self._bytes_in += sum([capture[SIZE] for capture in captures])

    def retire(self, successor: Callable[[Capture], object]) -> None:
        """Take nothing more; what a thread still brings goes to `successor`."""
        self._successor = successor
        self._easy_entries = 0  # from now on every put() asks
        with self._gate:
            self._gate.notify_all()

    def give_up(self, reason: str) -> int:
        """Count what waits here, and is kept nowhere else, as dropped for `reason`; returns how many that are."""
        aside = self._aside
        self._waiting_aside.clear()  # what is aside stays there for the next start
        left = [each for each in self.take(len(self._queue)) if aside is None or not aside.keeps(each[SEQ])]
        for level, count in Counter([capture[LEVEL] for capture in left]).items():
            self.dropped[level, reason] += count
        return len(left)

    def rest(self) -> bool:
        """Ask for a wake-up at the next entry; False when one is already waiting, and the caller should go on."""
        self._awake = False
        if self._queue or self._waiting_aside:
            self._awake = True
            return False
        return True

    def leave(self) -> None:
        """Nobody works here for now: ask for a wake-up at the next entry, whatever waits already."""
        self._awake = False

    def take(self, most: int) -> list[Capture]:
        """Up to `most` entries, oldest first."""
        self._hurried = False
        if self._waiting_aside:
            return self._take_both(most)
        queue = self._queue
        count = min(most, len(queue))
        popleft = queue.popleft
        taken = [popleft() for _ in range(count)]
        if taken:
            self._taken += count
            self._bytes_out += sum([capture[SIZE] for capture in taken])
        return taken

    def _take_both(self, most: int) -> list[Capture]:
        """The same while entries wait aside: in the order of the calls, as far as those came in order."""
        queue, waiting = self._queue, self._waiting_aside
        taken: list[Capture] = []
        while len(taken) < most and (queue or waiting):
            if waiting and (not queue or waiting[0] < queue[0][SEQ]):
                entry = None if self._aside is None else self._aside.read(waiting.popleft())
                if entry is not None:
                    taken.append(entry)
            else:
                entry = queue.popleft()
                taken.append(entry)
                self._bytes_out += entry[SIZE]
            self._taken += 1
        return taken

    def take_loss(self) -> IngressLoss | None:
        """What was refused since the last call, if anything."""
        if self._loss is None:
            return None
        with self._loss_lock:
            loss, self._loss = self._loss, None
        return loss

    def close_gate(self, entries: int = 0, total_bytes: int = 0) -> None:
        """Make threads wait in their log calls (policy `block`) while more than this waits here.

        Args:
            entries: what the tightest sink still has room for.
            total_bytes: likewise in bytes of memory.
        """
        self._gated = True
        self._set_easy(entries, total_bytes)

    def open_gate(self) -> None:
        """Let the waiting threads go on."""
        if self._gated:
            self._gated = False
            self._set_easy(self._max_entries, self._max_bytes)

    def _set_easy(self, entries: int, total_bytes: int) -> None:
        if self._successor is not None:
            return
        share = self._room_share[Lane.DEBUG]
        self._easy_entries = min(entries, int(self._max_entries * share))
        self._easy_bytes = min(total_bytes, int(self._max_bytes * share))
        if self._gate_waiters:
            with self._gate:
                self._gate.notify_all()

    def resize(self, max_entries: int, max_bytes: int, block_timeout_seconds: float) -> None:
        """Have other bounds from now on; nothing that waits here is dropped for it."""
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._block_timeout_seconds = block_timeout_seconds
        self._gated = False  # the dispatcher closes the gate again if a sink wants it
        self._set_easy(max_entries, max_bytes)

    # ---- figures ----------------------------------------------------------------------------------------------

    @property
    def queued_entries(self) -> int:
        """Entries waiting for the dispatcher."""
        return len(self._queue) + len(self._waiting_aside)

    @property
    def queued_bytes(self) -> int:
        """Memory of the waiting entries, bytes."""
        return self._bytes_in - self._bytes_out

    @property
    def taken(self) -> int:
        """Entries handed to the dispatcher since the start."""
        return self._taken

    @property
    def accepted(self) -> int:
        """Entries taken in since the start."""
        return self._taken + len(self._queue) + len(self._waiting_aside)

    @property
    def fill(self) -> float:
        """How full it is, 0 to 1, by the tighter of the two bounds."""
        return max(len(self._queue) / self._max_entries, self.queued_bytes / self._max_bytes)


def _nothing() -> None:
    """No dispatcher yet."""
