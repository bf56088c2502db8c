"""The benchmark's own arithmetic: percentiles, arrivals, medians, verdicts, tables, page and chart."""

import asyncio
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.amounts import FULL, QUICK
from bench.arrival import Arrivals, in_folder
from bench.cli import main
from bench.heartbeat import PERIOD_NS, Heartbeat
from bench.large_spool import lay_out
from bench.measures.fsynced import SYNCS_A_ROUND
from bench.measures.protected import CONFIGURATIONS, KINDS
from bench.pacing import at_full_speed, at_rate
from bench.peers.registry import OURS, PEERS
from bench.reading import Reading
from bench.render.chart import svg
from bench.render.markdown import page
from bench.render.report import Report
from bench.render.sections import SECTIONS, faults
from bench.runner import Plan, Run, run_one
from bench.stats import percentile, ratio
from bench.summary import Summary, summarise
from bench.targets import State, judge_all
from bench.workload import Empty, Style, emitter, number_of, price_of, spinner
from metaexpert.logger.spool.queue import SegmentSpool
from metaexpert.logger.spool.spool import SpoolLimits

OTHER = "stdlib-file"


class TestPercentile:
    @pytest.mark.parametrize(("percent", "expected"), [(0, 1), (1, 1), (50, 50), (99, 99), (99.9, 100), (100, 100)])
    def test_is_the_nearest_rank(self, percent: float, expected: int):
        assert percentile(range(1, 101), percent) == expected

    @given(st.lists(st.integers(), min_size=1), st.floats(0, 100))
    def test_is_one_of_the_values_and_covers_its_share(self, values: list[int], percent: float):
        ordered = sorted(values)
        found = percentile(ordered, percent)
        assert found in ordered
        assert sum(value <= found for value in ordered) >= len(ordered) * percent / 100

    def test_refuses_what_has_no_answer(self):
        with pytest.raises(ValueError, match="no values"):
            percentile([], 50)
        with pytest.raises(ValueError, match="from 0 to 100"):
            percentile([1], 101)


class TestRatio:
    def test_says_how_many_times_better_ours_is(self):
        assert ratio(2.0, 10.0, lower_is_better=True) == 5.0
        assert ratio(10.0, 2.0, lower_is_better=False) == 5.0

    @pytest.mark.parametrize(("ours", "theirs"), [(0.0, 1.0), (-0.1, 1.0), (1.0, -0.1), (float("nan"), 1.0)])
    def test_is_none_where_there_is_no_quotient(self, ours: float, theirs: float):
        assert ratio(ours, theirs, lower_is_better=True) is None


def line(number: int, **changes: Any) -> bytes:
    """The line that a logger writes for an entry of the workload."""
    extra = {
        "exchange": "binance",
        "symbol": "BTCUSDT",
        "price": price_of(number),
        "latency_ms": 3.2,
        "strategy_id": 1001,
        **changes.pop("extra", {}),
    }
    keys = ("timestamp", "level", "module", "line", "thread", "process")
    known = {**dict.fromkeys(keys, ""), "logger": "bench.expert", "message": "tick", "function": "emit"}
    return orjson.dumps({**known, "extra": extra, **changes}) + b"\n"


