"""The running parts between log calls and destinations: ingress, dispatcher, deliveries, sinks, and their tasks.

They live on one event loop at a time. `start` begins on the running loop; `pause` leaves it, `abandon` gives up one
that was closed under us, and `start` then goes on elsewhere with every entry there was.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import Any, Final, final

from metaexpert.exceptions import LoggingStateError
from metaexpert.logger import assembly
from metaexpert.logger.closing import Closable, close_all
from metaexpert.logger.companions import Companions, Surroundings
from metaexpert.logger.config import AnySink, LoggerConfig
from metaexpert.logger.delivery import SHUTDOWN, Delivery
from metaexpert.logger.dispatcher import Dispatcher
from metaexpert.logger.entry import Capture
from metaexpert.logger.evidence import anchor_entry
from metaexpert.logger.files.evidence.chain import Anchor
from metaexpert.logger.files.keeping.housekeeping_thread import HousekeepingThread
from metaexpert.logger.files.keeping.kept_logs import kept_logs
from metaexpert.logger.held_back.held_back import HeldBack, held_back_for
from metaexpert.logger.identity import Identity
from metaexpert.logger.ingress import Ingress
from metaexpert.logger.jobs import Jobs
from metaexpert.logger.keeping import Keeping
from metaexpert.logger.lineup import Lineup, Member
from metaexpert.logger.notices import Notices
from metaexpert.logger.sinks.base import Sink
from metaexpert.logger.snapshots import ingress_stats
from metaexpert.logger.stats import DispatcherStats, RuntimeStats
from metaexpert.logger.tasks import OwnedTask, ended

_LAST_ROUNDS: Final = 2
"""Flushes at a stop: the second is for the gap entry of what the first one had to shed, and companions' last words."""

_CLOSE_SECONDS: Final = 1.0
"""How long closing the sinks may take beyond the deadline."""

_KEEP_SECONDS: Final = 2.0
"""How long bringing entries to disk queues may take beyond the deadline."""

_ALONE_SLICE_SECONDS: Final = 0.005

_HOLD_SECONDS: Final = 1.0
"""How long a write under way may take to end before its worker is cancelled; what it wrote is then sent again."""


