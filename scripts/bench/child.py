"""The inside of one measurement's process: do the one case, print the reading as one line of JSON."""

import asyncio
import sys
from pathlib import Path

import orjson

from bench import amounts
from bench.measures.base import Case
from bench.measures.catalogue import MEASURES
from bench.peers.registry import PEERS


def run_case(measure: str, peer: str, amount: str, folder: Path) -> None:
    """Run a measurement by name and print what it read as the last line of standard output."""
    case = Case(peer=PEERS[peer], amounts=amounts.BY_NAME[amount], folder=folder)
    reading = asyncio.run(_measured(measure, case))
    sys.stdout.write(orjson.dumps(reading).decode() + "\n")


async def _measured(measure: str, case: Case) -> dict[str, object]:
    return (await MEASURES[measure].measure(case)).as_json()
