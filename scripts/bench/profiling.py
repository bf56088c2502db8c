"""Where the time goes in the sustained measurement: a sampling profile if pyinstrument is there, else cProfile's.

cProfile counts every call and so makes small functions look dear; pyinstrument only looks now and then.
"""

import cProfile
import pstats
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from bench import amounts
from bench.child import run_case

LINES = 40
INTERVAL_SECONDS = 0.0005


def profile(peer: str, amount: str) -> None:
    """Run the sustained measurement once under a profiler and print where its time went."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:

        def case() -> None:
            run_case("sustained", peer, amount, Path(folder))

        report = _sampled if find_spec("pyinstrument") else _counted
        sys.stdout.write(f"sustained, {peer}, {amounts.BY_NAME[amount].sustained_entries:,} entries\n")
        report(case)


def _sampled(case: Callable[[], None]) -> None:
    profiler = cast("Any", import_module("pyinstrument")).Profiler(interval=INTERVAL_SECONDS, async_mode="disabled")
    with profiler:
        case()
    sys.stdout.write(profiler.output_text(show_all=True, timeline=False))


def _counted(case: Callable[[], None]) -> None:
    profiler = cProfile.Profile()
    profiler.runcall(case)
    pstats.Stats(profiler, stream=sys.stdout).sort_stats("tottime").print_stats(LINES)
