"""How late the loop comes to a 1 ms heartbeat: idle, at 10 000 entries a second, and in a burst at 50 000 a second.

All three in one process, one after the other, with the peer open; 'added' is the figure less the idle one, and zero
where the idle one is the larger. The burst's span lasts until the file has stopped growing, so that work put off until
after the burst counts as well.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from bench.arrival import in_folder
from bench.heartbeat import Heartbeat
from bench.measures.base import Case
from bench.pacing import at_rate, settle_garbage
from bench.peers.base import FileTarget
from bench.reading import Reading
from bench.stats import percentile
from bench.workload import Emit, emitter

STEADY_PER_SECOND = 10_000
BURST_PER_SECOND = 50_000
QUIET_SECONDS = 0.15
POLL_SECONDS = 0.01


async def lag(case: Case) -> Reading:
    """Beat through all three spans; the entries are counted on disk afterwards."""
    peer = case.peer.load()
    surface = await peer.open(FileTarget(case.folder))
    emit = emitter(surface.log, surface.style)
    amounts = case.amounts
    first, steady = amounts.warm_up_entries, int(STEADY_PER_SECOND * amounts.steady_seconds)
    await at_rate(emit, 0, first, STEADY_PER_SECOND)
    await _settled(case.folder)
    settle_garbage()
    with Heartbeat() as heartbeat:
        idle_ns = await _idle_span(amounts.idle_seconds)
        steady_ns, steady_seconds = await _loaded_span(emit, first, steady, STEADY_PER_SECOND)
        await _settled(case.folder)
        burst_ns, burst_seconds = await _loaded_span(emit, first + steady, amounts.burst_entries, BURST_PER_SECOND)
        burst_ns = (burst_ns[0], max(burst_ns[1], await _settled(case.folder)))
    await peer.drain()
    arrivals = in_folder(case.folder, first + steady + amounts.burst_entries)
    claims = peer.claims()
    await peer.close()
    figures = {
        **_figures("idle", heartbeat.between(*idle_ns)),
        **_figures("steady", heartbeat.between(*steady_ns)),
        **_figures("burst", heartbeat.between(*burst_ns)),
        "steady_per_second": steady / steady_seconds,
        "burst_per_second": amounts.burst_entries / burst_seconds,
    }
    return Reading.of({**figures, **_added(figures)}, arrivals, claims)


async def _idle_span(seconds: float) -> tuple[int, int]:
    before_ns = time.monotonic_ns()
    await asyncio.sleep(seconds)
    return before_ns, time.monotonic_ns()


async def _loaded_span(emit: Emit, first: int, count: int, per_second: int) -> tuple[tuple[int, int], float]:
    before_ns = time.monotonic_ns()
    seconds = await at_rate(emit, first, count, per_second)
    return (before_ns, time.monotonic_ns()), seconds


async def _settled(folder: Path) -> int:
    """Wait until the folder's files have not grown for a while; the monotonic time at which they last did."""
    size, grown_ns = -1, time.monotonic_ns()
    while time.monotonic_ns() - grown_ns < QUIET_SECONDS * 1e9:
        now_size = _size_bytes(folder)
        if now_size != size:
            size, grown_ns = now_size, time.monotonic_ns()
        await asyncio.sleep(POLL_SECONDS)
    return grown_ns


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("peer*"))


def _figures(span: str, late_ns: Sequence[int]) -> dict[str, float]:
    return {
        f"{span}_p50_ms": percentile(late_ns, 50) / 1e6,
        f"{span}_p99_ms": percentile(late_ns, 99) / 1e6,
        f"{span}_max_ms": late_ns[-1] / 1e6,
    }


def _added(figures: dict[str, float]) -> dict[str, float]:
    idle = figures["idle_p99_ms"]
    return {f"added_{span}_p99_ms": max(0.0, figures[f"{span}_p99_ms"] - idle) for span in ("steady", "burst")}
