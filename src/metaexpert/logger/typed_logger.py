"""Loggers of the existing interface whose entries are of one log type: trade loggers and error loggers.

From their floor on (INFO, ERROR), what a call is given by keyword or `extra=`, and what is bound, becomes the entry's
own data: `trade_data` or `error_context`. Below it they log as any logger does.
"""
# As logger.py, whose classes these extend: stdlib's methods are widened, and its own way into them is underscored.
# pyright: reportIncompatibleMethodOverride=false, reportPrivateUsage=false

from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, ClassVar, Final, Self, cast, final, override

import orjson

from metaexpert.logger.call import LogCall, ProtectedCall, caller, emit, rescue
from metaexpert.logger.context import FieldSet
from metaexpert.logger.entry import FAILURE, PROTECTED_LOG_TYPES, TRADE, Details
from metaexpert.logger.logger import (
    CRITICAL,
    DEBUG,
    ERROR,
    INFO,
    WARNING,
    BoundLogger,
    Logger,
    get_logger,
)
from metaexpert.logger.port import port
from metaexpert.logger.receipts import NO_RECEIPT, Receipt
from metaexpert.logger.trade.checks import checked
from metaexpert.logger.trade.events import REQUIRED

_STDLIB_KEYWORDS: Final = frozenset({"exc_info", "stack_info", "stacklevel"})


def _method(level: int, name: str) -> Callable[..., Receipt]:
    def method(self: "TypedLogger", msg: object = "", /, *args: object, **fields: Any) -> Receipt:
        return self.write(level, msg, args, fields, caller())

    method.__name__ = name
    method.__doc__ = f"Log at {name.upper()}; keyword arguments become the entry's own data."
    return method


class TypedLogger(BoundLogger):
    """A logger whose entries have a log type of their own; levels, handlers and name are a registered one's."""

    log_type: ClassVar[str]
    floor: ClassVar[int]
    """Level from which on entries are of `log_type`."""

    debug: LogCall = cast("LogCall", _method(DEBUG, "debug"))
    info: LogCall = cast("LogCall", _method(INFO, "info"))
    warning: LogCall = cast("LogCall", _method(WARNING, "warning"))
    error: ProtectedCall = _method(ERROR, "error")
    critical: ProtectedCall = _method(CRITICAL, "critical")
    fatal: ProtectedCall = critical
    warn: LogCall = warning  # pyright: ignore[reportDeprecated] - stdlib's alias

    @override
    def isEnabledFor(self, level: int) -> bool:
        """Whether a call at `level` would log."""
        return self._always(level) or super().isEnabledFor(level)

    @override
    def _enabled(self, level: int) -> bool:
        return self._always(level) or super()._enabled(level)

    def _always(self, level: int) -> bool:
        return level >= self.floor and self.log_type in PROTECTED_LOG_TYPES

    @override
    def bind(self, **fields: Any) -> Self:
        """This logger with further fields on each of its entries."""
        items = port.encoder.items(fields)
        return type(self)(self._home, FieldSet(items) if self._bound is None else self._bound.extended(items))

    @override
    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return _again, (type(self), self.name, self._bound.items if self._bound else {})

    @override
    def write(
        self, level: int, msg: object, args: tuple[object, ...], fields: dict[str, Any], frame: FrameType
    ) -> Receipt:
        """Log as called from `frame`, where the level is enabled; it never raises."""
        if not self._enabled(level):
            return NO_RECEIPT
        if level < self.floor:
            return emit(self, level, msg, args, fields, frame)
        try:
            keywords, details = self._parted(msg, args, fields)
        except Exception as failure:  # noqa: BLE001 - a log call does not raise; what came in is logged with the reason
            return rescue(self._home, level, msg, failure, frame, self.log_type) or NO_RECEIPT
        return emit(self._home, level, msg, args, keywords, frame, self.log_type, details)

    def _parted(
        self, msg: object, args: tuple[object, ...], fields: dict[str, Any]
    ) -> tuple[dict[str, Any], Details | None]:
        """Stdlib's keywords, and everything else as the entry's own data."""
        wordless = type(msg) is str and not msg and not args
        named = _STDLIB_KEYWORDS | {"msg"} if wordless else _STDLIB_KEYWORDS
        keywords = {key: fields.pop(key) for key in named & fields.keys()}
        extra = fields.pop("extra", None)
        if isinstance(extra, Mapping):
            given = cast("Mapping[Any, object]", extra)
            fields = {**{str(key): given[key] for key in given}, **fields}
        elif extra is not None:
            keywords["extra"] = extra
        data = self._event_data(msg, args, fields) or self._data(fields)
        return keywords, (b"", b"", b"{%b}" % data) if data else None

    def _event_data(self, msg: object, args: tuple[object, ...], fields: dict[str, Any]) -> bytes:
        """The data of what the message names, where that is something of a shape of its own; empty otherwise."""
        del msg, args, fields
        return b""

    def _data(self, fields: dict[str, Any]) -> bytes:
        encoder = port.encoder
        own = (encoder.quick(fields) or encoder.full(fields)) if fields else b""
        bound = b"" if self._bound is None else self._bound.under(encoder, encoder.items).without(fields)
        return b",".join(filter(None, (bound, own)))


@final
class TradeLogger(TypedLogger):
    """From INFO on its entries are trade entries: in the trade file, protected, whatever the levels say.

    A message that is the name of an event, such as "order_filled", makes the entry that `log.trade.order_filled` makes:
    amounts as decimal strings, what is missing or wrong under `problems`, and the order's life is watched.
    """

    log_type = TRADE
    floor = INFO

    @override
    def _event_data(self, msg: object, args: tuple[object, ...], fields: dict[str, Any]) -> bytes:
        """Those of a trade event, as `log.trade` writes them, where the message is its name."""
        if type(msg) is not str or args or msg not in REQUIRED:
            return b""
        encoder = port.encoder
        bound = {} if self._bound is None else self._bound.under(encoder, encoder.items).items
        data = checked(msg, {key: orjson.loads(value) for key, value in bound.items()} | fields)
        return encoder.quick(data) or encoder.full(data)


@final
class ErrorLogger(TypedLogger):
    """From ERROR on its entries are of log type "error", with `error_context`."""

    log_type = FAILURE
    floor = ERROR


def _again(kind: type[TypedLogger], name: str, items: dict[str, bytes]) -> TypedLogger:
    return kind(get_logger(name), FieldSet(items))


def get_trade_logger(**initial_values: Any) -> TradeLogger:
    """A logger, named "trade", whose entries are trade entries.

    Args:
        initial_values: fields of each of its entries, under `trade_data` with those of the call.
    """
    return trade_logger(get_logger("trade"), initial_values)


def trade_logger(home: Logger, fields: Mapping[str, object]) -> TradeLogger:
    """A trade logger that shares its state with `home`."""
    return TradeLogger(home, FieldSet(port.encoder.items(fields)))


def error_logger(home: Logger) -> ErrorLogger:
    """An error logger that shares its state with `home`."""
    return ErrorLogger(home, FieldSet({}))
