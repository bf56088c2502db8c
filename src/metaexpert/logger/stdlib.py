"""Both ways between stdlib logging and the pipeline.

Out: ordinary `LogRecord`s for handlers that others attached in the hierarchy (pytest's caplog, sentry, a user's own).
In: the records of loggers that are not ours (aiohttp, ccxt, asyncio), through one handler on the root logger.
"""

import logging
import sys
import traceback
from _thread import get_ident
from time import monotonic_ns, time_ns
from typing import TYPE_CHECKING, Any, Final, final, override

import orjson

from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.entry import (
    CAPTURE_OVERHEAD_BYTES,
    EXCEPTION,
    GENERAL,
    LEVEL,
    SEQ,
    STACK_INFO,
    TRADE_DATA,
    Capture,
    Details,
)
from metaexpert.logger.errors import TRACEBACK_LIMIT_BYTES, exception_of
from metaexpert.logger.faults.groups import Group
from metaexpert.logger.faults.telling import ErrorCall
from metaexpert.logger.ingress import next_seq
from metaexpert.logger.interruption import interrupts
from metaexpert.logger.message import format_message
from metaexpert.logger.nesting import nesting
from metaexpert.logger.port import port
from metaexpert.logger.site import line_of, placed
from metaexpert.logger.values import MAX_ENTRY_BYTES, described, safe_text

if TYPE_CHECKING:
    from types import CodeType


def _stdlibs_own() -> object:
    """What stands there, if it is stdlib's: somebody may have replaced it before this was imported."""
    found = logging.Logger.callHandlers
    code = getattr(found, "__code__", None)
    return found if getattr(code, "co_filename", None) == logging.Logger.info.__code__.co_filename else object()


CALL_HANDLERS: Final = _stdlibs_own()
"""Stdlib's own `Logger.callHandlers`; sentry and others put theirs in its place."""

_STANDARD: Final = frozenset({*vars(logging.LogRecord("", 0, "", 0, "", (), None)), "message", "asctime", "taskName"})
"""What every record has; all else was given as `extra=`."""


_FIELDS_BYTES: Final = MAX_ENTRY_BYTES // 4
_MESSAGE_BYTES: Final = MAX_ENTRY_BYTES // 8
"""What a record's extra and message may take; exception and stack take up to a half together with them."""

_LATEST_NS: Final = 2**63 - 1

_ASYNCIO: Final = "asyncio"
_SLOW: Final = "Executing %s took"
"""How asyncio's debug mode tells of a callback that held up the loop, with the seconds it took."""

_HIDDEN_MARK: Final = b"[REDACTED"


@final
class OwnRecord(logging.LogRecord):
    """A record made of an entry that is in the pipeline already."""


@final
class RecordBridge(logging.Handler):
    """Takes the records of other people's loggers into the pipeline; stands on the root logger while logging runs.

    It only appends, takes no lock, and nothing it calls logs: stdlib ignores, from 3.13.4 on, what a handler's own code
    logs, and a lock would be waited for in a signal handler.
    """

    @override
    def createLock(self) -> None:
        self.lock = None

    @override
    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record, unless it came from the pipeline."""
        if not isinstance(record, OwnRecord):
            take(record)
        return True

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """As `handle`, for those who call a handler's `emit` themselves."""
        self.handle(record)


def take(record: logging.LogRecord) -> None:
    """Put a record into the pipeline; what the pipeline's own transport logs is counted and goes no further."""
    if current_fields.get() is PIPELINE and not interrupts():
        port.ingress.self_logged += 1
        return
    group = None
    try:
        capture, group = _captured(record)
    except Exception as failure:  # noqa: BLE001 - somebody's log call does not raise for what its record is made of
        capture = _remains(record, failure)
    port.put(capture)
    if group is not None:
        group.told_by(capture[SEQ])
    if capture[LEVEL] >= logging.ERROR:
        port.ingress.hurry()


