"""How long the log call takes, in nanoseconds, on a loop that is otherwise idle.

Chunks of 50 calls, each call timed on its own, then 5 ms for the loop, so that no queue fills and whatever the peer
does in the background happens; garbage collection as by default. The median of a call of an empty function, timed in
the same way, is subtracted and reported: it is the clock's own cost.
"""

import asyncio
import time
from array import array

from bench.arrival import in_folder
from bench.measures.base import Case
from bench.pacing import at_rate, settle_garbage
from bench.peers.base import FileTarget
from bench.reading import Reading
from bench.stats import percentile
from bench.workload import LATENCY_MS, Emit, emitter, price_of

CHUNK = 50
PAUSE_SECONDS = 0.005
WARM_UP_RATE_PER_SECOND = 10_000


async def latency(case: Case) -> Reading:
    """Time each call; the entries are counted on disk afterwards."""
    peer = case.peer.load()
    surface = await peer.open(FileTarget(case.folder))
    emit = emitter(surface.log, surface.style)
    first, count = case.amounts.warm_up_entries, case.amounts.latency_calls
    clock_ns = percentile(await _timed(nothing, 0, count // 4), 50)
    await at_rate(emit, 0, first, WARM_UP_RATE_PER_SECOND)
    settle_garbage()
    calls_ns = await _timed(emit, first, count)
    await peer.drain()
    arrivals = in_folder(case.folder, first + count)
    claims = peer.claims()
    await peer.close()
    figures = {
        "p50_ns": percentile(calls_ns, 50) - clock_ns,
        "p99_ns": percentile(calls_ns, 99) - clock_ns,
        "p99_9_ns": percentile(calls_ns, 99.9) - clock_ns,
        "max_ns": calls_ns[-1] - clock_ns,
        "clock_ns": clock_ns,
    }
    return Reading.of(figures, arrivals, claims)


async def _timed(emit: Emit, first: int, count: int) -> list[int]:
    """Nanoseconds of each call, ascending."""
    taken_ns = array("q", bytes(8 * count))
    for start in range(0, count, CHUNK):
        time_chunk(emit, first, taken_ns, start, min(start + CHUNK, count))
        await asyncio.sleep(PAUSE_SECONDS)
    return sorted(taken_ns)


def time_chunk(emit: Emit, first: int, taken_ns: array[int], start: int, stop: int) -> None:
    """Time calls ``start`` to ``stop`` each on its own; the entries' numbers begin with ``first`` at call 0."""
    clock = time.perf_counter_ns
    for index in range(start, stop):
        price = price_of(first + index)
        before_ns = clock()
        emit(price, LATENCY_MS)
        taken_ns[index] = clock() - before_ns


def nothing(price: float, latency_ms: float) -> None:
    """What is timed to learn what the clock itself costs."""
