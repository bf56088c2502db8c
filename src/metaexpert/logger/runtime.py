"""The one logging runtime of a process: starts and stops it, and moves it where a program's event loops come and go.

It lives on the loop it was started on, or on a thread of its own where there was none. Start: log calls are connected
to the pipeline, what was logged before goes in first. Stop, within `shutdown_timeout`: log calls go back to waiting,
everything taken in is flushed, what is left after the deadline is counted as dropped and said on stderr. A loop that
is closed before that is left for a thread, with all there was; what nobody stopped is stopped at the process's exit.
"""

import asyncio
import logging
import threading
from asyncio.events import _get_running_loop  # pyright: ignore[reportPrivateUsage] - None instead of an exception
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from enum import Enum
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, final

from metaexpert.exceptions import LoggingStateError
from metaexpert.logger import at_exit
from metaexpert.logger.config import LoggerConfig
from metaexpert.logger.connection import Connection
from metaexpert.logger.hooks import UNHANDLED, Hooks, log_unhandled
from metaexpert.logger.identity import Identity
from metaexpert.logger.loop_thread import LoopThread, unheard
from metaexpert.logger.notices import Notices
from metaexpert.logger.pipeline import Pipeline
from metaexpert.logger.port import port
from metaexpert.logger.signals import Signals
from metaexpert.logger.stats import DispatcherStats, IngressStats, RuntimeStats

if TYPE_CHECKING:
    from concurrent.futures import Future

    from metaexpert.logger.sinks.base import Sink

