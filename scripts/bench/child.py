"""The inside of one measurement's process: do the one case, print the reading as one line of JSON."""

import asyncio
import sys
import traceback
from pathlib import Path

import orjson

from bench import amounts
from bench.measures.base import Case
from bench.measures.catalogue import MEASURES
from bench.peers.registry import PEERS
from bench.reading import Reading

MOST_SECONDS = 90.0


def run_case(measure: str, peer: str, amount: str, folder: Path) -> None:
    """Run a measurement by name and print what it read as the last line of standard output."""
    case = Case(peer=PEERS[peer], amounts=amounts.BY_NAME[amount], folder=folder)
    reading = asyncio.run(_measured(measure, case))
    sys.stdout.write(orjson.dumps(reading.as_json()).decode() + "\n")


async def _measured(measure: str, case: Case) -> Reading:
    try:
        async with asyncio.timeout(MOST_SECONDS):
            return await MEASURES[measure].measure(case)
    except TimeoutError as error:
        return Reading(fault=f"not done within {MOST_SECONDS:.0f} s; it was waiting in {_innermost(error)}")


def _innermost(error: TimeoutError) -> str:
    """Where the coroutine stood when its time was up."""
    frame = traceback.extract_tb((error.__cause__ or error).__traceback__)[-1]
    return f"{frame.name} ({Path(frame.filename).name}, line {frame.lineno})"
