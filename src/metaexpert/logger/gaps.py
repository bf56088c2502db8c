"""The entries that say in the stream itself what is missing from it."""

import logging
import sys
from _thread import get_ident
from collections.abc import Mapping
from time import time_ns
from typing import Final

import orjson

from metaexpert.logger.entry import CAPTURE_OVERHEAD_BYTES, GAP, Capture
from metaexpert.logger.ingress import next_seq

GAP_LOGGER: Final = "metaexpert.logger"

_SHOWN_CHARACTERS: Final = 200
"""How much of a message its summary repeats."""


def gap_entry(
    sink: str,
    by_level: Mapping[int, int],
    seqs: tuple[int, int],
    times_ns: tuple[int, int],
    reason: str,
    *,
    verb: str = "dropped",
) -> Capture:
    """A WARNING of log type "gap".

    Args:
        sink: the sink whose stream lacks the entries, or "ingress" when all do.
        by_level: dropped entries by level number.
        seqs: first and last sequence number between which the dropped entries lie.
        times_ns: times of the first and the last dropped entry, nanoseconds.
        reason: why they were dropped.
        verb: what befell them; with underscores the name of the field that counts them.
    """
    total = sum(by_level.values())
    levels = {logging.getLevelName(level): count for level, count in sorted(by_level.items(), reverse=True)}
    seconds = (times_ns[1] - times_ns[0]) / 1e9
    told = ", ".join(f"{count:,} {level}" for level, count in levels.items())
    message = f"{verb} {total:,} entries: {told}, within seq {seqs[0]}-{seqs[1]}, {seconds:.1f} s, {reason}"
    fields = orjson.dumps(
        {
            "sink": sink,
            verb.replace(" ", "_"): total,
            "by_level": levels,
            "first_seq": seqs[0],
            "last_seq": seqs[1],
            "seconds": round(seconds, 3),
            "reason": reason,
        }
    )[1:-1]
    frame = sys._getframe()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - names this place as the caller
    size = len(message) + len(fields) + CAPTURE_OVERHEAD_BYTES
    return (
        next_seq(),
        time_ns(),
        logging.WARNING,
        GAP_LOGGER,
        message,
        frame.f_code,
        frame.f_lasti,
        fields,
        b"",
        get_ident(),
        None,
        GAP,
        None,
        size,
    )


def summary_entry(written: Capture, count: int, seqs: tuple[int, int], seconds: float) -> Capture:
    """The entry in place of an entry's repetitions: of the same place, level, logger and log type.

    Args:
        written: the entry that was repeated.
        count: how often it was.
        seqs: first and last sequence number of the repetitions.
        seconds: time from `written` to the last of them, seconds.
    """
    _, _, level, logger, text, code, lasti, _, _, thread, task, log_type, _, _ = written
    shown = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
    times = "1 time" if count == 1 else f"{count:,} times"
    message = f"message repeated {times} in {seconds:.1f} s: [{shown}]"
    fields = orjson.dumps({"count": count, "first_seq": seqs[0], "last_seq": seqs[1], "seconds": round(seconds, 3)})[
        1:-1
    ]
    size = sys.getsizeof(message) + len(fields) + CAPTURE_OVERHEAD_BYTES
    place = (code, lasti)
    return (next_seq(), time_ns(), level, logger, message, *place, fields, b"", thread, task, log_type, None, size)
