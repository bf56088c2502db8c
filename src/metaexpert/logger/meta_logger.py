"""MetaLogger: the logger of the existing interface, a front for the one runtime.

Constructing it does no I/O. Logging starts with `configure`, or by itself with the first call: on the running loop,
else on a thread of its own. Several MetaLoggers share the runtime that the first of them started, and its files; it
stops when the last of them is shut down, or at the interpreter's exit. A runtime that `setup_logging` started is used
and not stopped.
"""

import asyncio
import os
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final, override
from weakref import WeakSet

from metaexpert.exceptions import LoggingStateError
from metaexpert.logger.call import caller, emit
from metaexpert.logger.config import LoggerConfig
from metaexpert.logger.entry import AUDIT
from metaexpert.logger.logger import ERROR, INFO, BoundLogger, Logger, get_logger
from metaexpert.logger.port import port
from metaexpert.logger.receipts import Receipt
from metaexpert.logger.runtime import LoggingRuntime, setup_logging
from metaexpert.logger.trade.trade_log import TradeLog
from metaexpert.logger.typed_logger import ErrorLogger, TradeLogger, error_logger, trade_logger
from metaexpert.logger.values import described

if TYPE_CHECKING:
    from metaexpert.logger.ingress import Ingress


class MetaLogger(Logger):
    """A logger with files of its own for everything, for trades and for errors, in `logs`.

    It is registered with nobody; `get_main_logger` returns the registered logger of its name, "expert".

    Args:
        log_level: lowest level it logs.
        log_file: file for everything, in `logs` unless the path is absolute.
        trade_log_file: file for trade and audit entries; LoggerConfig's `log_trade_file`.
        error_log_file: file for ERROR and up.
        log_to_console: whether to write to the terminal too.
        structured_logging: JSON lines in the files, else text.
        async_logging: accepted for the callers that give it; True and False are the same. No call ever waits for a file
            in a coroutine, and in a program without a loop errors and trades are written when their call returns.

    Raises:
        ConfigError: a level is unknown, or two files are one.
    """

    def __init__(  # noqa: PLR0917 - positional as it always was
        self,
        log_level: str | int = "INFO",
        log_file: str | Path = "expert.log",
        trade_log_file: str | Path = "trades.log",
        error_log_file: str | Path = "errors.log",
        log_to_console: bool = True,  # noqa: FBT001, FBT002 - as above
        structured_logging: bool = False,  # noqa: FBT001, FBT002 - as above
        async_logging: bool = False,  # noqa: ARG002, FBT001, FBT002 - as above; see the docstring
    ) -> None:
        self._config = LoggerConfig(
            # as given: a level's number and a file's name are taken too, and what is neither is refused in words
            log_level=log_level,  # pyright: ignore[reportArgumentType]
            log_file=log_file,  # pyright: ignore[reportArgumentType]
            log_trade_file=trade_log_file,  # pyright: ignore[reportArgumentType]
            log_error_file=error_log_file,  # pyright: ignore[reportArgumentType]
            log_to_console=log_to_console,
            json_logging=structured_logging,
        )
        name = self._config.log_name
        super().__init__(name, self._config.log_level)  # pyright: ignore[reportArgumentType] - stdlib takes names
        self._cache = _Uncached()
        self._main = self.parent = get_logger(name)
        self._trades = trade_logger(get_logger(f"{name}.trade"), {})
        self._errors = error_logger(get_logger(f"{name}.error"))
        self._begun = False

    @property
    def config(self) -> LoggerConfig:
        """What it was configured with."""
        return self._config

    # ---- life -------------------------------------------------------------------------------------------------

    def configure(self) -> dict[str, Any]:
        """Start logging, unless it runs; it never raises.

        Returns:
            `status` ("success" or "error") and `message`; after a success also `handlers`, the names of the
            destinations this logger's files are among, and `loggers`, what `get_logger` knows.
        """
        self._begun = True
        try:
            handlers = _shared.use(self, self._config)
        except Exception as failure:  # noqa: BLE001 - the answer tells; what is logged waits for the next configure()
            return {"status": "error", "message": f"logging could not be started: {described(failure, str)}"}
        self._main.setLevel(self.level)
        self._trades.setLevel(INFO)
        self._errors.setLevel(ERROR)
        told = "logging runs" if handlers else "logging ran already: entries go where that was configured to write"
        return {"status": "success", "message": told, "handlers": handlers, "loggers": ["main", "trade", "error"]}

    def shutdown(self) -> None:
        """Write what is left and end logging, unless another MetaLogger or `setup_logging` still runs it.

        What is logged afterwards waits for `configure`. On the loop that logging lives on, which cannot wait for
        itself, the end begins here and is complete when `asyncio.run` returns.
        """
        self._begun = True
        _shared.leave(self)

    def _begin(self) -> None:
        if not self._begun:
            self.configure()

    # ---- the loggers ------------------------------------------------------------------------------------------

    def get_main_logger(self) -> Logger:
        """The registered logger of this one's name."""
        self._begin()
        return self._main

    def get_trade_logger(self) -> TradeLogger:
        """A logger whose entries, from INFO on, are trade entries."""
        self._begin()
        return self._trades

    def get_error_logger(self) -> ErrorLogger:
        """A logger for ERROR and up, whose fields stand under `error_context`."""
        self._begin()
        return self._errors

    def get_logger(self, name: str = "main") -> Logger:
        """The logger for "main", "trade" or "error"; for another name the registered logger of that name."""
        self._begin()
        match name:
            case "main":
                return self._main
            case "trade":
                return self._trades
            case "error":
                return self._errors
            case _:
                return get_logger(name)

    # ---- calls ------------------------------------------------------------------------------------------------

    def log_trade(self, message: str, **kwargs: Any) -> None:
        """Write a trade entry, whatever the levels say; keyword arguments stand under `trade_data`, as given."""
        self._begin()
        self._trades.write(INFO, message, (), kwargs, caller())

    def log_error(self, message: str, exception: BaseException | None = None, **kwargs: Any) -> None:
        """Write an ERROR entry of log type "error".

        Args:
            message: what went wrong.
            exception: why; its traceback is written too.
            kwargs: more about it, under `error_context`.
        """
        self._begin()
        if isinstance(exception, BaseException):
            kwargs["exc_info"] = exception
        elif exception is not None:
            kwargs["exception"] = exception
        self._errors.write(ERROR, message, (), kwargs, caller())

    @override
    def isEnabledFor(self, level: int) -> bool:
        """As in stdlib; the first time the answer is yes, logging starts, since a call follows."""
        enabled = super().isEnabledFor(level)
        if enabled:
            self._begin()
        return enabled

    @override
    def audit(self, msg: object = "", /, *args: object, **fields: Any) -> Receipt:
        """Log an audit entry: it ignores levels and travels protected."""
        self._begin()
        return emit(self, INFO, msg, args, fields, caller(), AUDIT)

    @property
    @override
    def trade(self) -> TradeLog:
        """Typed trade events; they ignore levels and travel protected."""
        self._begin()
        return super().trade

    @override
    def bind(self, **fields: Any) -> BoundLogger:
        """This logger with `fields` on each of its entries."""
        self._begin()
        return super().bind(**fields)

    @override
    def getChild(self, suffix: str) -> Logger:
        """The registered logger named below this one."""
        self._begin()
        return super().getChild(suffix)


