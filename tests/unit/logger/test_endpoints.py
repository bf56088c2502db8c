"""Which address a request goes to: the preferred one that works, or all that work in turn; a dead one is probed."""

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger.endpoints import Balance, Endpoints
from metaexpert.logger.retry import Backoff

A, B, C = "http://a", "http://b", "http://c"


class Clock:
    """A clock that is told the time."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class World:
    """Endpoints whose waits are the longest possible, and a clock."""

    def __init__(self, *urls: str, balance: Balance = "failover") -> None:
        self.clock = Clock()
        self.endpoints = Endpoints(urls or (A, B, C), balance, Backoff(1.0, 30.0), self.clock, lambda _, high: high)

    def order(self) -> list[str]:
        return [endpoint.url for endpoint in self.endpoints.order()]

    def fail(self, url: str, reason: str = "gone", after_seconds: float | None = None) -> None:
        self.endpoints.failed(self.named(url), reason, after_seconds)

    def answer(self, url: str) -> None:
        self.endpoints.answered(self.named(url))

    def named(self, url: str) -> Any:
        return self.endpoints.order(url)[0]

    @property
    def states(self) -> list[str]:
        return [one.state for one in self.endpoints.stats]


class TestFailover:
    def test_the_preferred_one_comes_first_and_the_others_are_at_hand(self):
        assert World().order() == [A, B, C]

    def test_a_failure_leaves_it_alone_while_others_work(self):
        world = World()
        world.fail(A)
        assert world.order() == [B, C]
        assert world.states == ["open", "closed", "closed"]

    def test_the_one_that_works_is_stuck_to(self):
        world = World()
        world.fail(A)
        for _ in range(5):
            assert world.order()[0] == B
            world.answer(B)

    def test_when_its_wait_is_over_it_is_the_last_resort_and_due_for_a_probe(self):
        world = World()
        world.fail(A)
        assert world.endpoints.probe_in() == 1.0
        world.clock.seconds += 1.0
        assert world.order() == [B, C, A]
        assert world.endpoints.probe_in() == 0.0

    def test_a_probe_that_is_answered_brings_the_preferred_one_back(self):
        world = World()
        world.fail(A)
        world.clock.seconds += 1.0
        probed = world.endpoints.to_probe()
        assert probed is not None
        assert (probed.url, world.states[0]) == (A, "half-open")
        assert world.endpoints.to_probe() is None, "one probe at a time"
        world.endpoints.found(probed)
        assert world.order() == [A, B, C]
        assert world.endpoints.probe_in() is None

    def test_waits_double_until_a_request_is_answered_not_a_probe_alone(self):
        world = World()
        waits: list[float] = []
        for _ in range(4):
            world.fail(A)
            waits.append(world.endpoints.probe_in() or 0.0)
            world.clock.seconds += waits[-1]
            probed = world.endpoints.to_probe()
            assert probed is not None
            world.endpoints.found(probed)
        assert waits == [1.0, 2.0, 4.0, 8.0]
        world.answer(A)
        world.fail(A)
        assert world.endpoints.probe_in() == 1.0

    def test_what_it_asks_for_itself_is_heeded(self):
        world = World()
        world.fail(A, after_seconds=20.0)
        wait = world.endpoints.probe_in()
        assert wait is not None
        assert wait >= 20.0

    def test_where_none_works_all_are_asked_the_longest_left_alone_first(self):
        world = World()
        for url in (B, C, A):
            world.fail(url)
            world.clock.seconds += 0.1
        assert world.order() == [B, C, A]
        assert world.endpoints.probe_in() is None, "requests find out themselves"

    def test_one_alone_is_asked_whatever_happened(self):
        world = World(A)
        for _ in range(3):
            world.fail(A)
            assert world.order() == [A]
            assert world.endpoints.probe_in() is None

    def test_the_one_that_is_asked_for_is_the_only_one_dead_or_not(self):
        world = World()
        world.fail(B)
        assert [one.url for one in world.endpoints.order(B)] == [B]
        assert [one.url for one in world.endpoints.order("http://unknown")] == [A, C]

    def test_a_slash_at_the_end_is_no_other_address(self):
        assert World("http://a/", "http://b/x/").order() == ["http://a", "http://b/x"]


class TestRoundRobin:
    def test_each_takes_its_turn(self):
        world = World(balance="round_robin")
        assert [world.order()[0] for _ in range(6)] == [A, B, C, A, B, C]

    def test_a_dead_one_loses_its_turn_until_it_is_back(self):
        world = World(balance="round_robin")
        world.fail(B)
        assert {world.order()[0] for _ in range(6)} == {A, C}
        world.answer(B)
        assert {world.order()[0] for _ in range(6)} == {A, B, C}


class TestStats:
    def test_count_requests_and_failures_and_keep_the_last_trouble(self):
        world = World()
        world.answer(A)
        world.fail(A, "HTTP 503")
        world.answer(B)
        first, second, third = world.endpoints.stats
        assert (first.url, first.requests, first.failures, first.last_error) == (A, 2, 1, "HTTP 503")
        assert (second.requests, second.failures, second.last_error) == (1, 0, None)
        assert (third.state, third.requests) == ("closed", 0)


@given(st.integers(0, 2**32), st.integers(1, 4), st.sampled_from(["failover", "round_robin"]))
def test_whatever_happens_a_request_goes_somewhere_once_and_working_ones_come_first(
    seed: int, count: int, balance: Balance
):
    random = Random(seed)
    world = World(*[f"http://{at}" for at in range(count)], balance=balance)
    for _ in range(30):
        order = world.endpoints.order()
        assert order
        assert len({endpoint.url for endpoint in order}) == len(order)
        closed = [endpoint.breaker.is_closed for endpoint in order]
        assert closed == sorted(closed, reverse=True)
        chosen = random.choice(order)
        if random.random() < 0.5:
            world.answer(chosen.url)
        else:
            world.fail(chosen.url)
        world.clock.seconds += random.random() * 3
        due = world.endpoints.to_probe() if world.endpoints.probe_in() == 0.0 else None
        if due is not None and random.random() < 0.5:
            world.endpoints.found(due)
        elif due is not None:
            world.endpoints.not_found(due, "still gone")
