"""What the process tells a runtime: signals, the interpreter's exit, a fork, and how one before it crashed."""

import asyncio
from contextlib import suppress
from typing import Any, Protocol, final

from metaexpert.exceptions import LoggingStateError
from metaexpert.logger import at_exit
from metaexpert.logger.config import LoggerConfig
from metaexpert.logger.faults.fault_log import Fault, FaultLog, fault_entry
from metaexpert.logger.identity import Identity
from metaexpert.logger.notices import Notices
from metaexpert.logger.options.http import HttpOptions
from metaexpert.logger.options.sink import FileOptions
from metaexpert.logger.port import port
from metaexpert.logger.signals import Signals


class Runtime(Protocol):
    """A runtime as the process sees it.

    Attributes:
        is_orphan: the loop it was started on has ended without a stop.
    """

    is_orphan: bool

    @property
    def home(self) -> asyncio.AbstractEventLoop | None:
        """The loop it lives on."""
        ...

    @property
    def main_task(self) -> asyncio.Task[Any] | None:
        """The task it was started in, where there was one."""
        ...

    def close(self) -> None:
        """Stop, here and now."""
        ...

    def leave_to_child(self) -> None:
        """In a forked child: let go of what is the parent's."""
        ...

    async def reload(self) -> None:
        """Read the configuration again."""
        ...


@final
class Process:
    """The process around one runtime.

    Args:
        runtime: what it tells.
        identity: the process's own.
        notices: where a reload that failed is told.
    """

    def __init__(self, runtime: Runtime, identity: Identity, notices: Notices) -> None:
        self.runtime = runtime
        self._run = f"{identity.boot_id}-{identity.pid}"
        self._faults: FaultLog | None = None
        self.signals = Signals(self, rereads=False)
        self._notices = notices
        self._background: set[asyncio.Task[None]] = set()

    def enter(self, config: LoggerConfig) -> None:
        """From now on listen to signals, where the configuration says so, and to the exit."""
        self.reenter(config)
        at_exit.remember(self)

    def reenter(self, config: LoggerConfig) -> None:
        """Listen to signals, and keep what is told of a crash, as `config` says."""
        self._watch_faults(config)
        if self.signals.received is None:
            self.signals.remove()
            self.signals = Signals(self, rereads=config.is_reloadable)
            if config.handle_signals:
                self.signals.install()

    def _watch_faults(self, config: LoggerConfig) -> None:
        if not _keeps_faults(config):
            self._forget_faults()
        elif self._faults is None:
            faults = self._faults = FaultLog(config.log_dir, self._run, config.errors.faults_kept)
            try:
                faults.begin()
                faults.report_former(_report)
            except OSError as error:
                self._notices.say("faulthandler", f"a crash would leave no stacks: {error}")

    def _forget_faults(self) -> None:
        faults, self._faults = self._faults, None
        if faults is not None:
            faults.end()

    def leave(self) -> None:
        """Logging has stopped: listen to signals no more, and a crash is nobody's."""
        self.signals.remove()
        self._forget_faults()

    def end_at_exit(self) -> None:
        """Stop what nobody stopped."""
        self._notices.at_end = True
        self.finish()

    def finish(self) -> None:
        """Stop here and now."""
        with suppress(LoggingStateError):
            self.runtime.close()

    def die(self) -> None:
        """End by the signal that began the end, if one did."""
        self.signals.die()

    def leave_to_child(self) -> None:
        """In a forked child: let go of what is the parent's."""
        self.signals.leave_to_child()
        faults, self._faults = self._faults, None
        if faults is not None:
            faults.leave_to_child()
        self.runtime.leave_to_child()

    def terminate(self) -> bool:
        """A signal asks for the end: cancel the task that logging was started in."""
        main, home = self.runtime.main_task, self.runtime.home
        if main is None or main.done() or home is None or not home.is_running():
            return False
        home.call_soon_threadsafe(main.cancel)
        return True

    def reread(self) -> None:
        """A signal asks for the configuration to be read again."""
        home = self.runtime.home
        if home is not None and home.is_running():
            home.call_soon_threadsafe(self._reread_soon)

    def _reread_soon(self) -> None:
        task = asyncio.create_task(self._reread(), name="metaexpert-reload")
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _reread(self) -> None:
        try:
            await self.runtime.reload()
        except LoggingStateError:
            return  # it has stopped meanwhile
        except Exception as error:  # noqa: BLE001 - nobody waits for it; the old configuration goes on
            self._notices.say("reload", f"{error}; the configuration stays as it was")


def _report(fault: Fault) -> None:
    port.put(fault_entry(fault, port.encoder.scrub))


def _keeps_faults(config: LoggerConfig) -> bool:
    """Whether the stacks of a crash are kept: as asked for, else where anything is to last."""
    lasting = any(isinstance(options, FileOptions | HttpOptions) for options in config.all_sinks())
    return lasting if config.errors.faulthandler is None else config.errors.faulthandler
