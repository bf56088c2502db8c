"""The log call: level check, capture, ingress. It never awaits or raises; it blocks by policy `block` alone.

Loggers are `logging.Logger`s registered with stdlib. What a call is connected to, the `port`, is swapped as a whole by
the runtime; before that the port holds entries until logging starts.

On the hot path a level's answer comes from stdlib's own `_cache`, which stdlib clears when levels change.
"""
# The specification's signature `info(msg, /, *args, **fields)` deliberately widens stdlib's, `disabled` becomes a
# property since setting it has to clear the cache, and the functions here are this module's own way into its class.
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false
# pyright: reportAssignmentType=false, reportPrivateUsage=false
# ruff: noqa: SLF001

import logging
import sys
from _thread import get_ident
from asyncio import AbstractEventLoop, current_task
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from threading import RLock
from time import time_ns
from types import FrameType
from typing import Any, Final, Protocol, cast, final, override

from metaexpert.logger.context import PIPELINE, FieldSet, bound_context, current_fields
from metaexpert.logger.entry import AUDIT, CAPTURE_OVERHEAD_BYTES, GENERAL, TRADE, Capture, Details
from metaexpert.logger.errors import encode_exception, encode_stack, exception_of
from metaexpert.logger.ingress import Ingress, next_seq
from metaexpert.logger.redaction import Redactor
from metaexpert.logger.stdlib import call_handlers, filtered, has_handlers
from metaexpert.logger.trade import TradeLog, trade_message
from metaexpert.logger.values import MAX_ENTRY_BYTES, ValueEncoder, safe_text, type_name

DEBUG: Final = logging.DEBUG
INFO: Final = logging.INFO
WARNING: Final = logging.WARNING
ERROR: Final = logging.ERROR
CRITICAL: Final = logging.CRITICAL

_getframe: Final = sys._getframe  # as stdlib logging does
_ROOT: Final = logging.root
_STDLIB_FILE: Final = logging.Logger.info.__code__.co_filename
_REGISTRY_LOCK: Final[RLock] = logging._lock  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]  # the one stdlib holds while it creates a logger


@final
class _Port:
    """What log calls are connected to."""

    __slots__ = ("attached", "encoder", "ingress", "loop", "loop_thread", "put", "quick")

    def __init__(self) -> None:
        self.connect(Ingress(), ValueEncoder(Redactor()), loop=None)

    def connect(self, ingress: Ingress, encoder: ValueEncoder, loop: AbstractEventLoop | None) -> None:
        self.ingress = ingress
        self.encoder = encoder
        self.put = ingress.put
        self.quick = encoder.quick
        self.loop = loop
        self.loop_thread = get_ident() if loop is not None else 0
        self.attached = loop is not None
        clear_level_caches()


def clear_level_caches() -> None:
    """Make every logger ask for its level again."""
    logging.root.setLevel(logging.root.level)


port: Final = _Port()


# ---- the call itself --------------------------------------------------------------------------------------------


class LogCall(Protocol):
    """A level's method."""

    def __call__(self, msg: object = "", /, *args: object, **fields: Any) -> None:
        """Log `msg` with %-args applied and `fields` beside it."""
        ...


def _level_method(level: int, name: str) -> LogCall:
    """The method that logs at `level`: the whole ordinary call in one frame, since each frame costs a tenth of it."""
    hurries = level >= ERROR

    def method(self: "Logger", msg: object = "", /, *args: object, **fields: Any) -> None:
        try:
            if not self._cache[level]:
                return
        except KeyError:
            if not self.isEnabledFor(level):
                return
        context = current_fields.get()
        bound = self._bound
        encoded = port.quick(fields) if fields else b""
        home = self._home
        if encoded is None or context is PIPELINE or home.filters:
            _emit(self, level, msg, args, fields)
            return
        if args or type(msg) is not str:
            msg = _message(msg, args)
        size = len(msg) + len(encoded)
        if size > MAX_ENTRY_BYTES:
            msg = safe_text(msg)
        frame = _getframe(1)
        thread = get_ident()
        task = current_task(port.loop) if thread == port.loop_thread else None
        capture: Capture = (
            next_seq(),
            time_ns(),
            level,
            self.name,
            msg,
            frame.f_code,
            frame.f_lasti,
            encoded,
            b"" if context is None and bound is None else _joined(context, bound, fields),
            thread,
            None if task is None else task.get_name(),
            GENERAL,
            None,
            size + CAPTURE_OVERHEAD_BYTES,
        )
        port.put(capture)
        if hurries:
            port.ingress.hurry()
        # the cheap question first: most loggers stand right below a root without handlers
        if (home.handlers or _ROOT.handlers or home.parent is not _ROOT) and has_handlers(home):
            call_handlers(home, capture, port.encoder.shown(fields), None)

    method.__name__ = name
    method.__qualname__ = f"Logger.{name}"
    method.__doc__ = f"Log at {name.upper()}; keyword arguments become fields."
    return cast("LogCall", method)


