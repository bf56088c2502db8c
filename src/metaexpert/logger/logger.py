"""Loggers: `logging.Logger`s registered with stdlib, whose calls go to MetaExpert's pipeline.

A level's answer comes from stdlib's own `_cache`, which stdlib clears when levels change.
"""
# The specification's signature `info(msg, /, *args, **fields)` deliberately widens stdlib's, `disabled` becomes a
# property since setting it has to clear the cache, and the functions here are this module's own way into its class.
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false
# pyright: reportAssignmentType=false, reportPrivateUsage=false
# ruff: noqa: SLF001

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any, Final, cast, override

from metaexpert.logger.at_exit import arrange_exit
from metaexpert.logger.call import (
    LogCall,
    ProtectedCall,
    caller,
    emit,
    emit_made,
    hold_back,
    level_method,
    protected_method,
    rescue,
)
from metaexpert.logger.context import FieldSet, bound_context, current_fields
from metaexpert.logger.entry import AUDIT, TRADE
from metaexpert.logger.faults.reports import (
    api_error_fields,
    api_error_message,
    validation_message,
    validation_of,
)
from metaexpert.logger.measuring import meters
from metaexpert.logger.measuring.timer import Timing
from metaexpert.logger.port import port
from metaexpert.logger.receipts import NO_RECEIPT, Receipt
from metaexpert.logger.trade.checks import checked
from metaexpert.logger.trade.quick import quick_event
from metaexpert.logger.trade.trade_log import TradeLog, trade_message

DEBUG: Final = logging.DEBUG
INFO: Final = logging.INFO
WARNING: Final = logging.WARNING
ERROR: Final = logging.ERROR
CRITICAL: Final = logging.CRITICAL

_REGISTRY_LOCK = cast("AbstractContextManager[object]", vars(logging)["_lock"])
"""The one stdlib holds while it creates a logger."""