@final
class _Uncached(dict[int, bool]):
    """The level cache of a logger that is registered with nobody and hears of no change: it keeps nothing."""

    @override
    def __setitem__(self, level: int, enabled: bool) -> None:
        return


@final
class _Shared:
    """The runtime that a MetaLogger started, and those that use it."""

    def __init__(self) -> None:
        self.begin_empty()

    def begin_empty(self) -> None:
        """As new; so begins a forked child, in which another thread's hold on the lock would never end."""
        self._lock = threading.RLock()
        self._runtime: LoggingRuntime | None = None
        self._ingress: Ingress | None = None
        self._users: WeakSet[MetaLogger] = WeakSet()
        self._stopping: set[asyncio.Task[None]] = set()

    def use(self, user: MetaLogger, config: LoggerConfig) -> list[str]:
        """Start logging where it does not run; the names of its sinks, none where somebody else started it."""
        _heed_forks()
        with self._lock:
            if not port.attached:
                self._runtime = setup_logging(config)
                self._ingress = port.ingress
                self._users = WeakSet()
            if self._runtime is None or not self._is_ours():
                return []
            self._users.add(user)
            return [options.name for options in self._runtime.config.all_sinks()]

    def leave(self, user: MetaLogger) -> None:
        """Let `user` go; with the last one the runtime ends."""
        with self._lock:
            self._users.discard(user)
            if self._runtime is None or not self._is_ours():
                return
            if self._users:
                with suppress(LoggingStateError):  # on the loop that logging lives on, which writes by itself
                    self._runtime.flush_sync()
            else:
                self._end(self._runtime)

    def _is_ours(self) -> bool:
        """Whether log calls go to the runtime started here, in this process; a forked child has none."""
        return port.attached and port.ingress is self._ingress

    def _end(self, runtime: LoggingRuntime) -> None:
        try:
            runtime.close()
        except LoggingStateError:  # called on the loop that logging lives on
            stopping = asyncio.get_running_loop().create_task(runtime.stop(), name="metaexpert-stop")
            self._stopping.add(stopping)
            stopping.add_done_callback(self._stopping.discard)


_shared: Final = _Shared()


@cache
def _heed_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_shared.begin_empty)
