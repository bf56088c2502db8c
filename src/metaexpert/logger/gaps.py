"""The entries that say in the stream itself what is missing from it."""

import logging
from collections.abc import Mapping
from typing import Final

from metaexpert.logger.entry import GAP, MESSAGE, Capture
from metaexpert.logger.own_entries import entry_in_place_of, own_entry

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
    fields = {
        "sink": sink,
        verb.replace(" ", "_"): total,
        "by_level": levels,
        "first_seq": seqs[0],
        "last_seq": seqs[1],
        "seconds": round(seconds, 3),
        "reason": reason,
    }
    return own_entry(logging.WARNING, message, fields, log_type=GAP)


def summary_entry(written: Capture, count: int, seqs: tuple[int, int], seconds: float) -> Capture:
    """The entry in place of an entry's repetitions: of the same place, level, logger and log type.

    Args:
        written: the entry that was repeated.
        count: how often it was.
        seqs: first and last sequence number of the repetitions.
        seconds: time from `written` to the last of them, seconds.
    """
    text = written[MESSAGE]
    shown = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
    times = "1 time" if count == 1 else f"{count:,} times"
    message = f"message repeated {times} in {seconds:.1f} s: [{shown}]"
    fields = {"count": count, "first_seq": seqs[0], "last_seq": seqs[1], "seconds": round(seconds, 3)}
    return entry_in_place_of(written, message, fields)
