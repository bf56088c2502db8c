"""Resident memory over the idle process: at 10 000 entries a second, and before a collector that never answers.

Idle is the process with the peer open and warmed up. The peak is the kernel's own high-water mark, reset beforehand.
"""

import asyncio
import sys
import time
from pathlib import Path

import psutil

from bench.arrival import in_folder
from bench.collector_process import collector_process
from bench.measures.base import Case
from bench.pacing import BULK_CHUNK, at_rate, settle_garbage
from bench.peers.base import Claims, FileTarget, HttpTarget
from bench.reading import Reading
from bench.workload import LATENCY_MS, Emit, emitter, price_of

STEADY_PER_SECOND = 10_000
MIB = 2**20
MOST_SECONDS = 15.0
_RESET_PEAK = "5"


async def memory(case: Case) -> Reading:
    """The peak at a steady rate into a file."""
    bare_bytes = _resident_bytes()
    peer = case.peer.load()
    surface = await peer.open(FileTarget(case.folder))
    emit = emitter(surface.log, surface.style)
    first = case.amounts.warm_up_entries
    count = int(STEADY_PER_SECOND * case.amounts.memory_seconds)
    await at_rate(emit, 0, first, STEADY_PER_SECOND)
    await peer.drain()
    idle_bytes = _reset_peak()
    offered = await at_rate(emit, first, count, STEADY_PER_SECOND, MOST_SECONDS)
    peak_bytes = _peak_bytes()
    await peer.drain()
    arrivals = in_folder(case.folder, first + offered.logged)
    claims = peer.claims()
    await peer.close()
    figures = {"over_idle_mib": (peak_bytes - idle_bytes) / MIB, "set_up_mib": (idle_bytes - bare_bytes) / MIB}
    return Reading.of(figures, arrivals, claims)


async def stalled(case: Case) -> Reading:
    """The peak before a collector that accepts connections, reads, and never answers; nothing can arrive there."""
    wire = min(case.peer.wires)
    async with collector_process(stalled=True) as collector:
        peer = case.peer.load()
        surface = await peer.open(HttpTarget(wire, collector.url, case.folder))
        emit = emitter(surface.log, surface.style)
        await at_rate(emit, 0, case.amounts.warm_up_entries, STEADY_PER_SECOND)
        idle_bytes = _reset_peak()
        before_seconds = time.perf_counter()
        offered = await _offer(emit, case.amounts.stalled_entries)
        taken_seconds = time.perf_counter() - before_seconds
        peak_bytes = _peak_bytes()
        claims = peer.claims()
    # The peer is left to the end of the process: closing it would wait for the dead collector once more.
    return Reading(
        figures={
            "over_idle_mib": (peak_bytes - idle_bytes) / MIB,
            "offered": offered,
            "offered_per_second": offered / taken_seconds,
            **_accounts(claims, case.amounts.warm_up_entries + offered),
        },
        offered=offered,
        claims=claims,
    )


def _accounts(claims: Claims, offered: int) -> dict[str, float]:
    """What the library says it holds and dropped, and what that leaves unexplained; gap entries are its own."""
    if "accepted" not in claims:
        return {}
    held = int(claims["waiting_at_ingress"]) + int(claims["in_flight"])
    dropped = int(claims["dropped_at_ingress"]) + int(claims["dropped"])
    return {
        "held_entries": held,
        "dropped_entries": dropped,
        "unexplained_entries": offered + int(claims["gap_entries"]) - held - dropped,
    }


async def _offer(emit: Emit, count: int) -> int:
    """Log without any backpressure, so that what does not fit has to be dropped; say how many there was time for."""
    end_seconds = time.monotonic() + MOST_SECONDS
    for start in range(0, count, BULK_CHUNK):
        for number in range(start, min(start + BULK_CHUNK, count)):
            emit(price_of(number), LATENCY_MS)
        await asyncio.sleep(0)
        if time.monotonic() > end_seconds:
            return min(start + BULK_CHUNK, count)
    return count


def _resident_bytes() -> int:
    return psutil.Process().memory_info().rss


def _reset_peak() -> int:
    """Collect garbage, set the high-water mark back to what is resident now, and say how much that is."""
    settle_garbage()
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK, encoding="ascii")
    return _resident_bytes()


def _peak_bytes() -> int:
    """The high-water mark; where the system keeps none that can be reset, what is resident now."""
    if sys.platform != "linux":
        return _resident_bytes()
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
