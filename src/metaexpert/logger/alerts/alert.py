"""What a rule says: that something is the matter with a group of things, still is, or is over; values, pure.

Times are seconds on the engine's own clock, which never goes back.
"""

import logging
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2s
from typing import Final, final

type Group = tuple[tuple[str, str], ...]
"""What an alert is about, as names with their values; empty where a rule does not tell groups apart."""

OTHERS: Final[Group] = (("group", "(others)"),)
"""What all groups have in common for which a rule had no room."""

_KEY_BYTES: Final = 8


class Severity(StrEnum):
    """How grave an alert is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def level(self) -> int:
        """The level of its entry in the log."""
        return logging.getLevelNamesMapping()[self.name]


class AlertState(StrEnum):
    """What is said: it began, it goes on, it is over."""

    FIRING = "firing"
    REPEATED = "repeated"
    RESOLVED = "resolved"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One word of a rule about one group.

    Attributes:
        rule: the rule's name.
        severity: how grave.
        state: what is said.
        group: what it is about.
        text: what is the matter, in one line.
        count: how many entries, or events, it was about so far.
        since: when it began to hold, seconds.
        at: when this is said, seconds.
        value: the figure that crossed the limit, where there is one.
        limit: that limit.
        note: what the rule's author wants read with it.
        targets: who is told; None for all.
    """

    rule: str
    severity: Severity
    state: AlertState
    group: Group
    text: str
    count: int
    since: float
    at: float
    value: float | None = None
    limit: float | None = None
    note: str = ""
    targets: tuple[str, ...] | None = None

    @property
    def seconds(self) -> float:
        """How long it has held."""
        return max(0.0, self.at - self.since)

    @property
    def key(self) -> str:
        """The same for every word about the same rule and group, for receivers that join them."""
        named = "\x1f".join([self.rule, *(f"{name}\x1e{value}" for name, value in self.group)])
        return blake2s(named.encode("utf-8", "backslashreplace"), digest_size=_KEY_BYTES).hexdigest()
