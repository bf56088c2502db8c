"""The rules that alerts are made by, told apart by their `type`."""

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from metaexpert.logger.alerts.readings import KNOWN, is_known
from metaexpert.logger.configuring.errors import nearest
from metaexpert.logger.entry import ALERT
from metaexpert.logger.options.base import LevelName, LogType, Options, Seconds
from metaexpert.logger.options.filters import FieldConditionOptions, LoggerName, Pattern
from metaexpert.logger.options.keeping import Duration

type SeverityName = Literal["info", "warning", "error", "critical"]
type DownState = Literal["degraded", "failed", "recovering"]
type Share = Annotated[float, Field(gt=0.0, lt=1.0)]

_HOUR_SECONDS: Final = 3600.0


def _looked_at(value: str) -> str:
    if value == ALERT:
        message = "cannot be looked at: an alert about alerts would feed itself"
        raise ValueError(message)
    return value


def _figure(value: str) -> str:
    if not is_known(value):
        message = f"is no figure of the runtime{nearest(value, KNOWN)}"
        raise ValueError(message)
    return value


type WatchedLogType = Annotated[LogType, AfterValidator(_looked_at)]
type Figure = Annotated[str, AfterValidator(_figure)]


class AlertRuleOptions(Options):
    """What every rule has."""

    name: str = Field(min_length=1, max_length=100)
    """The rule's name in alerts, entries and statistics."""
    severity: SeverityName = "error"
    """How grave its alerts are, and the level of their entries in the log."""
    for_at_least: Duration = 0.0
    """How long it has to hold before there is an alert, seconds, or with a unit."""
    repeat_every: Duration = _HOUR_SECONDS
    """How often an alert is said again while it goes on, seconds, or with a unit; 0 for never."""
    resolved: bool = True
    """Tell the targets when it is over, with its duration and count."""
    targets: tuple[str, ...] | None = None
    """Names of the targets that are told; all when left out."""
    note: str = Field(default="", max_length=1000)
    """What whoever gets the alert should know, such as what to do."""


class EntryAlertOptions(AlertRuleOptions):
    """What rules about entries have: which entries, and what tells groups apart."""

    level: LevelName = "DEBUG"
    """Lowest level of the entries it is about."""
    log_types: tuple[WatchedLogType, ...] | None = None
    """Their log types; all when left out."""
    loggers: tuple[LoggerName, ...] | None = Field(default=None, min_length=1)
    """Their loggers, each with all below it; all when left out."""
    fields: tuple[FieldConditionOptions, ...] = ()
    """Conditions on their fields that must all hold."""
    messages: tuple[Pattern, ...] = ()
    """Regular expressions of which one must be found in their message; any message when empty."""
    group_by: tuple[str, ...] = ()
    """Fields by which alerts are told apart, such as `symbol`; `logger`, `level`, `log_type` and `fingerprint` too."""
    max_groups: int = Field(default=100, ge=1, le=10_000)
    """Groups told apart at a time; all others are one."""


class EntryRuleOptions(EntryAlertOptions):
    """An entry that should not be."""

    type: Literal["entry"] = "entry"
    """What tells the rules in a list apart."""
    level: LevelName = "ERROR"
    """Lowest level of the entries it is about."""
    resolve_after: Duration = 300.0
    """How long no such entry may come until it is over, seconds, or with a unit."""


class RateRuleOptions(EntryAlertOptions):
    """Too many entries within a time."""

    type: Literal["rate"] = "rate"
    """What tells the rules in a list apart."""
    level: LevelName = "ERROR"
    """Lowest level of the entries it is about."""
    count: int = Field(ge=1, le=100_000)
    """How many of them are too many."""
    within: Seconds
    """Within how long, seconds."""
    resolve_below: int | None = Field(default=None, ge=1)
    """It is over when there are fewer; `count` when left out."""

    @model_validator(mode="after")
    def _can_resolve(self) -> Self:
        if self.resolve_below is not None and self.resolve_below > self.count:
            message = f"resolve_below ({self.resolve_below}) must not be above count ({self.count}); lower it"
            raise ValueError(message)
        return self


class ErrorRateRuleOptions(EntryAlertOptions):
    """Too large a share of entries are errors."""

    type: Literal["error_rate"] = "error_rate"
    """What tells the rules in a list apart."""
    level: LevelName = "INFO"
    """Lowest level of all the entries that count."""
    error_level: LevelName = "ERROR"
    """Lowest level of the errors among them."""
    above: Share
    """The share that is too large."""
    resolve_at: Share | None = None
    """The share at which it is over; `above` when left out."""
    within: Seconds
    """Within how long, seconds."""
    least_entries: int = Field(default=20, ge=1)
    """Fewer entries say nothing about a share."""

    @model_validator(mode="after")
    def _can_resolve(self) -> Self:
        if self.resolve_at is not None and self.resolve_at > self.above:
            message = f"resolve_at ({self.resolve_at:g}) must not be beyond above ({self.above:g}); lower it"
            raise ValueError(message)
        return self