def _emit(  # noqa: PLR0917 - called for every kind of entry
    logger: "Logger",
    level: int,
    msg: object,
    args: tuple[object, ...],
    fields: dict[str, Any],
    log_type: str = GENERAL,
    details: Details | None = None,
    depth: int = 2,
) -> None:
    """The whole call, for what the ordinary one leaves aside: stdlib's keywords, new keys, nested values, filters."""
    context = current_fields.get()
    if context is PIPELINE:
        port.ingress.self_logged += 1
        return
    frame = _getframe(depth)
    while frame.f_code.co_filename == _STDLIB_FILE and frame.f_back is not None:
        frame = frame.f_back  # a LoggerAdapter stands between
    error = None
    encoded = port.quick(fields) if fields else b""
    if encoded is None:
        msg, fields, error, details, frame = _unusual(msg, args, fields, details, frame)
        encoded = port.encoder.full(fields) if fields else b""
    text = _message(msg, args)
    joined = _joined(context, logger._bound, fields)
    capture: Capture = (
        next_seq(),
        time_ns(),
        level,
        logger.name,
        text,
        frame.f_code,
        frame.f_lasti,
        encoded,
        joined,
        get_ident(),
        _task_name(),
        log_type,
        details,
        len(text) + len(encoded) + len(joined) + sum(map(len, details or ())) + CAPTURE_OVERHEAD_BYTES,
    )
    _deliver(logger._home, capture, fields, error)


def _deliver(home: "Logger", capture: Capture, fields: dict[str, Any], error: BaseException | None) -> None:
    """Past the logger's own filters, into ingress and to foreign handlers."""
    handled = has_handlers(home)
    if not handled and not home.filters:
        port.put(capture)
        return
    shown = port.encoder.shown(fields)
    kept = filtered(home, capture, shown, error) if home.filters else capture
    if kept is None:
        return
    port.put(kept)
    if handled:
        call_handlers(home, kept, shown, error)


def _task_name() -> str | None:
    task = current_task(port.loop) if get_ident() == port.loop_thread else None
    return None if task is None else task.get_name()


def _unusual(
    msg: object, args: tuple[object, ...], fields: dict[str, Any], details: Details | None, frame: FrameType
) -> tuple[object, dict[str, Any], BaseException | None, Details | None, FrameType]:
    """A call with stdlib's keywords, new keys or values that are not plain."""
    if msg == "" and not args and "msg" in fields:
        msg = fields.pop("msg")
    error = exception_of(fields.pop("exc_info", None))
    wants_stack = bool(fields.pop("stack_info", False))
    frame = _outer(frame, fields.pop("stacklevel", 1))
    extra = fields.pop("extra", None)
    if isinstance(extra, Mapping):
        fields = {**extra, **fields}
    if error is not None or wants_stack:
        details = (details or Details())._replace(
            exception=b"" if error is None else encode_exception(error),
            stack_info=encode_stack(frame) if wants_stack else b"",
        )
    return msg, fields, error, details, frame


def _level_number(level: object) -> int:
    """The number of a level given as stdlib or people give it."""
    if isinstance(level, int):
        return level
    return logging.getLevelNamesMapping().get(level.upper(), ERROR) if isinstance(level, str) else ERROR


def _outer(frame: FrameType, stacklevel: object) -> FrameType:
    """The frame `stacklevel` - 1 callers out, as in stdlib logging."""
    steps = stacklevel - 1 if isinstance(stacklevel, int) else 0
    while steps > 0 and frame.f_back is not None:
        frame = frame.f_back
        steps -= 1
    return frame


