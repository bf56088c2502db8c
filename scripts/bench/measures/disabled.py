"""What a call below the level costs, beside an empty method of the same signature with the same arguments.

Blocks of 1 000 calls of the one and the other and of the bare loop alternate, so that noise hits all three; the loop's
median is subtracted from both before the ratio is taken.
"""

import time
from array import array
from statistics import median

from bench.measures.base import Case
from bench.peers.base import FileTarget
from bench.reading import Reading
from bench.workload import Empty, Spin, spin_nothing, spinner

BLOCK = 1_000


async def disabled(case: Case) -> Reading:
    """Time blocks of disabled calls; nothing is offered, so nothing has to arrive."""
    peer = case.peer.load()
    surface = await peer.open(FileTarget(case.folder))
    spins = [spinner(surface.log, surface.style), spinner(Empty(), surface.style), spin_nothing]
    disabled_ns, empty_ns, loop_ns = _interleaved(spins, case.amounts.disabled_blocks)
    await peer.drain()
    await peer.close()
    return Reading(
        figures={
            "ratio": (disabled_ns - loop_ns) / (empty_ns - loop_ns),
            "disabled_ns": disabled_ns - loop_ns,
            "empty_ns": empty_ns - loop_ns,
        }
    )


def _interleaved(spins: list[Spin], blocks: int) -> list[float]:
    """Median nanoseconds a call of each."""
    taken_ns = [array("q") for _ in spins]
    for _ in range(blocks + 1):
        for spin, taken in zip(spins, taken_ns, strict=True):
            before_ns = time.perf_counter_ns()
            spin(BLOCK)
            taken.append(time.perf_counter_ns() - before_ns)
    return [median(taken[1:]) / BLOCK for taken in taken_ns]
