"""The rate at which entries reach a collector over HTTP, counted in the collector's own process.

The clock stops when the peer says that everything was acknowledged; what the collector holds at that moment has
arrived, the rest is lost, and the rate is of what arrived.
"""

import time
from dataclasses import replace

from bench.collector_process import collector_process
from bench.measures.base import Case, Measure
from bench.pacing import at_full_speed, settle_garbage
from bench.peers.base import HttpTarget, Wire
from bench.reading import Reading
from bench.workload import emitter

MOST_SECONDS = 10.0


def to_collector(wire: Wire) -> Measure:
    """The measurement over one protocol."""

    async def measure(case: Case) -> Reading:
        first, count = case.amounts.warm_up_entries, case.amounts.collector_entries
        async with collector_process(offered=first + count) as collector:
            peer = case.peer.load()
            surface = await peer.open(HttpTarget(wire, collector.url, case.folder))
            emit = emitter(surface.log, surface.style)
            await at_full_speed(peer, emit, 0, first)
            await peer.drain()
            settle_garbage()
            before_seconds, before_cpu_seconds = time.perf_counter(), time.process_time()
            offered = await at_full_speed(peer, emit, first, count, MOST_SECONDS)
            await peer.drain()
            taken_seconds = time.perf_counter() - before_seconds
            cpu_seconds = time.process_time() - before_cpu_seconds
            tally = await collector.tally()
            claims = peer.claims()
            await peer.close()
        arrived = max(0, tally.arrived - first)
        figures = {
            "entries_per_second": arrived / taken_seconds,
            "cpu_us_per_entry": cpu_seconds * 1e6 / max(1, arrived),
            "requests": tally.requests,
        }
        return Reading.of(figures, replace(tally, offered=first + offered), claims)

    return measure
