"""From when to when a rule holds of each group, and what is said of that; pure, the times are given.

A condition that holds for `for_seconds` is said once to be firing, again every `repeat_seconds` while it goes on, and
once to be resolved. Firing and resolved alternate for each group. A figure that goes to and fro with every entry makes
no two words of each: beyond so many words a second what is over is said with the next tick, if it still is.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from metaexpert.logger.alerts.alert import OTHERS, Alert, AlertState, Group, Severity

_MOST_SAID: Final = 20
_WITHIN_SECONDS: Final = 1.0
"""More words than that within this time, and none more is said of what is over until the next tick."""

SHOWN_CHARACTERS: Final = 500
"""How much an alert repeats of a message."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What all rules have.

    Attributes:
        name: the rule's.
        severity: of its alerts.
        for_seconds: how long it has to hold before that is said.
        repeat_seconds: how often it is said again while it holds; infinite for never.
        resolved: whether targets are told when it is over.
        max_groups: how many groups it tells apart.
        note: what its author wants read with each alert.
        targets: who is told; None for all.
    """

    name: str
    severity: Severity = Severity.ERROR
    for_seconds: float = 0.0
    repeat_seconds: float = math.inf
    resolved: bool = True
    max_groups: int = 100
    note: str = ""
    targets: tuple[str, ...] | None = None


@final
@dataclass(slots=True)
class Episode:
    """A stretch of time in which a condition holds of a group; times in seconds."""

    since: float
    last: float
    text: str = ""
    count: int = 0
    value: float | None = None
    limit: float | None = None
    fires: bool = False
    said_at: float = 0.0
    over: tuple[float, str] | None = None


@final
@dataclass(slots=True)
class RuleCounters:
    """What a rule has said so far; `suppressed` counts what happened without being said by itself."""

    fired: int = 0
    repeated: int = 0
    resolved: int = 0
    suppressed: int = 0


@final
class Episodes:
    """The groups a rule holds of now.

    Args:
        terms: what the rule has in common with all others.

    Attributes:
        counters: what was said.
    """

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.counters = RuleCounters()
        self._episodes: dict[Group, Episode] = {}
        self._said: list[Alert] = []
        self._times: deque[float] = deque(maxlen=_MOST_SAID)

    def bounded(self, group: Group) -> Group:
        """The group itself, or the one that is shared by all for which there is no room."""
        return group if group in self._episodes or len(self._episodes) < self.terms.max_groups else OTHERS

    def holds(
        self, group: Group, at: float, text: str, *, count: int = 1, value: float | None = None,
        limit: float | None = None,
    ) -> None:  # fmt: skip
        """The condition holds of a group at a time; `count` entries or events more speak for it."""
        group = self.bounded(group)
        episode = self._episodes.get(group)
        if episode is None:
            episode = self._episodes[group] = Episode(at, at)
        elif episode.fires:
            self.counters.suppressed += count
        episode.over = None
        episode.last = max(episode.last, at)
        episode.text, episode.value, episode.limit = text[:SHOWN_CHARACTERS], value, limit
        episode.count += count
        if not episode.fires and at - episode.since >= self.terms.for_seconds:
            self._fire(group, episode, at)

    def ends(self, group: Group, at: float, text: str) -> None:
        """The condition holds no longer."""
        episode = self._episodes.get(group)
        if episode is not None and episode.fires and self._says_much(at):
            episode.over = episode.over or (at, text)
        else:
            self._end(group, at, text)

    def _says_much(self, at: float) -> bool:
        return len(self._times) == _MOST_SAID and at - self._times[0] < _WITHIN_SECONDS

    def _end(self, group: Group, at: float, text: str) -> None:
        episode = self._episodes.pop(group, None)
        if episode is not None and episode.fires:
            self.counters.resolved += 1
            episode.text = f"{text}; it was: {episode.text}"[:SHOWN_CHARACTERS]
            self._say(AlertState.RESOLVED, group, episode, max(at, episode.said_at))

    def tick(self, now: float) -> None:
        """Time went by: what has held long enough fires, what goes on is said again."""
        for group, episode in list(self._episodes.items()):
            if episode.over is not None:
                self._end(group, *episode.over)
            elif not episode.fires:
                if now - episode.since >= self.terms.for_seconds:
                    self._fire(group, episode, now)
            elif now - episode.said_at >= self.terms.repeat_seconds:
                self.counters.repeated += 1
                self._say(AlertState.REPEATED, group, episode, now)

    def end_all(self, at: float, text: str) -> None:
        """Nothing of it holds any longer."""
        for group in list(self._episodes):
            self._end(group, at, text)

    def end_those_before(self, last: float, at: float, text: str) -> None:
        """End what has not held since `last`."""
        for group in [group for group, episode in self._episodes.items() if episode.last <= last]:
            self.ends(group, at, text)

    @property
    def has_said(self) -> bool:
        """Whether there is something to take."""
        return bool(self._said)

    def take(self) -> list[Alert]:
        """What was said since the last time."""
        said, self._said = self._said, []
        return said

    def __contains__(self, group: Group) -> bool:
        return group in self._episodes

    @property
    def firing(self) -> tuple[Group, ...]:
        """The groups it fires of."""
        return tuple(group for group, episode in self._episodes.items() if episode.fires)

    @property
    def pending(self) -> int:
        """How many groups it holds of, not for long enough."""
        return sum(not episode.fires for episode in self._episodes.values())

    def __iter__(self) -> Iterator[Group]:
        return iter(tuple(self._episodes))

    def _fire(self, group: Group, episode: Episode, at: float) -> None:
        episode.fires = True
        self.counters.fired += 1
        self.counters.suppressed += episode.count - 1 if episode.count else 0
        self._say(AlertState.FIRING, group, episode, at)

    def _say(self, state: AlertState, group: Group, episode: Episode, at: float) -> None:
        episode.said_at = at
        self._times.append(at)
        silent = state is AlertState.RESOLVED and not self.terms.resolved
        self._said.append(
            Alert(
                rule=self.terms.name,
                severity=self.terms.severity,
                state=state,
                group=group,
                text=episode.text,
                count=episode.count,
                since=episode.since,
                at=at,
                value=episode.value,
                limit=episode.limit,
                note=self.terms.note,
                targets=() if silent else self.terms.targets,
            )
        )