_MOVE_POLL_SECONDS: Final = 0.001

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
        self._orphan = False
        self._moving = threading.Lock()
        self._reloading = asyncio.Lock()
        self._background: set[asyncio.Task[Any]] = set()
        self._hooks = _hooks(config)
        self._signals = Signals(self, rereads=config.is_reloadable)

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
        if self.config.handle_signals:
            self._signals.install()
        self._hooks.install()
        at_exit.remember(self)
        return self

    def _claim(self) -> None:
        left_behind = at_exit.remembered()
        if isinstance(left_behind, LoggingRuntime) and left_behind._orphan:  # noqa: SLF001 - of this class
            left_behind.close()  # the program it was started in has ended without stopping it
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
        self._connection = Connection(self._pipeline)
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
        async with self._moving_alone():
            if self._life is _Life.RUNNING and self._home is not asyncio.get_running_loop():
                await self._move(None)

    async def _move(self, thread: LoopThread | None) -> None:
        pipeline, left, old_thread = self._running_pipeline(), self._home, self._thread
        self._hooks.unwatch()
        if left is not None and left.is_running():
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(pipeline.pause(), left))
        else:
            pipeline.abandon()
        self._thread = thread
        self._orphan = thread is not None
        self._main = asyncio.current_task() if thread is None else None
        self._settle_in(pipeline)
        if old_thread is not None:
            old_thread.end()

    @asynccontextmanager
    async def _moving_alone(self) -> AsyncGenerator[None]:
        """One move at a time, whichever loops are asked."""
        while not self._moving.acquire(blocking=False):  # noqa: ASYNC110 - several loops wait for it, and threads
            await asyncio.sleep(_MOVE_POLL_SECONDS)
        try:
            yield
        finally:
            self._moving.release()

    def _orphaned(self) -> None:
        """The loop was closed without a stop, and a log call found out: go on, on a thread."""
        self._orphan = True
        if self._life is _Life.RUNNING:
            thread = LoopThread()
            with suppress(RuntimeError):  # the interpreter ends and starts no more threads: its exit stops us
                thread.start()
                asyncio.run_coroutine_threadsafe(self._go_on_upon(thread), thread.loop)

    async def _go_on_upon(self, thread: LoopThread) -> None:
        async with self._moving_alone():
            if self._life is _Life.RUNNING and self._home is not None and self._home.is_closed():
                await self._move(thread)
            else:
                thread.loop.call_soon(thread.loop.stop)

    # ---- stop -------------------------------------------------------------------------------------------------

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and self.config.capture.exceptions:
            log_unhandled(UNHANDLED, logging.CRITICAL, "leaving with an exception", error)
        if self._life is _Life.STOPPED:  # already, or in a forked child that leaves its parent's blocks
            return
        self._signals.begin_stop(asked=isinstance(error, asyncio.CancelledError | KeyboardInterrupt))
        stopping = asyncio.create_task(self.stop(), name="metaexpert-stop")
        cancelled = False
        while not stopping.done():
            try:
                await asyncio.shield(stopping)
            except asyncio.CancelledError:
                cancelled = True  # however often: the deadline bounds the wait, and then the cancellation goes on
        self._signals.end_stop()
        if cancelled or stopping.cancelled():
            raise asyncio.CancelledError
        stopping.result()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and self.config.capture.exceptions:
            log_unhandled(UNHANDLED, logging.CRITICAL, "leaving with an exception", error)
        self.close()

    async def stop(self) -> None:
        """Flush and end everything within `shutdown_timeout` seconds; a second call does nothing.

        Cancelling it does not hurry it: the deadline does, and then the cancellation goes on.
        """
        if self._life is not _Life.RUNNING:
            return
        home = self._home
        if home is not asyncio.get_running_loop():
            if home is not None and home.is_running():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self.stop(), home))
                self._end_thread()
                return
            await self._move_here()
        await self._stop_here()

    async def _stop_here(self) -> None:
        cancelled = await self._reloaded()
        if self._life is not _Life.RUNNING:
            return
        pipeline = self._running_pipeline()
        self._life = _Life.STOPPING
        self._connection.disconnect()
        self._hooks.remove()
        cancelled = await pipeline.stop() or cancelled
        self._connection.sweep()
        self._signals.remove()
        self._life = _Life.STOPPED
        if cancelled:
            raise asyncio.CancelledError

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
        if self._life is not _Life.RUNNING:
            return
        home, here = self._home, _get_running_loop()
        if here is not None and here is home:
            raise LoggingStateError("close() would block the loop that logging lives on; write `await runtime.stop()`")
        if home is not None and home.is_running():
            self._wait_for(asyncio.run_coroutine_threadsafe(self.stop(), home))
            self._end_thread()
        else:
            self._stop_anew(here)

    def _wait_for(self, stopping: "Future[None]") -> None:
        try:
            stopping.result(self.config.shutdown_timeout + _GRACE_SECONDS)
        except TimeoutError:
            self._notices.say("logging stopped", "its loop did not come to it in time")

    def _stop_anew(self, here: asyncio.AbstractEventLoop | None) -> None:
        """Stop on a loop made for it, since the one it lived on runs no more."""
        if here is None:
            unheard(asyncio.run, self.stop())
            return
        thread = LoopThread()
        thread.start()
        self._wait_for(asyncio.run_coroutine_threadsafe(self.stop(), thread.loop))
        thread.end()

    # ---- what the process tells -------------------------------------------------------------------------------

    def end_at_exit(self) -> None:
        """Stop what nobody stopped."""
        self._notices.at_end = True
        with suppress(LoggingStateError):
            self.close()

    def die(self) -> None:
        """End by the signal that began the end, if one did."""
        self._signals.die()

    def leave_to_child(self) -> None:
        """In a forked child: let go of what is the parent's."""
        self._life = _Life.STOPPED
        self._signals.leave_to_child()
        self._hooks.forget_loop()
        self._hooks.remove()
        self._connection.remove_bridge()
        if self._pipeline is not None:
            self._pipeline.leave_to_child()

    def terminate(self) -> bool:
        """A signal asks for the end: cancel the task that logging was started in."""
        main, home = self._main, self._home
        if main is None or main.done() or home is None or not home.is_running():
            return False
        home.call_soon_threadsafe(main.cancel)
        return True

    def finish(self) -> None:
        """A signal asks for the end, and there is no task to cancel: flush here and now."""
        with suppress(LoggingStateError):
            self.close()

    def reread(self) -> None:
        """A signal asks for the configuration to be read again."""
        if self._home is not None and self._home.is_running():
            self._home.call_soon_threadsafe(self._reread_soon)

    def _reread_soon(self) -> None:
        task = asyncio.create_task(self._reread(), name="metaexpert-reload")
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _reread(self) -> None:
        try:
            await self.reload()
        except Exception as error:  # noqa: BLE001 - nobody waits for it; the old configuration goes on
            self._notices.say("reload", f"{error}; the configuration stays as it was")

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
        self._background.add(applying)
        applying.add_done_callback(self._background.discard)
        await asyncio.shield(applying)  # ended half-way it would leave a sink between two configurations

    async def _apply_wholly(self, config: LoggerConfig) -> None:
        async with self._reloading:
            await self._running_pipeline().apply(config)
            self.config = config
            self._connection.configure(config)
            self._hooks.remove()
            self._hooks = _hooks(config)
            self._hooks.install()
            if self._home is not None and self._thread is None:
                self._hooks.watch(self._home)

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
            return asyncio.run_coroutine_threadsafe(pipeline.flush(timeout), home).result(timeout + _GRACE_SECONDS)
        except (TimeoutError, RuntimeError):  # the loop is busy, or closed
            return False

    async def wait_ready(self) -> None:
        """Wait until no sink is under pressure and ingress is not filling; for coroutines that log in bulk."""
        pipeline = self._pipeline
        if pipeline is not None and self._life is _Life.RUNNING:
            await self._on_home(pipeline.dispatcher.wait_ready)

    async def _on_home[T](self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do it on the loop that logging lives on, from whichever loop it is asked for."""
        home = self._home
        if home is asyncio.get_running_loop():
            return await work()
        if home is None or not home.is_running():
            await self._move_here()
            return await work()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), home))

    def _running_pipeline(self) -> Pipeline:
        if self._pipeline is None or self._life is not _Life.RUNNING:
            raise LoggingStateError("logging does not run; call setup_logging first")
        return self._pipeline

    @property
    def sinks(self) -> "Mapping[str, Sink]":
        """The sinks by name, for instance to look into a memory sink."""
        return self._pipeline.sinks if self._pipeline is not None else MappingProxyType({})

    def stats(self) -> RuntimeStats:
        """A snapshot of depths, counts and states; after the stop, the final one."""
        return self._pipeline.stats() if self._pipeline is not None else _NO_STATS


_NO_STATS: Final = RuntimeStats(
    ingress=IngressStats(0, 0, 0, MappingProxyType({}), 0),
    dispatcher=DispatcherStats(0, 0, 0.0, 0.0, 0, 0.0, 0),
    sinks=MappingProxyType({}),
)


def _hooks(config: LoggerConfig) -> Hooks:
    return Hooks(exceptions=config.capture.exceptions, warned=config.capture.warnings)


def setup_logging(config: LoggerConfig | None = None) -> LoggingRuntime:
    """Start logging: beside the coroutines of the running loop, else on a thread of its own.

    Leave it by `async with`, by `with` in a program without a loop, by `await runtime.stop()` or `runtime.close()`;
    what nobody stopped is stopped at the interpreter's exit.

    Args:
        config: the configuration; `LoggerConfig.load()` when left out.

    Raises:
        ConfigError: the configuration is not usable.
        LoggingStateError: logging runs already in this process.
    """
    return LoggingRuntime(LoggerConfig.load() if config is None else config).begin()
