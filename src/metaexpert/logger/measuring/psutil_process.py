"""The process as psutil tells of it, where there is no /proc."""

import os
import re
import sys
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import psutil

from metaexpert.logger.measuring.process import ProcessReading

_FILES: Final = "num_handles" if sys.platform == "win32" else "num_fds"
_LOOPBACK: Final = re.compile(r"lo\d*|loopback.*", re.IGNORECASE)


@lru_cache(maxsize=1)
def _process(pid: int) -> psutil.Process:
    """A forked child has one of its own."""
    return psutil.Process(pid)


def read_by_psutil() -> ProcessReading:
    """The process now."""
    process = _process(os.getpid())
    received, sent = _traffic()
    return ProcessReading(
        at_seconds=time.monotonic(),
        cpu_seconds=time.process_time(),
        rss_bytes=_known(lambda: process.memory_info().rss),
        open_files=_known(lambda: int(getattr(process, _FILES)())),
        threads=_known(process.num_threads) or threading.active_count(),
        received_bytes=received,
        sent_bytes=sent,
    )


def _known(ask: Callable[[], int]) -> int | None:
    """What the system tells; None where it does not."""
    try:
        return ask()
    except (psutil.Error, OSError, NotImplementedError):
        return None


def _traffic() -> tuple[int | None, int | None]:
    try:
        interfaces = psutil.net_io_counters(pernic=True, nowrap=True)
    except (psutil.Error, OSError, RuntimeError, NotImplementedError):
        return None, None
    counted = [counters for name, counters in interfaces.items() if not _LOOPBACK.fullmatch(name)]
    return sum(each.bytes_recv for each in counted), sum(each.bytes_sent for each in counted)
