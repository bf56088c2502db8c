"""The task beside your coroutines: slices from ingress through routing into each sink's lanes and batches.

It works for `slice_seconds` at most by its own clock, then yields by polling. While an executor job of ours is under
way it really waits every `_POLLING_SECONDS`, until a job ends or for the shortest time a selector can: a loop that only
polls never leaves the GIL long enough for a thread to wake up and take it. With nothing to do it lingers for a moment,
so that a steady trickle costs one wake-up per linger and not one per entry; then it rests until ingress calls.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import monotonic, perf_counter, time_ns
from typing import Final, final

from metaexpert.logger.batching import Batching
from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.entry import SIZE, TIME_NS, Capture, Lane, lane_of
from metaexpert.logger.filters import Admission
from metaexpert.logger.gaps import gap_entry
from metaexpert.logger.ingress import INGRESS_FULL, Ingress
from metaexpert.logger.jobs import Jobs
from metaexpert.logger.journal.journal import Journal
from metaexpert.logger.notices import Notices
from metaexpert.logger.observer import Observer

_LEAST_CHUNK: Final = 4
_MOST_CHUNK: Final = 64
"""Entries a step takes from ingress; twice as many may go on from each sink's lanes, so that a backlog shrinks."""

_LOSS_EVERY_SECONDS: Final = 0.1
"""While ingress overflows, every sink is told of the loss this often; at once when it is over."""

_LONG_WAIT_NS: Final = 100_000_000
"""From here on the loop was blocked, or has more to do than it can."""

_JOB_WAIT_SECONDS: Final = 0.001
_POLLING_SECONDS: Final = 0.002
"""Longest polling while a job wants the GIL back; a job gets it within this time and a millisecond."""


@dataclass(slots=True)
class Route:
    """Where entries of one level and log type go, and the present chunk's entries on their way there."""

    lane: Lane
    batchings: tuple[Batching, ...]
    filtered: tuple[Batching, ...]
    journal: Journal | None = None
    mask: int = 0
    observers: tuple[Observer, ...] = ()
    entries: list[Capture] = field(default_factory=list[Capture])

    def pass_on(self) -> None:
        """Offer the collected entries to every sink of this route."""
        entries, self.entries = self.entries, []
        if self.journal is not None:
            self.journal.routed(entries, self.mask)
        total_bytes = sum([entry[SIZE] for entry in entries])
        for batching in self.batchings:
            batching.offer(self.lane, entries, total_bytes)
        for batching in self.filtered:
            batching.ledger.filtered += len(entries)
        for observer in self.observers:
            observer.look(entries)


@dataclass(slots=True)
class DispatcherCounters:
    """What the dispatcher did; times in seconds."""

    slices: int = 0
    entries: int = 0
    busy_seconds: float = 0.0
    slice_max_seconds: float = 0.0
    faults: int = 0
    wait_max_seconds: float = 0.0
    long_waits: int = 0


_LONGEST_REST_SECONDS: Final = 0.5
"""A signal that comes between Python's last look and the loop's wait is handled when that wait ends: it has to end."""

_MAX_ROUTES: Final = 4096
"""Ways known by level, log type and logger; beyond that they are learnt anew."""


