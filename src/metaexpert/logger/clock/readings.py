"""All of the machine's clocks at one moment."""

import sys
import time
from typing import Final

from metaexpert.logger.clock.quality import Reading

_NARROW_NS: Final = 1_000_000
_TRIES: Final = 5


def read_clocks() -> Reading:
    """All clocks at one moment: read anew where something came between."""
    reading = _read_once()
    for _ in range(_TRIES):
        if time.monotonic_ns() - reading.monotonic_ns < _NARROW_NS:
            break
        reading = _read_once()
    return reading


def _read_once() -> Reading:
    steady_ns = time.monotonic_ns()
    boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) if sys.platform == "linux" else None
    return Reading(time.time_ns(), steady_ns, boot_ns)