class TestArrivals:
    def test_count_each_entry_once_and_tell_what_is_missing(self):
        arrivals = Arrivals(4)
        for number in (0, 1, 1, 3):
            arrivals.take_line(line(number))
        assert (arrivals.arrived, arrivals.duplicates, arrivals.malformed) == (3, 1, 0)

    @pytest.mark.parametrize(
        "bad",
        [
            b'{"torn',
            line(0, message="another"),
            line(0, extra={"symbol": "ETHUSDT"}),
            line(0, extra={"strategy_id": None}),
            line(7),
            b'{"message":"tick"}',
        ],
    )
    def test_take_nothing_else_for_an_entry(self, bad: bytes):
        arrivals = Arrivals(4)
        arrivals.take_line(bad)
        assert (arrivals.arrived, arrivals.malformed) == (0, 1)
        assert arrivals.fault.startswith("1 malformed")

    def test_find_the_fields_of_a_trade_entry_where_it_has_them(self):
        arrivals = Arrivals(2)
        trade_data = {"exchange": "binance", "symbol": "BTCUSDT", "price": "0.25", "latency_ms": 3.2}
        value = {"log_type": "trade", "function": "emit", "extra": {"strategy_id": 1001}, "trade_data": trade_data}
        arrivals.take_line(orjson.dumps(value))
        arrivals.take_line(orjson.dumps({**value, "trade_data": {**trade_data, "symbol": "ETHUSDT"}}))
        assert (arrivals.arrived, arrivals.malformed, arrivals.caller_right) == (1, 1, True)

    def test_tell_when_the_caller_is_another_function(self):
        arrivals = Arrivals(1)
        arrivals.take_line(line(0, function="elsewhere"))
        assert (arrivals.arrived, arrivals.caller_right) == (1, False)

    def test_are_read_from_every_file_of_the_folder_but_gap_entries(self, tmp_path: Path):
        (tmp_path / "peer.log").write_bytes(line(0) + b'{"log_type":"gap","message":"dropped 1"}\n')
        (tmp_path / "peer.log.1").write_bytes(line(1))
        (tmp_path / "peer.link").symlink_to("peer.log.1")
        assert in_folder(tmp_path, 2).arrived == 2

    @given(st.integers(0, 2**40))
    def test_find_an_entry_by_the_number_in_its_price(self, number: int):
        assert number_of(price_of(number)) == number

    def test_leave_no_figure_when_nothing_arrived(self):
        reading = Reading.of({"p50_ns": 1.0}, Arrivals(5), {})
        assert (dict(reading.figures), reading.fault) == ({}, "nothing arrived")


class RecordingLog:
    """Keeps the arguments of each call."""

    def __init__(self) -> None:
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def info(self, message: str, /, *args: Any, **fields: Any) -> None:
        self.calls.append(((message, *args), fields))

    debug = info


@pytest.mark.parametrize("style", Style)
def test_each_style_carries_the_same_four_fields(style: Style):
    log = RecordingLog()
    emitter(log, style)(1.5, 3.2)
    spinner(log, style)(2)
    fields = {"exchange": "binance", "symbol": "BTCUSDT", "price": 1.5, "latency_ms": 3.2}
    assert str(fields).strip("{}") in str(log.calls[0])
    assert len(log.calls) == 3
    assert all("'latency_ms': 3.2" in str(call) and call[0][0] == "tick" for call in log.calls)
    spinner(Empty(), style)(1)


async def test_entries_at_a_rate_are_numbered_without_holes():
    prices: list[float] = []
    offered = await at_rate(lambda price, _latency: prices.append(price), 3, 40, 10_000)
    assert [number_of(price) for price in prices] == list(range(3, 43))
    assert offered.logged == 40
    assert offered.seconds >= 0.003


async def test_entries_at_a_rate_end_when_the_time_is_up():
    prices: list[float] = []
    offered = await at_rate(lambda price, _latency: prices.append(price), 0, 1_000_000, 1_000, most_seconds=0.005)
    assert offered.logged == len(prices)
    assert len(prices) < 1_000


class CountingPeer:
    """Notes how many entries were offered between its turns."""

    def __init__(self) -> None:
        self.offered: list[int] = []

    async def ready(self, offered: int) -> None:
        self.offered.append(offered)


async def test_entries_at_full_speed_end_with_the_count_or_the_time():
    peer: Any = CountingPeer()
    prices: list[float] = []

    def emit(price: float, _latency_ms: float) -> None:
        prices.append(price)

    assert await at_full_speed(peer, emit, 10, 250) == 250
    assert ([number_of(price) for price in prices], peer.offered) == (list(range(10, 260)), [100, 100, 50])
    assert await at_full_speed(peer, emit, 0, 1_000_000, most_seconds=0.0) == 100