def _captured(record: logging.LogRecord) -> tuple[Capture, Group | None]:
    encoder = port.encoder
    extra = {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
    if record.name == _ASYNCIO and type(record.msg) is str and record.msg.startswith(_SLOW):
        extra |= _slow_callback(record)
    plain = encoder.plain(extra, _FIELDS_BYTES) if extra else {}  # its keys may be others, and each is written once
    context = current_fields.get()
    joined = b"" if context is None else context.under(encoder, encoder.items).without(plain)
    args = record.args if isinstance(record.args, tuple) else () if record.args is None else (record.args,)
    text = safe_text(encoder.text(format_message(record.msg, args)), _MESSAGE_BYTES)
    place = placed(_named(record.pathname), _named(record.funcName or "<unknown>"), record.lineno)
    task = getattr(record, "taskName", None)
    details, group = _details_of(record, text)
    capture = _capture(
        min(max(0, round(record.created * 1e6) * 1000), _LATEST_NS),
        int(record.levelno),
        encoder.text(_named(record.name)),
        text,
        place,
        orjson.dumps(plain)[1:-1],
        joined,
        record.thread if type(record.thread) is int else 0,
        None if task is None else encoder.text(_named(task)),
        details,
    )
    return capture, group


def _slow_callback(record: logging.LogRecord) -> dict[str, object]:
    args = record.args
    seconds = args[1] if isinstance(args, tuple) and len(args) > 1 else None
    return {"took_seconds": seconds} if type(seconds) is float else {}


def _remains(record: logging.LogRecord, failure: Exception) -> Capture:
    """What can be told of a record that makes no sense, as one from another process may."""
    own = record.__dict__
    level = own.get("levelno")
    told = orjson.dumps({"record_failed": type(failure).__name__})[1:-1]
    text = port.encoder.scrub(described(own.get("msg"), str, _MESSAGE_BYTES))
    place = placed("<unknown>", "<unknown>", 0)
    return _capture(
        time_ns(),
        level if type(level) is int else logging.ERROR,
        _named(own.get("name")),
        text,
        place,
        told,
        b"",
        get_ident(),
        None,
        None,
    )


def _capture(  # noqa: PLR0917 - in the order of a capture
    time_ns: int,
    level: int,
    name: str,
    text: str,
    place: "CodeType",
    fields: bytes,
    joined: bytes,
    thread: int,
    task: str | None,
    details: Details | None,
) -> Capture:
    size = sys.getsizeof(text) + len(fields) + len(joined) + sum(map(len, details or ())) + CAPTURE_OVERHEAD_BYTES
    rest = (thread, task, GENERAL, details, size, monotonic_ns())
    return (next_seq(), time_ns, level, name, text, place, 0, fields, joined, *rest)


def _named(value: object) -> str:
    """A name, which in a record may be anything."""
    return value if type(value) is str else described(value, str)


def _details_of(record: logging.LogRecord, text: str) -> tuple[Details | None, Group | None]:
    error = exception_of(record.exc_info)
    stack = record.stack_info
    if error is None and not stack:
        return None, None
    told, group = b"", None
    if error is not None:
        frame = sys._getframe()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - as stdlib logging does
        call = ErrorCall(int(record.levelno), port.encoder.text(_named(record.name)), GENERAL, frame, lambda: text)
        told, group = port.faults.told(error, call, port.encoder)
    shown = orjson.dumps(port.encoder.scrub(safe_text(_named(stack), TRACEBACK_LIMIT_BYTES))) if stack else b""
    return (told, shown, b""), group


def log_record(record: OwnRecord) -> None:
    """Log what is no call of anybody's, such as a warning, as a call of its logger would have been."""
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        take(record)
        if has_handlers(logger):
            _call_handlers(logger, record)


def has_handlers(logger: logging.Logger) -> bool:
    """Whether somebody else's handler stands on this logger's way to the root.

    Stdlib caches nothing of the kind, so we walk each time.
    """
    if logging.Logger.callHandlers is not CALL_HANDLERS:
        return True
    current: logging.Logger | None = logger
    while current is not None:
        if current.handlers and (len(current.handlers) > 1 or not isinstance(current.handlers[0], RecordBridge)):
            return True
        if not current.propagate:
            return False
        current = current.parent
    return False


def call_handlers(
    logger: logging.Logger, capture: Capture, fields: dict[str, Any], error: BaseException | None
) -> None:
    """Hand the entry to the foreign handlers as stdlib would have, under stdlib's own level."""
    if capture[2] < logging.Logger.getEffectiveLevel(logger):
        return  # kept until logging is set up, or an entry that ignores levels
    _call_handlers(logger, _record(capture, fields, error))


def _call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
    if nesting.too_deep:
        return  # what a handler does, such as making text of an exception, logs again and again
    nesting.depth += 1
    try:
        logger.callHandlers(record)
    except Exception:  # noqa: BLE001 - the handler is somebody else's; a log call does not raise for it
        if logging.raiseExceptions:
            traceback.print_exc()
    finally:
        nesting.depth -= 1


def filtered(
    logger: logging.Logger, capture: Capture, fields: dict[str, Any], error: BaseException | None
) -> Capture | None:
    """The capture after the logger's own filters, with the message they may have changed; None when they refuse it."""
    record = _record(capture, fields, error)
    kept = logger.filter(record)
    if not kept:
        return None
    if isinstance(kept, logging.LogRecord):
        record = kept
    message = port.encoder.text(record.getMessage())
    return capture if message == capture[4] else (*capture[:4], message, *capture[5:])


def _record(capture: Capture, fields: dict[str, Any], error: BaseException | None) -> logging.LogRecord:
    code: CodeType = capture[5]
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    line = line_of(code, capture[6])
    stack, data = (b"", b"") if capture[12] is None else (capture[12][STACK_INFO], capture[12][TRADE_DATA])
    record = OwnRecord(
        capture[3],
        capture[2],
        code.co_filename,
        line,
        capture[4],
        (),
        exc_info,
        code.co_name,
        orjson.loads(stack) if stack else None,
    )
    if capture[12] is not None and _HIDDEN_MARK in capture[12][EXCEPTION]:
        # formatters show this text in place of the exception's own
        record.exc_text = orjson.loads(capture[12][EXCEPTION])["traceback"].rstrip("\n")
    own = record.__dict__
    given = {**orjson.loads(data), **fields} if data else fields
    own.update({key: value for key, value in given.items() if key not in own and key not in {"message", "asctime"}})
    return record
