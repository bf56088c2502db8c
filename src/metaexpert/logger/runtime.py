"""The one logging runtime of a process: starts and stops it, and moves it where a program's event loops come and go.

It lives on the loop it was started on, or on a thread of its own where there was none. Start: log calls are connected
to the pipeline, what was logged before goes in first. Stop, within `shutdown_timeout`: log calls go back to waiting,
everything taken in is flushed, what is left after the deadline goes to disk queues, or is counted as dropped; both are
said on stderr. A loop that is closed before that is left for a thread, with all there was; what nobody stopped is
stopped at the process's exit.
"""

import asyncio
import logging
from asyncio.events import _get_running_loop  # pyright: ignore[reportPrivateUsage] - None instead of an exception
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from enum import Enum
from time import monotonic
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, final

from metaexpert.exceptions import LoggingStateError
from metaexpert.logger import at_exit
from metaexpert.logger.across_loops import LoopEndedError, Turns, done_on, done_on_sync
from metaexpert.logger.config import LoggerConfig
from metaexpert.logger.connection import Connection
from metaexpert.logger.hooks import UNHANDLED, Hooks, log_unhandled
from metaexpert.logger.identity import Identity
from metaexpert.logger.loop_thread import LoopThread, unheard
from metaexpert.logger.notices import Notices
from metaexpert.logger.pipeline import Pipeline
from metaexpert.logger.port import port
from metaexpert.logger.process import Process
from metaexpert.logger.stats import NO_STATS, RuntimeStats

if TYPE_CHECKING:
    from metaexpert.logger.sinks.base import Sink

_GRACE_SECONDS: Final = 3.0
"""What a stop on another thread may take beyond `shutdown_timeout`, until it is given up."""


class _Life(Enum):
    NEW = "new"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"


