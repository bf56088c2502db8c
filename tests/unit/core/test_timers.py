"""Timers: due once an interval, never twice for what was missed."""

import pytest

from metaexpert.core.timers import Timer, due
from metaexpert.exceptions import MetaExpertError

SECOND = 10**9


def test_a_timer_is_due_an_interval_after_the_first_look_and_then_each_interval():
    timer = Timer(2.0, print)
    assert [second for second in range(9) if timer.is_due(second * SECOND)] == [2, 4, 6, 8]


def test_what_was_missed_is_called_once_and_the_rhythm_stays():
    timer = Timer(1.0, print)
    assert not timer.is_due(0)
    assert timer.is_due(7 * SECOND + 1)
    assert not timer.is_due(7 * SECOND + 2)
    assert timer.is_due(8 * SECOND)


def test_each_timer_has_its_own_interval():
    def slow() -> None: ...
    def fast() -> None: ...

    timers = [Timer(3.0, slow), Timer(1.0, fast)]
    called = [(second, handler) for second in range(4) for handler in due(timers, second * SECOND)]
    assert called == [(1, fast), (2, fast), (3, slow), (3, fast)]


@pytest.mark.parametrize("interval", [0, -1.0, float("nan")])
def test_an_interval_that_never_waits_is_refused(interval: float):
    with pytest.raises(MetaExpertError, match="above 0"):
        Timer(interval, print)