async def test_a_heartbeat_counts_every_beat_that_the_loop_missed():
    """A loop blocked for 20 ms is late for each of the beats in it, by less and less."""
    with Heartbeat() as heartbeat:
        deadline = asyncio.get_running_loop().time() + 5
        while len(heartbeat.due_ns) < 2:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.001)
        before_ns = time.monotonic_ns()
        while time.monotonic_ns() - before_ns < 20 * PERIOD_NS:
            pass
        after_ns = time.monotonic_ns()
        while heartbeat.due_ns[-1] < after_ns:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.001)
    late_ns = heartbeat.between(before_ns, after_ns)
    assert len(late_ns) >= 19
    assert late_ns[-1] >= 18 * PERIOD_NS
    assert late_ns[0] < late_ns[-1]
    steps = {later - earlier for earlier, later in zip(heartbeat.due_ns, heartbeat.due_ns[1:], strict=False)}
    assert steps == {PERIOD_NS}


def a_run(measure: str, peer: str, *, lost: int = 0, fault: str = "", **figures: float) -> Run:
    reading = Reading(figures=figures, offered=100, arrived=100 - lost, fault=fault)
    return Run(measure=measure, peer=peer, repetition=0, reading=reading)


class TestSummary:
    def test_takes_medians_and_the_worst_loss(self):
        runs = [a_run("latency", OURS, p50_ns=value, lost=lost) for value, lost in ((9.0, 0), (1.0, 3), (2.0, 0))]
        cell = summarise(runs)["latency", OURS]
        assert (cell.figures["p50_ns"], cell.lost, cell.readings) == (2.0, 3, 3)

    def test_leaves_out_the_figures_of_a_reading_with_a_fault_and_keeps_the_fault(self):
        runs = [a_run("latency", OURS, p50_ns=1.0, fault="torn"), a_run("latency", OURS, p50_ns=5.0)]
        cell = summarise(runs)["latency", OURS]
        assert (cell.figures["p50_ns"], list(cell.faults)) == (5.0, ["torn"])


def states(*runs: Run) -> dict[tuple[str, str], State]:
    return {(verdict.what, verdict.target): verdict.state for verdict in judge_all(summarise(runs))}


class TestVerdict:
    def test_a_bound_is_reached_up_to_and_including_itself(self):
        key = ("log call, p50", "≤ 2.00 µs")
        assert states(a_run("latency", OURS, p50_ns=2_000.0))[key] is State.REACHED
        assert states(a_run("latency", OURS, p50_ns=2_001.0))[key] is State.NOT_REACHED

    def test_what_was_not_measured_is_neither(self):
        assert set(states().values()) == {State.NOT_MEASURED}

    def test_a_rate_with_losses_reaches_nothing(self):
        key = ("sustained to a JSON file, nothing lost", "≥ 150,000 /s")
        assert states(a_run("sustained", OURS, entries_per_second=200_000.0))[key] is State.REACHED
        assert states(a_run("sustained", OURS, entries_per_second=200_000.0, lost=1))[key] is State.NOT_REACHED

    @pytest.mark.parametrize(("figure", "state"), [(4.0, State.REACHED), (6.0, State.NOT_REACHED)])
    def test_below_every_peer_is_below_the_best_of_them(self, figure: float, state: State):
        found = states(
            a_run("sustained", OURS, cpu_us_per_entry=figure),
            a_run("sustained", OTHER, cpu_us_per_entry=5.0),
            a_run("sustained", "loguru", cpu_us_per_entry=50.0),
        )
        assert found["CPU per entry", "below every peer (5.00 µs)"] is state

    def test_a_share_of_a_peer_is_told_with_its_figure(self):
        found = states(a_run("latency", OURS, p50_ns=900.0), a_run("latency", "picologging-queue", p50_ns=2_000.0))
        assert found["log call, p50", "≤ 0.5 of picologging-queue (1.00 µs)"] is State.REACHED

    @pytest.mark.parametrize(("idle", "state"), [(0.2, State.REACHED), (2.0, State.VOID)])
    def test_a_lag_over_a_noisy_idle_loop_is_void(self, idle: float, state: State):
        found = states(a_run("lag", OURS, added_burst_p99_ms=0.0, idle_p99_ms=idle))
        assert found["added loop lag p99 in a 50 000 burst", "≤ 1.00 ms"] is state

    @pytest.mark.parametrize(("disk", "state"), [(2.0, State.NOT_REACHED), (11.0, State.VOID)])
    def test_a_disk_that_is_slow_by_itself_voids_what_is_asked_of_it(self, disk: float, state: State):
        found = states(a_run("fsynced", OURS, all_p95_ms=21.0, disk_p95_ms=disk))
        assert found["CRITICAL, call to fsynced, p95, under load", "≤ 20.00 ms"] is state

    def test_a_start_with_a_smaller_disk_queue_says_nothing_of_a_large_one(self):
        key = ("start with a disk queue of 10 GB", "≤ 1.00 s")
        assert states(a_run("spool", OURS, start_seconds=0.01))[key] is State.NOT_MEASURED
        assert states(a_run("spool", OURS, start_10_gb_seconds=0.4))[key] is State.REACHED

    def test_even_with_a_peer_a_bound_is_not_reached_without_peers_measured(self):
        found = states(a_run("sustained", OURS, cpu_us_per_entry=1.0))
        assert found["CPU per entry", "below every peer"] is State.NOT_MEASURED


