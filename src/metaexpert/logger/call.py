"""The log call itself: capture and ingress. It never awaits or raises; it blocks by policy `block` alone.

`level_method` makes the ordinary call, one frame that holds everything most calls need; `emit` is the whole call, for
stdlib's keywords, new keys, nested values and filters. Whatever goes wrong in either, the entry arrives and says so.
"""
# The methods of Logger are made here, so this module looks behind that class's underscores.
# pyright: reportPrivateUsage=false
# ruff: noqa: SLF001

import logging
import sys
from _thread import get_ident
from asyncio import current_task
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from itertools import islice
from time import monotonic_ns, time_ns
from types import FrameType, NoneType
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import orjson

from metaexpert.logger.context import PIPELINE, FieldSet, current_fields
from metaexpert.logger.entry import CAPTURE_OVERHEAD_BYTES, GENERAL, SEQ, TRADE_DATA, Capture, Details
from metaexpert.logger.errors import encode_stack, exception_of
from metaexpert.logger.faults.groups import Group
from metaexpert.logger.faults.telling import ErrorCall
from metaexpert.logger.ingress import next_seq
from metaexpert.logger.interruption import interrupts
from metaexpert.logger.message import format_message
from metaexpert.logger.port import port
from metaexpert.logger.receipts import NO_RECEIPT, Receipt
from metaexpert.logger.reported import mark_reported
from metaexpert.logger.stdlib import CALL_HANDLERS, call_handlers, filtered, has_handlers
from metaexpert.logger.values import MAX_ENTRY_BYTES, MAX_ITEMS, described, safe_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metaexpert.logger.logger import Logger

_ROOT: Final = logging.root
_StdlibLogger: Final = logging.Logger
_STDLIB_FILE: Final = logging.Logger.info.__code__.co_filename
_ORDINARY_SIZE: Final = MAX_ENTRY_BYTES // 4
"""Characters of message and fields up to which an entry is within its limit in any encoding."""

_LEAST_FIELDS_BYTES: Final = 8 * 1024
_LEAST_MESSAGE_BYTES: Final = 4 * 1024
"""What fields and message keep of an entry's limit, however large its other parts are."""

_PLAIN: Final = frozenset({str, int, float, bool, NoneType, Decimal})

_NO_FIELDS: Final[dict[str, Any]] = {}

_SMALL_SIZE: Final = 512
"""Characters up to which it matters little how many bytes each takes in memory."""

_SHORT_NAME: Final = 12
"""Characters of a task's name that hold no secret: "Task-1234567"."""

_getframe: Final = sys._getframe  # as stdlib logging does


def caller() -> FrameType:
    """The frame that called the function which asks; that one itself where C called it, as at exit."""
    asking = _getframe(1)
    return asking.f_back or asking


class LogCall(Protocol):
    """A level's method."""

    def __call__(self, msg: object = "", /, *args: object, **fields: Any) -> None:
        """Log `msg` with %-args applied and `fields` beside it."""
        ...


class ProtectedCall(Protocol):
    """A level's method whose entries are journalled."""

    def __call__(self, msg: object = "", /, *args: object, **fields: Any) -> Receipt:
        """Log `msg` with %-args applied and `fields` beside it; the receipt may be awaited, and need not."""
        ...


def level_method(level: int, name: str) -> LogCall:
    """The method that logs at `level`, below ERROR."""
    return cast("LogCall", _level_method(level, name))


def protected_method(level: int, name: str) -> ProtectedCall:
    """The method that logs at `level`, ERROR or above."""
    return cast("ProtectedCall", _level_method(level, name))


