"""Kills: chains of processes, two at a time, and the tally of what survived."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from soak.chains import Chain, Verdict, run_chain

AT_ONCE = 2


async def run_chains(
    chains: Sequence[Chain], folder: Path | None = None, told: Callable[[Chain, Verdict], None] | None = None
) -> Verdict:
    """Run chains, each in a folder of its own; one in which something was lost or wrong stays there.

    Args:
        chains: what to run.
        folder: where; without one in the system's folder for temporary files.
        told: is called as each chain ends.
    """
    at_once, verdict = asyncio.Semaphore(AT_ONCE), Verdict()

    async def one(chain: Chain) -> None:
        async with at_once:
            home = Path(tempfile.mkdtemp(prefix=f"metaexpert-kills-{chain.seed}-", dir=folder))
            came_of = await run_chain(chain, home)
        if came_of.lost or came_of.faults:
            came_of.faults.append(f"{chain}: its files are in {home}")
        else:
            shutil.rmtree(home)
        verdict.add(came_of)
        if told is not None:
            told(chain, came_of)

    async with asyncio.TaskGroup() as group:
        for chain in chains:
            group.create_task(one(chain))
    return verdict