def section(measure: str, summary: Summary) -> list[list[str]]:
    return next(part for part in SECTIONS if part.measure == measure).rows(summary)


class TestTable:
    def test_has_the_best_first_with_ratio_and_losses(self):
        summary = summarise(
            [
                a_run("sustained", OTHER, entries_per_second=50.0, cpu_us_per_entry=9.0, offered_per_second=1, lost=7),
                a_run("sustained", OURS, entries_per_second=200.0, cpu_us_per_entry=2.0, offered_per_second=1),
                a_run("sustained", "loguru", fault="crashed"),
            ]
        )
        assert section("sustained", summary) == [
            ["metaexpert.logger", "200", "2.00", "1", "-", "0"],
            ["logging FileHandler", "50", "9.00", "1", "4", "7 of 100"],
            ["loguru", "-", "-", "-", "-", "-"],
        ]
        assert faults(summary) == ["loguru: crashed (sustained)"]

    def test_of_ours_alone_has_no_ratio(self):
        summary = summarise([a_run("spool", OURS, drained_per_second=50_000.0, lost=3)])
        part = next(part for part in SECTIONS if part.measure == "spool")
        assert [len(part.headers), *part.rows(summary)[0]] == [
            7,
            "metaexpert.logger",
            "50,000",
            "-",
            "-",
            "-",
            "-",
            "3 of 100",
        ]

    def test_a_negative_difference_makes_no_ratio(self):
        summary = summarise([a_run("lag", OURS, added_burst_p99_ms=-0.01), a_run("lag", OTHER, added_burst_p99_ms=1.0)])
        assert [row[-2] for row in section("lag", summary)] == ["-", "-"]


def a_report(*runs: Run) -> Report:
    summary = summarise(runs)
    return Report(
        plan=Plan(measures=["latency"], peers=[OURS, OTHER], amount="quick", repeat=2),
        environment={"python": "3.12"},
        versions={"structlog": "1"},
        date="2026-01-01",
        runs=runs,
        summary=summary,
        verdicts=judge_all(summary),
    )


RUNS = (
    a_run("latency", OURS, p50_ns=1_500.0, p99_ns=4_000.0),
    a_run("latency", OTHER, p50_ns=15_000.0, p99_ns=40_000.0, lost=3),
)


