"""Exceptions and stacks as encoded JSON values, made in the call while the traceback still stands."""

import sys
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Final, cast

import orjson

from metaexpert.logger.values import safe_text, type_name

TRACEBACK_LIMIT_BYTES: Final = 32 * 1024
_MESSAGE_LIMIT_BYTES: Final = 4 * 1024


def exception_of(exc_info: object) -> BaseException | None:
    """The exception meant by stdlib's `exc_info=`: True, an exception, or an exc_info tuple."""
    if not exc_info:
        return None
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return next((part for part in cast("tuple[object, ...]", exc_info) if isinstance(part, BaseException)), None)
    return sys.exception()


def encode_exception(error: BaseException) -> bytes:
    """`{"type", "message", "traceback"}` with causes, notes and groups, bounded."""
    return orjson.dumps(
        {
            "type": type_name(error),
            "message": _guarded(lambda: str(error), _MESSAGE_LIMIT_BYTES),
            "traceback": _guarded(lambda: "".join(traceback.format_exception(error)), TRACEBACK_LIMIT_BYTES),
        }
    )


def encode_stack(frame: FrameType) -> bytes:
    """The call stack that ends in `frame`, as stdlib's `stack_info` prints it."""
    return orjson.dumps(
        _guarded(
            lambda: "Stack (most recent call last):\n" + "".join(traceback.format_stack(frame)), TRACEBACK_LIMIT_BYTES
        )
    )


def _guarded(describe: Callable[[], str], limit_bytes: int) -> str:
    try:
        return safe_text(describe(), limit_bytes)
    except Exception as failure:  # noqa: BLE001 - an exception's __str__ is the user's code; the entry must arrive
        return f"<not describable: {type(failure).__name__}>"
