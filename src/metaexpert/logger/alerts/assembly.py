"""Options to rules and targets."""

import logging
import math
from collections.abc import Mapping
from functools import partial

from metaexpert.logger.alerts import readings
from metaexpert.logger.alerts.alert import Group, Severity
from metaexpert.logger.alerts.episodes import Terms
from metaexpert.logger.alerts.matching import Grouping, Matcher
from metaexpert.logger.alerts.rules import (
    EntryRule,
    ErrorRateRule,
    FigureRule,
    Limit,
    RateRule,
    Rule,
    SilenceRule,
)
from metaexpert.logger.alerts.stats_rules import (
    AuditFailureRule,
    ReadingRule,
    RisingRule,
    SinkDownRule,
    StillRule,
)
from metaexpert.logger.alerts.targets.base import Target
from metaexpert.logger.filter_assembly import condition
from metaexpert.logger.filters import EntryFilter
from metaexpert.logger.jobs import Jobs, Worker
from metaexpert.logger.measuring import meters
from metaexpert.logger.options.alert_rules import (
    AlertRuleOptions,
    AnyRule,
    AuditFailureRuleOptions,
    DropsRuleOptions,
    EntryAlertOptions,
    EntryRuleOptions,
    ErrorRateRuleOptions,
    RateRuleOptions,
    SilenceRuleOptions,
    SinkDownRuleOptions,
    ThresholdRuleOptions,
)
from metaexpert.logger.options.alert_targets import (
    AnyTarget,
    AppriseTargetOptions,
    ConsoleTargetOptions,
    EmailTargetOptions,
    WebhookTargetOptions,
)
from metaexpert.logger.retry import SinkState
from metaexpert.logger.stats import RuntimeStats


def rule(options: AnyRule) -> Rule:  # noqa: PLR0911 - one for each type
    """The rule that options tell of."""
    terms = terms_of(options)
    match options:
        case EntryRuleOptions():
            return EntryRule(terms, _matcher(options), Grouping(options.group_by), options.resolve_after)
        case RateRuleOptions():
            return RateRule(
                terms,
                _matcher(options),
                Grouping(options.group_by),
                count=options.count,
                within_seconds=options.within,
                resolve_below=options.resolve_below,
            )
        case ErrorRateRuleOptions():
            return ErrorRateRule(
                terms,
                _matcher(options),
                Grouping(options.group_by),
                level=_number(options.error_level),
                limit=Limit("above", options.above, options.resolve_at),
                within_seconds=options.within,
                least_entries=options.least_entries,
            )
        case ThresholdRuleOptions():
            return _threshold(options, terms)
        case SilenceRuleOptions():
            return _silence(options, terms)
        case SinkDownRuleOptions():
            return SinkDownRule(terms, options.sinks, tuple(map(SinkState, options.states)))
        case DropsRuleOptions():
            lost = partial(_lost, options.sinks)
            return RisingRule(terms, lost, what="entries lost", count=options.count, within_seconds=options.within)
        case AuditFailureRuleOptions():
            return AuditFailureRule(terms, options.resolve_after)


def target(options: AnyTarget, jobs: Jobs) -> Target:
    """The target that options tell of; what it needs is imported now."""
    worker = Worker(jobs, f"alert-{options.name}")
    match options:
        case ConsoleTargetOptions():
            from metaexpert.logger.alerts.targets.console import ConsoleTarget  # noqa: PLC0415 - where wanted

            return ConsoleTarget(options, worker)
        case WebhookTargetOptions():
            from metaexpert.logger.alerts.targets.webhook import WebhookTarget  # noqa: PLC0415 - where wanted

            return WebhookTarget(options, worker)
        case EmailTargetOptions():
            from metaexpert.logger.alerts.targets.email import EmailTarget  # noqa: PLC0415 - where wanted

            return EmailTarget(options, worker)
        case AppriseTargetOptions():
            from metaexpert.logger.alerts.targets.apprise import AppriseTarget  # noqa: PLC0415 - where wanted

            return AppriseTarget(options, worker)


def terms_of(options: AlertRuleOptions) -> Terms:
    """What all rules have."""
    return Terms(
        name=options.name,
        severity=Severity(options.severity),
        for_seconds=options.for_at_least,
        repeat_seconds=options.repeat_every or math.inf,
        resolved=options.resolved,
        max_groups=options.max_groups if isinstance(options, EntryAlertOptions) else 1000,
        note=options.note,
        targets=options.targets,
    )


def _matcher(options: EntryAlertOptions) -> Matcher:
    inside = None
    if options.fields or options.messages:
        inside = EntryFilter(include_fields=tuple(map(condition, options.fields)), include_messages=options.messages)
    return Matcher(_number(options.level), options.log_types, options.loggers, inside)


def _threshold(options: ThresholdRuleOptions, terms: Terms) -> Rule:
    above = options.above is not None
    limit = Limit("above" if above else "below", (options.above if above else options.below) or 0.0, options.resolve_at)
    if options.field is not None:
        return FigureRule(terms, _matcher(options), Grouping(options.group_by), field=options.field, limit=limit)
    if options.meter is not None:
        return ReadingRule(terms, options.meter, partial(_meter, options.meter), limit)
    name = options.figure or ""
    return ReadingRule(terms, name, lambda stats: readings.figures(stats, name), limit)


def _silence(options: SilenceRuleOptions, terms: Terms) -> Rule:
    if options.meter is None:
        return SilenceRule(terms, _matcher(options), Grouping(options.group_by), options.within)
    return StillRule(terms, options.meter, partial(_movement, options.meter), options.within)


def _lost(sinks: tuple[str, ...] | None, stats: RuntimeStats) -> Mapping[Group, float]:
    found = readings.lost_entries(stats)
    return found if sinks is None else {group: lost for group, lost in found.items() if group[0][1] in sinks}


def _meter(name: str, _: RuntimeStats) -> Mapping[Group, float]:
    """A gauge, else a counter, where the program has one of that name."""
    gauge, counter = meters.gauges().get(name), meters.counters().get(name)
    if gauge is not None and gauge.value is not None:
        return {(): gauge.value}
    return {} if counter is None else {(): float(counter.value)}


def _movement(name: str, stats: RuntimeStats) -> Mapping[Group, float]:
    """As `_meter`, and a timer too: what it lasted in all, which rises with each record."""
    timer = meters.timers().get(name)
    return _meter(name, stats) if timer is None else {(): float(timer.histogram.count)}


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level]