def _level_method(level: int, name: str) -> Callable[..., Receipt]:  # noqa: C901 - one frame, see below
    """The method that logs at `level`: the whole ordinary call in one frame, since each frame costs a tenth of it."""
    hurries = level >= logging.ERROR

    def method(self: "Logger", msg: object = "", /, *args: object, **fields: Any) -> Receipt | None:  # noqa: C901, PLR0911, PLR0912
        try:
            if not self._cache[level]:
                return None if port.held_back is None and not hurries else hold_back(self, level, msg, args, fields)
        except KeyError:
            if not self.isEnabledFor(level):
                return None if port.held_back is None and not hurries else hold_back(self, level, msg, args, fields)
        try:
            context = current_fields.get()
            bound = self._bound
            encoded = port.quick(fields) if fields else b""
            home = self._home
            if encoded is None or context is PIPELINE or home.filters:
                return emit(self, level, msg, args, fields, _getframe(1))
            if args or type(msg) is not str:
                msg = format_message(msg, args)
            if msg not in port.clean:
                msg = port.encoder.text(msg)
            size = len(msg) + len(encoded)
            if size > _ORDINARY_SIZE or (size > _SMALL_SIZE and not msg.isascii()):
                return emit(self, level, msg, (), fields, _getframe(1))
            frame = _getframe(1)
            lower = context if bound is None else bound if context is None else None
            if lower is None and bound is None:
                joined = b""
            elif lower is not None and lower.rules is port.encoder and fields.keys().isdisjoint(lower.keys):
                joined = lower.joined
            else:
                joined = _joined(context, bound, fields)
            thread = get_ident()
            task = current_task(port.loop) if thread == port.loop_thread else None
            task_name = None if task is None else task.get_name()
            if task_name is not None and len(task_name) > _SHORT_NAME and task_name not in port.clean:
                task_name = port.encoder.text(task_name)
            steady_ns = monotonic_ns()
            capture: Capture = (
                next_seq(),
                time_ns(),
                level,
                self.name,
                msg,
                frame.f_code,
                frame.f_lasti,
                encoded,
                joined,
                thread,
                task_name,
                GENERAL,
                None,
                size + CAPTURE_OVERHEAD_BYTES,
                steady_ns,
            )
            receipt = port.put(capture)
            if hurries:
                port.ingress.hurry()
            # the cheap question first: most loggers stand right below a root without handlers
            if (
                home.handlers
                or home.parent is not _ROOT
                or _ROOT.handlers != port.bridges
                or _StdlibLogger.callHandlers is not CALL_HANDLERS
            ) and has_handlers(home):
                call_handlers(home, capture, port.encoder.shown(fields), None)
            if hurries:
                return receipt or NO_RECEIPT
        except Exception as failure:  # noqa: BLE001 - a log call does not raise; what came in is logged with the reason
            return _again(self, level, msg, args, fields, failure)
        return None

    method.__name__ = name
    method.__qualname__ = f"Logger.{name}"
    method.__doc__ = f"Log at {name.upper()}; keyword arguments become fields."
    return cast("Callable[..., Receipt]", method)


def hold_back(logger: "Logger", level: int, msg: object, args: tuple[object, ...], fields: dict[str, Any]) -> Receipt:
    """A call at a level that is switched off: for those who take what levels hold back, and plain values alone."""
    record, context = port.held_back, current_fields.get()
    if record is None or context is PIPELINE:
        return NO_RECEIPT
    method = _getframe(1)
    frame = method.f_back or method
    try:
        encoded = port.quick(fields) if fields else b""
        if encoded is None or len(encoded) > _ORDINARY_SIZE:
            encoded = _plain_only(fields)
        text = port.encoder.text(format_message(msg, args))
        if not text.isascii() or len(text) > _LEAST_MESSAGE_BYTES:
            text = safe_text(text, _LEAST_MESSAGE_BYTES)
        joined = _joined(context, logger._bound, fields)
        place = (frame.f_code, frame.f_lasti, encoded, joined, get_ident(), _task_name(), GENERAL, None)
        size = len(text) + len(encoded) + len(joined) + CAPTURE_OVERHEAD_BYTES
        steady_ns = monotonic_ns()
        record((next_seq(), time_ns(), level, logger.name, text, *place, size, steady_ns))
    except Exception:  # noqa: BLE001 - a log call does not raise, and this one is switched off
        return NO_RECEIPT
    return NO_RECEIPT


def _plain_only(fields: dict[str, Any]) -> bytes:
    """Those fields that run nobody's code, encoded; and whether others were left out."""
    plain = {key: value for key, value in fields.items() if type(value) in _PLAIN}
    encoded = (port.quick(plain) or port.encoder.full(plain)) if plain else b""
    if len(plain) < len(fields) or len(encoded) > _ORDINARY_SIZE:
        encoded = b'%b"fields_left_out":true' % (b"%b," % encoded if 0 < len(encoded) <= _ORDINARY_SIZE else b"")
    return encoded


def _again(  # noqa: PLR0917 - as emit
    logger: "Logger", level: int, msg: object, args: tuple[object, ...], fields: dict[str, Any], failure: Exception
) -> Receipt | None:
    """After an ordinary call that failed: the whole one where all it lacked was a caller, since C called it."""
    method = _getframe(1)
    if method.f_back is None:
        return emit(logger, level, msg, args, fields, method)
    return rescue(logger, level, msg, failure, method.f_back)


