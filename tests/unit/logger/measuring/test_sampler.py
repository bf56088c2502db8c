"""The entry of an interval, made of readings that a test gives; nothing here depends on time."""

import asyncio
import gc
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from support.eventually import eventually

from metaexpert.logger import PerformanceOptions, ThresholdOptions
from metaexpert.logger.entry import Capture, LogEntry
from metaexpert.logger.jobs import Jobs
from metaexpert.logger.measuring import meters
from metaexpert.logger.measuring.gc_pauses import GcPauses
from metaexpert.logger.measuring.host import market_data, order_delay
from metaexpert.logger.measuring.loop_lag import LoopLag
from metaexpert.logger.measuring.process import ProcessReading, read_by_proc
from metaexpert.logger.measuring.process_source import process_reader
from metaexpert.logger.measuring.psutil_process import read_by_psutil
from metaexpert.logger.measuring.sample import FIGURES, figure, seconds_text, size_text
from metaexpert.logger.measuring.sampler import Sampler
from metaexpert.logger.stats import NO_STATS, RuntimeStats

FIRST = ProcessReading(
    at_seconds=100.0, cpu_seconds=5.0, rss_bytes=1_000_000, open_files=10, threads=3,
    received_bytes=1000, sent_bytes=2000,
)  # fmt: skip
SECOND = ProcessReading(
    at_seconds=110.0, cpu_seconds=10.0, rss_bytes=2_000_000, open_files=12, threads=4,
    received_bytes=11_000, sent_bytes=3000,
)  # fmt: skip


@dataclass
class Around:
    jobs: Jobs = field(default_factory=Jobs)
    reported: list[LogEntry] = field(default_factory=list[LogEntry])

    def report(self, entry: Capture) -> None:
        self.reported.append(LogEntry(entry))

    @staticmethod
    def stats() -> RuntimeStats:
        return replace(NO_STATS, ingress=replace(NO_STATS.ingress, queued_entries=17, dropped=MappingProxyType({})))


def sampler(around: Around, readings: Iterator[ProcessReading], **options: Any) -> Sampler:
    return Sampler(PerformanceOptions(**options), around, read=lambda: next(readings), cores=2)


async def measured(*readings: ProcessReading, **options: Any) -> tuple[Sampler, list[LogEntry]]:
    around = Around()
    made = sampler(around, iter(readings), **options)
    before = await made.look()
    for _ in readings[1:]:
        before = await made.measure(before)
    return made, around.reported


async def test_an_interval_becomes_one_entry_with_its_figures():
    made, (entry,) = await measured(FIRST, SECOND)
    told = entry.extra()
    assert (entry.level_name, entry.log_type, entry.logger) == ("INFO", "performance", "metaexpert.performance")
    assert told["interval_seconds"] == 10.0
    assert (told["cpu_cores"], told["cpu_share"]) == (0.5, 0.25)
    assert (told["memory_rss_bytes"], told["open_files"], told["threads"]) == (2_000_000, 12, 4)
    network = {"of": "machine", "received_bytes_per_second": 1000, "sent_bytes_per_second": 100}
    assert told["network"] == network
    assert told["queues"] == {"ingress": 17}
    assert "cpu 50% of a core; memory 2 MB; 12 open files" in entry.message
    assert made.figures().sample is not None


async def test_what_the_system_does_not_tell_is_called_unknown():
    dumb = replace(SECOND, rss_bytes=None, open_files=None, received_bytes=None, sent_bytes=None)
    made, (entry,) = await measured(FIRST, dumb, thresholds={"memory_rss_bytes": {"warn": 1}})
    told = entry.extra()
    assert told["memory_rss_bytes"] is told["open_files"] is told["network"]["sent_bytes_per_second"] is None
    assert "memory unknown; unknown open files" in entry.message
    assert made.figures().exceeded == frozenset()


async def test_counts_of_an_interface_that_went_away_are_no_negative_rate():
    _, (entry,) = await measured(FIRST, replace(SECOND, received_bytes=5))
    assert entry.extra()["network"]["received_bytes_per_second"] is None


async def test_a_crossed_threshold_warns_with_value_and_limit_and_an_info_ends_it():
    third = replace(FIRST, at_seconds=120.0, cpu_seconds=10.0)
    _, reported = await measured(FIRST, SECOND, third, thresholds={"cpu_cores": {"warn": 0.4, "clear": 0.1}})
    _, warning, _, over = reported
    assert (warning.level_name, over.level_name) == ("WARNING", "INFO")
    assert warning.extra() | {"x": 0} == warning.extra() | {"x": 0, "figure": "cpu_cores", "value": 0.5, "limit": 0.4}
    assert warning.message == "cpu_cores is 0.5, above its limit of 0.4"
    assert over.extra()["exceeded_seconds"] == 10.0


async def test_what_is_exceeded_outlives_other_options():
    around = Around()
    first = sampler(around, iter((FIRST, SECOND)), thresholds={"cpu_cores": {"warn": 0.4}})
    await first.measure(await first.look())
    options = PerformanceOptions(thresholds={"cpu_cores": ThresholdOptions(warn=0.4)}, interval=5)
    assert Sampler(options, around, former=first).figures().exceeded == {"cpu_cores"}


