"""Whether a clock is believed when it says that a file is past its term: pure, by clocks made up."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger.files.keeping.clock_trust import (
    HOLD_SECONDS,
    MOST_OFF_SECONDS,
    TOLERANCE_SECONDS,
    ClockReading,
    ClockTrust,
    judged,
)

DAY = 86_400.0
NOW = 1_790_000_000.0


@dataclass
class Machine:
    """A machine whose clock can be set, looked at once a minute while it is on."""

    wall: float = NOW
    up: float = 50.0
    boot: int = 1
    trust: ClockTrust | None = None

    def look(self) -> ClockTrust:
        self.trust = judged(self.trust, ClockReading(self.wall, self.up, str(self.boot)))
        return self.trust

    def run(self, seconds: float, step: float = 60.0) -> ClockTrust:
        trust = self.look()
        while seconds > 0:
            passed = min(step, seconds)
            self.wall, self.up, seconds = self.wall + passed, self.up + passed, seconds - passed
            trust = self.look()
        return trust

    def set_clock(self, by: float) -> ClockTrust:
        self.wall += by
        return self.look()

    def off(self, seconds: float, clock_wrong_by: float = 0.0) -> ClockTrust:
        self.wall, self.up, self.boot = self.wall + seconds + clock_wrong_by + 20.0, 20.0, self.boot + 1
        return self.look()


@pytest.fixture
def machine() -> Machine:
    made = Machine()
    assert made.run(HOLD_SECONDS, 3600.0).is_believed
    return made


def test_a_clock_of_which_nothing_is_known_has_to_be_plausible_for_a_day():
    machine = Machine()
    assert not machine.look().is_believed
    assert not machine.run(HOLD_SECONDS - 1, 3600.0).is_believed
    assert machine.run(2).is_believed
    assert machine.look().leaps == 0


@pytest.mark.parametrize("days", [1, 90, 3650])
def test_a_clock_set_ahead_is_doubted_at_once_and_for_a_day(machine: Machine, days: int):
    trust = machine.set_clock(days * DAY)
    assert (trust.is_believed, trust.has_leapt, trust.leaps) == (False, True, 1)
    assert "leapt" in trust.doubt
    assert not machine.run(HOLD_SECONDS - 60).is_believed
    assert machine.run(120).is_believed
    assert not machine.look().has_leapt


def test_a_clock_that_comes_back_is_believed_as_before(machine: Machine):
    machine.set_clock(200 * DAY)
    machine.run(1000)
    assert machine.set_clock(-200 * DAY).is_believed
    assert machine.look().leaps == 1


def test_one_that_was_not_believed_before_it_leapt_is_not_when_it_comes_back():
    machine = Machine()
    machine.run(100)
    machine.set_clock(200 * DAY)
    machine.run(100)
    assert not machine.set_clock(-200 * DAY).is_believed


def test_a_second_leap_amid_the_doubt_begins_the_day_anew(machine: Machine):
    machine.set_clock(90 * DAY)
    machine.run(HOLD_SECONDS / 2, 600.0)
    machine.set_clock(90 * DAY)
    assert not machine.run(HOLD_SECONDS - 60, 600.0).is_believed
    assert machine.set_clock(-180 * DAY).is_believed


def test_many_small_steps_are_one_leap(machine: Machine):
    for _ in range(10):
        machine.set_clock(TOLERANCE_SECONDS / 5)
        machine.run(60)
    assert not machine.look().is_believed


def test_a_clock_set_by_little_or_back_is_believed(machine: Machine):
    for by in (TOLERANCE_SECONDS / 2, -60.0, -400 * DAY):
        assert machine.set_clock(by).is_believed


@pytest.mark.parametrize("seconds", [30.0, MOST_OFF_SECONDS - 3600])
def test_a_machine_that_was_off_for_less_than_a_day_is_believed(machine: Machine, seconds: float):
    assert machine.off(seconds).is_believed


def test_after_a_boot_with_a_clock_months_ahead_nothing_is_believed(machine: Machine):
    assert not machine.off(30.0, clock_wrong_by=100 * DAY).is_believed
    assert not machine.run(HOLD_SECONDS / 2, 600.0).is_believed
    assert machine.off(30.0, clock_wrong_by=-100 * DAY).is_believed, "the next boot found the right time"


def test_time_off_is_not_time_that_a_clock_was_plausible(machine: Machine):
    machine.set_clock(90 * DAY)
    for _ in range(20):
        machine.off(DAY / 2)
    assert not machine.look().is_believed


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["set", "run", "off"]), st.floats(-400 * DAY, 400 * DAY)), min_size=1, max_size=30
    )
)
def test_a_clock_is_never_believed_further_than_what_passed_but_for_small_errors_and_days_it_held(
    steps: list[tuple[str, float]],
):
    """Whatever is done to it, within less than a day of running time after a leap it is not believed."""
    machine = Machine()
    machine.run(HOLD_SECONDS, 3600.0)
    for what, amount in steps:
        before = machine.look()
        if what == "set":
            after = machine.set_clock(amount)
            if amount > TOLERANCE_SECONDS + before.ahead_seconds:
                assert not after.is_believed
        elif what == "run":
            machine.run(abs(amount) % 3600.0, 600.0)
        else:
            machine.off(abs(amount))
            if abs(amount) > MOST_OFF_SECONDS + TOLERANCE_SECONDS:
                assert not machine.look().is_believed


def test_times_of_two_boots_without_names_are_not_compared(machine: Machine):
    assert machine.trust is not None
    seen = replace(machine.trust, seen=ClockReading(NOW, 1_000_000.0, "process a"))
    assert judged(seen, ClockReading(NOW + 60, 5.0, "process b")).is_believed
