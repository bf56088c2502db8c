"""The token bucket: never more than rate and burst allow, never less, whatever the clock does."""

import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_sinks import capture

from metaexpert.logger import rate_limit
from metaexpert.logger.entry import Capture
from metaexpert.logger.rate_limit import RateLimit, TokenBucket

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def taken(bucket: TokenBucket, times: Sequence[int]) -> list[int]:
    return [at for at in times if bucket.take(at)]


def at_time(time_ns: int, logger: str = "made") -> Capture:
    made = list(capture(1, time_ns=time_ns))
    made[3] = logger
    return tuple(made)  # type: ignore[return-value]


class TestTokenBucket:
    def test_a_burst_goes_through_and_then_one_each_interval(self):
        bucket = TokenBucket(rate=10.0, burst=3)
        assert len(taken(bucket, [START] * 10)) == 3
        assert taken(bucket, [START + SECOND // 10 - 1]) == []
        assert len(taken(bucket, [START + SECOND // 10] * 2)) == 1
        assert len(taken(bucket, [START + 10 * SECOND] * 10)) == 3

    @given(
        rate=st.floats(0.1, 1000.0),
        burst=st.integers(1, 50),
        gaps=st.lists(st.integers(0, SECOND), min_size=1, max_size=200),
    )
    def test_no_stretch_holds_more_than_rate_and_burst_allow(self, rate: float, burst: int, gaps: list[int]):
        times = [START + sum(gaps[: n + 1]) for n in range(len(gaps))]
        through = taken(TokenBucket(rate, burst), times)
        interval = max(1, round(SECOND / rate))
        for first in range(len(through)):
            for last in range(first, len(through)):
                assert last - first + 1 <= burst + (through[last] - through[first]) // interval

    @given(
        rate=st.floats(0.1, 1000.0),
        burst=st.integers(1, 50),
        gaps=st.lists(st.integers(0, SECOND), min_size=1, max_size=200),
    )
    def test_nothing_is_refused_that_a_plain_bucket_of_tokens_lets_through(
        self, rate: float, burst: int, gaps: list[int]
    ):
        interval = max(1, round(SECOND / rate))
        bucket, credit, now = TokenBucket(rate, burst), burst * interval, START
        for gap in gaps:
            now += gap
            credit = min(burst * interval, credit + gap)
            passes = credit >= interval
            credit -= interval * passes
            assert bucket.take(now) is passes

    def test_a_clock_set_back_by_hours_starves_nobody(self):
        bucket = TokenBucket(rate=1.0, burst=5)
        assert len(taken(bucket, [START] * 10)) == 5
        back = START - 3600 * SECOND
        assert len(taken(bucket, [back + n * SECOND for n in range(60)])) == 60

    def test_entries_of_threads_a_little_out_of_order_gain_nothing(self):
        bucket = TokenBucket(rate=1.0, burst=5)
        assert len(taken(bucket, [START + (n % 2) * 1000 for n in range(100)])) == 5


class TestBuckets:
    def test_one_bucket_for_the_sink(self):
        limit = RateLimit(1.0, 2, "sink")
        assert [limit.takes(at_time(START, name)) for name in "abc"] == [True, True, False]

    def test_one_bucket_for_each_logger(self):
        limit = RateLimit(1.0, 1, "logger")
        assert [limit.takes(at_time(START, name)) for name in "abab"] == [True, True, False, False]

    def test_one_bucket_for_each_place(self):
        limit = RateLimit(1.0, 1, "site")
        here = sys._getframe().f_code
        entries = [(*at_time(START)[:5], here, lasti, *at_time(START)[7:]) for lasti in (2, 4, 2, 4)]
        assert [limit.takes(entry) for entry in entries] == [True, True, False, False]

    def test_loggers_without_end_take_bounded_memory_and_the_one_in_use_is_not_forgotten(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(rate_limit, "_MAX_BUCKETS", 10)
        limit = RateLimit(0.001, 1, "logger")
        assert limit.takes(at_time(START, "busy"))
        for number in range(100):
            assert limit.takes(at_time(START, f"once{number}"))
            assert not limit.takes(at_time(START, "busy"))
        assert len(limit._buckets) == 10
