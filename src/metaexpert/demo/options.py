"""What the demo can be told on its command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DEFAULT_SECONDS = 16.0
DEFAULT_RATE = 400.0
DEFAULT_BURST = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """One run of the demo.

    Attributes:
        seed: Decides the simulated market and the strategy's mishaps.
        replay: A capture file to play instead of the simulated market.
        speed: Times the market's own pace; None: 1 when simulated, as fast as fits `seconds` when replayed.
        seconds: How long the expert trades; faults and burst are placed within.
        rate: Simulated frames a second.
        plain: Lines instead of a live table.
        keep: Folder the log files stay in; None: a temporary one.
        burst: Entries logged within a second, midway.
    """

    seed: int = 1
    replay: Path | None = None
    speed: float | None = None
    seconds: float = DEFAULT_SECONDS
    rate: float = DEFAULT_RATE
    plain: bool = False
    keep: Path | None = None
    burst: int = DEFAULT_BURST


def parse_options(argv: Sequence[str]) -> DemoOptions:
    """Read the command line; exits with status 2, or 0 after `--help`, as argparse does."""
    parser = argparse.ArgumentParser(
        prog="metaexpert demo",
        description="An expert, an exchange and a failing collector on loopback; ledgers compared with what arrived.",
    )
    parser.add_argument("--seed", type=int, default=1, help="of market and mishaps (default: %(default)s)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="play a capture instead of the simulated market")
    parser.add_argument(
        "--speed", type=_positive, help="times the market's own pace (default: 1; a replay: what fits into --seconds)"
    )
    parser.add_argument(
        "--seconds", type=_positive, default=DEFAULT_SECONDS, help="how long the expert trades (default: %(default)g)"
    )
    parser.add_argument(
        "--rate", type=_positive, default=DEFAULT_RATE, help="simulated frames a second (default: %(default)g)"
    )
    parser.add_argument("--plain", action="store_true", help="lines instead of a live table")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the log files in this folder, which must be new")
    parser.add_argument(
        "--burst", type=_count, default=DEFAULT_BURST, help="entries within a second, midway (default: %(default)s)"
    )
    return DemoOptions(**vars(parser.parse_args(argv)))


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 up")
    return value