@final
class Dispatcher:
    """Moves entries from ingress to the sinks' batches.

    Args:
        ingress: where entries come from.
        batchings: the sinks, each with what it admits.
        jobs: the executor jobs under way.
        notices: where it tells of a fault of its own.
        slice_seconds: longest work without yielding.
        linger_seconds: how long it waits for company when entries trickle in.
        journal: told which sinks protected entries go to; None when there is none.
    """

    def __init__(
        self,
        ingress: Ingress,
        batchings: Iterable[tuple[Batching, Admission]],
        jobs: Jobs,
        notices: Notices,
        *,
        slice_seconds: float,
        linger_seconds: float,
        journal: Journal | None = None,
    ) -> None:
        self.counters = DispatcherCounters()
        self._observers: tuple[Observer, ...] = ()
        self._ingress = ingress
        self._sinks = tuple(batchings)
        self._batchings = self._forming = tuple(batching for batching, _ in self._sinks)
        self._jobs = jobs
        self._notices = notices
        self._journal = journal
        self._slice_seconds = slice_seconds
        self._linger_seconds = linger_seconds
        self._by_logger = any(admission.by_logger for _, admission in self._sinks)
        self._routes: dict[tuple[int, str, str], Route] = {}
        self._ways: dict[tuple[Lane, tuple[Batching, ...], tuple[Observer, ...]], Route] = {}
        self._waiter: asyncio.Future[None] | None = None
        self._woken = False
        self._waited_at = 0.0
        self._loss_told_at = 0.0
        self._began_ns = time_ns()
        self._longest_wait_ns = 0
        self._chunk_entries = _MOST_CHUNK // 4
        self._relieved = asyncio.Event()
        self._released = False
        self._worked = asyncio.Event()

    # ---- the task ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Dispatch until cancelled."""
        current_fields.set(PIPELINE)
        try:
            while True:
                entries_before = self.counters.entries
                if self._guarded_work():
                    await self._yield()
                elif self.counters.entries > entries_before:
                    await self._rest(self._linger_seconds)
                elif self._ingress.rest():
                    await self._rest(_LONGEST_REST_SECONDS)
        finally:
            self._ingress.leave()

    def set_sinks(self, batchings: Iterable[tuple[Batching, Admission]], leaving: Iterable[Batching] = ()) -> None:
        """Route to these sinks from now on; for those that are leaving only form batches of what they have."""
        self._sinks = tuple(batchings)
        self._batchings = tuple(batching for batching, _ in self._sinks)
        self._forming = (*self._batchings, *leaving)
        self._by_logger = any(admission.by_logger for _, admission in self._sinks)
        self._routes.clear()
        self._ways.clear()

    def set_observers(self, observers: Iterable[Observer]) -> None:
        """Show entries to these from now on."""
        self._observers = tuple(observers)
        self._routes.clear()
        self._ways.clear()

    def pace(self, slice_seconds: float, linger_seconds: float) -> None:
        """Work at another pace."""
        self._slice_seconds = slice_seconds
        self._linger_seconds = linger_seconds

    def rebind(self) -> None:
        """Forget the loop that was; `run` begins on another one."""
        self._began_ns = time_ns()
        self._waiter = None
        self._relieved = asyncio.Event()
        self._worked = asyncio.Event()

    def _guarded_work(self) -> bool:
        """Work, and survive a fault of our own: one that ended this task would end all logging in silence."""
        try:
            return self.work()
        except Exception as error:  # noqa: BLE001 - see above
            self.counters.faults += 1
            self._notices.say("dispatcher", f"{type(error).__name__}: {error}; please report this")
            return True

    def work(self) -> bool:
        """Work for one slice; True when there is more to do at once."""
        started = now = perf_counter()
        deadline = started + self._slice_seconds
        self._woken = False
        more = True
        while more and now < deadline:
            before = now
            more = self._step()
            now = perf_counter()
            self._adapt(now - before)
        self._relieve()
        self._worked.set()
        counters = self.counters
        counters.slices += 1
        counters.busy_seconds += now - started
        counters.slice_max_seconds = max(counters.slice_max_seconds, now - started)
        return more

    def _adapt(self, step_seconds: float) -> None:
        """Let a step fit into a slice, whatever the machine and the number of sinks."""
        if step_seconds > self._slice_seconds:
            self._chunk_entries = max(_LEAST_CHUNK, self._chunk_entries // 2)
        elif step_seconds * 2 < self._slice_seconds:
            self._chunk_entries = min(_MOST_CHUNK, self._chunk_entries * 2)

    def wake(self) -> None:
        """Look again: entries have arrived or a sink has room; call it on the loop."""
        self._woken = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _yield(self) -> None:
        now = perf_counter()
        if not self._jobs.pending:
            self._waited_at = now
        elif now - self._waited_at >= _POLLING_SECONDS:
            await self._jobs.wait_one(_JOB_WAIT_SECONDS)
            self._waited_at = perf_counter()
            return
        await asyncio.sleep(0)

    async def _rest(self, most_seconds: float) -> None:
        """Wait until woken, until a batch is due, or for `most_seconds`."""
        if self._woken:
            return
        now = monotonic()
        waits = [due for batching in self._forming if (due := batching.due_in(now)) is not None]
        waits.append(most_seconds)
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(min(waits), self.wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            timer.cancel()

    # ---- one step ---------------------------------------------------------------------------------------------

    def _step(self) -> bool:
        chunk = self._chunk_entries
        captures = self._ingress.take(chunk)
        if captures:
            self._watch_wait(captures[0])
            self._route(captures)
            for observer in self._observers:
                if added := observer.take():
                    self._route(added)
        now = monotonic()
        more = len(captures) == chunk
        if not more or now >= self._loss_told_at + _LOSS_EVERY_SECONDS:
            self._report_loss(now)
        for batching in self._forming:
            more = batching.form(2 * chunk, now) or more
        return more

    def _route(self, captures: list[Capture]) -> None:
        """Offer a chunk to the lanes; entries of one lane keep their order, whatever their routes."""
        owners: list[Route | None] = [None] * len(Lane)
        if self._by_logger:
            self._collect_by_logger(captures, owners)
        else:
            self._collect(captures, owners)
        for owner in owners:
            if owner is not None:
                owner.pass_on()
        self.counters.entries += len(captures)

    def _collect(self, captures: list[Capture], owners: list[Route | None]) -> None:
        route: Route | None = None
        level, log_type = 0, ""
        for capture in captures:
            if route is None or capture[2] != level or capture[11] != log_type:
                level, log_type = capture[2], capture[11]
                route = self._routes.get((level, log_type, "")) or self._new_route(level, log_type, "")
                _take_over(owners, route)
            route.entries.append(capture)

    def _collect_by_logger(self, captures: list[Capture], owners: list[Route | None]) -> None:
        for capture in captures:
            level, log_type, logger = capture[2], capture[11], capture[3]
            route = self._routes.get((level, log_type, logger)) or self._new_route(level, log_type, logger)
            _take_over(owners, route)
            route.entries.append(capture)

    def _new_route(self, level: int, log_type: str, logger: str) -> Route:
        lane = lane_of(level, log_type)
        wanted = tuple(batching for batching, admission in self._sinks if admission(level, log_type, logger))
        # one object for all with the same way, so that neighbours of different level or logger travel together
        observers = tuple(observer for observer in self._observers if observer.wants(level, log_type))
        route = self._ways.get((lane, wanted, observers))
        if route is None:
            filtered = tuple(batching for batching in self._batchings if batching not in wanted)
            route = self._ways[lane, wanted, observers] = Route(lane, wanted, filtered, observers=observers)
            if self._journal is not None and lane >= Lane.ERROR:
                route.journal = self._journal
                route.mask = self._journal.obligations.mask(batching.name for batching in wanted)
        if len(self._routes) >= _MAX_ROUTES:
            self._routes.clear()
        self._routes[level, log_type, logger] = route
        return route

    def _watch_wait(self, oldest: Capture) -> None:
        """See how long the oldest entry of a chunk has waited: as long as others kept the loop, or it is overloaded."""
        waited_ns = time_ns() - max(oldest[TIME_NS], self._began_ns)
        if waited_ns > self._longest_wait_ns:
            self._longest_wait_ns = waited_ns
            self.counters.wait_max_seconds = waited_ns / 1e9
        if waited_ns > _LONG_WAIT_NS:
            self.counters.long_waits += 1

    def _report_loss(self, now: float) -> None:
        loss = self._ingress.take_loss()
        if loss is None:
            return
        self._loss_told_at = now
        entry = gap_entry(
            "ingress", loss.by_level, (loss.first_seq, loss.last_seq), (loss.first_ns, loss.last_ns), INGRESS_FULL
        )
        for batching in self._batchings:
            batching.report(entry)

    # ---- backpressure and flush -------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether bulk producers may go on: no sink is under pressure, what is in ingress counted in."""
        entries, total_bytes = self._ingress.queued_entries, self._ingress.queued_bytes
        # all are asked, since each keeps its own hysteresis
        pressed = [batching.lanes.pressed(entries, total_bytes) for batching in self._batchings]
        return not any(pressed)

    async def wait_ready(self) -> None:
        """Wait until `ready`."""
        while not self.ready and not self._released:
            self._relieved.clear()
            await self._relieved.wait()

    def release(self) -> None:
        """Logging stops: nobody waits here any longer, threads at the gate neither."""
        self._released = True
        self._relieved.set()
        self._ingress.open_gate()

    def _relieve(self) -> None:
        rooms = [room for batching in self._batchings if (room := batching.lanes.room) is not None]
        if rooms and not self._released:
            self._ingress.close_gate(min(room[0] for room in rooms), min(room[1] for room in rooms))
        if not self._relieved.is_set() and self.ready:
            self._relieved.set()

    async def taken(self) -> None:
        """Wait until all that is in ingress now has been routed."""
        goal = self._ingress.accepted
        while self._ingress.taken < goal:
            self._worked.clear()
            self.wake()
            await self._worked.wait()


def _take_over(owners: list[Route | None], route: Route) -> None:
    """Make `route` the one that collects for its lane; what another has collected goes on first."""
    owner = owners[route.lane]
    if owner is not route:
        if owner is not None:
            owner.pass_on()
        owners[route.lane] = route
