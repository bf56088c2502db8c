"""Where the time goes in the sustained measurement: a sampling profile if pyinstrument is there, else cProfile's.

cProfile counts every call and so makes small functions look dear; pyinstrument only looks now and then. Only the
measured span is profiled: not the set-up, not the counting.
"""

import asyncio
import cProfile
import pstats
import sys
import tempfile
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, cast

from bench.amounts import Amounts
from bench.pacing import at_full_speed, settle_garbage
from bench.peers.base import FileTarget, Peer
from bench.peers.registry import PEERS
from bench.workload import Emit, emitter

LINES = 45
INTERVAL_SECONDS = 0.0005


class _Profiler(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...

    def show(self) -> None: ...


def profile(peer: str, amounts: Amounts) -> None:
    """Run the sustained measurement once under a profiler and print where its time went.

    The profiler starts and stops outside of the loop's run: begun in a coroutine, it would lose its place at the first
    await.
    """
    profiler: _Profiler = _Sampling() if find_spec("pyinstrument") else _Counting()
    case = _Case(PEERS[peer].load(), amounts)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, asyncio.Runner() as runner:
        emit = runner.run(case.opened(Path(folder)))
        profiler.start()
        runner.run(case.measured(emit))
        profiler.stop()
        runner.run(case.peer.close())
    sys.stdout.write(f"sustained, {peer}, {amounts.sustained_entries:,} entries\n")
    profiler.show()


@dataclass(frozen=True, slots=True)
class _Case:
    peer: Peer
    amounts: Amounts

    async def opened(self, folder: Path) -> Emit:
        surface = await self.peer.open(FileTarget(folder))
        emit = emitter(surface.log, surface.style)
        await at_full_speed(self.peer, emit, 0, self.amounts.warm_up_entries)
        await self.peer.drain()
        settle_garbage()
        return emit

    async def measured(self, emit: Emit) -> None:
        await at_full_speed(self.peer, emit, self.amounts.warm_up_entries, self.amounts.sustained_entries)
        await self.peer.drain()


class _Sampling:
    def __init__(self) -> None:
        self._profiler = cast("Any", import_module("pyinstrument")).Profiler(
            interval=INTERVAL_SECONDS, async_mode="disabled"
        )

    def start(self) -> None:
        self._profiler.start()

    def stop(self) -> None:
        self._profiler.stop()

    def show(self) -> None:
        sys.stdout.write(self._profiler.output_text(show_all=True))


class _Counting:
    def __init__(self) -> None:
        self._profiler = cProfile.Profile()

    def start(self) -> None:
        self._profiler.enable()

    def stop(self) -> None:
        self._profiler.disable()

    def show(self) -> None:
        pstats.Stats(self._profiler, stream=sys.stdout).strip_dirs().sort_stats("tottime").print_stats(LINES)
