"""Ordinary `LogRecord`s for handlers that others attached in the hierarchy (pytest's caplog, sentry, a user's own)."""

import logging
import traceback
from typing import TYPE_CHECKING, Any

import orjson

from metaexpert.logger.entry import STACK_INFO, Capture
from metaexpert.logger.site import line_of

if TYPE_CHECKING:
    from types import CodeType


def has_handlers(logger: logging.Logger) -> bool:
    """Whether a handler stands on this logger's way to the root; stdlib caches nothing, so we walk each time."""
    current: logging.Logger | None = logger
    while current is not None:
        if current.handlers:
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
    try:
        logger.callHandlers(_record(capture, fields, error))
    except Exception:  # noqa: BLE001 - the handler is somebody else's; a log call does not raise for it
        if logging.raiseExceptions:
            traceback.print_exc()


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
    message = record.getMessage()
    return capture if message == capture[4] else (*capture[:4], message, *capture[5:])


def _record(capture: Capture, fields: dict[str, Any], error: BaseException | None) -> logging.LogRecord:
    code: CodeType = capture[5]
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    line = line_of(code, capture[6])
    stack = capture[12][STACK_INFO] if capture[12] is not None else b""
    record = logging.LogRecord(
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
    own = record.__dict__
    own.update({key: value for key, value in fields.items() if key not in own and key not in {"message", "asctime"}})
    return record
