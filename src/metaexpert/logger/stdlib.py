"""Ordinary `LogRecord`s for handlers that others attached in the hierarchy (pytest's caplog, sentry, a user's own)."""

import logging
from typing import TYPE_CHECKING, Any

from metaexpert.logger.entry import Capture
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
    """Hand the entry to the foreign handlers as stdlib would have."""
    code: CodeType = capture[5]
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord(
        capture[3], capture[2], code.co_filename, line_of(code, capture[6]), capture[4], (), exc_info, code.co_name
    )
    taken = record.__dict__
    taken.update(
        {key: value for key, value in fields.items() if key not in taken and key not in {"message", "asctime"}}
    )
    logger.callHandlers(record)
