"""Medians over the repetitions of each measurement of each peer. Pure.

A repetition with a fault leaves no figure; the fault itself stays in sight.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.reading import Reading
from bench.runner import Run
from bench.stats import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What one measurement of one peer came to."""

    figures: Mapping[str, float]
    readings: int
    offered: int
    lost: int
    duplicates: int
    caller_right: bool
    faults: Sequence[str]
    claims: Mapping[str, Any]


type Summary = Mapping[tuple[str, str], Cell]


def summarise(runs: Iterable[Run]) -> Summary:
    """One cell for each measurement and peer that was run."""
    grouped: dict[tuple[str, str], list[Reading]] = {}
    for run in runs:
        grouped.setdefault((run.measure, run.peer), []).append(run.reading)
    return {key: _cell(readings) for key, readings in grouped.items()}


def _cell(readings: Sequence[Reading]) -> Cell:
    good = [reading for reading in readings if not reading.fault]
    names = good[0].figures if good else ()
    return Cell(
        figures={name: median([reading.figures[name] for reading in good]) for name in names},
        readings=len(good),
        offered=max((reading.offered for reading in readings), default=0),
        lost=max((reading.lost for reading in readings), default=0),
        duplicates=max((reading.duplicates for reading in readings), default=0),
        caller_right=all(reading.caller_right for reading in good),
        faults=[reading.fault for reading in readings if reading.fault],
        claims=good[-1].claims if good else {},
    )
