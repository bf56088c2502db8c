"""From a sink's options to what it leaves out: its admission, its sieve, its selection of keys."""

import logging
import math
from time import monotonic

from metaexpert.logger.entry import LEVEL, LOG_TYPE, Capture
from metaexpert.logger.filters import Admission, EntryFilter, FieldCondition, Takes
from metaexpert.logger.formats.selection import Selection
from metaexpert.logger.ledger import Ledger
from metaexpert.logger.options.filters import FieldConditionOptions, FilterOptions, ThinningOptions
from metaexpert.logger.options.sink import SinkOptions
from metaexpert.logger.rate_limit import RateLimit
from metaexpert.logger.repeats import Repeats
from metaexpert.logger.sieve import Sampling, Scope, Sieve


def admission_for(options: SinkOptions) -> Admission:
    """Which entries a sink takes by their level, log type and logger."""
    chosen = options.filter or FilterOptions()
    return Admission(
        _number(options.level),
        options.log_types,
        include=chosen.include_loggers,
        exclude=chosen.exclude_loggers,
        levels={name: _number(level) for name, level in chosen.levels.items()},
    )


def taking_for(options: SinkOptions) -> Takes:
    """Which entries a sink takes, whatever else it thins out: by level, log type and logger, by fields and messages."""
    admits, contains = admission_for(options), options.filter and _entry_filter(options.filter)

    def takes(entry: Capture) -> bool:
        return admits(entry[LEVEL], entry[LOG_TYPE], entry[3]) and (contains is None or contains(entry))

    return takes


def sieve_for(options: SinkOptions, ledger: Ledger) -> Sieve | None:
    """What a sink leaves out entry by entry; None when it leaves out nothing."""
    sampling, repeats, limit = options.sampling, options.repeats, options.rate_limit
    takes = None if options.filter is None else _entry_filter(options.filter)
    if takes is None and sampling is None and repeats is None and limit is None:
        return None
    return Sieve(
        options.name,
        ledger,
        monotonic,
        takes=takes,
        sampling=sampling and (_scope(sampling), Sampling(sampling.rate)),
        repeats=repeats and (_scope(repeats), Repeats(repeats.window, in_a_row=repeats.in_a_row)),
        limit=limit and (_scope(limit), RateLimit(limit.rate, limit.burst or math.ceil(limit.rate), limit.per)),
        report_seconds=limit.report_every if limit else math.inf,
    )


def selection_for(options: SinkOptions) -> Selection | None:
    """The keys a sink writes; None when it writes all."""
    chosen = options.keys
    if chosen is None or (chosen.include is None and not chosen.exclude):
        return None
    return Selection(options.document_keys(), chosen.include, chosen.exclude)


def _entry_filter(options: FilterOptions) -> EntryFilter | None:
    looks_inside = (
        options.include_fields or options.exclude_fields or options.include_messages or options.exclude_messages
    )
    if not looks_inside:
        return None
    return EntryFilter(
        include_fields=tuple(map(condition, options.include_fields)),
        exclude_fields=tuple(map(condition, options.exclude_fields)),
        include_messages=options.include_messages,
        exclude_messages=options.exclude_messages,
    )


def condition(options: FieldConditionOptions) -> FieldCondition:
    """The condition that options tell of."""
    if options.exists is not None:
        return FieldCondition(options.name, exists=options.exists)
    wanted = options.one_of if options.equals is None else (options.equals,)
    return FieldCondition(options.name, wanted)


def _scope(options: ThinningOptions) -> Scope:
    return Scope(_number(options.max_level), options.log_types, options.loggers)


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level]