def _message(msg: object, args: tuple[object, ...]) -> str:
    """Apply %-args as stdlib does; what cannot be formatted arrives with its arguments and the reason."""
    try:
        text = msg if isinstance(msg, str) else str(msg)
        if args:
            single = args[0] if len(args) == 1 else None
            values = cast("object", single) if isinstance(single, Mapping) and single else args
            text = text % values
        return text if len(text) <= MAX_ENTRY_BYTES else safe_text(text)
    except Exception as failure:  # noqa: BLE001 - the arguments are the user's code; the entry must arrive
        described = ", ".join(_described(value) for value in args)
        text = msg if isinstance(msg, str) else type_name(msg)
        return f"{text} [not formatted: {type(failure).__name__}; args: {described}]"


def _described(value: object) -> str:
    try:
        return safe_text(repr(value), 1024)
    except Exception as failure:  # noqa: BLE001 - as in _message
        return f"<{type_name(value)}: {type(failure).__name__}>"


def _joined(context: FieldSet | None, bound: FieldSet | None, fields: dict[str, Any]) -> bytes:
    """The members that bind and log_context add below the call's own fields."""
    encoder = port.encoder
    if bound is not None:
        bound = bound.under(encoder, encoder.items)
    if context is not None:
        context = context.under(encoder, encoder.items)
        lower = context if bound is None else context.over(bound)
    elif bound is None:
        return b""
    else:
        lower = bound
    return lower.without(fields) if fields else lower.joined


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

    debug: LogCall = _level_method(DEBUG, "debug")
    info: LogCall = _level_method(INFO, "info")
    warning: LogCall = _level_method(WARNING, "warning")
    error: LogCall = _level_method(ERROR, "error")
    critical: LogCall = _level_method(CRITICAL, "critical")

    def exception(self, msg: object = "", /, *args: object, **fields: Any) -> None:
        """Log at ERROR with the exception being handled."""
        if self._enabled(ERROR):
            fields.setdefault("exc_info", True)
            _emit(self, ERROR, msg, args, fields)
            port.ingress.hurry()

    def log(self, level: int | str | None = None, msg: object = "", /, *args: object, **fields: Any) -> None:
        """Log at `level`, a stdlib level number; a level that is none counts as ERROR, so that nothing is lost."""
        number = _level_number(fields.pop("level", None) if level is None else level)
        if self._enabled(number):
            _emit(self, number, msg, args, fields)
            if number >= ERROR:
                port.ingress.hurry()

    def audit(self, msg: object = "", /, *args: object, **fields: Any) -> None:
        """Log an audit entry: it ignores levels and travels protected."""
        _emit(self, INFO, msg, args, fields, AUDIT)
        port.ingress.hurry()

    fatal: LogCall = critical  # stdlib's alias
    warn: LogCall = warning  # pyright: ignore[reportDeprecated] - likewise

    @property
    def trade(self) -> TradeLog:
        """Typed trade events; they ignore levels and travel protected."""
        return TradeLog(self._emit_trade)

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
        fields = {"exc_info": exc_info, "extra": extra, "stack_info": stack_info, "stacklevel": stacklevel + 1}
        _emit(self, level, msg, tuple(args), fields)

    def _enabled(self, level: int) -> bool:
        try:
            return self._cache[level]
        except KeyError:
            return self.isEnabledFor(level)

    def _emit_trade(self, event: str, data: dict[str, Any]) -> None:
        data = {"event": event, **data}
        encoder = port.encoder
        details = Details(trade_data=b"{%b}" % (encoder.quick(data) or encoder.full(data)))
        _emit(self, INFO, trade_message(event, data), (), {}, TRADE, details, 3)
        port.ingress.hurry()


class _Shared:
    """An attribute that a bound logger has in common with the logger it was bound from."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, bound: "BoundLogger", owner: type | None = None) -> Any:
        return getattr(bound._home, self._name)

    def __set__(self, bound: "BoundLogger", value: Any) -> None:
        setattr(bound._home, self._name, value)


@final
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


def get_logger(name: str = "metaexpert") -> Logger:
    """The logger of that name, registered with stdlib; a plain one registered before is upgraded in place."""
    name = name or "metaexpert"
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
