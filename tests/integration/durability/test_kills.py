"""SIGKILL of real logging processes: every protected entry whose call returned is there afterwards, in order.

Each chain kills several processes on one folder, one after another, at random instants and at named points; the last
one recovers and stops. The same at full size: `scripts/dev.py soak kills`.
"""

import sys
from pathlib import Path

import pytest

from soak.catalogue import POINTS
from soak.chains import Chain, Kill, Verdict, random_chains
from soak.kills import run_chains
from soak.points import Point, code_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL"),
]

KILLS = 40
SEED = 4
PARTS = 5
"""Tests that share the kills among them; each takes some ten seconds."""


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_each_named_point_is_in_the_product(point: Point):
    assert code_of(point).co_qualname == point.function


def test_a_point_that_is_not_there_is_told():
    with pytest.raises(LookupError, match="has no function nowhere"):
        code_of(Point("call", "nowhere"))


CHAINS = list(random_chains(KILLS, SEED, POINTS))


def test_the_chains_come_to_every_named_point():
    kills = [kill for chain in CHAINS for kill in chain.kills]
    assert len(kills) == KILLS
    assert {kill.point for kill in kills} == {None, *POINTS}


@pytest.mark.parametrize("part", range(PARTS))
async def test_kills_lose_no_protected_entry_whose_call_returned(part: int, tmp_path: Path, killed: Verdict):
    chains = CHAINS[part::PARTS]
    verdict = await run_chains(chains, tmp_path)
    killed.add(verdict)
    assert (verdict.lost, verdict.faults) == ([], []), str(verdict)
    assert verdict.kills == sum(len(chain.kills) for chain in chains)
    assert verdict.returned > verdict.synced > 0


async def test_a_process_that_never_comes_to_its_point_is_a_fault(tmp_path: Path):
    never = Kill(point=Point("ingress", "Ingress.put", "start", 10**9))
    verdict = await run_chains([Chain(seed=1, threads=1, kind="loki", kills=[never])], tmp_path)
    assert verdict.kills == 0
    assert any("never came to ingress.Ingress.put" in fault for fault in verdict.faults)