@final
class LoggingRuntime:
    """Runs logging beside your coroutines, or on a thread of its own in a program without a loop.

    An async context manager, and in such a program a plain one.

    Args:
        config: what to run; see `LoggerConfig`. Nothing starts here; `setup_logging` does both.
    """

    def __init__(self, config: LoggerConfig) -> None:
        self.config = config
        self.identity = Identity(service=config.log_name)
        self._notices = Notices()
        self._pipeline: Pipeline | None = None
        self._life = _Life.NEW
        self._home: asyncio.AbstractEventLoop | None = None
        self._thread: LoopThread | None = None
        self._main: asyncio.Task[Any] | None = None
        self.is_orphan = False  # its loop has ended without a stop
        self._moves = Turns()
        self._reloading = asyncio.Lock()
        self._changes: set[asyncio.Task[None]] = set()
        self._hooks = _hooks(config)
        self._process = Process(self, self.identity, self._notices)

    # ---- start ------------------------------------------------------------------------------------------------

    def begin(self) -> Self:
        """Connect the log calls and start: on the running loop, else on a thread with a loop of its own.

        Raises:
            LoggingStateError: logging runs already in this process, or this runtime ran before.
        """
        self._claim()
        if _get_running_loop() is not None:
            self._begin_here()
        else:
            self._begin_on_thread()
        self._process.enter(self.config)
        self._hooks.install()
        return self

    def _claim(self) -> None:
        left_behind = at_exit.remembered()
        if isinstance(left_behind, Process) and left_behind.runtime.is_orphan:
            left_behind.runtime.close()  # the program it was started in has ended without stopping it
        if port.attached:
            message = "logging is already running in this process; stop that runtime first, or use it and its reload()"
            raise LoggingStateError(message)
        if self._life is not _Life.NEW:
            raise LoggingStateError("a LoggingRuntime runs once; call setup_logging again for another")

    def _begin_here(self) -> None:
        self._main = asyncio.current_task()
        self._settle_in(self._new_pipeline())

    def _begin_on_thread(self) -> None:
        self._thread = LoopThread()
        self._thread.start()
        try:
            self._thread.run(self._settle_in_later(self._new_pipeline()))
        except BaseException:
            self._thread.end()
            raise

    def _new_pipeline(self) -> Pipeline:
        self._pipeline = Pipeline(self.config, self.identity, self._notices)
        self._connection = Connection(self._pipeline, self.identity.entry_id)
        self._pipeline.open_journal()
        return self._pipeline

    async def _settle_in_later(self, pipeline: Pipeline) -> None:
        self._settle_in(pipeline)

    def _settle_in(self, pipeline: Pipeline) -> None:
        """Live on the running loop from now on."""
        self._home = asyncio.get_running_loop()
        self._reloading = asyncio.Lock()
        own_thread = self._thread is not None and self._thread.loop is self._home
        self._connection.connect(self._home, self._orphaned, drains=own_thread)
        if not own_thread:
            self._hooks.watch(self._home)
        pipeline.start(alone=own_thread)
        self._life = _Life.RUNNING

    async def start(self) -> None:
        """Start on the running loop, or move here what was started elsewhere.

        Raises:
            LoggingStateError: logging runs already in this process, or this runtime ran before.
        """
        if self._life is _Life.RUNNING:
            await self._move_here()
        else:
            self.begin()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    def __enter__(self) -> Self:
        """Use it in a program without a loop.

        Raises:
            LoggingStateError: a loop is running in this thread; use `async with`.
        """
        if _get_running_loop() is not None:
            raise LoggingStateError("an event loop is running here: write `async with setup_logging(…)`")
        return self if self._life is _Life.RUNNING else self.begin()

    # ---- move -------------------------------------------------------------------------------------------------

    async def _move_here(self) -> None:
        """Leave the loop it lives on, whatever has become of that, for the running one."""
        async with self._moves:
            if self._life is _Life.RUNNING and self._home is not asyncio.get_running_loop():
                await self._move(None)

    async def _move(self, thread: LoopThread | None) -> None:
        pipeline, left, old_thread = self._running_pipeline(), self._home, self._thread
        self._hooks.unwatch()
        if left is None or not left.is_running() or not await self._paused_on(left, pipeline):
            pipeline.abandon()
        self._thread = thread
        self.is_orphan = thread is not None
        self._main = asyncio.current_task() if thread is None else None
        self._settle_in(pipeline)
        if old_thread is not None:
            old_thread.end()

    async def _paused_on(self, left: asyncio.AbstractEventLoop, pipeline: Pipeline) -> bool:
        try:
            await done_on(left, lambda: self._pause(pipeline))
        except LoopEndedError:
            return False
        return True

    async def _pause(self, pipeline: Pipeline) -> None:
        """Leave this loop, when a reload under way has ended."""
        async with self._reloading:
            await pipeline.pause()

    def _orphaned(self) -> None:
        """The loop was closed without a stop, and a log call found out: go on, on a thread."""
        self.is_orphan = True
        if self._life is _Life.RUNNING:
            thread = LoopThread()
            with suppress(RuntimeError):  # the interpreter ends and starts no more threads: its exit stops us
                thread.start()
                asyncio.run_coroutine_threadsafe(self._go_on_upon(thread), thread.loop)

    async def _go_on_upon(self, thread: LoopThread) -> None:
        async with self._moves:
            if self._life is _Life.RUNNING and self._home is not None and self._home.is_closed():
                await self._move(thread)
            else:
                thread.loop.call_soon(thread.loop.stop)

    # ---- stop -------------------------------------------------------------------------------------------------

    def _tell_of(self, error: BaseException | None) -> None:
        if isinstance(error, Exception) and self.config.capture.exceptions:
            log_unhandled(UNHANDLED, logging.CRITICAL, "leaving with an exception", error)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tell_of(error)
        if self._life is _Life.STOPPED:  # already, or in a forked child that leaves its parent's blocks
            return
        self._process.signals.begin_stop(asked=isinstance(error, asyncio.CancelledError | KeyboardInterrupt))
        stopping = asyncio.create_task(self.stop(), name="metaexpert-stop")
        cancelled = False
        while not stopping.done():
            try:
                await asyncio.shield(stopping)
            except asyncio.CancelledError:
                cancelled = True  # however often: the deadline bounds the wait, and then the cancellation goes on
        self._process.signals.end_stop()
        if cancelled or stopping.cancelled():
            raise asyncio.CancelledError
        stopping.result()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tell_of(error)
        self.close()

    async def stop(self) -> None:
        """Flush and end everything within `shutdown_timeout` seconds; a second call does nothing.

        Cancelling it does not hurry it: the deadline does, and then the cancellation goes on.
        """
        cancelled = False
        while self._life is _Life.RUNNING or self._left_amid_stop:
            try:
                cancelled = await self._stop_at_home() or cancelled
            except asyncio.CancelledError:
                cancelled = True
        if cancelled:
            raise asyncio.CancelledError

    async def _stop_at_home(self) -> bool:
        """Stop where it lives, or move here for it; whether this task was cancelled meanwhile."""
        home = self._home
        if home is asyncio.get_running_loop():
            return await self._stop_here()
        if self._life is _Life.STOPPING:
            return await self._end_anew()
        if home is None or not home.is_running():
            await self._move_here()
            return False
        with suppress(LoopEndedError):
            await done_on(home, self.stop)
            self._end_thread()
        return False

    async def _stop_here(self) -> bool:
        cancelled = await self._reloaded()
        async with self._moves:
            if self._life is not _Life.RUNNING or self._home is not asyncio.get_running_loop():
                return cancelled
            if self._reloading.locked():
                return cancelled  # another reload began meanwhile
            pipeline = self._running_pipeline()
            self._life = _Life.STOPPING
            self._connection.disconnect()
            self._hooks.remove()
        return await self._end(pipeline) or cancelled

    async def _end(self, pipeline: Pipeline) -> bool:
        cancelled = await pipeline.stop()
        self._connection.sweep()
        self._process.leave()
        self._life = _Life.STOPPED
        return cancelled

    @property
    def _left_amid_stop(self) -> bool:
        """Whether the loop of a stop under way runs no more."""
        return self._life is _Life.STOPPING and self._home is not None and not self._home.is_running()

    async def _end_anew(self) -> bool:
        async with self._moves:
            if self._pipeline is None or not self._left_amid_stop:
                return False
            self._home = asyncio.get_running_loop()
            self._pipeline.abandon()
            self._pipeline.start(alone=True)
        return await self._end(self._pipeline)

    async def _reloaded(self) -> bool:
        """Wait for a reload under way, which is bounded too; whether this task was cancelled meanwhile."""
        cancelled = False
        while self._reloading.locked():
            try:
                async with self._reloading:
                    pass
            except asyncio.CancelledError:
                cancelled = True
        return cancelled

    def _end_thread(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.end()

    def close(self) -> None:
        """Stop from a program without a loop, or from another thread than the loop's; as `stop`, but it blocks.

        Raises:
            LoggingStateError: called on the loop that logging lives on, which it would block; `await stop()` there.
        """
        deadline = monotonic() + self.config.shutdown_timeout + _GRACE_SECONDS
        while self._life is _Life.RUNNING or self._left_amid_stop:
            if not self._close_at_home(deadline):
                self._notices.say("logging stopped", "its loop did not come to it in time")
                return

    def _close_at_home(self, deadline: float) -> bool:
        """Stop where it lives, or on a loop made for it; False when that did not come to its end by `deadline`."""
        home, here = self._home, _get_running_loop()
        if here is not None and here is home:
            raise LoggingStateError("close() would block the loop that logging lives on; write `await runtime.stop()`")
        if home is not None and home.is_running():
            return self._close_on(home, deadline)
        if here is None:
            unheard(asyncio.run, self.stop())
            return True
        thread = LoopThread()
        thread.start()
        try:
            return self._close_on(thread.loop, deadline)
        finally:
            thread.end()

    def _close_on(self, loop: asyncio.AbstractEventLoop, deadline: float) -> bool:
        try:
            done_on_sync(loop, self.stop, deadline - monotonic())
            self._end_thread()
        except LoopEndedError:
            return True  # it is asked again, where it lives then
        except TimeoutError:
            return False
        return True

    # ---- use --------------------------------------------------------------------------------------------------

    async def reload(self, config: LoggerConfig | None = None) -> None:
        """Go over to another configuration while logging runs; no entry is lost.

        Sinks whose options stay the same go on untouched; new ones begin; ones that change hand their entries over;
        ones that are gone deliver what they have, within `shutdown_timeout`. Cancelling it does not undo or end it.

        Args:
            config: the new one; when left out, the present one is read again from where it was loaded.

        Raises:
            ConfigError: the configuration is not usable, or the present one was made in code; nothing has changed.
            LoggingStateError: logging does not run.
        """
        self._running_pipeline()
        config = self.config.reloaded() if config is None else config
        await self._on_home(lambda: self._apply(config))

    async def _apply(self, config: LoggerConfig) -> None:
        applying = asyncio.create_task(self._apply_wholly(config), name="metaexpert-reload")
        self._changes.add(applying)
        applying.add_done_callback(self._changes.discard)
        await asyncio.shield(applying)  # ended half-way it would leave a sink between two configurations

    async def _apply_wholly(self, config: LoggerConfig) -> None:
        async with self._reloading:
            if self._home is not asyncio.get_running_loop() or self._moves.taken:
                raise LoopEndedError  # it moves, or has moved: once more, there
            await self._apply_here(config)

    async def _apply_here(self, config: LoggerConfig) -> None:
        await self._running_pipeline().apply(config)
        self.config = config
        self._connection.configure(config)
        self._hooks.remove()
        self._hooks = _hooks(config)
        self._hooks.install()
        if self._home is not None and self._thread is None:
            self._hooks.watch(self._home)
        self._process.reenter(config)

    async def flush(self, timeout: float = 5.0) -> bool:
        """Wait until everything logged so far is acknowledged by every sink that takes it.

        Args:
            timeout: longest wait, seconds.

        Returns:
            True only when each sink acknowledged each of its entries; False when the time ran out, or when an entry was
            dropped or rejected, here or on the way in, since the last flush.
        """
        pipeline = self._pipeline
        if pipeline is None:
            return port.ingress.queued_entries == 0
        if self._life is not _Life.RUNNING:
            return pipeline.settled
        return await self._on_home(lambda: pipeline.flush(timeout))

    def flush_sync(self, timeout: float = 5.0) -> bool:
        """The same from a program without a loop, or from another thread than the loop's; it blocks.

        Raises:
            LoggingStateError: called on the loop that logging lives on.
        """
        pipeline, home = self._pipeline, self._home
        if pipeline is None or home is None or self._life is not _Life.RUNNING:
            return pipeline.settled if pipeline is not None else port.ingress.queued_entries == 0
        if _get_running_loop() is home:
            raise LoggingStateError("flush_sync() would block the loop that logging lives on; write `await flush()`")
        try:
            return done_on_sync(home, lambda: pipeline.flush(timeout), timeout + _GRACE_SECONDS)
        except (TimeoutError, LoopEndedError):  # the loop is busy, or closed
            return False

    async def wait_ready(self) -> None:
        """Wait until no sink is under pressure and ingress is not filling; for coroutines that log in bulk."""
        pipeline = self._pipeline
        if pipeline is not None and self._life is _Life.RUNNING:
            await self._on_home(pipeline.dispatcher.wait_ready)

    async def _on_home[T](self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do it on the loop that logging lives on, from whichever loop it is asked for."""
        while True:
            home = self._home
            with suppress(LoopEndedError):
                if home is asyncio.get_running_loop():
                    return await work()
                if home is None or not home.is_running():
                    await self._move_here()
                    return await work()
                return await done_on(home, work)
            async with self._moves:
                pass  # it moves: to be asked again where it lives then

    def _running_pipeline(self) -> Pipeline:
        if self._pipeline is None or self._life is not _Life.RUNNING:
            raise LoggingStateError("logging does not run; call setup_logging first")
        return self._pipeline

    @property
    def home(self) -> asyncio.AbstractEventLoop | None:
        """The loop it lives on."""
        return self._home

    @property
    def main_task(self) -> asyncio.Task[Any] | None:
        """The task it was started in, where there was one."""
        return self._main

    def leave_to_child(self) -> None:
        """In a forked child: let go of what is the parent's, and touch none of it."""
        self._life = _Life.STOPPED
        self._hooks.forget_loop()
        self._hooks.remove()
        self._connection.remove_bridge()
        if self._pipeline is not None:
            self._pipeline.leave_to_child()

    @property
    def sinks(self) -> "Mapping[str, Sink]":
        """The sinks by name, for instance to look into a memory sink."""
        return self._pipeline.sinks if self._pipeline is not None else MappingProxyType({})

    def stats(self) -> RuntimeStats:
        """A snapshot of depths, counts and states; after the stop, the final one."""
        return self._pipeline.stats() if self._pipeline is not None else NO_STATS


def _hooks(config: LoggerConfig) -> Hooks:
    return Hooks(exceptions=config.capture.exceptions, warned=config.capture.warnings)


def setup_logging(config: LoggerConfig | None = None) -> LoggingRuntime:
    """Start logging: beside the coroutines of the running loop, else on a thread of its own.

    Leave it by `async with`, by `with` without a loop, by `await runtime.stop()`, `runtime.close()`, or the exit.

    Args:
        config: the configuration; `LoggerConfig.load()` when left out.

    Raises:
        ConfigError: the configuration is not usable.
        LoggingStateError: logging runs already in this process.
    """
    return LoggingRuntime(LoggerConfig.load() if config is None else config).begin()