class Logger(logging.Logger):
    """A stdlib logger whose calls go to MetaExpert's pipeline; get one with `get_logger`."""

    _bound: FieldSet | None = None
    _cache: dict[int, bool]
    _home: "Logger"
    """Where state is kept: the logger itself, or the one it was bound from."""
    _disabled = False

    def __init__(self, name: str, level: int = logging.NOTSET) -> None:
        super().__init__(name, level)
        self._home = self

    # ---- calls ------------------------------------------------------------------------------------------------

    debug: LogCall = level_method(DEBUG, "debug")
    info: LogCall = level_method(INFO, "info")
    warning: LogCall = level_method(WARNING, "warning")
    error: ProtectedCall = protected_method(ERROR, "error")
    critical: ProtectedCall = protected_method(CRITICAL, "critical")

    def exception(self, msg: object = "", /, *args: object, **fields: Any) -> Receipt:
        """Log at ERROR with the exception being handled."""
        if not self._enabled(ERROR):
            return NO_RECEIPT
        return self.write(ERROR, msg, args, {"exc_info": True, **fields}, caller())

    def log(self, level: int | str | None = None, msg: object = "", /, *args: object, **fields: Any) -> None:
        """Log at `level`, a stdlib level number; a level that is none counts as ERROR, so that nothing is lost."""
        number = _level_number(fields.pop("level", None) if level is None else level)
        if self._enabled(number):
            self.write(number, msg, args, fields, caller())
        elif port.held_back is not None:
            hold_back(self, number, msg, args, fields)

    def audit(self, msg: object = "", /, *args: object, **fields: Any) -> Receipt:
        """Log an audit entry: it ignores levels and travels protected."""
        return emit(self, INFO, msg, args, fields, caller(), AUDIT)

    def api_failure(
        self,
        error: BaseException | None = None,
        *,
        exchange: str | None = None,
        method: str | None = None,
        url: object = None,
        host: str | None = None,
        path: str | None = None,
        status: int | None = None,
        exchange_code: str | int | None = None,
        exchange_message: str | None = None,
        attempt: int | None = None,
        latency_seconds: float | None = None,
        retryable: bool | None = None,
        level: int = ERROR,
        **fields: Any,
    ) -> Receipt:
        """Log a request that failed; what aiohttp's and ccxt's exceptions tell is read off them.

        Args:
            error: what was raised; its traceback is written too.
            exchange: who was asked.
            method: of the request, such as GET.
            url: its address, of which host and path are shown, never the query.
            host: its host, where there is no address.
            path: its path, likewise.
            status: of the answer.
            exchange_code: the exchange's own.
            exchange_message: what it said.
            attempt: the how manieth it was.
            latency_seconds: from the request to the failure.
            retryable: whether the same request may succeed later.
            level: the entry's; below ERROR it is not protected.
            fields: more about it.
        """
        if not self._enabled(level):
            return NO_RECEIPT
        frame = caller()
        given = {
            "exchange": exchange,
            "method": method,
            "url": url,
            "host": host,
            "path": path,
            "status": status,
            "exchange_code": exchange_code,
            "exchange_message": exchange_message,
            "attempt": attempt,
            "latency_seconds": latency_seconds,
            "retryable": retryable,
        }
        try:
            told = api_error_fields(error, given, port.encoder)
            message = api_error_message(error, told)
        except Exception as failure:  # noqa: BLE001 - a log call does not raise; what came in is logged with the reason
            return rescue(self, level, "a request failed", failure, frame) or NO_RECEIPT
        return self.write(level, message, (), {"exc_info": error, "api_error": told, **fields}, frame)

    def order_invalid(
        self,
        *,
        parameter: str,
        value: object,
        rule: str,
        limit: object = None,
        level: int = ERROR,
        **fields: Any,
    ) -> Receipt:
        """Log an order that was found wrong before it was sent.

        Args:
            parameter: what of it is wrong, such as "quantity".
            value: what it was given; `Decimal` or `str` where every digit counts.
            rule: what it breaks, such as "min_quantity".
            limit: the rule's bound, where it has one.
            level: the entry's; below ERROR it is not protected.
            fields: the order's own, such as `symbol` and `client_order_id`.
        """
        if not self._enabled(level):
            return NO_RECEIPT
        frame = caller()
        try:
            told = validation_of(parameter, value, rule, limit, port.encoder)
            message = validation_message(told)
        except Exception as failure:  # noqa: BLE001 - as above
            return rescue(self, level, "an order is invalid", failure, frame) or NO_RECEIPT
        return self.write(level, message, (), {"validation": told, **fields}, frame)

    fatal: ProtectedCall = critical  # stdlib's alias
    warn: LogCall = warning  # pyright: ignore[reportDeprecated] - likewise

    @property
    def trade(self) -> TradeLog:
        """Typed trade events; they ignore levels and travel protected."""
        return TradeLog(self._emit_trade)

    def timer(self, name: str) -> Timing:
        """Measure how long a block or a function takes, for performance entries and Prometheus; it logs nothing itself.

        `with log.timer("signal"):`, `async with log.timer("fetch"):`, or `@log.timer("step")` above a function.
        """
        return Timing(meters.timer(name))

    def bind(self, **fields: Any) -> "BoundLogger":
        """This logger with `fields` on each of its entries; levels, handlers and name stay shared."""
        items = port.encoder.items(fields)
        return BoundLogger(self._home, FieldSet(items) if self._bound is None else self._bound.extended(items))

    # ---- stdlib's side ----------------------------------------------------------------------------------------

    @property
    def disabled(self) -> bool:
        """Whether stdlib configuration switched this logger off."""
        return self._disabled

    @disabled.setter
    def disabled(self, value: bool) -> None:
        # never through __dict__: once that exists as a dict, CPython reads each attribute of the instance more slowly
        self._disabled = value
        getattr(self, "_cache", {}).clear()

    @override
    def getEffectiveLevel(self) -> int:
        """Stdlib's rule; until logging is set up, DEBUG where no logger below the root says otherwise."""
        if port.attached:
            return super().getEffectiveLevel()
        current: logging.Logger = self
        while current.parent is not None:
            if current.level:
                return current.level
            current = current.parent
        return DEBUG

    @override
    def getChild(self, suffix: str) -> "Logger":
        """The logger named below this one."""
        return get_logger(f"{self.name}.{suffix}")

    @override
    def _log(
        self,
        level: int,
        msg: object,
        args: Any,
        exc_info: Any = None,
        extra: Mapping[str, object] | None = None,
        stack_info: bool = False,
        stacklevel: int = 1,
    ) -> None:
        fields = {"exc_info": exc_info, "extra": extra, "stack_info": stack_info, "stacklevel": stacklevel}
        self.write(level, msg, tuple(args), fields, caller())

    def write(
        self, level: int, msg: object, args: tuple[object, ...], fields: dict[str, Any], frame: FrameType
    ) -> Receipt:
        """Log as called from `frame`, whatever the level; it never raises."""
        return emit(self, level, msg, args, fields, frame)

    def _enabled(self, level: int) -> bool:
        try:
            return self._cache[level]
        except KeyError:
            return self.isEnabledFor(level)

    def _keys_around(self) -> frozenset[str]:
        """Keys that `bind` and `log_context` give an entry logged here and now; those of None are not given."""
        given = (self._bound, current_fields.get())
        return frozenset(
            key for fields in given if fields is not None for key, value in fields.items.items() if value != b"null"
        )

    def _emit_trade(self, event: str, data: dict[str, Any]) -> Receipt:
        typed = caller()
        frame = typed.f_back or typed
        try:
            encoder = port.encoder
            made = (encoder.prepared.get(event) or quick_event(event, encoder))(data, self._keys_around)
            if made is not None:
                receipt = emit_made(self, INFO, made[1], frame, TRADE, made[0])
                if receipt is not None:
                    return receipt
            data = checked(event, data, self._keys_around)
            members = port.quick(data) or port.encoder.full(data)
            details = (b"", b"", b"{%b}" % members)
            return emit(self, INFO, trade_message(event, data), (), {}, frame, TRADE, details)
        except Exception as failure:  # noqa: BLE001 - a log call does not raise; what came in is logged with the reason
            return rescue(self, INFO, event, failure, frame, TRADE) or NO_RECEIPT


