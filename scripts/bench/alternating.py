"""Several kinds of our calls, in several configurations, timed one by one in turn, so that noise hits all alike.

Within a configuration chunks of 50 of each kind of call alternate, with 5 ms for the loop behind each; the
configurations follow one another in rounds, in one process.
"""

import asyncio
from array import array
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from bench.arrival import Arrivals, add_folder
from bench.measures.base import Case
from bench.measures.latency import CHUNK, PAUSE_SECONDS, nothing, time_chunk
from bench.pacing import settle_garbage
from bench.peers.base import FileTarget
from bench.reading import Reading
from bench.stats import percentile
from bench.workload import LATENCY_MS, Emit, price_of

if TYPE_CHECKING:
    from metaexpert.logger import Logger

type Configurations = Mapping[str, Mapping[str, Any]]
"""By name, what is configured otherwise than by default."""

type Calls = Callable[["Logger"], Mapping[str, Emit]]
"""The kinds of calls by name."""

type Differences = Callable[[Mapping[str, float]], Mapping[str, float]]
"""What is asked about, of the percentiles."""

WARM_UP_CHUNKS: Final = 4
_CLOCK_CALLS: Final = 2_000


async def alternating(case: Case, configurations: Configurations, calls: Calls, differences: Differences) -> Reading:
    """Time all kinds in all configurations; the entries are counted on disk afterwards."""
    timings = _Timings(case.amounts.protected_chunks, calls)
    for turn in range(case.amounts.protected_rounds):
        for name, changes in configurations.items():
            await timings.turn(name, changes, case.folder / f"{name}-{turn}")
    arrivals = Arrivals(timings.logged)
    for folder in case.folder.iterdir():
        add_folder(arrivals, folder)
    figures = _percentiles(timings.taken_ns)
    return Reading.of(figures | dict(differences(figures)), arrivals, {})


class _Timings:
    """Opens a configuration after the other and keeps what each call took, by configuration and kind."""

    def __init__(self, chunks: int, calls: Calls) -> None:
        self._chunks = chunks
        self._calls = calls
        self.logged = 0
        self.taken_ns: dict[tuple[str, str], array[int]] = {}

    async def turn(self, name: str, changes: Mapping[str, Any], folder: Path) -> None:
        # only the peer that is measured is imported
        from bench.peers.metaexpert_peer import MetaexpertPeer

        peer = MetaexpertPeer(**changes)
        surface = await peer.open(FileTarget(folder))
        emits = self._calls(cast("Logger", surface.log))
        for _ in range(WARM_UP_CHUNKS):
            for emit in emits.values():
                await self._untimed(emit)
        settle_garbage()
        for _ in range(self._chunks):
            for kind, emit in emits.items():
                await self._timed(self.taken_ns.setdefault((name, kind), array("q")), emit)
        await peer.drain()
        await peer.close()

    async def _untimed(self, emit: Emit) -> None:
        for number in range(self.logged, self.logged + CHUNK):
            emit(price_of(number), LATENCY_MS)
        self.logged += CHUNK
        await asyncio.sleep(PAUSE_SECONDS)

    async def _timed(self, taken_ns: "array[int]", emit: Emit) -> None:
        chunk_ns = array("q", bytes(8 * CHUNK))
        time_chunk(emit, self.logged, chunk_ns, 0, CHUNK)
        self.logged += CHUNK
        taken_ns.extend(chunk_ns)
        await asyncio.sleep(PAUSE_SECONDS)


def _percentiles(taken_ns: "Mapping[tuple[str, str], array[int]]") -> dict[str, float]:
    """Of each kind in each configuration, beyond what the clock takes."""
    clock_ns = _clock_ns()
    figures: dict[str, float] = {"clock_ns": clock_ns}
    for (name, kind), values_ns in taken_ns.items():
        ordered_ns = sorted(values_ns)
        figures[f"{name}_{kind}_p50_ns"] = percentile(ordered_ns, 50) - clock_ns
        figures[f"{name}_{kind}_p99_ns"] = percentile(ordered_ns, 99) - clock_ns
    return figures


def _clock_ns() -> float:
    taken_ns = array("q", bytes(8 * _CLOCK_CALLS))
    time_chunk(nothing, 0, taken_ns, 0, _CLOCK_CALLS)
    return percentile(sorted(taken_ns), 50)
