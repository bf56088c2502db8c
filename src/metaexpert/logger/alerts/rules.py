"""Rules about entries: one that must not be, too many of them, too large a share, a figure over its limit, silence.

Pure. A rule is shown entries with the times of their calls, and told when time has gone by; it keeps little for each
group, and for so many groups at most.
"""

from typing import Final, Literal, Protocol, final

from metaexpert.logger.alerts.alert import OTHERS, Group
from metaexpert.logger.alerts.episodes import Episodes, Terms
from metaexpert.logger.alerts.matching import Field, Grouping, Matcher
from metaexpert.logger.alerts.windows import Sums, Window
from metaexpert.logger.entry import LEVEL, MESSAGE, Capture
from metaexpert.logger.stats import RuntimeStats

type Side = Literal["above", "below"]

_NOTHING: Final = ()


class Rule(Protocol):
    """What a rule of any type is to the engine."""

    @property
    def episodes(self) -> Episodes:
        """The groups it holds of, and what it said of them."""
        ...

    def wants(self, level: int, log_type: str) -> bool:
        """Whether it looks at entries of this level and log type."""
        ...

    def look(self, entry: Capture, at: float) -> None:
        """Look at an entry of a level and log type it wants, logged at `at`."""
        ...

    def tick(self, now: float, stats: RuntimeStats) -> None:
        """Time went by, and the runtime's figures are these."""
        ...


@final
class Limit:
    """A limit with hysteresis: crossed beyond `limit`, respected again from `resolve_at` on.

    Args:
        side: on which side of it a figure must not be.
        limit: the limit.
        resolve_at: where it is respected again; the limit itself when None.
    """

    def __init__(self, side: Side, limit: float, resolve_at: float | None = None) -> None:
        self.side: Side = side
        self.limit = limit
        self._resolve_at = limit if resolve_at is None else resolve_at

    def is_crossed(self, value: float) -> bool:
        """Whether the condition holds."""
        return value > self.limit if self.side == "above" else value < self.limit

    def is_respected(self, value: float) -> bool:
        """Whether it is over; between both nothing changes."""
        return value <= self._resolve_at if self.side == "above" else value >= self._resolve_at

    def apply(self, episodes: Episodes, group: Group, at: float, name: str, value: float) -> None:
        """Begin, go on with or end what the rule says of a group by its figure."""
        if self.is_crossed(value):
            text = f"{name} is {value:g}, {self.side} {self.limit:g}"
            episodes.holds(group, at, text, value=value, limit=self.limit)
        elif self.is_respected(value):
            episodes.ends(group, at, f"{name} is {value:g} again")
        elif group in episodes:  # within the hysteresis it goes on
            text = f"{name} is {value:g}, not yet at {self._resolve_at:g}"
            episodes.holds(group, at, text, value=value, limit=self.limit)


@final
class EntryRule:
    """An entry that should not be; over when none came for a while."""

    def __init__(self, terms: Terms, matcher: Matcher, grouping: Grouping, resolve_seconds: float) -> None:
        self.episodes = Episodes(terms)
        self.wants = matcher.wants
        self._takes = matcher.takes
        self._grouping = grouping
        self._resolve_seconds = resolve_seconds

    def look(self, entry: Capture, at: float) -> None:
        """One more of them."""
        if self._takes(entry):
            self.episodes.holds(self._grouping(entry), at, entry[MESSAGE])

    def tick(self, now: float, stats: RuntimeStats) -> None:  # noqa: ARG002 - as every rule
        """See what is over."""
        text = f"no such entry for {self._resolve_seconds:g} s"
        self.episodes.end_those_before(now - self._resolve_seconds, now, text)
        self.episodes.tick(now)


@final
class RateRule:
    """So many entries within a time; over when there are fewer than `resolve_below`."""

    def __init__(
        self,
        terms: Terms,
        matcher: Matcher,
        grouping: Grouping,
        *,
        count: int,
        within_seconds: float,
        resolve_below: int | None = None,
    ) -> None:
        self.episodes = Episodes(terms)
        self.wants = matcher.wants
        self._takes = matcher.takes
        self._grouping = grouping
        self._count = count
        self._within_seconds = within_seconds
        self._resolve_below = count if resolve_below is None else resolve_below
        self._windows: dict[Group, Window] = {}

    def look(self, entry: Capture, at: float) -> None:
        """One more of them."""
        if not self._takes(entry):
            return
        group = _bounded(self._windows, self._grouping(entry), self.episodes.terms.max_groups)
        window = self._windows.get(group)
        if window is None:
            window = self._windows[group] = Window(self._within_seconds, self._count)
        if window.add(at) >= self._count or (group in self.episodes and not self._is_over(window, at)):
            text = f"{self._count} entries or more within {self._within_seconds:g} s; the latest: {entry[MESSAGE]}"
            self.episodes.holds(group, at, text, limit=self._count)

    def tick(self, now: float, stats: RuntimeStats) -> None:  # noqa: ARG002 - as every rule
        """See what is over."""
        for group, window in list(self._windows.items()):
            if self._is_over(window, now):
                text = f"{window.count(now)} entries within {self._within_seconds:g} s"
                self.episodes.ends(group, now, text)
            if not window.count(now):
                del self._windows[group]
        self.episodes.tick(now)

    def _is_over(self, window: Window, now: float) -> bool:
        return window.count(now) < self._resolve_below