class TestRendering:
    def test_the_page_shows_figures_losses_and_targets_that_are_not_reached(self):
        text = page(a_report(*RUNS), "chart.svg")
        assert "![Medians of metaexpert.logger and its peers](chart.svg)" in text
        assert "| logging FileHandler | 15,000 |" in text
        assert "3 of 100" in text
        assert "| log call, p50 | ≤ 0.2 of stdlib-file (3.00 µs) | 1.50 µs | reached |" in text
        assert "not measured" in text

    def test_the_chart_is_xml_with_bars_in_proportion_and_losses(self):
        root = ET.fromstring(svg(summarise(RUNS)))  # noqa: S314 (our own picture)
        widths = [float(bar.attrib["width"]) for bar in root.iter() if bar.tag.endswith("rect")]
        assert widths[:2] == [17.0, 170.0]
        assert any("3 lost" in (text.text or "") for text in root.iter() if text.tag.endswith("text"))

    def test_a_report_and_its_readings_survive_json(self):
        value = orjson.loads(orjson.dumps(a_report(*RUNS).as_json()))
        assert value["readings"][1]["lost"] == 3
        kept = {key: part for key, part in value["readings"][1].items() if key not in {"measure", "peer", "repetition"}}
        assert Reading.from_json(kept) == RUNS[1].reading


class TestPlan:
    def test_peers_take_turns_and_each_repetition_begins_with_another(self):
        plan = Plan(measures=["latency", "otlp"], peers=[OURS, OTHER, "opentelemetry"], amount="quick", repeat=2)
        assert list(plan.turns()) == [
            (0, "latency", OURS),
            (0, "latency", OTHER),
            (0, "latency", "opentelemetry"),
            (0, "otlp", OURS),
            (0, "otlp", "opentelemetry"),
            (1, "latency", OTHER),
            (1, "latency", "opentelemetry"),
            (1, "latency", OURS),
            (1, "otlp", "opentelemetry"),
            (1, "otlp", OURS),
        ]

    def test_every_row_of_the_specification_has_full_amounts(self):
        assert (FULL.burst_entries, FULL.stalled_entries) == (50_000, 1_000_000)
        assert QUICK.sustained_entries < FULL.sustained_entries

    def test_every_section_belongs_to_a_measurement_and_the_reverse(self):
        from bench.measures.catalogue import MEASURES

        assert {part.measure for part in SECTIONS} == set(MEASURES)
        assert all(peer in PEERS for entry in MEASURES.values() for peer in entry.peers)


