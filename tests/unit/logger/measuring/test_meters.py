"""Timers, gauges and counters by their names."""

import math
import threading
from collections.abc import Callable, Iterator

import pytest

from metaexpert.logger.measuring import meters


@pytest.fixture(autouse=True)
def no_meters() -> Iterator[None]:
    """A process without any, and afterwards those it had."""
    known = [meters._timers, meters._gauges, meters._counters]
    kept = [dict(each) for each in known]
    for each in known:
        each.clear()
    yield
    for each, before in zip(known, kept, strict=True):
        each.clear()
        each.update(before)  # type: ignore[arg-type]


def test_a_name_stands_for_one_meter_of_each_kind():
    assert meters.timer("a") is meters.timer("a")
    assert meters.gauge("a") is meters.gauge("a")
    assert meters.counter("a") is meters.counter("a")
    assert meters.timer("a") is not meters.timer("b")


def test_what_is_recorded_is_found_under_its_name():
    meters.timer("t").record(0.25)
    meters.timer("t").record_ns(1000)
    meters.gauge("g").set(3.5)
    meters.counter("c").add()
    meters.counter("c").add(4)
    assert meters.timers()["t"].histogram.total_ns == 250_001_000
    assert meters.gauges()["g"].value == 3.5
    assert meters.counters()["c"].value == 5


def test_a_gauge_says_nothing_before_it_is_set():
    assert meters.gauge("g").value is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "1", None])
def test_what_is_no_duration_is_counted_as_refused_and_raises_nothing(value: float):
    timer = meters.timer("t")
    timer.record(value)
    assert (timer.refused, timer.histogram.count) == (1, 0)


@pytest.mark.parametrize("count", [0, -1])
def test_a_counter_never_goes_down(count: int):
    meters.counter("c").add(count)
    assert meters.counter("c").value == 0


@pytest.mark.parametrize("make", [meters.timer, meters.gauge, meters.counter])
def test_names_without_end_share_one_meter(make: Callable[[str], object]):
    made = {id(make(str(number))) for number in range(meters.MOST_NAMES + 100)}
    assert len(made) == meters.MOST_NAMES + 1
    assert make("yet another") is make(meters.OTHERS)


def test_snapshots_stay_as_they_are():
    meters.timer("a")
    before = meters.timers()
    meters.timer("b")
    assert list(before) == ["a"]


def test_threads_lose_no_count():
    """Under the GIL; a build without it may."""
    timer, counter = meters.timer("t"), meters.counter("c")

    def record() -> None:
        for _ in range(20_000):
            timer.record(0.001)
            counter.add()

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (timer.histogram.count, counter.value) == (80_000, 80_000)
