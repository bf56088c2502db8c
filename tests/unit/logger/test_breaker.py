"""The breaker: closed, open after failures in a row, half-open for one probe at a time, closed by a success."""

from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger.breaker import Breaker, BreakerState


class Clock:
    """A clock that is told the time."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class TestBreaker:
    def test_opens_after_failures_in_a_row(self):
        breaker = Breaker(3, Clock())
        states = [breaker.state]
        for _ in range(4):
            breaker.failed(1.0)
            states.append(breaker.state)
        assert states == ["closed", "closed", "closed", "open", "open"]

    def test_a_success_starts_the_count_anew(self):
        breaker = Breaker(2, Clock())
        for _ in range(5):
            breaker.failed(1.0)
            assert breaker.is_closed
            breaker.succeeded()

    def test_what_an_operator_has_to_mend_opens_it_at_once(self):
        breaker = Breaker(5, Clock())
        breaker.failed(1.0, pause=True)
        assert breaker.state is BreakerState.OPEN

    def test_is_due_when_its_wait_is_over(self):
        clock = Clock()
        breaker = Breaker(1, clock)
        assert not breaker.is_due, "a closed one waits for nothing"
        breaker.failed(10.0)
        clock.seconds += 9.5
        assert not breaker.is_due
        clock.seconds += 0.5
        assert breaker.is_due

    def test_a_probe_that_fails_opens_it_again_for_its_own_wait(self):
        clock = Clock()
        breaker = Breaker(1, clock)
        breaker.failed(1.0)
        clock.seconds += 1.0
        breaker.begin_probe()
        assert breaker.state is BreakerState.HALF_OPEN
        assert not breaker.is_due, "one probe at a time"
        breaker.failed(2.0)
        assert breaker.state is BreakerState.OPEN
        assert (breaker.retry_at, breaker.failures) == (clock.seconds + 2.0, 2)

    def test_a_probe_that_succeeds_closes_it(self):
        breaker = Breaker(1, Clock())
        breaker.failed(0.0)
        breaker.begin_probe()
        breaker.succeeded()
        assert (breaker.state, breaker.failures) == (BreakerState.CLOSED, 0)

    def test_a_probe_given_up_leaves_it_open_and_due(self):
        """Else it would wait for an answer that nobody gives any more."""
        breaker = Breaker(1, Clock())
        breaker.failed(60.0)
        breaker.begin_probe()
        breaker.drop_probe()
        assert breaker.state is BreakerState.OPEN
        assert breaker.is_due

    def test_while_closed_no_request_is_a_probe(self):
        breaker = Breaker(2, Clock())
        breaker.begin_probe()
        breaker.drop_probe()
        assert breaker.is_closed

    @given(st.lists(st.sampled_from(["fail", "pause", "ok", "probe", "drop"]), max_size=40), st.integers(1, 5))
    def test_it_is_closed_exactly_while_too_few_failed_since_the_last_success(self, steps: list[str], most: int):
        breaker = Breaker(most, Clock())
        failures, paused = 0, False
        for step in steps:
            match step:
                case "fail" | "pause":
                    breaker.failed(1.0, pause=step == "pause")
                    failures, paused = failures + 1, paused or step == "pause"
                case "ok":
                    breaker.succeeded()
                    failures, paused = 0, False
                case "probe":
                    breaker.begin_probe()
                case _:
                    breaker.drop_probe()
            assert breaker.is_closed == (failures < most and not paused)
            assert breaker.failures == failures