class TestCommandLine:
    def test_an_unknown_name_is_told_with_those_there_are(self):
        with pytest.raises(SystemExit, match="no measurement named 'speed'; there are latency, disabled"):
            main(["--only", "speed"])

    def test_a_part_of_the_benchmark_is_not_published(self):
        with pytest.raises(SystemExit, match="whole benchmark"):
            main(["--only", "latency", "--write-docs"])

    def test_a_run_prints_its_tables_and_writes_its_data(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        data = tmp_path / "bench.json"
        assert main(["--quick", "--only", "disabled", "--peers", OTHER, "--json", str(data)]) == 0
        printed = capsys.readouterr().out
        assert "logging FileHandler" in printed
        assert "not measured" in printed
        assert [reading["peer"] for reading in orjson.loads(data.read_bytes())["readings"]] == [OTHER]


def test_a_case_in_a_process_of_its_own_counts_its_entries_on_disk():
    reading = run_one("sustained", OTHER, "quick")
    assert (reading.fault, reading.lost, reading.duplicates, reading.caller_right) == ("", 0, 0, True)
    assert reading.offered == QUICK.warm_up_entries + QUICK.sustained_entries
    assert reading.figures["entries_per_second"] > 0


def test_protected_calls_are_timed_in_each_configuration_and_all_of_their_entries_arrive():
    reading = run_one("protected", OURS, "quick")
    assert (reading.fault, reading.lost, reading.duplicates, reading.caller_right) == ("", 0, 0, True)
    figures = reading.figures
    for kind in KINDS:
        assert all(figures[f"{name}_{kind}_p50_ns"] > 0 for name in CONFIGURATIONS)
        assert figures[f"{kind}_over_info_ns"] == figures[f"default_{kind}_p50_ns"] - figures["default_info_p50_ns"]
    assert figures["trade_journal_ns"] == figures["default_trade_p50_ns"] - figures["unjournalled_trade_p50_ns"]
    assert figures["info_recorder_ns"] == figures["default_info_p50_ns"] - figures["unrecorded_info_p50_ns"]


def test_what_a_desk_logs_is_timed_in_each_configuration_and_all_of_it_arrives():
    reading = run_one("desk", OURS, "quick")
    assert (reading.fault, reading.lost, reading.duplicates, reading.caller_right) == ("", 0, 0, True)
    figures = reading.figures
    assert figures["text_search_ns"] == figures["default_text_p50_ns"] - figures["unsearched_text_p50_ns"]
    assert figures["trade_checks_ns"] == figures["default_trade_p50_ns"] - figures["default_audit_p50_ns"]
    assert figures["locals_exception_p50_ns"] > 0


def test_critical_entries_are_awaited_under_load_and_counted_like_all_others():
    reading = run_one("fsynced", OURS, "quick")
    assert (reading.fault, reading.lost, reading.duplicates, reading.caller_right) == ("", 0, 0, True)
    figures = reading.figures
    assert figures["steady_samples"] + figures["burst_samples"] == figures["all_samples"] >= 2
    assert figures["disk_samples"] == SYNCS_A_ROUND * QUICK.fsync_rounds
    for span in ("steady", "burst", "disk", "all"):
        assert 0 < figures[f"{span}_p50_ms"] <= figures[f"{span}_p95_ms"] <= figures[f"{span}_max_ms"]
    assert figures["all_max_ms"] == max(figures["steady_max_ms"], figures["burst_max_ms"])


def test_a_disk_queue_is_worked_off_without_loss_and_a_laid_out_one_is_found_in_whole():
    reading = run_one("spool", OURS, "quick")
    assert (reading.fault, reading.offered, reading.lost, reading.duplicates) == ("", QUICK.drain_entries, 0, 0)
    assert reading.claims["accepted"] == 0, "all that arrived came from disk"
    assert reading.figures["drained_per_second"] > 0
    assert reading.figures["spool_entries"] > 10_000 * QUICK.spool_segments
    assert "start_10_gb_seconds" not in reading.figures


def test_a_queue_that_is_laid_out_is_what_a_start_finds_of_full_files(tmp_path: Path):
    laid_out = lay_out(tmp_path, 3)
    (folder,) = (tmp_path / "spool").iterdir()
    queue = SegmentSpool(folder, "1", 1, SpoolLimits(max_bytes=2**40))
    try:
        found = queue.open()
        assert (found.entries, found.damaged, found.torn, found.unreadable) == (laid_out.entries, 0, 0, ())
        assert queue.disk_bytes == laid_out.size_bytes
        block = queue.read(laid_out.entries // 3, 2**40)
        assert ([entry[0] for entry in block.entries], block.damaged) == (list(range(laid_out.entries // 3)), 0)
    finally:
        queue.close()


def test_a_case_that_fails_leaves_its_fault_and_no_figure():
    reading = run_one("loki", OTHER, "quick")
    assert dict(reading.figures) == {}
    assert "no collector to send to" in reading.fault


def test_a_rotation_is_measured_and_costs_no_entry():
    reading = run_one("rotation", OURS, "quick")
    assert (reading.fault, reading.lost, reading.duplicates) == ("", 0, 0)
    assert reading.figures["rotation_max_ms"] >= reading.figures["rotation_p99_ms"] > 0
    assert "rotation_4_gb_max_ms" not in reading.figures  # the file is smaller


def test_reading_back_is_measured_beside_jq_and_zgrep_and_finds_what_there_is():
    reading = run_one("reading", OURS, "quick")
    assert (reading.fault, reading.offered > 0) == ("", True)
    assert reading.figures["where_mb_per_second"] > 0
    assert reading.figures["tail_command_ms"] > reading.figures["tail_ms"]
    assert "tail_10_gb_ms" not in reading.figures  # the folder is smaller
