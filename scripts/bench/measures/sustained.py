"""The rate at which entries go to a JSON file, and the processor time each takes on its whole way.

A coroutine logs as fast as it can, giving the loop a turn after each 100 entries and honouring the peer's own
backpressure, until all entries of the plan are offered or 5 s have passed. The clock stops when the peer says that
everything is written; what is on disk at that moment has arrived, the rest is lost, and the rate is of what arrived.
Processor time is the process's, all threads, over the same span.
"""

import time

from bench.arrival import in_folder
from bench.measures.base import Case
from bench.pacing import at_full_speed, settle_garbage
from bench.peers.base import FileTarget
from bench.reading import Reading
from bench.workload import emitter

MOST_SECONDS = 5.0


async def sustained(case: Case) -> Reading:
    """Log, drain, count on disk, in this order, before the peer is closed."""
    peer = case.peer.load()
    surface = await peer.open(FileTarget(case.folder))
    emit = emitter(surface.log, surface.style)
    first, count = case.amounts.warm_up_entries, case.amounts.sustained_entries
    await at_full_speed(peer, emit, 0, first)
    await peer.drain()
    settle_garbage()
    before_seconds, before_cpu_seconds = time.perf_counter(), time.process_time()
    offered = await at_full_speed(peer, emit, first, count, MOST_SECONDS)
    offered_seconds = time.perf_counter() - before_seconds
    await peer.drain()
    taken_seconds = time.perf_counter() - before_seconds
    cpu_seconds = time.process_time() - before_cpu_seconds
    arrivals = in_folder(case.folder, first + offered)
    claims = peer.claims()
    await peer.close()
    arrived = max(0, arrivals.arrived - first)
    figures = {
        "entries_per_second": arrived / taken_seconds,
        "cpu_us_per_entry": cpu_seconds * 1e6 / max(1, arrived),
        "offered_per_second": offered / offered_seconds,
    }
    return Reading.of(figures, arrivals, claims)
