"""Rules about the runtime's own figures: one over its limit, a sink that is down, entries lost, a journal in trouble.

Pure. Counters are looked at by how much they rose since the tick before.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, final

from metaexpert.logger.alerts.alert import Group
from metaexpert.logger.alerts.episodes import Episodes, Terms
from metaexpert.logger.alerts.rules import Limit
from metaexpert.logger.alerts.windows import Sums
from metaexpert.logger.entry import Capture
from metaexpert.logger.retry import SinkState
from metaexpert.logger.stats import RuntimeStats

type Readings = Callable[[RuntimeStats], Mapping[Group, float]]
"""Figures by what they are about."""

ENDED: Final = "it is no more"


class StatsRule:
    """What rules have in common that look at no entries."""

    def __init__(self, terms: Terms) -> None:
        self.episodes = Episodes(terms)

    def wants(self, level: int, log_type: str) -> bool:  # noqa: ARG002 - as every rule
        """It looks at no entries."""
        return False

    def look(self, entry: Capture, at: float) -> None:
        """It looks at no entries."""


def _end_missing(episodes: Episodes, there: Mapping[Group, object], now: float) -> None:
    for group in episodes:
        if group not in there:
            episodes.ends(group, now, ENDED)


@final
class ReadingRule(StatsRule):
    """A figure of the runtime, or of a meter, crosses its limit."""

    def __init__(self, terms: Terms, name: str, readings: Readings, limit: Limit) -> None:
        super().__init__(terms)
        self._name = name
        self._readings = readings
        self._limit = limit

    def tick(self, now: float, stats: RuntimeStats) -> None:
        """Hold each against the limit."""
        found = self._readings(stats)
        for group, value in found.items():
            self._limit.apply(self.episodes, self.episodes.bounded(group), now, self._name, value)
        _end_missing(self.episodes, found, now)
        self.episodes.tick(now)


@final
class StillRule(StatsRule):
    """A meter that is expected to move does not."""

    def __init__(self, terms: Terms, name: str, readings: Readings, within_seconds: float) -> None:
        super().__init__(terms)
        self._name = name
        self._readings = readings
        self._within_seconds = within_seconds
        self._last: tuple[float | None, float] | None = None

    def tick(self, now: float, stats: RuntimeStats) -> None:
        """See whether it moved."""
        value = self._readings(stats).get(())
        if self._last is None or self._last[0] != value:
            if self._last is not None:
                self.episodes.ends((), now, f"{self._name} moves again")
            self._last = (value, now)
        elif now - self._last[1] > self._within_seconds:
            self.episodes.holds((), now, f"{self._name} has not moved for {now - self._last[1]:.0f} s", count=0)
        self.episodes.tick(now)


@final
class SinkDownRule(StatsRule):
    """A sink is in one of certain states."""

    def __init__(self, terms: Terms, sinks: tuple[str, ...] | None, states: tuple[SinkState, ...]) -> None:
        super().__init__(terms)
        self._sinks = sinks
        self._states = frozenset(states)

    def tick(self, now: float, stats: RuntimeStats) -> None:
        """See how the sinks are doing."""
        there: dict[Group, object] = {}
        for name, sink in stats.sinks.items():
            group = (("sink", name),)
            if (self._sinks is not None and name not in self._sinks) or sink.state is SinkState.STOPPED:
                continue
            there[group] = sink
            if sink.state in self._states:
                text = f"sink {name} is {sink.state}: {sink.last_error or 'no error is known'}"
                self.episodes.holds(group, now, text, count=0)
            else:
                self.episodes.ends(group, now, f"sink {name} is {sink.state}")
        _end_missing(self.episodes, there, now)
        self.episodes.tick(now)


@final
class RisingRule(StatsRule):
    """Counters rose by `count` or more within a time; over when they rose by less."""

    def __init__(self, terms: Terms, readings: Readings, *, what: str, count: int, within_seconds: float) -> None:
        super().__init__(terms)
        self._readings = readings
        self._what = what
        self._count = count
        self._within_seconds = within_seconds
        self._before: dict[Group, float] | None = None
        self._sums: dict[Group, Sums] = {}

    def tick(self, now: float, stats: RuntimeStats) -> None:
        """See by how much they rose."""
        found = dict(self._readings(stats))
        for group, rise in self._rises(found):
            sums = self._sums.setdefault(group, Sums(self._within_seconds))
            if rise:
                sums.add(now, rise, rise)
            self._judge(group, sums.totals(now)[0], rise, now)
        self._before = found
        _end_missing(self.episodes, found, now)
        self.episodes.tick(now)

    def _rises(self, found: Mapping[Group, float]) -> Iterator[tuple[Group, int]]:
        before = found if self._before is None else self._before  # what was before the rule is none of its business
        for group, value in found.items():
            yield group, max(0, int(value - before.get(group, 0.0)))

    def _judge(self, group: Group, total: int, rise: int, now: float) -> None:
        if total >= self._count:
            text = f"{total} {self._what} within {self._within_seconds:g} s"
            self.episodes.holds(group, now, text, count=rise, value=total, limit=self._count)
        else:
            self.episodes.ends(group, now, f"{total} {self._what} within {self._within_seconds:g} s")


@final
class AuditFailureRule(StatsRule):
    """Protected entries could not be made safe, or would not be: the journal fails, is in trouble, or is not there."""

    def __init__(self, terms: Terms, resolve_seconds: float) -> None:
        super().__init__(terms)
        self._resolve_seconds = resolve_seconds
        self._before = 0
        self._failed_at: float | None = None

    def tick(self, now: float, stats: RuntimeStats) -> None:
        """See how the journal is doing."""
        journal = stats.journal
        if journal is None:
            self.episodes.holds((), now, "there is no journal: protected entries are not safe from a crash", count=0)
        else:
            failures = journal.failures + journal.sync_failures
            rise, self._before = max(0, failures - self._before), failures
            if rise:
                self._failed_at = now
            recent = self._failed_at is not None and now - self._failed_at < self._resolve_seconds
            if rise or recent or journal.state is SinkState.DEGRADED:
                text = f"{failures} failures to make protected entries safe; {journal.last_error or 'see the notices'}"
                self.episodes.holds((), now, text, count=rise)
            else:
                self.episodes.ends((), now, "the journal does its work")
        self.episodes.tick(now)