class ThresholdRuleOptions(EntryAlertOptions):
    """A figure beyond its limit: a number in entries, of the runtime's statistics, or of a gauge or counter."""

    type: Literal["threshold"] = "threshold"
    """What tells the rules in a list apart."""
    field: str | None = Field(default=None, min_length=1)
    """A number in the entries it is about; dots reach into nested objects."""
    figure: Figure | None = None
    """A figure of `stats()`, such as `ingress.queued_entries` or `sinks.loki.queued_entries`; `sinks.*.…` for every
    sink. `level` to `max_groups` are of no use beside it."""
    meter: str | None = Field(default=None, min_length=1)
    """A gauge or counter of the program's, by its name."""
    above: float | None = None
    """Upper limit; this or `below` is given."""
    below: float | None = None
    """Lower limit."""
    resolve_at: float | None = None
    """The figure at which it is over; the limit when left out."""

    @model_validator(mode="after")
    def _one_figure_and_one_limit(self) -> Self:
        problems = [
            f"one of {', '.join(names)} must be given, not {' and '.join(given) or 'none of them'}"
            for names in (("field", "figure", "meter"), ("above", "below"))
            if len(given := [name for name in names if getattr(self, name) is not None]) != 1
        ]
        problems += self._wrong_hysteresis()
        problems += _useless(self, self.field is not None, "of entries: it needs field")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _wrong_hysteresis(self) -> list[str]:
        if self.resolve_at is None:
            return []
        if self.above is not None and self.resolve_at > self.above:
            return [f"resolve_at ({self.resolve_at:g}) must not be beyond above ({self.above:g}); lower it"]
        if self.below is not None and self.resolve_at < self.below:
            return [f"resolve_at ({self.resolve_at:g}) must not be beyond below ({self.below:g}); raise it"]
        return []


class SilenceRuleOptions(EntryAlertOptions):
    """Something expected does not come: entries such as a heartbeat, or a meter that should move."""

    type: Literal["silence"] = "silence"
    """What tells the rules in a list apart."""
    within: Duration
    """How long it may be silent, seconds, or with a unit."""
    meter: str | None = Field(default=None, min_length=1)
    """A timer, counter or gauge of the program's that has to move, by its name; in place of entries."""

    @model_validator(mode="after")
    def _entries_or_meter(self) -> Self:
        problems = _useless(self, self.meter is None, "of entries, and no use beside meter")
        if problems:
            raise ValueError("\n".join(problems))
        return self


class SinkDownRuleOptions(AlertRuleOptions):
    """A sink that does not get its entries to their destination."""

    type: Literal["sink_down"] = "sink_down"
    """What tells the rules in a list apart."""
    sinks: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Names of the sinks; all when left out."""
    states: tuple[DownState, ...] = Field(default=("degraded", "failed"), min_length=1)
    """The states that count as down."""
    for_at_least: Duration = 30.0
    """How long it has to hold before there is an alert, seconds, or with a unit."""


class DropsRuleOptions(AlertRuleOptions):
    """Entries lost: dropped on the way in or by a sink, or rejected by its destination."""

    type: Literal["drops"] = "drops"
    """What tells the rules in a list apart."""
    sinks: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Names of the sinks, `ingress` for what is lost on the way in; all when left out."""
    count: int = Field(default=1, ge=1)
    """How many lost entries are an alert."""
    within: Seconds = 60.0
    """Within how long, seconds."""


class AuditFailureRuleOptions(AlertRuleOptions):
    """Protected entries that could not be made safe: the journal fails, is in trouble, or is switched off."""

    type: Literal["audit_failure"] = "audit_failure"
    """What tells the rules in a list apart."""
    severity: SeverityName = "critical"
    """How grave its alerts are, and the level of their entries in the log."""
    resolve_after: Duration = 300.0
    """How long nothing may fail until it is over, seconds, or with a unit."""


type AnyRule = Annotated[
    EntryRuleOptions
    | RateRuleOptions
    | ErrorRateRuleOptions
    | ThresholdRuleOptions
    | SilenceRuleOptions
    | SinkDownRuleOptions
    | DropsRuleOptions
    | AuditFailureRuleOptions,
    Field(discriminator="type"),
]


def _useless(options: EntryAlertOptions, is_about_entries: bool, why: str) -> list[str]:  # noqa: FBT001 - of two
    """What was given of entries to a rule that looks at none."""
    if is_about_entries:
        return []
    given = sorted(
        options.model_fields_set & (EntryAlertOptions.model_fields.keys() - AlertRuleOptions.model_fields.keys())
    )
    return [f"{name} is {why}" for name in given]