async def test_timers_and_counters_are_of_the_interval_alone():
    around = Around()
    made = sampler(around, iter((FIRST, SECOND)))
    meters.timer("sampled").record(9.0)
    before = await made.look()
    meters.timer("sampled").record(0.5)
    meters.counter("sampled").add(3)
    await made.measure(before)
    told = around.reported[0].extra()
    assert told["timers"]["sampled"]["count"] == 1
    assert told["timers"]["sampled"]["max_seconds"] == pytest.approx(0.5, rel=0.01)
    assert told["counters"]["sampled"] == 3


async def test_no_secret_in_a_timers_name_is_logged():
    around, secret = Around(), "sk_live_51HyaABCDEFGHIJKLMNOPQRSTUVWX"
    made = sampler(around, iter((FIRST, SECOND)))
    before = await made.look()
    meters.timer(f"api_key={secret}").record(0.5)
    await made.measure(before)
    assert secret not in json.dumps(around.reported[0].extra())


async def test_every_figure_that_can_have_a_limit_is_known():
    made, _ = await measured(FIRST, SECOND)
    sample = made.figures().sample
    assert sample is not None
    unknown = [name for name in FIGURES if figure(sample, name) is None]
    assert unknown == ["loop_lag_p99_seconds", "sink_p99_seconds"]  # nothing was measured of these


def test_a_loop_that_stood_still_counts_every_tick_it_missed():
    told: list[float] = []
    lag = LoopLag(0.1, told.append)
    lag.count(0.25)
    assert lag.histogram.count == 3
    assert lag.histogram.max_ns == 250_000_000
    assert told == [0.25]
    lag.count(-1.0)
    assert lag.histogram.count == 4


def test_collections_are_measured_while_asked_to():
    with GcPauses() as pauses:
        gc.collect()
    assert (pauses.histogram.count >= 1, pauses.full >= 1) == (True, True)
    count = pauses.histogram.count
    gc.collect()
    assert pauses.histogram.count == count


def test_proc_and_psutil_tell_the_same_of_this_process():
    ours, theirs = process_reader()(), read_by_psutil()
    assert ours.rss_bytes is not None
    assert theirs.rss_bytes is not None
    assert abs(ours.rss_bytes - theirs.rss_bytes) < 20_000_000
    assert theirs.open_files is not None


def test_a_system_without_proc_tells_what_python_knows(tmp_path: Path):
    reading = read_by_proc(tmp_path)
    assert (reading.rss_bytes, reading.open_files, reading.received_bytes, reading.sent_bytes) == (None,) * 4
    assert reading.cpu_seconds > 0
    assert reading.threads >= 1


def test_loopback_is_no_network(tmp_path: Path):
    (tmp_path / "self" / "net").mkdir(parents=True)
    lines = [
        "Inter-|",
        " face |",
        "    lo: 5 0 0 0 0 0 0 0 6 0",
        "  eth0: 70 0 0 0 0 0 0 0 80 0",
        " wlan0:1 0 0 0 0 0 0 0 2 0",
    ]
    (tmp_path / "self" / "net" / "dev").write_text("\n".join(lines), "ascii")
    reading = read_by_proc(tmp_path)
    assert (reading.received_bytes, reading.sent_bytes) == (71, 82)


@pytest.mark.parametrize("name", [None, 7, [], object()])
def test_what_is_no_name_raises_nothing_in_the_host(name: Any):
    for _ in range(2):
        market_data(name)
        order_delay(0.02, name)
    assert not [each for each in meters.timers() if not isinstance(each, str)]


def test_one_sampler_measures_on_one_loop_after_another_and_a_reload_keeps_what_is_exceeded():
    around = Around()
    options = PerformanceOptions(interval=1.0, thresholds={"threads": ThresholdOptions(warn=0.5)})
    sampler = Sampler(options, around)

    async def measure(each: Sampler) -> None:
        before, running = len(_samples(around)), asyncio.ensure_future(each.run())
        try:
            await eventually(lambda: len(_samples(around)) > before)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(measure(sampler))
    asyncio.run(measure(sampler))
    after = Sampler(PerformanceOptions(interval=2.0, thresholds=options.thresholds), around, former=sampler)
    asyncio.run(measure(after))
    assert [each["interval_seconds"] >= least for each, least in zip(_samples(around), (1, 1, 2), strict=True)] == [
        True
    ] * 3
    assert all(each["loop_lag"]["count"] > 0 for each in _samples(around))
    assert [each.extra()["figure"] for each in around.reported if each.level_name == "WARNING"] == ["threads"]
    assert after.figures().exceeded == {"threads"}
    assert "metaexpert-loop-watch" not in {each.name for each in threading.enumerate()}


def _samples(around: "Around") -> list[dict[str, Any]]:
    return [fields for each in around.reported if "interval_seconds" in (fields := each.extra())]


def test_the_host_tells_of_market_data_and_orders():
    for _ in range(3):
        market_data("TESTUSDT")
    order_delay(0.02, "acknowledged")
    assert meters.timers()["market_data.TESTUSDT"].histogram.count == 2
    assert meters.timers()["order.acknowledged"].histogram.total_ns == 20_000_000


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "0 s"), (2.5, "2.5 s"), (0.0123, "12.3 ms"), (4.2e-5, "42 µs")])
def test_durations_for_people(seconds: float, text: str):
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(("size", "text"), [(None, "unknown"), (999, "999 B"), (1.5e6, "1.5 MB"), (2e12, "2e+03 GB")])
def test_sizes_for_people(size: float | None, text: str):
    assert size_text(size) == text
