"""Everything one benchmark run came to, as one value for all renderers and for JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.runner import Plan, Run
from bench.summary import Summary
from bench.targets import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The plan, the machine, the readings, their medians, and the verdicts."""

    plan: Plan
    environment: Mapping[str, str]
    versions: Mapping[str, str]
    date: str
    runs: Sequence[Run]
    summary: Summary
    verdicts: Sequence[Verdict]

    def as_json(self) -> dict[str, Any]:
        """As a JSON object: medians and verdicts first, every single reading behind them."""
        return {
            "date": self.date,
            "environment": self.environment,
            "versions": self.versions,
            "plan": asdict(self.plan),
            "targets": [asdict(verdict) for verdict in self.verdicts],
            "medians": [
                {"measure": measure, "peer": peer, **asdict(cell)} for (measure, peer), cell in self.summary.items()
            ],
            "readings": [
                {
                    "measure": run.measure,
                    "peer": run.peer,
                    "repetition": run.repetition,
                    **run.reading.as_json(),
                }
                for run in self.runs
            ],
        }

    @property
    def method(self) -> str:
        """How often and how much, in one sentence."""
        amount = "" if self.plan.amount == "full" else f" with {self.plan.amount} amounts, which show little,"
        times = "once" if self.plan.repeat == 1 else f"{self.plan.repeat} times, peers taking turns; medians are shown"
        return f"Each measurement ran{amount} in a process of its own, {times}."