@final
class ErrorRateRule:
    """Too large a share of entries is of a level or above; over when the share is at `resolve_at` again."""

    def __init__(
        self,
        terms: Terms,
        matcher: Matcher,
        grouping: Grouping,
        *,
        level: int,
        limit: Limit,
        within_seconds: float,
        least_entries: int,
    ) -> None:
        self.episodes = Episodes(terms)
        self.wants = matcher.wants
        self._takes = matcher.takes
        self._grouping = grouping
        self._level = level
        self._limit = limit
        self._within_seconds = within_seconds
        self._least_entries = least_entries
        self._sums: dict[Group, Sums] = {}

    def look(self, entry: Capture, at: float) -> None:
        """Count it among all, and maybe among the errors."""
        if not self._takes(entry):
            return
        group = _bounded(self._sums, self._grouping(entry), self.episodes.terms.max_groups)
        sums = self._sums.get(group)
        if sums is None:
            sums = self._sums[group] = Sums(self._within_seconds)
        is_error = entry[LEVEL] >= self._level
        sums.add(at, int(is_error), 1)
        if is_error:
            self._judge(group, sums, at)

    def tick(self, now: float, stats: RuntimeStats) -> None:  # noqa: ARG002 - as every rule
        """See what is over."""
        for group, sums in list(self._sums.items()):
            self._judge(group, sums, now)
            if sums.totals(now)[1] == 0:
                del self._sums[group]
        self.episodes.tick(now)

    def _judge(self, group: Group, sums: Sums, at: float) -> None:
        errors, entries = sums.totals(at)
        if entries < self._least_entries:
            if entries == 0:
                self.episodes.ends(group, at, f"no entries within {self._within_seconds:g} s")
            return
        name = f"the share of errors ({errors} of {entries} entries within {self._within_seconds:g} s)"
        self._limit.apply(self.episodes, group, at, name, errors / entries)


@final
class FigureRule:
    """A number in entries crosses its limit; over when a later one respects it."""

    def __init__(self, terms: Terms, matcher: Matcher, grouping: Grouping, *, field: str, limit: Limit) -> None:
        self.episodes = Episodes(terms)
        self.wants = matcher.wants
        self._takes = matcher.takes
        self._grouping = grouping
        self._field = Field(field)
        self._limit = limit

    def look(self, entry: Capture, at: float) -> None:
        """Hold its number against the limit."""
        if self._takes(entry) and (value := self._field.number(entry)) is not None:
            group = self.episodes.bounded(self._grouping(entry))
            self._limit.apply(self.episodes, group, at, self._field.name, value)

    def tick(self, now: float, stats: RuntimeStats) -> None:  # noqa: ARG002 - as every rule
        """See what has lasted long enough."""
        self.episodes.tick(now)


@final
class SilenceRule:
    """Entries that are expected do not come; over with the next one.

    Without groups it is silent from the first tick on; a group has to be seen once before it can be missed.
    """

    def __init__(self, terms: Terms, matcher: Matcher, grouping: Grouping, within_seconds: float) -> None:
        self.episodes = Episodes(terms)
        self.wants = matcher.wants
        self._takes = matcher.takes
        self._grouping = grouping
        self._within_seconds = within_seconds
        self._seen: dict[Group, float] = {}
        self._is_grouped = bool(grouping.names)

    def look(self, entry: Capture, at: float) -> None:
        """It came."""
        if self._takes(entry):
            group = _bounded(self._seen, self._grouping(entry), self.episodes.terms.max_groups)
            self._seen[group] = max(at, self._seen.get(group, at))
            self.episodes.ends(group, at, "it came again")

    def tick(self, now: float, stats: RuntimeStats) -> None:  # noqa: ARG002 - as every rule
        """See what has been missing for too long."""
        if not self._is_grouped:
            self._seen.setdefault(_NOTHING, now)
        for group, seen in self._seen.items():
            if now - seen > self._within_seconds:
                self.episodes.holds(group, now, f"nothing for {now - seen:.0f} s", count=0)
        self.episodes.tick(now)


def _bounded(kept: dict[Group, object] | dict[Group, Window] | dict[Group, Sums] | dict[Group, float],
             group: Group, most: int) -> Group:  # fmt: skip
    """The group under which something is kept: its own, or that of all for which there is no room."""
    return group if group in kept or len(kept) < most else OTHERS
