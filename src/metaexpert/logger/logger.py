"""The log call: level check, capture, ingress. It never awaits or raises; it blocks by policy `block` alone.

Loggers are `logging.Logger`s registered with stdlib. What a call is connected to, the `port`, is swapped as a whole by
the runtime; before that the port holds entries until logging starts.

On the hot path: a level's answer comes from stdlib's own `_cache`; a disabled level's method is replaced on the
instance by a function that does nothing, until stdlib clears that cache.
"""
# The specification's signature `info(msg, /, *args, **fields)` deliberately widens stdlib's.
# pyright: reportIncompatibleMethodOverride=false

import logging
import sys
from _thread import get_ident
from asyncio import AbstractEventLoop, current_task
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from time import time_ns
from types import FrameType
from typing import Any, Final, Self, cast, final, override

from metaexpert.logger.context import PIPELINE, FieldSet, bound_context, current_fields
from metaexpert.logger.entry import AUDIT, CAPTURE_OVERHEAD_BYTES, GENERAL, TRADE, Capture, Details
from metaexpert.logger.errors import encode_exception, encode_stack, exception_of
from metaexpert.logger.ingress import Ingress, next_seq
from metaexpert.logger.redaction import Redactor
from metaexpert.logger.stdlib import call_handlers, has_handlers
from metaexpert.logger.trade import TradeLog, trade_message
from metaexpert.logger.values import EMPTY_FIELDS, MAX_ENTRY_BYTES, ValueEncoder, safe_text, type_name

DEBUG: Final = logging.DEBUG
INFO: Final = logging.INFO
WARNING: Final = logging.WARNING
ERROR: Final = logging.ERROR
CRITICAL: Final = logging.CRITICAL

_getframe: Final = sys._getframe  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - as stdlib logging does
_METHODS: Final = {DEBUG: "debug", INFO: "info", WARNING: "warning", ERROR: "error", CRITICAL: "critical"}


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


class _LevelCache(dict[int, bool]):
    """Stdlib's level cache, which also takes back the replaced methods when stdlib clears it."""

    __slots__ = ("_attributes",)

    def __init__(self, attributes: dict[str, Any]) -> None:
        super().__init__()
        self._attributes = attributes

    @override
    def clear(self) -> None:
        super().clear()
        for method in _METHODS.values():
            self._attributes.pop(method, None)


def _disabled(*_args: object, **_fields: object) -> None:
    """Stands in for the method of a disabled level."""


class Logger(logging.Logger):
    """A stdlib logger whose calls go to MetaExpert's pipeline; get one with `get_logger`."""

    _bound: FieldSet | None = None
    _cache: dict[int, bool]

    # ---- calls ------------------------------------------------------------------------------------------------

    def debug(self, msg: object = "", /, *args: object, **fields: Any) -> None:
        """Log at DEBUG; keyword arguments become fields."""
        try:
            if not self._cache[DEBUG]:
                return
        except KeyError:
            if not self._resolve(DEBUG):
                return
        _emit(self, DEBUG, msg, args, fields)

    def info(self, msg: object = "", /, *args: object, **fields: Any) -> None:
        """Log at INFO; keyword arguments become fields."""
        try:
            if not self._cache[INFO]:
                return
        except KeyError:
            if not self._resolve(INFO):
                return
        _emit(self, INFO, msg, args, fields)

    def warning(self, msg: object = "", /, *args: object, **fields: Any) -> None:
        """Log at WARNING; keyword arguments become fields."""
        try:
            if not self._cache[WARNING]:
                return
        except KeyError:
            if not self._resolve(WARNING):
                return
        _emit(self, WARNING, msg, args, fields)

    def error(self, msg: object = "", /, *args: object, **fields: Any) -> None:
        """Log at ERROR; keyword arguments become fields."""
        if self._enabled(ERROR):
            _emit(self, ERROR, msg, args, fields)
            port.ingress.hurry()

    def critical(self, msg: object = "", /, *args: object, **fields: Any) -> None:
        """Log at CRITICAL; keyword arguments become fields."""
        if self._enabled(CRITICAL):
            _emit(self, CRITICAL, msg, args, fields)
            port.ingress.hurry()

    def exception(self, msg: object = "", /, *args: object, **fields: Any) -> None:
        """Log at ERROR with the exception being handled."""
        if self._enabled(ERROR):
            fields.setdefault("exc_info", True)
            _emit(self, ERROR, msg, args, fields)
            port.ingress.hurry()

    def log(self, level: int, msg: object = "", /, *args: object, **fields: Any) -> None:
        """Log at `level`, a stdlib level number."""
        if self._enabled(level):
            _emit(self, level, msg, args, fields)
            if level >= ERROR:
                port.ingress.hurry()

    def audit(self, msg: object = "", /, *args: object, **fields: Any) -> None:
        """Log an audit entry: it ignores levels and travels protected."""
        _emit(self, INFO, msg, args, fields, AUDIT)
        port.ingress.hurry()

    fatal = critical  # pyright: ignore[reportAssignmentType] - stdlib's alias, with the wider signature
    warn = warning  # pyright: ignore[reportAssignmentType, reportDeprecated] - likewise

    @property
    def trade(self) -> TradeLog:
        """Typed trade events; they ignore levels and travel protected."""
        return TradeLog(self._emit_trade)

    def bind(self, **fields: Any) -> "BoundLogger":
        """This logger with `fields` on each of its entries; levels, handlers and name stay shared."""
        items = port.encoder.items(fields)
        return BoundLogger(self, FieldSet(items) if self._bound is None else self._bound.extended(items))

    # ---- stdlib's side ----------------------------------------------------------------------------------------

    @property  # pyright: ignore[reportIncompatibleVariableOverride] - setting it has to clear the cache
    def disabled(self) -> bool:
        """Whether stdlib configuration switched this logger off."""
        return self.__dict__.get("disabled", False)

    @disabled.setter
    def disabled(self, value: bool) -> None:
        self.__dict__["disabled"] = value
        if "_cache" in self.__dict__:
            self._cache.clear()

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
            return self._resolve(level)

    def _resolve(self, level: int) -> bool:
        """Ask stdlib for the level once, and put a disabled level's method out of the way."""
        enabled = self.isEnabledFor(level)
        if not enabled and level in _METHODS:
            self.__dict__[_METHODS[level]] = _disabled
        return enabled

    def _emit_trade(self, event: str, data: dict[str, Any]) -> None:
        data = {"event": event, **data}
        encoder = port.encoder
        details = Details(trade_data=encoder.quick(data) or encoder.full(data))
        _emit(self, INFO, trade_message(event, data), (), {}, TRADE, details, 3)
        port.ingress.hurry()


