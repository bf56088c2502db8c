"""The demo at one moment: what the table and the plain lines are drawn from."""

from collections.abc import Mapping
from dataclasses import dataclass

from metaexpert.core import ExpertStats
from metaexpert.demo.lag import Lag
from metaexpert.logger import RuntimeStats


@dataclass(frozen=True, slots=True)
class Status:
    """One moment.

    Attributes:
        elapsed_seconds: Since the expert started.
        phase: What is happening.
        expert: The expert's counts.
        orders: Paper orders filled and cancelled so far.
        logging: The logging runtime's snapshot.
        logged_per_second: Entries taken in, over the time since the status before.
        delivered_per_second: Entries delivered, by sink, likewise.
        lag: The event loop's lag since the status before.
    """

    elapsed_seconds: float
    phase: str
    expert: ExpertStats
    orders: int
    logging: RuntimeStats
    logged_per_second: float
    delivered_per_second: Mapping[str, float]
    lag: Lag


class Rates:
    """Turns counts of successive snapshots into rates."""

    def __init__(self) -> None:
        self._at_seconds = 0.0
        self._counts: dict[str, int] = {}

    def per_second(self, at_seconds: float, counts: Mapping[str, int]) -> dict[str, float]:
        """How fast each count has grown since the snapshot before."""
        passed_seconds = max(at_seconds - self._at_seconds, 1e-9)
        rates = {name: (count - self._counts.get(name, 0)) / passed_seconds for name, count in counts.items()}
        self._at_seconds, self._counts = at_seconds, dict(counts)
        return rates


class MostOnDisk:
    """How many entries of each sink were on disk at most, as far as anybody looked; `entries` by sink."""

    def __init__(self) -> None:
        self.entries: dict[str, int] = {}

    def look(self, stats: RuntimeStats) -> None:
        """Take a snapshot in."""
        for name, sink in stats.sinks.items():
            self.entries[name] = max(self.entries.get(name, 0), sink.spooled_entries)
