"""The entries that say in the stream what was recovered, and how the run before ended."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from metaexpert.logger.entry import RECOVERY, Capture
from metaexpert.logger.own_entries import own_entry

_MOST_RANGES: Final = 500


def ranges(numbers: Iterable[int]) -> str:
    """Numbers as ranges: "3-7, 9"."""
    ordered = sorted(set(numbers))
    if not ordered:
        return ""
    breaks = [(before, after) for before, after in pairwise(ordered) if after != before + 1]
    begins = [ordered[0], *(after for _, after in breaks)]
    ends = [*(before for before, _ in breaks), ordered[-1]]
    told = [str(begin) if begin == end else f"{begin}-{end}" for begin, end in zip(begins, ends, strict=True)]
    left = len(told) - _MOST_RANGES
    return ", ".join(told[:_MOST_RANGES]) + (f" and {left} more ranges" if left > 0 else "")


def moment(time_ns: int) -> str:
    """A time for people, UTC."""
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def recovery_entry(  # noqa: PLR0917 - one for each thing it tells
    boot_id: str, pid: int, seqs: Iterable[int], how: str, last_ns: int, damaged: int
) -> Capture:
    """The WARNING of log type "recovery" that names a former run's entries which are delivered again.

    Args:
        boot_id: that run's; `boot_id-seq` are the entries' ids.
        pid: its process.
        seqs: numbers of the entries.
        how: how the run ended.
        last_ns: time of its last entry, nanoseconds since 1970; 0 when nothing is known.
        damaged: damaged places in its journal.
    """
    numbers = list(seqs)
    named = ranges(numbers)
    last = moment(last_ns) if last_ns else None
    message = f"recovered {len(numbers)} entries of run {boot_id} (process {pid}), which {how}"
    message += f", last entry at {last}" if last else ""
    message += f"; ids {boot_id}-: {named}" if numbers else ""
    told = {"recovered": len(numbers), "run": boot_id, "pid": pid, "seqs": named, "ended": how, "last_entry": last}
    return own_entry(logging.WARNING, message, told | {"damaged": damaged}, log_type=RECOVERY)
