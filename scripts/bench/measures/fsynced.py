"""From before a call at CRITICAL until its receipt says that the entry is on the disk itself, in milliseconds.

Ours alone, in the default configuration, into a JSON file, while another coroutine logs 10 000 entries a second and
then 50 000 in one second, in rounds. About 20 such calls a second, at irregular intervals, each in a task of its own,
so that none waits for another. Between the rounds, without any load, a file of the same disk is written and synced in
a thread: what the disk itself takes is the floor.
"""

import asyncio
import itertools
import os
import random
import time
from array import array
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from bench.arrival import in_folder
from bench.measures.base import Case
from bench.measures.lag import BURST_PER_SECOND, MOST_SECONDS, STEADY_PER_SECOND
from bench.pacing import at_rate, settle_garbage
from bench.peers.base import FileTarget
from bench.protected_calls import awaited
from bench.reading import Reading
from bench.stats import percentile
from bench.workload import LATENCY_MS, Emit, emitter, price_of

if TYPE_CHECKING:
    from metaexpert.logger import Logger

INTERVAL_SECONDS: Final = (0.03, 0.07)
SYNCS_A_ROUND = 40
SYNC_INTERVAL_SECONDS: Final = (0.002, 0.012)
"""As irregular as the calls: one sync right after another would meet whatever rhythm the machine has."""
_BLOCK: Final = bytes(512)
_FLOOR_FILE_BYTES: Final = 2**20


async def fsynced(case: Case) -> Reading:
    """Go through the rounds; the entries are counted on disk afterwards."""
    peer = case.peer.load()
    surface = await peer.open(FileTarget(case.folder))
    rounds = _Rounds(case, cast("Logger", surface.log), emitter(surface.log, surface.style))
    await rounds.warm_up()
    for _ in range(case.amounts.fsync_rounds):
        await rounds.turn()
    await peer.drain()
    arrivals = in_folder(case.folder, rounds.logged)
    claims = peer.claims()
    await peer.close()
    return Reading.of(_figures(rounds), arrivals, claims)


class _Rounds:
    """Logs in rounds of steady and burst, critical entries in between, and notes how long each of these took."""

    def __init__(self, case: Case, log: "Logger", emit: Emit) -> None:
        self._amounts = case.amounts
        self._folder = case.folder
        self._log = log
        self._emit = emit
        self._numbers = itertools.count()
        self._random = random.Random(1001)
        self.logged = 0
        self.taken_ns: dict[str, list[int]] = {"steady": [], "burst": []}
        self.disk_ns: list[int] = []

    async def warm_up(self) -> None:
        await at_rate(self._numbered, 0, self._amounts.warm_up_entries, STEADY_PER_SECOND, MOST_SECONDS)
        await self._timed([])
        settle_garbage()

    async def turn(self) -> None:
        steady_seconds = self._amounts.fsync_steady_seconds
        async with self._criticals(self.taken_ns["steady"]):
            await at_rate(self._numbered, 0, int(steady_seconds * STEADY_PER_SECOND), STEADY_PER_SECOND)
        async with self._criticals(self.taken_ns["burst"]):
            await at_rate(self._numbered, 0, self._amounts.burst_entries, BURST_PER_SECOND, MOST_SECONDS)
        self.disk_ns += await asyncio.to_thread(_disk_ns, self._folder / "floor", self._random)

    def _numbered(self, _price: float, latency_ms: float) -> None:
        """The entries of two coroutines share one numbering."""
        self.logged += 1
        self._emit(price_of(next(self._numbers)), latency_ms)

    @asynccontextmanager
    async def _criticals(self, taken_ns: list[int]) -> AsyncGenerator[None]:
        """Log critical entries now and then while the block lasts; it ends when the last is safe."""
        async with asyncio.TaskGroup() as group:
            pacing = group.create_task(self._pace(group, taken_ns))
            yield
            pacing.cancel()

    async def _pace(self, group: asyncio.TaskGroup, taken_ns: list[int]) -> None:
        while True:
            group.create_task(self._timed(taken_ns))
            await asyncio.sleep(self._random.uniform(*INTERVAL_SECONDS))

    async def _timed(self, taken_ns: list[int]) -> None:
        self.logged += 1
        price = price_of(next(self._numbers))
        before_ns = time.perf_counter_ns()
        await awaited(self._log, price, LATENCY_MS)
        taken_ns.append(time.perf_counter_ns() - before_ns)


def _disk_ns(path: Path, chance: random.Random) -> list[int]:
    """What the disk takes to sync one block of a file that has all of its room already."""
    sync = getattr(os, "fdatasync", os.fsync)
    taken_ns = array("q")
    with path.open("wb", buffering=0) as file:
        file.write(bytes(_FLOOR_FILE_BYTES))
        sync(file.fileno())
        for number in range(SYNCS_A_ROUND):
            time.sleep(chance.uniform(*SYNC_INTERVAL_SECONDS))
            file.seek(number * len(_BLOCK))
            file.write(_BLOCK)
            before_ns = time.perf_counter_ns()
            sync(file.fileno())
            taken_ns.append(time.perf_counter_ns() - before_ns)
    return list(taken_ns)


def _figures(rounds: _Rounds) -> dict[str, float]:
    figures: dict[str, float] = {}
    spans = {**rounds.taken_ns, "disk": rounds.disk_ns, "all": [*rounds.taken_ns["steady"], *rounds.taken_ns["burst"]]}
    for span, taken_ns in spans.items():
        ordered_ns = sorted(taken_ns)
        for name, percent in (("p50", 50), ("p95", 95), ("p99", 99), ("max", 100)):
            figures[f"{span}_{name}_ms"] = percentile(ordered_ns, percent) / 1e6
        figures[f"{span}_samples"] = len(taken_ns)
    return figures
