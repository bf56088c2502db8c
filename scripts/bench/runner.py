"""Runs the cases, each in a clean interpreter, peers taking turns so that the machine's noise hits them alike.

A case that fails, or takes too long, becomes a reading that says so; it never ends the run and never leaves a figure.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench.measures.catalogue import MEASURES
from bench.reading import Reading

PROGRAM = Path(__file__).resolve().parent
SOURCE = PROGRAM.parent.parent / "src"
CASE_TIMEOUT_SECONDS = 120.0
_FAULT_CHARACTERS = 300

type Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run: measurements, peers, amounts (by name) and how often."""

    measures: Sequence[str]
    peers: Sequence[str]
    amount: str
    repeat: int

    def turns(self) -> Iterator[tuple[int, str, str]]:
        """Repetition, measurement and peer of each case, in order; each repetition starts with another peer."""
        for repetition in range(self.repeat):
            for measure in self.measures:
                peers = [name for name in self.peers if name in MEASURES[measure].peers]
                shift = repetition % max(1, len(peers))
                for peer in peers[shift:] + peers[:shift]:
                    yield repetition, measure, peer


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One case that was run."""

    measure: str
    peer: str
    repetition: int
    reading: Reading


def run_all(plan: Plan, progress: Progress) -> list[Run]:
    """Run every case of the plan, one at a time."""
    turns = list(plan.turns())
    runs: list[Run] = []
    for index, (repetition, measure, peer) in enumerate(turns, 1):
        progress(f"{index}/{len(turns)} {measure}: {peer}")
        reading = run_one(measure, peer, plan.amount)
        runs.append(Run(measure=measure, peer=peer, repetition=repetition, reading=reading))
    return runs


def run_one(measure: str, peer: str, amount: str) -> Reading:
    """Run one case in a clean interpreter, in an empty folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [sys.executable, str(PROGRAM), "case", measure, peer, amount, folder]
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=CASE_TIMEOUT_SECONDS, env=_environment(), check=False
            )
        except subprocess.TimeoutExpired:
            return Reading(fault=f"not done within {CASE_TIMEOUT_SECONDS:.0f} s")
    return _reading_of(done)


def _reading_of(done: subprocess.CompletedProcess[bytes]) -> Reading:
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines:
        return Reading(fault=done.stderr.decode(errors="replace").strip()[-_FAULT_CHARACTERS:] or "no result")
    return Reading.from_json(orjson.loads(lines[-1]))


def _environment() -> dict[str, str]:
    """The checkout's own source before an installed one, and nothing that alters a library's defaults."""
    inherited = {
        key: value for key, value in os.environ.items() if not key.startswith(("METAEXPERT_", "OTEL_", "LOGURU_"))
    }
    path = os.pathsep.join(part for part in (str(SOURCE), os.environ.get("PYTHONPATH", "")) if part)
    return {**inherited, "PYTHONPATH": path}
