"""The command line: the benchmark itself, the profile of its sustained case, and the parts that it starts itself."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.amounts import BY_NAME
from bench.measures.catalogue import MEASURES
from bench.peers.registry import OURS, PEERS
from bench.runner import Plan

DOCS = Path(__file__).resolve().parent.parent.parent / "docs" / "explanation"
DEFAULT_REPEAT = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; 0 unless a measurement left no figure."""
    options = _parser().parse_args(arguments)
    match options.command:
        case "case":
            from bench.child import run_case

            run_case(options.measure, options.peer, options.amount, options.folder)
        case "collect":
            from bench.collector import serve

            asyncio.run(serve(options.offered, stalled=options.stalled))
        case "profile":
            from bench.profiling import profile

            profile(options.peer, BY_NAME["quick" if options.quick else "full"])
        case _:
            return _benchmark(options)
    return 0


def _benchmark(options: argparse.Namespace) -> int:
    if options.write_docs and (options.quick or options.only or options.peers):
        raise SystemExit("--write-docs publishes the whole benchmark: leave out --quick, --only and --peers")
    from bench.environment import load
    from bench.render.output import finish, progress_on, reported
    from bench.runner import run_all

    plan = Plan(
        measures=_chosen(options.only, list(MEASURES), "measurement"),
        peers=[name for name in _chosen(options.peers, list(PEERS), "peer") if _installed(name)],
        amount="quick" if options.quick else "full",
        repeat=options.repeat or (1 if options.quick else DEFAULT_REPEAT),
    )
    load_before = load()
    runs = run_all(plan, progress_on(sys.stderr))
    date = datetime.now(UTC).date().isoformat()
    loads = f"{load_before} before, {load()} after (1 is this benchmark's own)"
    report = reported(plan, runs, date, loads)
    finish(report, json_file=options.json, docs=DOCS if options.write_docs else None)
    return 1 if any(run.reading.fault for run in runs) else 0


def _installed(name: str) -> bool:
    if PEERS[name].version() is not None:
        return True
    sys.stderr.write(f"{name} is not installed and is left out; it comes with metaexpert[bench]\n")
    return False


def _chosen(names: str | None, known: Sequence[str], kind: str) -> list[str]:
    """The names that were asked for, in the catalogue's order.

    Raises:
        SystemExit: If a name is not known; it says which are.
    """
    wanted = names.split(",") if names else list(known)
    for name in wanted:
        if name not in known:
            raise SystemExit(f"no {kind} named {name!r}; there are {', '.join(known)}")
    return [name for name in known if name in wanted]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description="metaexpert.logger beside its peers, in one run.")
    parser.add_argument("--quick", action="store_true", help="small amounts, once: shows that all works, in a minute")
    parser.add_argument("--only", metavar="NAMES", help=f"measurements, by comma: {', '.join(MEASURES)}")
    parser.add_argument("--peers", metavar="NAMES", help=f"loggers, by comma: {', '.join(PEERS)}")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write medians, targets and all readings")
    parser.add_argument("--repeat", metavar="N", type=int, help=f"how often; default {DEFAULT_REPEAT}, quick 1")
    parser.add_argument("--write-docs", action="store_true", help="write page, chart and data into docs/explanation")
    commands = parser.add_subparsers(dest="command", metavar="profile")
    _add_profile(commands.add_parser("profile", help="say where the time of the sustained case goes"))
    _add_case(commands.add_parser("case"))
    _add_collect(commands.add_parser("collect"))
    return parser


def _add_profile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--peer", choices=list(PEERS), default=OURS)
    parser.add_argument("--quick", action="store_true")


def _add_case(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("measure", choices=list(MEASURES))
    parser.add_argument("peer", choices=list(PEERS))
    parser.add_argument("amount", choices=list(BY_NAME))
    parser.add_argument("folder", type=Path)


def _add_collect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--offered", type=int, default=0)
    parser.add_argument("--stalled", action="store_true")


if __name__ == "__main__":
    sys.exit(main())
