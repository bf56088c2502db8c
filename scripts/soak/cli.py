"""The command line of the soak: kills and an outage, at full size unless options say less."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from soak.catalogue import POINTS
from soak.chains import Chain, random_chains
from soak.chains import Verdict as ChainVerdict
from soak.kills import run_chains
from soak.outage import Outage, run_outage

KILLS = 500
HOURS = 0.1
RATE_PER_SECOND = 10_000
_OUTAGE_DEADLINE_SECONDS = 6 * 3600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; 0 where nothing was lost and nothing wrong."""
    options = _parser().parse_args(arguments)
    match options.command:
        case "kills":
            return _kills(options.count, options.seed, options.folder)
        case "outage":
            return _outage(options)
        case _:
            everything = _parser()
            return max(main(["kills"]), _outage(everything.parse_args(["outage"])))


def _kills(count: int, seed: int, folder: Path | None) -> int:
    say(f"kills: {count} with seed {seed}")
    began = time.monotonic()
    verdict = asyncio.run(run_chains(list(random_chains(count, seed, POINTS)), folder, _tell_chain))
    say(f"kills: {verdict}; {time.monotonic() - began:.0f} s")
    return 1 if verdict.lost or verdict.faults else 0


def _tell_chain(chain: Chain, verdict: ChainVerdict) -> None:
    say(f"{chain}: {verdict}")
    for words in (*verdict.lost, *verdict.faults):
        say(f"  {words}")


def _outage(options: argparse.Namespace) -> int:
    outage = Outage(
        entries=int(options.hours * 3600 * options.rate),
        kills=options.kills,
        restarts=options.restarts,
        kind=options.kind,
        rate=options.rate if options.real_time else 0.0,
        spool_bytes=int(options.spool_gib * 2**30),
        deadline_seconds=_OUTAGE_DEADLINE_SECONDS,
    )
    pace = "in real time" if options.real_time else "as fast as backpressure lets them through"
    say(f"outage: {options.hours:g} h at {options.rate}/s = {outage.entries} entries to {outage.kind}, {pace}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="metaexpert-outage-", dir=options.folder) as folder:
        verdict = asyncio.run(run_outage(outage, Path(folder), say))
    for fault in verdict.faults:
        say(f"  {fault}")
    say(f"outage: {verdict}; {time.monotonic() - began:.0f} s")
    return 1 if verdict.faults else 0


def say(line: str) -> None:
    """Tell the person at the terminal."""
    print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="soak", description="Kills and outages at full size; all of it by default.")
    commands = parser.add_subparsers(dest="command", metavar="kills | outage")
    kills = commands.add_parser("kills", help="kill logging processes, and see that nothing protected is lost")
    kills.add_argument("--count", type=int, default=KILLS, help=f"how many; default {KILLS}")
    kills.add_argument("--seed", type=int, default=1, help="of what is random; default 1")
    outage = commands.add_parser("outage", help="log through an outage of the collector, with kills and restarts")
    outage.add_argument("--hours", type=float, default=HOURS, help=f"simulated length; default {HOURS:g}")
    outage.add_argument(
        "--rate", type=int, default=RATE_PER_SECOND, help=f"entries a second; default {RATE_PER_SECOND}"
    )
    outage.add_argument("--real-time", action="store_true", help="keep the rate, instead of logging as fast as it goes")
    outage.add_argument("--kills", type=int, default=6, help="SIGKILLs while the collector is down; default 6")
    outage.add_argument("--restarts", type=int, default=3, help="stops and starts meanwhile; default 3")
    outage.add_argument("--kind", choices=["loki", "elasticsearch"], default="loki", help="what the collector is")
    outage.add_argument("--spool-gib", type=float, default=64.0, help="cap of the disk queue, GiB; default 64")
    for command in (kills, outage):
        command.add_argument("--folder", type=Path, help="where files go; default the system's for temporary files")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
