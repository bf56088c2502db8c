"""Limits with two bounds, and figures that waver."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.exceptions import ConfigError
from metaexpert.logger import PerformanceOptions, ThresholdOptions
from metaexpert.logger.measuring.thresholds import Limit, Thresholds

LIMITS = {"lag": Limit(warn=0.1, clear=0.05)}


def crossings(thresholds: Thresholds, *values: float | None) -> list[tuple[int, bool]]:
    """At which of these figures, a minute apart, something was crossed, and whether upwards."""
    return [
        (at, crossing.over)
        for at, value in enumerate(values)
        for crossing in thresholds.look({"lag": value}.get, at * 60.0)
    ]


def test_a_figure_that_wavers_between_the_bounds_is_told_once():
    assert crossings(Thresholds(LIMITS), 0.09, 0.11, 0.09, 0.11, 0.06, 0.11, 0.05, 0.09) == [(1, True), (6, False)]


def test_the_bounds_themselves_are_not_above_but_are_clear():
    assert crossings(Thresholds(LIMITS), 0.1, 0.1000001, 0.05) == [(1, True), (2, False)]


@given(st.lists(st.none() | st.floats(0, 1), max_size=40), st.floats(0, 1), st.floats(0, 1))
def test_warnings_and_their_ends_take_turns_and_each_is_earned(values: list[float | None], one: float, other: float):
    clear, warn = sorted((one, other))
    thresholds, over, worst = Thresholds({"lag": Limit(warn, clear)}), False, 0.0
    for at, value in enumerate(values):
        told = thresholds.look({"lag": value}.get, float(at))
        worst = max(worst, value or 0.0) if over else value or 0.0
        crosses = value is not None and (value <= clear if over else value > warn)
        assert [(each.over, each.value, each.worst) for each in told] == ([(not over, value, worst)] if crosses else [])
        over = over != crosses
        assert thresholds.exceeded == ({"lag"} if over else set())


def test_what_is_unknown_changes_nothing():
    assert crossings(Thresholds(LIMITS), None, 0.2, None, 0.01) == [(1, True), (3, False)]


def test_the_end_tells_how_long_and_how_bad_it_was():
    thresholds = Thresholds(LIMITS)
    for at, value in enumerate((0.2, 0.7, 0.3)):
        thresholds.look({"lag": value}.get, at * 60.0)
    (end,) = thresholds.look({"lag": 0.01}.get, 180.0)
    assert (end.worst, end.seconds, end.over, end.value) == (0.7, 180.0, False, 0.01)
    assert thresholds.exceeded == frozenset()


def test_with_other_limits_what_is_exceeded_is_not_told_again():
    thresholds = Thresholds(LIMITS)
    thresholds.look({"lag": 0.2}.get, 0.0)
    again = thresholds.taken_over({"lag": Limit(0.15, 0.1)})
    assert again.exceeded == {"lag"}
    assert again.look({"lag": 0.2}.get, 60.0) == []
    assert thresholds.taken_over({}).exceeded == frozenset()


def test_clear_is_four_fifths_of_warn_when_left_out():
    assert ThresholdOptions(warn=10).limit == Limit(10, 8)


def test_clear_above_warn_is_refused():
    with pytest.raises(ConfigError, match=r"clear \(2\) must not be above warn \(1\)"):
        ThresholdOptions(warn=1, clear=2)


def test_a_figure_there_is_none_of_is_refused_and_the_nearest_named():
    with pytest.raises(ConfigError, match="loop_lag_p99_seconds"):
        PerformanceOptions(thresholds={"loop_lag_p99": {"warn": 1}})  # type: ignore[dict-item]


@pytest.mark.parametrize("name", ["timer:api.example.com", "gauge:positions", "cpu_cores"])
def test_figures_that_can_have_limits(name: str):
    assert PerformanceOptions(thresholds={name: ThresholdOptions(warn=1)}).thresholds[name].warn == 1
