"""Entries of the library's own, which enter the pipeline past the log call."""

import sys
from _thread import get_ident
from collections.abc import Mapping
from time import monotonic_ns, time_ns
from typing import Any, Final

import orjson

from metaexpert.logger.entry import CAPTURE_OVERHEAD_BYTES, GENERAL, Capture, Details
from metaexpert.logger.ingress import next_seq

OWN_LOGGER: Final = "metaexpert.logger"


def own_entry(
    level: int,
    message: str,
    fields: Mapping[str, Any],
    *,
    logger: str = OWN_LOGGER,
    log_type: str = GENERAL,
    details: Details | None = None,
) -> Capture:
    """An entry that names the calling function as its place.

    Args:
        level: stdlib level number.
        message: the finished text.
        fields: what orjson encodes by itself; nothing is redacted here.
        logger: in whose name.
        log_type: decides, with the level, which lane it travels in.
        details: its own data, encoded.

    Raises:
        TypeError: a field's value is of no type that orjson knows.
    """
    encoded = orjson.dumps(fields)[1:-1]
    frame = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - as stdlib logging does
    size = sys.getsizeof(message) + len(encoded) + CAPTURE_OVERHEAD_BYTES
    place = (frame.f_code, frame.f_lasti)
    rest = (get_ident(), None, log_type, details, size, monotonic_ns())
    return (next_seq(), time_ns(), level, logger, message, *place, encoded, b"", *rest)


def entry_in_place_of(written: Capture, message: str, fields: Mapping[str, Any]) -> Capture:
    """One of the same place, level, logger and log type as `written`, by which `message` speaks for it."""
    _, _, level, logger, _, code, lasti, _, _, thread, task, log_type, *_ = written
    encoded = orjson.dumps(fields)[1:-1]
    size = sys.getsizeof(message) + len(encoded) + CAPTURE_OVERHEAD_BYTES
    place = (code, lasti)
    rest = (thread, task, log_type, None, size, monotonic_ns())
    return (next_seq(), time_ns(), level, logger, message, *place, encoded, b"", *rest)