def _level_number(level: Any) -> int:
    """The number of a level given as stdlib or people give it."""
    if type(level) is str:
        return logging.getLevelNamesMapping().get(level.upper(), ERROR)
    return int(level) if issubclass(type(level), int) else ERROR


class _Shared:
    """An attribute that a bound logger has in common with the logger it was bound from."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, bound: "BoundLogger", owner: type | None = None) -> Any:
        return getattr(bound._home, self._name)

    def __set__(self, bound: "BoundLogger", value: Any) -> None:
        setattr(bound._home, self._name, value)


class BoundLogger(Logger):
    """A logger with fields of its own; it shares every other state with the logger it was bound from."""

    level = _Shared()
    parent = _Shared()
    propagate = _Shared()
    handlers = _Shared()
    filters = _Shared()
    disabled = _Shared()

    def __init__(self, home: Logger, bound: FieldSet) -> None:
        # not stdlib's constructor: there is no second logger of that name
        self.name = home.name
        self._home = home
        self._cache = home._cache
        self._bound = bound

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        """Copies and pickles bind the same fields to the logger of that name."""
        return _rebind, (self.name, self._bound.items if self._bound else {})


def _rebind(name: str, items: dict[str, bytes]) -> BoundLogger:
    return BoundLogger(get_logger(name), FieldSet(items))


_twins: Final[dict[str, Logger]] = {}


def get_logger(name: str | None = "metaexpert", **initial_values: Any) -> Logger:
    """The logger of that name, registered with stdlib; a plain one registered before is upgraded in place.

    Args:
        name: its name; "metaexpert" when empty.
        initial_values: fields to `bind`; the result is a `BoundLogger` then.
    """
    if initial_values:
        return get_logger(name).bind(**initial_values)
    arrange_exit()
    name = name or "metaexpert"
    if type(name) is str:  # else stdlib says what is wrong with it
        name = port.encoder.text(name)
    manager = logging.root.manager
    with _REGISTRY_LOCK:
        usual, manager.loggerClass = manager.loggerClass, Logger
        try:
            found = manager.getLogger(name)
        finally:
            manager.loggerClass = usual
        if isinstance(found, Logger):
            return found
        return _upgraded(found) if type(found) is logging.Logger else _twin(found)


def _upgraded(plain: logging.Logger) -> Logger:
    """The same object, from now on a Logger."""
    was_disabled = plain.disabled
    plain.__class__ = Logger
    upgraded = cast("Logger", plain)
    upgraded._home = upgraded
    upgraded.disabled = was_disabled
    return upgraded


def _twin(theirs: logging.Logger) -> Logger:
    """Beside somebody's own subclass, which stays registered as it is: a Logger that shares its whole state."""
    twin = _twins.get(theirs.name)
    if twin is None or twin.__dict__ is not theirs.__dict__:
        twin = _twins[theirs.name] = object.__new__(Logger)
        twin.__dict__ = theirs.__dict__
        twin._home = twin
    return twin


def log_context(**fields: Any) -> AbstractContextManager[None]:
    """Add `fields` to every entry logged in the block, in tasks started there and in `asyncio.to_thread`."""
    return bound_context(fields, port.encoder.items)
