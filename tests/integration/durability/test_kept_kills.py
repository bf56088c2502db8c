"""SIGKILL at every step of rotate, compress, archive and delete: after a restart no entry is lost or there twice.

The program is `support/kept_kills.py`; it runs once for all steps, which takes some ten seconds.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.kept_kills import STEPS, Seen, Step, matrix

from soak.points import code_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL"),
]

PATIENCE_SECONDS = 240
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, kill_matrix: list[str]) -> Sequence[Seen]:
    """What became of a kill at each step."""
    path = os.pathsep.join(str(ROOT / folder) for folder in ("src", "tests", "scripts"))
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "support" / "kept_kills.py"), str(tmp_path_factory.mktemp("kills"))],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [Seen(**json.loads(line)) for line in done.stdout.splitlines()]
    assert len(found) == len(STEPS)
    kill_matrix.extend(matrix(found))
    return found


@pytest.mark.parametrize("index", range(len(STEPS)), ids=[f"{step.phase}: {step.name}" for step in STEPS])
def test_a_kill_there_loses_and_doubles_nothing_and_leaves_no_rubbish(seen: Sequence[Seen], index: int):
    each = seen[index]
    assert each.killed, "the process never came there"
    assert (each.lost, each.doubled, each.orphans) == ([], [], [])


def test_kills_leave_what_a_restart_has_to_settle(seen: Sequence[Seen]):
    """Else the matrix would prove nothing."""
    left = [name for each in seen for name in each.left]
    assert any(".gz.tmp-" in name for name in left), "half a compressed file"
    assert any(name.endswith(".log") for name in left), "a file that is there twice"
    assert any(name == "housekeeping.lock" for name in left), "the lock of the dead"


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step.phase}: {step.name}")
def test_each_step_is_in_the_product(step: Step):
    assert code_of(step.point).co_qualname == step.point.function
