"""A collector that is down while its expert is killed and restarted: afterwards it holds what was accepted.

The same with millions of entries: `scripts/dev.py soak outage`.
"""

import sys
from pathlib import Path

import pytest

from soak.collector import Kind
from soak.outage import Outage, run_outage

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL"),
]


RATE_PER_SECOND = 10_000.0


@pytest.mark.parametrize(("kind", "entries"), [("loki", 60_000), ("elasticsearch", 24_000)])
async def test_what_was_accepted_during_an_outage_arrives_after_it(
    kind: Kind, entries: int, tmp_path: Path, tally: list[str]
):
    verdict = await run_outage(Outage(entries=entries, kind=kind, rate=RATE_PER_SECOND), tmp_path)
    tally.append(str(verdict))
    assert verdict.faults == [], str(verdict)
    assert sum(run.was_killed for run in verdict.runs) == 4
    assert verdict.distinct > 0
