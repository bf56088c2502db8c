"""What the system tells of this process: CPU time, memory, open files, threads, and the machine's network traffic.

A figure the system does not tell is None, never a guess. Linux tells all of it in /proc; elsewhere psutil does, where
it is installed, and else Python itself knows of CPU time and its threads. No system in use counts the network traffic
of a process: what is read is that of all interfaces but loopback, of the machine or, in a container, of its network
namespace.
"""

import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessReading:
    """The process at one moment.

    Attributes:
        at_seconds: when, on a clock that never goes back.
        cpu_seconds: CPU time, user and system, of all its threads so far.
        rss_bytes: memory that is in RAM; None where it is unknown.
        open_files: file descriptors, or handles on Windows; None where it is unknown.
        threads: its threads, those of Python alone where the system tells of no others.
        received_bytes: what the machine's network interfaces but loopback received so far; None where it is unknown.
        sent_bytes: what they sent so far; None where it is unknown.
    """

    at_seconds: float
    cpu_seconds: float
    rss_bytes: int | None
    open_files: int | None
    threads: int
    received_bytes: int | None
    sent_bytes: int | None


def usable_cores() -> int:
    """How many cores this process may run on."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def read_by_proc(proc: Path) -> ProcessReading:
    """The process now, by the files below `proc`; some 0.1 ms, for the kernel's answers alone."""
    received, sent = _traffic(proc / "self" / "net" / "dev")
    return ProcessReading(
        at_seconds=time.monotonic(),
        cpu_seconds=time.process_time(),
        rss_bytes=_resident_bytes(proc / "self" / "statm"),
        open_files=_entries(proc / "self" / "fd"),
        threads=_entries(proc / "self" / "task") or threading.active_count(),
        received_bytes=received,
        sent_bytes=sent,
    )


def _resident_bytes(statm: Path) -> int | None:
    """See proc_pid_statm(5): the second number counts resident pages."""
    try:
        return int(statm.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _entries(folder: Path) -> int | None:
    try:
        return len(os.listdir(folder))  # noqa: PTH208 - no object for each of many thousands
    except OSError:
        return None


def _traffic(dev: Path) -> tuple[int | None, int | None]:
    """See proc_pid_net(5): after two lines of headings, one for each interface; received bytes first, sent ninth."""
    try:
        counts = list(_counts(dev.read_text("ascii").splitlines()[2:]))
    except (OSError, ValueError, IndexError):
        return None, None
    return sum(received for received, _ in counts), sum(sent for _, sent in counts)


def _counts(lines: Iterable[str]) -> Iterable[tuple[int, int]]:
    for line in lines:
        name, _, numbers = line.partition(":")
        if name.strip() != "lo":
            told = numbers.split()
            yield int(told[0]), int(told[8])