def emit(  # noqa: PLR0917 - called for every kind of entry
    logger: "Logger",
    level: int,
    msg: object,
    args: tuple[object, ...],
    fields: dict[str, Any],
    frame: FrameType,
    log_type: str = GENERAL,
    details: Details | None = None,
) -> Receipt:
    """The whole call; returns the receipt of a protected entry, which tells of others that there is none.

    Args:
        logger: whose call it is.
        level: stdlib level number; not asked about any more.
        msg: the message, to which `args` are applied.
        args: %-args.
        fields: keyword arguments, stdlib's keywords among them.
        frame: the caller's.
        log_type: the entry's log type.
        details: its rare parts, already encoded.
    """
    try:
        receipt = _emit(logger, level, msg, args, fields, frame, log_type, details)
    except Exception as failure:  # noqa: BLE001 - as in level_method
        receipt = rescue(logger, level, msg, failure, frame, log_type)
    if level >= logging.ERROR or log_type != GENERAL:
        port.ingress.hurry()
    return receipt or NO_RECEIPT


def emit_made(  # noqa: PLR0917 - as emit
    logger: "Logger", level: int, text: str, frame: FrameType, log_type: str, data: bytes
) -> Receipt | None:
    """As `emit`, of an entry that is made already; None where that is not for it: a stop, or somebody's own filters.

    Args:
        logger: whose call it is.
        level: stdlib level number.
        text: the message, looked through for secrets, of a few hundred characters at most.
        frame: the caller's.
        log_type: the entry's log type, a protected one.
        data: its own data as encoded JSON, looked through as well.
    """
    home = logger._home
    context = current_fields.get()
    if context is PIPELINE or home.filters or frame.f_code.co_filename == _STDLIB_FILE:
        return None
    bound = logger._bound
    joined = b"" if context is None and bound is None else _joined(context, bound, _NO_FIELDS)
    thread = get_ident()
    task = current_task(port.loop) if thread == port.loop_thread else None
    task_name = None if task is None else task.get_name()
    if task_name is not None and len(task_name) > _SHORT_NAME and task_name not in port.clean:
        task_name = port.encoder.text(task_name)
    size = sys.getsizeof(text) + len(joined) + len(data) + CAPTURE_OVERHEAD_BYTES
    steady_ns = monotonic_ns()
    capture: Capture = (
        next_seq(),
        time_ns(),
        level,
        logger.name,
        text,
        frame.f_code,
        frame.f_lasti,
        b"",
        joined,
        thread,
        task_name,
        log_type,
        (b"", b"", data),
        size,
        steady_ns,
    )
    receipt = port.put(capture)
    port.ingress.hurry()
    if has_handlers(home):
        call_handlers(home, capture, {}, None)
    return receipt or NO_RECEIPT


def rescue(  # noqa: PLR0917 - what is left of a call
    logger: "Logger", level: int, msg: object, failure: Exception, frame: FrameType, log_type: str = GENERAL
) -> Receipt | None:
    """Log what can be told of a call that failed."""
    text = port.encoder.scrub(safe_text(msg, _LEAST_MESSAGE_BYTES) if type(msg) is str else described(msg))
    told = orjson.dumps({"log_call_failed": type(failure).__name__})[1:-1]
    size = len(text) + len(told) + CAPTURE_OVERHEAD_BYTES
    place = (frame.f_code, frame.f_lasti)
    rest = (told, b"", get_ident(), None, log_type, None, size, monotonic_ns())
    return port.put((next_seq(), time_ns(), level, logger.name, text, *place, *rest))


