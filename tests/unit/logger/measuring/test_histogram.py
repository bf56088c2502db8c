"""The histogram of durations, held against sorted lists that forget nothing."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger.measuring.histogram import RELATIVE_ERROR, Histogram

LONGEST_NS = 2**43 - 1
durations = st.integers(0, LONGEST_NS) | st.integers(0, 43).flatmap(lambda bits: st.integers(0, 2**bits - 1))
shares = st.sampled_from([0.0, 0.5, 0.9, 0.99, 0.999, 1.0]) | st.floats(0.0, 1.0)


def of(values: list[int]) -> Histogram:
    made = Histogram()
    for value in values:
        made.record(value)
    return made


def close(found: int, exact: int) -> bool:
    return abs(found - exact) <= exact * RELATIVE_ERROR


def exact_percentile(values: list[int], share: float) -> int:
    return sorted(values)[max(1, ceil(share * len(values))) - 1]


@given(st.lists(durations, min_size=1), shares)
def test_a_percentile_is_off_by_the_promised_share_at_most(values: list[int], share: float):
    assert RELATIVE_ERROR <= 0.01
    assert close(of(values).percentile(share), exact_percentile(values, share))


@given(st.lists(durations, min_size=1), st.lists(shares, min_size=1))
def test_many_percentiles_at_once_are_each_by_itself(values: list[int], asked: list[float]):
    histogram, rising = of(values), sorted(asked)
    assert histogram.percentiles(rising) == [histogram.percentile(share) for share in rising]


@given(st.lists(durations))
def test_count_sum_and_longest_are_exact(values: list[int]):
    histogram = of(values)
    assert (histogram.count, histogram.total_ns, histogram.max_ns) == (
        len(values), sum(values), max(values, default=0),
    )  # fmt: skip


@given(st.lists(durations), st.lists(durations))
def test_merged_is_as_if_all_had_been_recorded_in_one(ours: list[int], theirs: list[int]):
    merged, other, both = of(ours), of(theirs), of(ours + theirs)
    merged.merge(other)
    asked = [0.0, 0.25, 0.5, 0.9, 0.99, 1.0]
    assert merged.percentiles(asked) == both.percentiles(asked)
    assert (merged.count, merged.total_ns, merged.max_ns) == (both.count, both.total_ns, both.max_ns)
    assert other.count == len(theirs)


@given(st.lists(durations), st.lists(durations))
def test_what_came_since_a_copy_is_told_apart(before: list[int], after: list[int]):
    histogram = of(before)
    earlier = histogram.copy()
    for value in after:
        histogram.record(value)
    since = histogram.since(earlier)
    assert earlier.count == len(before)
    assert (since.count, since.total_ns) == (len(after), sum(after))
    assert close(since.max_ns, max(after, default=0))
    assert all(close(since.percentile(share), exact_percentile(after, share)) for share in (0.5, 0.99, 1.0) if after)


@given(st.lists(durations), st.lists(durations, min_size=1).map(sorted))
def test_counts_up_to_bounds_rise_and_end_with_all(values: list[int], bounds: list[int]):
    counts = of(values).counts_up_to(bounds)
    assert counts == sorted(counts)
    assert counts[-1] == len(values)
    for bound, count in zip(bounds, counts, strict=False):
        surely = sum(value <= bound * (1 - 2 * RELATIVE_ERROR) for value in values)
        perhaps = sum(value <= bound * (1 + 2 * RELATIVE_ERROR) + 1 for value in values)
        assert surely <= count <= perhaps


@pytest.mark.parametrize("value", [-1, -(2**70)])
def test_what_is_less_than_nothing_counts_as_nothing(value: int):
    histogram = of([value])
    assert (histogram.count, histogram.total_ns, histogram.max_ns, histogram.percentile(1.0)) == (1, 0, 0, 0)


def test_what_lasts_longer_than_there_are_buckets_is_counted_and_its_maximum_is_exact():
    histogram = of([5, 2**70])
    assert (histogram.count, histogram.max_ns) == (2, 2**70)
    assert close(histogram.percentile(1.0), LONGEST_NS)


def test_of_nothing_everything_is_zero():
    empty = Histogram()
    assert empty.percentiles([0.0, 0.5, 1.0]) == [0, 0, 0]
    assert empty.counts_up_to([10]) == [0, 0]
    assert empty.since(empty.copy()).max_ns == 0
