"""The one logging runtime of a process: wires and owns everything, starts and stops it.

Start: log calls are connected to a new ingress, what was logged before goes in first, then the dispatcher and one
worker a sink run. Stop, within `shutdown_timeout`: log calls go back to waiting, everything taken in is flushed, what
is left after the deadline is counted as dropped and said on stderr, then tasks, sinks and threads end.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, final

from metaexpert.exceptions import LoggingStateError
from metaexpert.logger import assembly
from metaexpert.logger.config import LoggerConfig
from metaexpert.logger.delivery import SHUTDOWN
from metaexpert.logger.dispatcher import Dispatcher, DispatcherCounters
from metaexpert.logger.entry import LEVEL, LOG_TYPE, PROTECTED_LOG_TYPES, TRADE_DATA, Capture
from metaexpert.logger.identity import Identity
from metaexpert.logger.ingress import Ingress
from metaexpert.logger.jobs import Jobs
from metaexpert.logger.lanes import Overflow
from metaexpert.logger.notices import Notices
from metaexpert.logger.options.queue import QueueOptions
from metaexpert.logger.port import disconnect_in_children, port
from metaexpert.logger.redaction import Redactor
from metaexpert.logger.sinks.base import Sink
from metaexpert.logger.stats import DispatcherStats, IngressStats, RuntimeStats, SinkStats
from metaexpert.logger.values import ValueEncoder

if TYPE_CHECKING:
    from metaexpert.logger.delivery import Delivery

_INGRESS_SHARE: Final = 2
"""Ingress holds this many times what a sink may hold, so that a burst waits there while the loop is busy elsewhere."""

_LAST_ROUNDS: Final = 2
"""Flushes at a stop: the second is for the gap entry of what the first one had to shed."""

_CLOSE_SECONDS: Final = 1.0
"""How long closing the sinks may take beyond the deadline."""


@final
class LoggingRuntime:
    """Runs logging beside your coroutines; an async context manager.

    Args:
        config: what to run; see `LoggerConfig`.
    """

    def __init__(self, config: LoggerConfig) -> None:
        self.config = config
        self.identity = Identity(service=config.log_name)
        self._notices = Notices()
        self._jobs = Jobs()
        self._options = config.all_sinks()
        self._ingress = _new_ingress([options.queue or config.queue for options in self._options] or [config.queue])
        self._types = {options.name: options.type for options in self._options}
        self._sinks: dict[str, Sink] = {}
        self._deliveries: dict[str, Delivery] = {}
        self._dispatcher: Dispatcher | None = None
        self._tasks: list[_Owned] = []
        self._root_level = logging.root.level
        self._lost_entries = 0

    # ---- life -------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stopping = asyncio.create_task(self.stop(), name="metaexpert-stop")
        cancelled = False
        while not stopping.done():
            try:
                await asyncio.shield(stopping)
            except asyncio.CancelledError:
                cancelled = True  # however often: the deadline bounds the wait, and then the cancellation goes on
        if cancelled or stopping.cancelled():
            raise asyncio.CancelledError
        stopping.result()

    async def start(self) -> None:
        """Connect the log calls and start the tasks.

        Raises:
            LoggingStateError: logging runs already in this process, or this runtime ran before.
        """
        if port.attached:
            message = "logging is already running in this process; stop that runtime first or use it"
            raise LoggingStateError(message)
        if self._dispatcher is not None:
            message = "a LoggingRuntime runs once; call setup_logging again for another"
            raise LoggingStateError(message)
        self._dispatcher = self._assemble()
        self._connect(asyncio.get_running_loop(), self._dispatcher)
        disconnect_in_children()
        runs = {"dispatcher": self._dispatcher.run} | {name: one.run for name, one in self._deliveries.items()}
        self._tasks = [_Owned(name, run) for name, run in runs.items()]

    def _assemble(self) -> Dispatcher:
        json_lines = assembly.json_lines_for(self._options, self.identity)
        parts = assembly.SinkAssembly(self.config.log_dir, self.identity, self._jobs, json_lines)
        for options in self._options:
            sink = self._sinks[options.name] = parts.sink(options)
            self._deliveries[options.name] = assembly.new_delivery(
                options, sink, self.config, self._notices, self._wake
            )
        return Dispatcher(
            self._ingress,
            [(self._deliveries[options.name], assembly.accepts(options)) for options in self._options],
            self._jobs,
            self._notices,
            slice_seconds=self.config.dispatcher.slice,
            linger_seconds=self.config.dispatcher.linger,
        )

    def _wake(self) -> None:
        if self._dispatcher is not None:
            self._dispatcher.wake()

    def _connect(self, loop: asyncio.AbstractEventLoop, dispatcher: Dispatcher) -> None:
        redaction = self.config.redaction
        encoder = ValueEncoder(Redactor(redaction.keys, redaction.allow))
        waiting = port.ingress
        self._root_level = logging.root.level
        logging.root.setLevel(self.config.log_level)
        self._ingress.attach(loop, dispatcher.wake)
        port.connect(self._ingress, encoder, loop)
        waiting.retire(self._ingress.put)
        # what was logged before is older than all that comes now, and the dispatcher has not begun: it goes in front
        early = [capture for capture in waiting.take(waiting.queued_entries) if _still_wanted(capture)]
        if redaction.keys or redaction.allow:
            early = [_under_rules(capture, encoder) for capture in early]
        self._ingress.put_first(early)
        loss = waiting.take_loss()
        if loss is not None:
            self._ingress.add_loss(loss)
        loop.call_soon(self._sweep, waiting, self._ingress.put)

    def _sweep(self, retired: Ingress, put: Callable[[Capture], None]) -> None:
        """Pass on what a thread brought that was interrupted within its call while this ingress retired."""
        for capture in retired.take(retired.queued_entries):
            put(capture)

    async def stop(self) -> None:
        """Flush and end everything within `shutdown_timeout` seconds; a second call does nothing.

        Cancelling it does not hurry it: the deadline does, and then the cancellation goes on.
        """
        dispatcher = self._dispatcher
        if dispatcher is None or not self._tasks:
            return
        tasks, self._tasks = self._tasks, []
        self._disconnect(dispatcher)
        cancelled = await self._last_flush(dispatcher, tasks)
        for task in tasks:
            task.cancel()
        cancelled = await _ended(tasks) or cancelled
        self._give_up()
        await self._close_sinks()
        self._sweep(self._ingress, port.put)
        if cancelled:
            raise asyncio.CancelledError

    def _disconnect(self, dispatcher: Dispatcher) -> None:
        logging.root.setLevel(self._root_level)
        port.disconnect()
        self._ingress.retire(port.put)
        dispatcher.release()

    async def _last_flush(self, dispatcher: Dispatcher, tasks: list["_Owned"]) -> bool:
        """Flush until the deadline, whoever is cancelled meanwhile; whether this task was.

        At the end of `asyncio.run` all tasks are cancelled at once, ours too; then ours are begun again for the flush.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.config.shutdown_timeout
        cancelled = False
        for task in tasks:
            task.keep()
        while True:
            try:
                for _ in range(_LAST_ROUNDS):
                    for delivery in self._deliveries.values():
                        delivery.hurry()
                    await self._drained(dispatcher, max(0.0, deadline - loop.time()))
            except asyncio.CancelledError:
                cancelled = True
            else:
                return cancelled

    def _give_up(self) -> None:
        self._ingress.detach()
        left = self._ingress.give_up(SHUTDOWN)
        if left:
            self._notices.say("logging stopped", f"{left} entries could not be routed to any sink in time")
        for name, delivery in self._deliveries.items():
            left = delivery.give_up()
            if left:
                state = delivery.health.last_error or "too slow"
                self._notices.say(f"sink {name} stopped", f"{left} entries could not be delivered in time ({state})")
            delivery.health.stopped()

    async def _close_sinks(self) -> None:
        closing = [
            asyncio.create_task(sink.close(), name=f"metaexpert-close-{name}") for name, sink in self._sinks.items()
        ]
        if not closing:
            return
        done, late = await asyncio.wait(closing, timeout=_CLOSE_SECONDS)
        for task in late:
            task.cancel()
        for task in done:
            if not task.cancelled() and (error := task.exception()) is not None:
                self._notices.say(task.get_name().removeprefix("metaexpert-"), str(error))

    # ---- use --------------------------------------------------------------------------------------------------

    async def flush(self, timeout: float = 5.0) -> bool:
        """Wait until everything logged so far is acknowledged by every sink that takes it.

        Args:
            timeout: longest wait, seconds.

        Returns:
            True only when each sink acknowledged each of its entries; False when the time ran out, or when an entry was
            dropped or rejected, here or on the way in, since the last flush.
        """
        if self._dispatcher is None:
            return port.ingress.queued_entries == 0
        if not self._tasks:
            return self._in_flight() == 0 and self._lost() == self._lost_entries
        return await self._flush(self._dispatcher, timeout)

    async def _flush(self, dispatcher: Dispatcher, timeout_seconds: float) -> bool:
        if not await self._drained(dispatcher, timeout_seconds):
            return False
        lost_before, self._lost_entries = self._lost_entries, self._lost()
        return self._lost_entries == lost_before

    async def _drained(self, dispatcher: Dispatcher, timeout_seconds: float) -> bool:
        """Wait until everything logged so far is settled; False when the time ran out."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await dispatcher.taken()
                async with asyncio.TaskGroup() as group:
                    for delivery in self._deliveries.values():
                        group.create_task(delivery.drained())
        except TimeoutError:
            return False
        return True

    def _lost(self) -> int:
        return self._ingress.dropped.total() + sum(delivery.ledger.lost for delivery in self._deliveries.values())

    def _in_flight(self) -> int:
        return self._ingress.queued_entries + sum(delivery.in_flight for delivery in self._deliveries.values())

    async def wait_ready(self) -> None:
        """Wait until no sink is under pressure and ingress is not filling; for coroutines that log in bulk."""
        if self._dispatcher is not None and self._tasks:
            await self._dispatcher.wait_ready()

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """The sinks by name, for instance to look into a memory sink."""
        return MappingProxyType(self._sinks)

    def stats(self) -> RuntimeStats:
        """A snapshot of depths, counts and states; after the stop, the final one."""
        counters = self._dispatcher.counters if self._dispatcher is not None else DispatcherCounters()
        ingress = self._ingress
        return RuntimeStats(
            ingress=IngressStats(
                queued_entries=ingress.queued_entries,
                queued_bytes=ingress.queued_bytes,
                accepted=ingress.accepted,
                dropped=_named(dict(ingress.dropped)),
                self_logged=ingress.self_logged,
            ),
            dispatcher=DispatcherStats(**asdict(counters)),
            sinks=MappingProxyType(
                {name: _sink_stats(delivery, self._types[name]) for name, delivery in self._deliveries.items()}
            ),
        )


def _sink_stats(delivery: "Delivery", kind: str) -> SinkStats:
    lanes = delivery.lanes
    return SinkStats(
        name=delivery.name,
        type=kind,
        state=delivery.health.state,
        queued_entries=delivery.in_flight,
        queued_bytes=lanes.bytes + lanes.held_bytes,
        batches=delivery.counters.batches,
        retries=delivery.counters.retries,
        bytes_written=delivery.counters.bytes_written,
        last_error=delivery.health.last_error,
        ledger=delivery.ledger.snapshot(delivery.in_flight),
    )


@final
class _Owned:
    """A task of the runtime's, which goes on when somebody else cancels it."""

    def __init__(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._name = name
        self._run = run
        self._kept = False
        self.task = self._begin()

    def _begin(self) -> asyncio.Task[None]:
        task = asyncio.create_task(self._run(), name=f"metaexpert-{self._name}")
        task.add_done_callback(self._begin_again)
        return task

    def keep(self) -> None:
        """From now on the task ends by `cancel` alone: one that has ended, or ends, is begun again."""
        self._kept = True
        self._begin_again(self.task)

    def _begin_again(self, task: asyncio.Task[None]) -> None:
        if self._kept and task is self.task and task.done():
            self.task = self._begin()

    def cancel(self) -> None:
        """End the task."""
        self._kept = False
        self.task.cancel()


async def _ended(owned: list[_Owned]) -> bool:
    """Wait until all tasks have ended; whether this task was cancelled meanwhile."""
    cancelled = False
    while not all(each.task.done() for each in owned):
        try:
            await asyncio.wait([each.task for each in owned])
        except asyncio.CancelledError:
            cancelled = True
    return cancelled


def _new_ingress(queues: Sequence[QueueOptions]) -> Ingress:
    """An ingress for sinks with such queues."""
    return Ingress(
        _INGRESS_SHARE * max(queue.max_entries for queue in queues),
        _INGRESS_SHARE * max(queue.max_bytes for queue in queues),
        max((queue.block_timeout for queue in queues if queue.overflow is Overflow.BLOCK), default=0.0),
    )


def _still_wanted(capture: Capture) -> bool:
    """Whether an entry logged before the start passes the levels now in force."""
    return capture[LOG_TYPE] in PROTECTED_LOG_TYPES or logging.getLogger(capture[3]).isEnabledFor(capture[LEVEL])


def _named(dropped: dict[tuple[int, str], int]) -> Mapping[tuple[str, str], int]:
    return MappingProxyType({(logging.getLevelName(level), why): count for (level, why), count in dropped.items()})


def _under_rules(capture: Capture, encoder: ValueEncoder) -> Capture:
    """An entry logged before the start, under the configured redaction rules."""
    details = capture[12]
    if details is not None and details[TRADE_DATA]:
        details = (*details[:TRADE_DATA], b"{%b}" % encoder.again(details[TRADE_DATA][1:-1]))
    return (*capture[:7], encoder.again(capture[7]), encoder.again(capture[8]), *capture[9:12], details, capture[13])


def setup_logging(config: LoggerConfig | None = None) -> LoggingRuntime:
    """Make the logging runtime of a block, for `async with`.

    Args:
        config: the configuration; `LoggerConfig.load()` when left out.

    Raises:
        ConfigError: the loaded configuration is not usable.
    """
    return LoggingRuntime(LoggerConfig.load() if config is None else config)