def _emit(  # noqa: PLR0917 - as emit
    logger: "Logger",
    level: int,
    msg: object,
    args: tuple[object, ...],
    fields: dict[str, Any],
    frame: FrameType,
    log_type: str,
    details: Details | None,
) -> Receipt | None:
    context = current_fields.get()
    if context is PIPELINE and not interrupts():
        port.ingress.self_logged += 1
        return None
    while frame.f_code.co_filename == _STDLIB_FILE and frame.f_back is not None:
        frame = frame.f_back  # a LoggerAdapter stands between
    error, group = None, None
    encoded = port.quick(fields) if fields else b""
    if encoded is None:
        msg, fields, error, stack_info, frame = _unusual(msg, args, fields, frame)
        if error is not None and level >= logging.ERROR:
            mark_reported(error)
        if error is not None or stack_info:
            words = partial(_words, msg, args)
            call = ErrorCall(level, logger.name, log_type, frame, words)
            details, group = _rare_parts(error, call, details, stack_info=stack_info)
    joined = _joined(context, logger._bound, fields)
    left_bytes = MAX_ENTRY_BYTES - len(joined) - sum(map(len, details or ()))
    fields_bytes = max(left_bytes - _LEAST_MESSAGE_BYTES, _LEAST_FIELDS_BYTES)
    if encoded is None or len(encoded) > fields_bytes:
        plain = port.encoder.plain(fields, fields_bytes) if fields else {}
        encoded = orjson.dumps(plain)[1:-1]
        joined = joined and _joined(context, logger._bound, plain)  # keys may have changed, each is written once
    text = port.encoder.text(format_message(msg, args))
    text = safe_text(text, max(left_bytes - len(encoded), _LEAST_MESSAGE_BYTES))
    steady_ns = monotonic_ns()
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
        sys.getsizeof(text) + len(encoded) + len(joined) + sum(map(len, details or ())) + CAPTURE_OVERHEAD_BYTES,
        steady_ns,
    )
    return _deliver(logger._home, capture, fields, error, group)


def _words(msg: object, args: tuple[object, ...]) -> str:
    return port.encoder.text(format_message(msg, args))


def _deliver(
    home: "Logger", capture: Capture, fields: dict[str, Any], error: BaseException | None, group: Group | None
) -> Receipt | None:
    """Past the logger's own filters, into ingress and to foreign handlers."""
    handled = has_handlers(home)
    if not handled and not home.filters:
        return _put(capture, group)
    shown = port.encoder.shown(fields)
    kept = filtered(home, capture, shown, error) if home.filters else capture
    if kept is None:
        return None
    receipt = _put(kept, group)
    if handled:
        call_handlers(home, kept, shown, error)
    return receipt


def _put(capture: Capture, group: Group | None) -> Receipt | None:
    receipt = port.put(capture)
    if group is not None:
        group.told_by(capture[SEQ])
    return receipt


def _task_name() -> str | None:
    task = current_task(port.loop) if get_ident() == port.loop_thread else None
    return None if task is None else port.encoder.text(task.get_name())


def _unusual(
    msg: object, args: tuple[object, ...], fields: dict[str, Any], frame: FrameType
) -> tuple[object, dict[str, Any], BaseException | None, bool, FrameType]:
    """Take stdlib's keywords out of the fields and heed them."""
    if type(msg) is str and not msg and not args and "msg" in fields:
        msg = fields.pop("msg")
    error = exception_of(fields.pop("exc_info", None))
    stack_info = fields.pop("stack_info", False)
    frame = _outer(frame, fields.pop("stacklevel", 1))
    if "extra" in fields:
        fields = {**_extra_fields(fields.pop("extra")), **fields}
    return msg, fields, error, stack_info is True, frame


def _rare_parts(
    error: BaseException | None, call: ErrorCall, details: Details | None, *, stack_info: bool
) -> tuple[Details, Group | None]:
    """Exception, stack and the entry's own data, and the group that is to be told which entry this is."""
    told, group = (b"", None) if error is None else port.faults.told(error, call, port.encoder)
    stack = encode_stack(call.frame, port.encoder.scrub) if stack_info else b""
    return (told, stack, b"" if details is None else details[TRADE_DATA]), group


def _extra_fields(extra: object) -> dict[str, Any]:
    """The fields of stdlib's `extra=`, as far as they can be read."""
    if extra is None:
        return {}
    try:
        mapping = cast("Mapping[str, Any]", extra)
        return {
            key if type(key) is str else described(key, str): mapping[key] for key in islice(mapping, MAX_ITEMS + 1)
        }
    except Exception as failure:  # noqa: BLE001 - the mapping is the user's code; the entry must arrive
        return {"extra": f"<{described(extra)} not readable: {type(failure).__name__}>"}


def _outer(frame: FrameType, stacklevel: object) -> FrameType:
    """The frame `stacklevel` - 1 callers out, as in stdlib logging."""
    steps = stacklevel - 1 if type(stacklevel) is int else 0
    while steps > 0 and frame.f_back is not None:
        frame = frame.f_back
        steps -= 1
    return frame


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
