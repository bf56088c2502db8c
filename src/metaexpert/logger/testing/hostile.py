"""Entries that a log call lets through and that a careless sink stumbles over."""

import logging
from collections.abc import Iterator
from typing import Any

from metaexpert.logger.entry import AUDIT, GAP, TIME_NS, Capture
from metaexpert.logger.testing.entries import new_entry
from metaexpert.logger.values import MAX_ENTRY_BYTES

_ODD = 'quote " backslash \\ tab \t newline \n return \r nul \x00 escape \x1b[31m separator \u2028 emoji 😀'
_SURROGATES = "lone \ud800 and \udfff"
_UNNAMED_LEVEL = 37


def hostile_entries() -> Iterator[tuple[str, Capture]]:
    """Each with a word that says what is odd about it."""
    yield "an empty message", new_entry("")
    yield "control characters", new_entry(_ODD, **_fields(_ODD))
    yield "lone surrogates", new_entry(_SURROGATES, **_fields(_SURROGATES))
    yield "a message of 64 KiB", new_entry("x" * MAX_ENTRY_BYTES)
    yield "a field of 64 KiB", new_entry("large", text="é" * MAX_ENTRY_BYTES)
    yield "values JSON lacks", new_entry("numbers", nan=float("nan"), inf=float("inf"), big=2**70, raw=b"\xff")
    yield "nested fields", new_entry("nested", book={"bids": [[1.5, "2"]], "deep": {"a": {"b": {"c": None}}}})
    yield "an exception", new_entry("failed", level=logging.ERROR, error=_failure(_SURROGATES))
    yield "a group of exceptions", new_entry("failed", error=ExceptionGroup("all", [_failure("a"), _failure(_ODD)]))
    yield "a trade event", new_entry("filled", trade_data={"event": "order_filled", "price": "1.50", "note": _ODD})
    yield "an audit entry", new_entry("changed", log_type=AUDIT)
    yield "a gap entry", new_entry("dropped 3 entries", log_type=GAP, level=logging.WARNING, dropped=3)
    yield "an unnamed level", new_entry("between", level=_UNNAMED_LEVEL)
    yield "level zero", new_entry("lowest", level=logging.NOTSET)
    yield "an odd logger name", new_entry("named", logger=f"{_ODD}{_SURROGATES}")
    entry = new_entry("at the epoch")
    yield "the first nanosecond", (entry[0], 0, *entry[TIME_NS + 1 :])


def _fields(text: str) -> dict[str, Any]:
    return {"": text, text: 1, "text": text}


def _failure(text: str) -> Exception:
    try:
        float(text)
    except ValueError as cause:
        error = RuntimeError(text)
        error.__cause__ = cause
        return error
    raise AssertionError(text)
