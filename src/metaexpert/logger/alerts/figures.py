"""Immutable snapshots of rules and targets."""

from collections.abc import Mapping
from dataclasses import dataclass

from metaexpert.logger.alerts.alert import Group
from metaexpert.logger.breaker import BreakerState
from metaexpert.logger.retry import SinkState


@dataclass(frozen=True, slots=True)
class RuleStats:
    """One rule.

    Attributes:
        state: `firing`, `pending` while it holds of a group but not for long enough, else `quiet`.
        firing: the groups it fires of.
        pending: how many groups it holds of, not for long enough.
        fired: how often it began to fire.
        repeated: how often it was said again.
        resolved: how often it was over.
        suppressed: entries and events that belonged to an alert said already, and were not said by themselves.
    """

    state: str
    firing: tuple[Group, ...]
    pending: int
    fired: int
    repeated: int
    resolved: int
    suppressed: int


@dataclass(frozen=True, slots=True)
class TargetStats:
    """One target; counts of alerts but for `messages` and `attempts`.

    Attributes:
        state: how it is doing.
        breaker: `open` while it is left alone between attempts, `half-open` during one.
        pending: alerts that wait for it.
        delivered: alerts it was told of, those only counted in a message among them.
        failed: alerts it refused for good.
        shed: alerts that gave way to newer ones while it was down.
        merged: alerts replaced by a newer word before they were sent.
        messages: messages it took.
        attempts: messages tried.
        last_error: the latest trouble; None when there was none.
    """

    state: SinkState
    breaker: BreakerState
    pending: int
    delivered: int
    failed: int
    shed: int
    merged: int
    messages: int
    attempts: int
    last_error: str | None


@dataclass(frozen=True, slots=True)
class AlertStats:
    """Rules and targets.

    Attributes:
        rules: by name.
        targets: by name.
        faults: entries no rule could look at, by a fault of our own; 0 unless there is a bug.
    """

    rules: Mapping[str, RuleStats]
    targets: Mapping[str, TargetStats]
    faults: int