@final
class Pipeline:
    """Everything behind the log call, for one configuration.

    Args:
        config: what to run; no I/O happens before `start`.
        identity: the process that writes.
        notices: where trouble is told.
    """

    def __init__(self, config: LoggerConfig, identity: Identity, notices: Notices) -> None:
        self.config = config
        self._identity = identity
        self._notices = notices
        self._jobs = Jobs()
        self._tasks: dict[str, OwnedTask] = {}
        self._lost_entries = 0
        self._alone = False
        self._loops = 0
        self._housekeeping = HousekeepingThread(config.log_dir, kept_logs(config), notices)
        self._lineup = Lineup(
            self._jobs, notices, wake=self._wake, rotated=self._housekeeping.wake, anchored=self._anchored
        )
        self.journal = assembly.journal_for(config, identity)
        self._keeping = self.journal and Keeping(
            self.journal,
            config.journal,
            self._jobs,
            notices,
            encoders=lambda of: self._lineup.encoders(self.config, of),
            report=self._report,
            sync_sinks=self._lineup.sync_files,
            sync_former=self._lineup.sync_former_files,
            unheard=self._poke,
        )
        self.held_back: HeldBack | None = held_back_for(config.buffer_until_error, None)
        self.ingress = Ingress(*assembly.ingress_bounds(config))
        if self.journal is not None:
            self.ingress.rely_on(self.journal)
        self._add(self._lineup.made(config, config.all_sinks(), identity))
        self.dispatcher = Dispatcher(
            self.ingress,
            self._lineup.routed,
            self._jobs,
            notices,
            slice_seconds=config.dispatcher.slice,
            linger_seconds=config.dispatcher.linger,
            journal=self.journal,
        )
        surroundings = Surroundings(
            report=self.ingress.put_own, stats=self.stats, notices=notices, identity=identity, jobs=self._jobs
        )
        self._companions = Companions(config, surroundings)
        self.dispatcher.set_observers(self._companions.observers)

    def _report(self, entry: Capture) -> None:
        self.ingress.put(entry)
        self.dispatcher.wake()

    def _anchored(self, anchor: Anchor) -> None:
        """In a file's thread: have all sinks hold a head of its seals."""
        self.ingress.put_own(anchor_entry(anchor))

    def _add(self, made: Mapping[str, Member]) -> None:
        self._lineup.add(made)
        if self._keeping is not None:
            for name, member in made.items():
                self._keeping.keep_for(name, member.delivery)

    def _wake(self) -> None:
        self.dispatcher.wake()

    def _poke(self) -> None:
        self.ingress.poke()

    def open_journal(self) -> None:
        """Make what calls need to write to the journal; blocks for a moment."""
        if self._keeping is not None:
            self._keeping.open(list(self._lineup))

    # ---- on a loop --------------------------------------------------------------------------------------------

    def start(self, *, alone: bool) -> None:
        """Begin, or go on, on the running loop.

        Args:
            alone: nobody else lives on it, so that work need not be cut into slices as short as beside coroutines.
        """
        self._alone = alone
        self._set_pace()
        self._housekeeping.start()
        self._begin("dispatcher", self.dispatcher.run)
        self._begin_companions()
        self._is_handed_over = asyncio.Event()
        if self._keeping is not None:
            self._keeping.journal.loop = asyncio.get_running_loop()
            self._begin("journal", self._keeping.run)
            if self._keeping.has_to_recover:
                self._begin("recovery", self._recover)
                return
        self._begin_deliveries()

    def _begin_companions(self) -> None:
        for name, run in self._companions.runs.items():
            if name not in self._tasks:
                self._begin(name, run)

    def _begin_deliveries(self) -> None:
        self._is_handed_over.set()
        for name in self._lineup:
            self._begin_delivery(name)

    async def _recover(self) -> None:
        """Deliver first what former runs have left."""
        try:
            if self._keeping is not None:
                await self._keeping.recover(
                    {each.options.name: (each.delivery, assembly.taking(each.options)) for each in self._lineup.members}
                )
        except Exception as error:  # noqa: BLE001 - live entries wait for this: they must not wait for ever
            text = f"what earlier runs left stays for the next start: {type(error).__name__}: {error}"
            self._notices.say("journal", text)
        self._begin_deliveries()
        self._tasks.pop("recovery").disown()

    def _set_pace(self) -> None:
        pace = self.config.dispatcher
        self.dispatcher.pace(max(pace.slice, _ALONE_SLICE_SECONDS) if self._alone else pace.slice, pace.linger)

    def _begin_delivery(self, name: str) -> None:
        self._begin(f"sink-{name}", self._lineup[name].delivery.run)

    def _begin(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._tasks[name] = OwnedTask(name, run)

    async def pause(self) -> None:
        """Leave this loop: tasks end where they can go on, sinks let go of what belongs to it."""
        await self._release(list(self._lineup))
        await self._end_tasks(list(self._tasks))
        self._rebind()

    def abandon(self) -> None:
        """Leave a loop that was closed, or runs no more."""
        for task in self._tasks.values():
            task.abandon()
        self._tasks.clear()
        self._rebind()

    def leave_to_child(self) -> None:
        """In a forked child, which may go on in the loop it was forked in: nothing of this is to write there.

        The coroutines stay as they are: closing them would close connections of the parent's, whose epoll is shared.
        """
        for task in self._tasks.values():
            task.disown()
        for delivery in self._lineup.deliveries:
            delivery.freeze()
        if self.journal is not None:
            self.journal.forget()

    def _rebind(self) -> None:
        self._loops += 1
        self._jobs.rebind()
        self.dispatcher.rebind()
        for delivery in self._lineup.deliveries:
            delivery.rebind()

    async def _end_tasks(self, names: Sequence[str]) -> bool:
        """Cancel these tasks and wait; whether the waiting task was cancelled."""
        # while former runs' entries are taken over the workers have not begun yet
        tasks = [self._tasks.pop(name) for name in names if name in self._tasks]
        for task in tasks:
            task.cancel()
        return await ended(tasks)

    # ---- the end ----------------------------------------------------------------------------------------------

    async def stop(self) -> bool:
        """Flush within `shutdown_timeout` seconds, count the rest as dropped, end and close everything.

        Returns:
            Whether the calling task was cancelled meanwhile, which hurried nothing.
        """
        self.dispatcher.release()
        self._housekeeping.stop()
        cancelled = await self._end_tasks(list(self._companions.runs))
        cancelled = await self._last_flush() or cancelled
        cancelled = await self._end_tasks(list(self._tasks)) or cancelled
        cancelled = await self._kept() or cancelled
        self._give_up()
        try:
            await self._close(self._lineup.members)
        except asyncio.CancelledError:  # they are closed all the same
            cancelled = True
        cancelled = await self._housekeeping.ended(self._jobs, _CLOSE_SECONDS) or cancelled
        return (self._keeping is not None and await self._keeping.close()) or cancelled

    async def _last_flush(self) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.config.shutdown_timeout
        cancelled = False
        while True:
            try:
                await self._handed_over(deadline - loop.time())
                for _ in range(_LAST_ROUNDS):
                    for delivery in self._lineup.deliveries:
                        delivery.hurry()
                    left = max(0.0, deadline - loop.time())
                    # a destination that takes all the time there is leaves alerts about it theirs
                    await asyncio.gather(self.drained(left), self._companions_finished(left))
            except asyncio.CancelledError:
                cancelled = True
            else:
                return cancelled

    async def _companions_finished(self, most_seconds: float) -> None:
        """Let them say their last when they have seen all entries there are."""
        deadline = asyncio.get_running_loop().time() + most_seconds
        await self.drained(most_seconds, ())
        await self._companions.finish(max(0.0, deadline - asyncio.get_running_loop().time()))

    async def _handed_over(self, most_seconds: float) -> None:
        """Wait until what former runs left has been handed over."""
        try:
            async with asyncio.timeout(max(0.0, most_seconds)):
                await self._is_handed_over.wait()
        except TimeoutError:
            return

    async def _kept(self) -> bool:
        """Bring what is left to the disk queues there are; whether this task was cancelled meanwhile."""
        cancelled = False
        while True:
            try:
                await asyncio.gather(*[delivery.keep(_KEEP_SECONDS) for delivery in self._lineup.deliveries])
            except asyncio.CancelledError:
                cancelled = True
            else:
                return cancelled

    def _give_up(self) -> None:
        self.ingress.detach()
        left = self.ingress.give_up(SHUTDOWN)
        if left:
            self._notices.say("logging stopped", f"{left} entries could not be routed to any sink in time")
        for delivery in self._lineup.deliveries:
            self._give_up_sink(delivery)

    def _give_up_sink(self, delivery: Delivery) -> None:
        left = delivery.give_up()
        if left:
            state = delivery.health.last_error or "too slow"
            self._notices.say(
                f"sink {delivery.name} stopped", f"{left} entries could not be delivered in time ({state})"
            )
        delivery.health.stopped()

    async def _close(self, members: Iterable[Member]) -> None:
        closable: dict[str, Closable] = {}
        for member in members:
            closable |= member.closable
        await close_all(closable, _CLOSE_SECONDS, self._notices)

    # ---- another configuration --------------------------------------------------------------------------------

    async def apply(self, config: LoggerConfig) -> None:
        """Go over to `config`: sinks that stay the same go on untouched, others come, go, or hand their entries over.

        Raises:
            ConfigError: a sink cannot be made; nothing has changed then.
            LoggingStateError: what earlier runs left is still being taken over, or the loop was left; likewise.
        """
        await self._handed_over(self.config.shutdown_timeout)
        if not self._is_handed_over.is_set():
            raise LoggingStateError("what earlier runs left is still being taken over; reload again when it is")
        wanted = {options.name: options for options in config.all_sinks()}
        identity = replace(self._identity, service=config.log_name)
        new = [options for options in wanted.values() if not self._stays(options, config)]
        made = self._lineup.made(config, new, identity)
        changed = [name for name in made if name in self._lineup]
        planned = self._companions.plan(config)
        loops = self._loops
        try:
            await self._release(changed)
            for name in changed:
                before = self._lineup[name]
                await before.delivery.keep(_KEEP_SECONDS, close=before.options.type != made[name].options.type)
        except BaseException:  # somebody cancelled all tasks there are: the old ones go on
            self._go_on_with(changed)
            raise
        if loops != self._loops:
            raise LoggingStateError("the event loop was left amid a reload; the configuration is as it was")
        self._identity = identity
        # nothing awaits from here to the new routes: no entry slips between the old ones and them
        for name in changed:
            made[name].delivery.take_over(self._lineup[name].delivery)
        self.config = config
        self.held_back = held_back_for(config.buffer_until_error, self.held_back)
        self._go_over_to_journal_of(config)
        self._housekeeping.go_over_to(config.log_dir, kept_logs(config))
        self._add(made)
        gone = self._lineup.leave_only(wanted)
        outdated = self._companions.adopt(planned)
        self.dispatcher.set_observers(self._companions.observers)
        self.dispatcher.set_sinks(self._lineup.routed, [member.delivery.batching for member in gone])
        self._set_pace()
        self.ingress.resize(*assembly.ingress_bounds(config))
        for name in made:
            self._begin_delivery(name)
        await self._end_tasks(outdated)
        self._begin_companions()
        await asyncio.gather(*[self._dismiss(member) for member in gone])
        self.dispatcher.set_sinks(self._lineup.routed)

    def _go_over_to_journal_of(self, config: LoggerConfig) -> None:
        """Let the journal serve these sinks, by these options; say what has to wait for the next start."""
        late = ["enabled"] if assembly.wants_journal(config) != (self._keeping is not None) else []
        if self._keeping is not None:
            self._keeping.know([options.name for options in config.all_sinks()])
            late += self._keeping.reconfigure(config.journal, config.journal_folder)
        if late:
            names = ", ".join(f"journal.{name}" for name in late)
            self._notices.say("reload", f"{names}: what changed here is in force from the next start on")

    def _go_on_with(self, names: Sequence[str]) -> None:
        for name in names:
            self._lineup[name].delivery.thaw()
            task = self._tasks.get(f"sink-{name}")
            if task is None:
                self._begin_delivery(name)
            else:
                task.begin_anew()

    def _stays(self, options: AnySink, config: LoggerConfig) -> bool:
        now = self.config
        surroundings = (config.log_dir, config.queue, config.log_name) == (now.log_dir, now.queue, now.log_name)
        return surroundings and self._lineup.keeps(options)

    async def _release(self, names: Sequence[str]) -> None:
        """Let the writes under way end, then the workers, and close what they wrote to."""
        released = [self._lineup[name] for name in names]
        await asyncio.gather(*[member.delivery.hold(_HOLD_SECONDS) for member in released])
        await self._end_tasks([f"sink-{name}" for name in names])
        await self._close(released)

    async def _dismiss(self, member: Member) -> None:
        """Let a sink that gets nothing more deliver what it has, and end it."""
        delivery = member.delivery
        delivery.hurry()
        try:
            async with asyncio.timeout(self.config.shutdown_timeout):
                await delivery.drained()
        except TimeoutError:
            pass
        await self._end_tasks([f"sink-{delivery.name}"])
        await delivery.keep(_KEEP_SECONDS)
        delivery.disown()
        self._give_up_sink(delivery)
        await self._close([member])
        self._lineup.keep_figures(member)

    # ---- use --------------------------------------------------------------------------------------------------

    async def flush(self, timeout_seconds: float) -> bool:
        """Wait until everything logged so far is acknowledged; False when time ran out or something was lost since."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        await self._handed_over(timeout_seconds)
        if not await self.drained(max(0.0, deadline - asyncio.get_running_loop().time())):
            return False
        lost_before, self._lost_entries = self._lost_entries, self.lost
        return self._lost_entries == lost_before

    async def drained(self, timeout_seconds: float, names: Sequence[str] | None = None) -> bool:
        """Wait until everything logged so far is settled, by the named sinks or all; False when the time ran out."""
        waited_for = [self._lineup[name].delivery for name in (self._lineup if names is None else names)]
        try:
            async with asyncio.timeout(timeout_seconds):
                await self.dispatcher.taken()
                async with asyncio.TaskGroup() as group:
                    for delivery in waited_for:
                        group.create_task(delivery.drained())
        except TimeoutError:
            return False
        return True

    @property
    def settled(self) -> bool:
        """Whether, after a stop, nothing is in flight and nothing was lost since the last flush."""
        return self.ingress.queued_entries + self._lineup.in_flight == 0 and self.lost == self._lost_entries

    @property
    def lost(self) -> int:
        """Entries dropped on the way in, and those each sink dropped or rejected."""
        return self.ingress.dropped.total() + self._lineup.lost

    @property
    def local_sinks(self) -> list[str]:
        """The sinks of this machine that take all entries there are to take without asking a network."""
        return self._lineup.local

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """The sinks by name."""
        return self._lineup.sinks

    def stats(self) -> RuntimeStats:
        """A snapshot; sinks that a reload removed keep their last one."""
        return RuntimeStats(
            ingress=ingress_stats(self.ingress),
            dispatcher=DispatcherStats(**asdict(self.dispatcher.counters)),
            journal=None if self._keeping is None else self._keeping.stats(),
            housekeeping=self._housekeeping.stats(),
            held_back=None if self.held_back is None else self.held_back.stats(),
            companions=MappingProxyType(self._companions.figures()),
            sinks=self._lineup.stats,
        )
