"""All rules together: entries, ticks and statistics in, alerts out; pure, the times are given."""

from collections.abc import Mapping
from typing import final

from metaexpert.logger.alerts.alert import Alert
from metaexpert.logger.alerts.figures import RuleStats
from metaexpert.logger.alerts.rules import Rule
from metaexpert.logger.entry import LEVEL, LOG_TYPE, Capture
from metaexpert.logger.stats import RuntimeStats


@final
class Engine:
    """The rules in force.

    Args:
        rules: by name.
    """

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self.rules = dict(rules)
        self._wanting: dict[tuple[int, str], tuple[Rule, ...]] = {}

    def wants(self, level: int, log_type: str) -> bool:
        """Whether any rule looks at entries of this level and log type."""
        return bool(self._rules_for(level, log_type))

    def look(self, entry: Capture, at: float) -> None:
        """Show an entry, logged at `at`, to the rules that want it."""
        for rule in self._rules_for(entry[LEVEL], entry[LOG_TYPE]):
            rule.look(entry, at)

    def tick(self, now: float, stats: RuntimeStats) -> None:
        """Time went by."""
        for rule in self.rules.values():
            rule.tick(now, stats)

    @property
    def has_said(self) -> bool:
        """Whether there is something to take."""
        return any(rule.episodes.has_said for rule in self.rules.values())

    def take(self) -> list[Alert]:
        """What the rules have said since the last time, in the order of time."""
        said = [alert for rule in self.rules.values() for alert in rule.episodes.take()]
        return sorted(said, key=lambda alert: alert.at)

    def retire(self, by: Mapping[str, Rule], now: float) -> list[Alert]:
        """End what rules say that are in force no longer, since there are others now."""
        ended: list[Alert] = []
        for name, rule in self.rules.items():
            if by.get(name) is not rule:
                rule.episodes.end_all(now, "the rule was changed" if name in by else "the rule was removed")
                ended += rule.episodes.take()
        return ended

    def stats(self) -> dict[str, RuleStats]:
        """How each rule is doing."""
        return {name: _stats(rule) for name, rule in self.rules.items()}

    def _rules_for(self, level: int, log_type: str) -> tuple[Rule, ...]:
        found = self._wanting.get((level, log_type))
        if found is None:
            found = tuple(rule for rule in self.rules.values() if rule.wants(level, log_type))
            self._wanting[level, log_type] = found
        return found


def _stats(rule: Rule) -> RuleStats:
    episodes = rule.episodes
    firing, pending, counters = episodes.firing, episodes.pending, episodes.counters
    state = "firing" if firing else "pending" if pending else "quiet"
    return RuleStats(state, firing, pending, counters.fired, counters.repeated, counters.resolved, counters.suppressed)
