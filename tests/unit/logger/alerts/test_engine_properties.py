"""Whatever entries come and however time goes by, what the rules say makes sense."""

import logging
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st
from support.alerting import engine_of, entry, sink_stats, stats_of

from metaexpert.logger.alerts.alert import Alert, AlertState, Group
from metaexpert.logger.alerts.engine import Engine
from metaexpert.logger.alerts.windows import Sums, Window
from metaexpert.logger.retry import SinkState

RULES = (
    {"type": "entry", "for_at_least": 2, "repeat_every": 5, "resolve_after": 4, "group_by": ["symbol"]},
    {"type": "rate", "count": 3, "within": 4, "resolve_below": 2, "group_by": ["symbol"], "max_groups": 2},
    {"type": "error_rate", "above": 0.5, "resolve_at": 0.25, "within": 6, "least_entries": 3},
    {"type": "threshold", "field": "size", "above": 5, "resolve_at": 3, "group_by": ["symbol"]},
    {"type": "silence", "within": 3, "group_by": ["symbol"]},
    {"type": "sink_down", "for_at_least": 2, "repeat_every": 3},
)
ENTRIES = st.tuples(
    st.sampled_from(["BTC", "ETH", "SOL", "XRP"]), st.sampled_from([logging.INFO, logging.ERROR]), st.integers(0, 9)
)
STEPS = st.lists(
    st.tuples(st.floats(0, 3), st.one_of(ENTRIES, st.sampled_from(["active", "degraded", "failed", "recovering"]))),
    max_size=60,
)


def said_in(steps: list[tuple[float, object]]) -> tuple[Engine, list[Alert]]:
    """What is said of entries, and of a sink's states, that come one after the other."""
    engine, now, said = engine_of(*RULES), 0.0, list[Alert]()
    for seconds, what in steps:
        now += seconds
        if isinstance(what, str):
            engine.tick(now, stats_of(sink_stats("loki", SinkState(what))))
        else:
            symbol, level, size = what  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
            engine.look(entry(level=level, symbol=symbol, size=size), now)
        said += engine.take()
    return engine, said


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_firing_and_resolved_alternate_and_none_comes_before_its_time(steps: list[tuple[float, object]]):
    engine, said = said_in(steps)
    by_group: dict[tuple[str, Group], list[Alert]] = defaultdict(list)
    for alert in said:
        by_group[alert.rule, alert.group].append(alert)
    for (rule, group), alerts in by_group.items():
        terms = engine.rules[rule].episodes.terms
        last: Alert | None = None
        for alert in alerts:
            if last is None or last.state is AlertState.RESOLVED:
                assert alert.state is AlertState.FIRING
                assert alert.seconds >= terms.for_seconds
            else:
                assert alert.state is not AlertState.FIRING
                assert alert.since == last.since
                assert alert.count >= last.count
                assert alert.at >= last.at
            if alert.state is AlertState.REPEATED:
                assert last is not None
                assert alert.at - last.at >= terms.repeat_seconds
            last = alert
        assert last is not None
        assert (group in engine.stats()[rule].firing) == (last.state is not AlertState.RESOLVED)


@given(STEPS)
@settings(max_examples=100, deadline=None)
def test_counters_are_those_of_what_was_said_and_groups_are_bounded(steps: list[tuple[float, object]]):
    engine, said = said_in(steps)
    for name, stats in engine.stats().items():
        states = [alert.state for alert in said if alert.rule == name]
        assert (stats.fired, stats.repeated, stats.resolved) == tuple(map(states.count, AlertState))
        assert stats.fired - stats.resolved == len(stats.firing)
        most = engine.rules[name].episodes.terms.max_groups
        assert len(stats.firing) + stats.pending <= most + 1  # those beyond it share one


@given(st.lists(st.floats(0, 2), max_size=60), st.integers(1, 5))
def test_a_window_counts_as_a_list_of_all_times_would(waits: list[float], most: int):
    window, now, times = Window(5.0, most), 0.0, list[float]()
    for wait in waits:
        now += wait
        times.append(now)
        assert window.add(now) == min(most, sum(time > now - 5.0 for time in times))


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(0, 1)), max_size=60))
def test_sums_are_exact_but_for_a_twentieth_of_the_window(parts: list[tuple[float, int]]):
    sums, now, added = Sums(5.0), 0.0, list[tuple[float, int]]()
    for wait, part in parts:
        now += wait
        sums.add(now, part, 1)
        added.append((now, part))
        part_sum, whole = sums.totals(now)
        inside = [part for at, part in added if at > now - 5.0]
        around = [part for at, part in added if at > now - 5.25 - 1e-9]
        assert sum(inside) <= part_sum <= sum(around)
        assert len(inside) <= whole <= len(around)
