"""What a call costs whose entry is journalled before it returns, beside the ordinary call, in nanoseconds.

Ours alone, in the default configuration, without the journal, and without the flight recorder. Within a configuration
chunks of 50 of each kind of call alternate, with 5 ms for the loop behind each; the configurations follow one another
in rounds, in one process, so that noise hits all alike. Each call is timed on its own, as in ``latency``; differences
are of medians.
"""

import asyncio
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from bench.arrival import Arrivals, add_folder
from bench.measures.base import Case
from bench.measures.latency import CHUNK, PAUSE_SECONDS, nothing, time_chunk
from bench.pacing import settle_garbage
from bench.peers.base import FileTarget
from bench.protected_calls import calls
from bench.reading import Reading
from bench.stats import percentile
from bench.workload import LATENCY_MS, Emit, price_of

if TYPE_CHECKING:
    from metaexpert.logger import Logger

KINDS: Final = ("info", "error", "critical", "audit", "trade")
CONFIGURATIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "default": {},
    "unjournalled": {"journal": {"enabled": False}},
    "unrecorded": {"journal": {"recorder_bytes": 0}},
}
WARM_UP_CHUNKS = 4
_CLOCK_CALLS = 2_000


async def protected(case: Case) -> Reading:
    """Time all kinds in all configurations; the entries are counted on disk afterwards."""
    timings = _Timings(case)
    for turn in range(case.amounts.protected_rounds):
        for name, changes in CONFIGURATIONS.items():
            await timings.turn(name, changes, case.folder / f"{name}-{turn}")
    arrivals = Arrivals(timings.logged)
    for folder in case.folder.iterdir():
        add_folder(arrivals, folder)
    return Reading.of(_figures(timings.taken_ns), arrivals, {})


class _Timings:
    """Opens a configuration after the other and keeps what each call took, by configuration and kind."""

    def __init__(self, case: Case) -> None:
        self._chunks = case.amounts.protected_chunks
        self.logged = 0
        self.taken_ns: dict[tuple[str, str], array[int]] = {}

    async def turn(self, name: str, changes: Mapping[str, Any], folder: Path) -> None:
        # only the peer that is measured is imported
        from bench.peers.metaexpert_peer import MetaexpertPeer

        peer = MetaexpertPeer(**changes)
        surface = await peer.open(FileTarget(folder))
        emits = calls(cast("Logger", surface.log))
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


def _figures(taken_ns: Mapping[tuple[str, str], "array[int]"]) -> dict[str, float]:
    """Percentiles of each kind in each configuration, and the differences of medians that are asked about."""
    clock_ns = _clock_ns()
    figures: dict[str, float] = {"clock_ns": clock_ns}
    for (name, kind), values_ns in taken_ns.items():
        ordered_ns = sorted(values_ns)
        figures[f"{name}_{kind}_p50_ns"] = percentile(ordered_ns, 50) - clock_ns
        figures[f"{name}_{kind}_p99_ns"] = percentile(ordered_ns, 99) - clock_ns
    for kind in KINDS:
        usual_ns = figures[f"default_{kind}_p50_ns"]
        figures[f"{kind}_over_info_ns"] = usual_ns - figures["default_info_p50_ns"]
        figures[f"{kind}_journal_ns"] = usual_ns - figures[f"unjournalled_{kind}_p50_ns"]
        figures[f"{kind}_recorder_ns"] = usual_ns - figures[f"unrecorded_{kind}_p50_ns"]
    return figures


def _clock_ns() -> float:
    taken_ns = array("q", bytes(8 * _CLOCK_CALLS))
    time_chunk(nothing, 0, taken_ns, 0, _CLOCK_CALLS)
    return percentile(sorted(taken_ns), 50)
