"""How late the loop comes to a 1 ms heartbeat: idle, at 10 000 entries a second, and in a burst at 50 000 a second.

The three follow one another in rounds, in one process with the peer open. A span's figures are taken for itself (a
burst's until the file has stopped growing, so that work put off until after the burst counts as well) and the median
over the rounds is reported, for the machine's noise comes in bursts of its own; the maximum is of all rounds. 'Added'
is the figure less the idle one, and zero where the idle one is the larger.
"""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.arrival import in_folder, log_files
from bench.heartbeat import Heartbeat
from bench.measures.base import Case
from bench.pacing import at_rate, settle_garbage
from bench.peers.base import FileTarget
from bench.reading import Reading
from bench.stats import median, percentile
from bench.workload import Emit, emitter

STEADY_PER_SECOND = 10_000
BURST_PER_SECOND = 50_000
MOST_SECONDS = 3.0
QUIET_SECONDS = 0.15
POLL_SECONDS = 0.01


@dataclass(slots=True)
class _Spans:
    """Monotonic time, in nanoseconds, in which each span of one kind began and ended, and the rates it was offered."""

    ends_ns: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    rates: list[float] = field(default_factory=list[float])


async def lag(case: Case) -> Reading:
    """Beat through all rounds; the entries are counted on disk afterwards."""
    peer = case.peer.load()
    surface = await peer.open(FileTarget(case.folder))
    rounds = _Rounds(case, emitter(surface.log, surface.style))
    await rounds.warm_up()
    with Heartbeat() as heartbeat:
        for _ in range(case.amounts.lag_rounds):
            await rounds.turn()
    await peer.drain()
    arrivals = in_folder(case.folder, rounds.logged)
    claims = peer.claims()
    await peer.close()
    return Reading.of(_figures(rounds, heartbeat), arrivals, claims)


class _Rounds:
    """Logs in rounds of idle, steady and burst, and notes when each was."""

    def __init__(self, case: Case, emit: Emit) -> None:
        self._amounts = case.amounts
        self._folder = case.folder
        self._emit = emit
        self.logged = 0
        self.spans = {"idle": _Spans(), "steady": _Spans(), "burst": _Spans()}

    async def warm_up(self) -> None:
        self.logged = (
            await at_rate(self._emit, 0, self._amounts.warm_up_entries, STEADY_PER_SECOND, MOST_SECONDS)
        ).logged
        await _settled(self._folder)
        settle_garbage()

    async def turn(self) -> None:
        seconds = self._amounts.span_seconds
        before_ns = time.monotonic_ns()
        await asyncio.sleep(seconds)
        self.spans["idle"].ends_ns.append((before_ns, time.monotonic_ns()))
        await self._load("steady", int(seconds * STEADY_PER_SECOND), STEADY_PER_SECOND)
        await self._load("burst", self._amounts.burst_entries, BURST_PER_SECOND)

    async def _load(self, kind: str, count: int, per_second: int) -> None:
        before_ns = time.monotonic_ns()
        offered = await at_rate(self._emit, self.logged, count, per_second, MOST_SECONDS)
        after_ns = time.monotonic_ns()
        self.logged += offered.logged
        grown_ns = await _settled(self._folder)
        self.spans[kind].ends_ns.append((before_ns, max(after_ns, grown_ns) if kind == "burst" else after_ns))
        self.spans[kind].rates.append(offered.logged / offered.seconds)


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
    return sum(path.stat().st_size for path in log_files(folder))


def _figures(rounds: _Rounds, heartbeat: Heartbeat) -> dict[str, float]:
    figures: dict[str, float] = {}
    for kind, spans in rounds.spans.items():
        late_ns = [heartbeat.between(*ends_ns) for ends_ns in spans.ends_ns]
        figures[f"{kind}_p50_ms"] = median([percentile(late, 50) for late in late_ns]) / 1e6
        figures[f"{kind}_p99_ms"] = median([percentile(late, 99) for late in late_ns]) / 1e6
        figures[f"{kind}_max_ms"] = max(late[-1] for late in late_ns) / 1e6
    for kind in ("steady", "burst"):
        figures[f"{kind}_per_second"] = median(rounds.spans[kind].rates)
        figures[f"added_{kind}_p99_ms"] = max(0.0, figures[f"{kind}_p99_ms"] - figures["idle_p99_ms"])
    return figures
