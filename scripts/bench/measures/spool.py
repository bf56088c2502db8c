"""A disk queue: how fast it is worked off to a collector, and how long a start takes that finds a large one.

Ours alone. First a runtime logs to a collector that is not there, and stops: everything is on disk. Then another one
starts, with the collector there in its own process; the clock runs from before that start until the library says that
all is acknowledged, and what the collector counted has arrived. Last, a queue of ``spool_segments`` files of 8 MiB is
laid out, of which the first is written in full and the others sparsely, with their frames at the places where they
would be: a start reads the ends of files alone. The clock runs from before the start until the statistics tell the
entries; the files come from the page cache.
"""

import asyncio
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bench.collector_process import collector_process
from bench.measures.base import Case
from bench.pacing import at_full_speed, settle_garbage
from bench.peers.base import HttpTarget, Wire
from bench.reading import Reading
from bench.workload import emitter

if TYPE_CHECKING:
    from bench.peers.metaexpert_peer import MetaexpertPeer

MANY_BYTES: Final = 10_000_000_000
"""The size that the specification names; a smaller queue leaves no figure under its name."""
STOP_SECONDS: Final = 1.0
"""A stop waits so long for a collector that has only just failed."""
_POLL_SECONDS: Final = 0.001
_MOST_SECONDS: Final = 30.0
_WIRE: Final = Wire.LOKI


async def spool(case: Case) -> Reading:
    """Fill, drain and count; then open the large one."""
    count = case.amounts.drain_entries
    async with collector_process(offered=count) as collector:
        with _nobody_there() as dead_url:
            await _fill(HttpTarget(_WIRE, dead_url, case.folder / "drained"), count)
        settle_garbage()
        peer = case.peer.load()
        before_seconds, before_cpu_seconds = time.perf_counter(), time.process_time()
        await peer.open(HttpTarget(_WIRE, collector.url, case.folder / "drained"))
        await peer.drain()
        taken_seconds = time.perf_counter() - before_seconds
        cpu_seconds = time.process_time() - before_cpu_seconds
        tally = await collector.tally()
        claims = peer.claims()
        await peer.close()
    figures = {
        "drained_per_second": tally.arrived / taken_seconds,
        "cpu_us_per_entry": cpu_seconds * 1e6 / max(1, tally.arrived),
        **await _start_with_many(case),
    }
    return Reading.of(figures, tally, claims)


@contextmanager
def _nobody_there() -> Generator[str]:
    """The address of a port that refuses connections and that nobody else gets meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


async def _fill(target: HttpTarget, count: int) -> None:
    """Log to nobody and stop."""
    # only the peer that is measured is imported
    from bench.peers.metaexpert_peer import MetaexpertPeer

    peer = MetaexpertPeer(shutdown_timeout=STOP_SECONDS)
    surface = await peer.open(target)
    await at_full_speed(peer, emitter(surface.log, surface.style), 0, count)
    await peer.close()


async def _start_with_many(case: Case) -> dict[str, float]:
    # as above
    from bench.large_spool import SINK, lay_out
    from bench.peers.metaexpert_peer import MetaexpertPeer
    from metaexpert.logger import LokiOptions, SpoolOptions

    folder = case.folder / "many"
    laid_out = await asyncio.to_thread(lay_out, folder, case.amounts.spool_segments)
    with _nobody_there() as dead_url:
        sink = LokiOptions(
            name=SINK, url=dead_url, labels={"service": "bench"}, spool=SpoolOptions(max_bytes=2 * laid_out.size_bytes)
        )
        peer = MetaexpertPeer(sinks=(sink,), shutdown_timeout=STOP_SECONDS)
        settle_garbage()
        before_seconds = time.perf_counter()
        await peer.open(HttpTarget(_WIRE, dead_url, folder))
        opened_seconds = time.perf_counter() - before_seconds
        await _told(peer)
        told_seconds = time.perf_counter() - before_seconds
        await peer.close()
    figures = {
        "start_seconds": told_seconds,
        "open_ms": opened_seconds * 1e3,
        "spool_gib": laid_out.size_bytes / 2**30,
        "spool_entries": laid_out.entries,
    }
    if laid_out.size_bytes >= MANY_BYTES:
        figures["start_10_gb_seconds"] = told_seconds
    return figures


async def _told(peer: "MetaexpertPeer") -> None:
    deadline_seconds = time.monotonic() + _MOST_SECONDS
    while time.monotonic() < deadline_seconds:
        if peer.spooled_entries:
            return
        await asyncio.sleep(_POLL_SECONDS)
    raise TimeoutError(f"the queue was not found within {_MOST_SECONDS:.0f} s")