@final
class BoundLogger(Logger):
    """A logger with fields of its own; it shares every other state with the logger it was bound from."""

    __slots__ = ("_bound",)

    def __new__(cls, origin: Logger, bound: FieldSet) -> Self:
        logger = object.__new__(cls)
        logger.__dict__ = origin.__dict__
        logger._bound = bound
        return logger

    def __init__(self, origin: Logger, bound: FieldSet) -> None:
        """Takes its state from `origin`; there is nothing to initialise."""

    @override
    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        """Copies and pickles bind the same fields to the logger of that name."""
        return _rebind, (self.name, self._bound.items if self._bound else {})


def _rebind(name: str, items: dict[str, bytes]) -> BoundLogger:
    return BoundLogger(get_logger(name), FieldSet(items))


def get_logger(name: str = "metaexpert") -> Logger:
    """The logger of that name, registered with stdlib; a plain one registered before is upgraded in place."""
    found = logging.getLogger(name or "metaexpert")
    if isinstance(found, Logger):
        return found
    if type(found) is logging.Logger:
        found.__class__ = Logger
        found.__dict__["_cache"] = _LevelCache(found.__dict__)
        return found  # pyright: ignore[reportReturnType] - its class has just become Logger
    # somebody's own subclass: keep theirs, and stand below it
    own = Logger(found.name)
    own.__dict__["_cache"] = _LevelCache(own.__dict__)
    own.parent = found
    return own


def log_context(**fields: Any) -> AbstractContextManager[None]:
    """Add `fields` to every entry logged in the block, in tasks started there and in `asyncio.to_thread`."""
    return bound_context(fields, port.encoder.items)


# ---- the call itself --------------------------------------------------------------------------------------------


def _emit(  # noqa: PLR0917 - the hot path: a structure to carry these would cost more than the call
    logger: Logger,
    level: int,
    msg: object,
    args: tuple[object, ...],
    fields: dict[str, Any],
    log_type: str = GENERAL,
    details: Details | None = None,
    depth: int = 2,
) -> None:
    context = current_fields.get()
    if context is PIPELINE:
        port.ingress.self_logged += 1
        return
    frame = _getframe(depth)
    error = None
    if fields:
        encoded = port.quick(fields)
        if encoded is None:
            msg, encoded, error, details, frame = _unusual(msg, args, fields, details, frame)
    else:
        encoded = EMPTY_FIELDS
    if args or type(msg) is not str:
        msg = _message(msg, args)
    bound = logger._bound  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - this module's own class
    joined = b"" if context is None and bound is None else _joined(context, bound, fields)
    size = len(msg) + len(encoded)
    if size > MAX_ENTRY_BYTES:
        msg = safe_text(msg)
        size = len(msg) + len(encoded)
    thread = get_ident()
    task = None
    if thread == port.loop_thread:
        running = current_task(port.loop)
        if running is not None:
            task = running.get_name()
    if details is not None:
        size += sum(map(len, details))
    capture: Capture = (
        next_seq(),
        time_ns(),
        level,
        logger.name,
        msg,
        frame.f_code,
        frame.f_lasti,
        encoded,
        joined,
        thread,
        task,
        log_type,
        details,
        size + CAPTURE_OVERHEAD_BYTES,
    )
    port.put(capture)
    if has_handlers(logger):
        call_handlers(logger, capture, fields, error)


def _unusual(
    msg: object, args: tuple[object, ...], fields: dict[str, Any], details: Details | None, frame: FrameType
) -> tuple[object, bytes, BaseException | None, Details | None, FrameType]:
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
    return msg, port.encoder.full(fields) if fields else EMPTY_FIELDS, error, details, frame


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
    lower = context if bound is None or context is None else context.over(bound)
    lower = bound if lower is None else lower
    if lower is None:
        return b""
    return lower.without(fields) if fields else lower.joined


port: Final = _Port()
