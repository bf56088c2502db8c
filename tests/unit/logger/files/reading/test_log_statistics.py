"""Figures of log files: rates that add up, numbers that are missing, clocks that go back, drops as gap entries tell."""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.log_lines import BOOT_ID, error_line, log_line

from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.files.reading.log_statistics import LogStatistics
from metaexpert.logger.files.reading.sequence_numbers import SequenceNumbers, run_and_number
from metaexpert.logger.files.reading.timeline import WIDTHS_SECONDS, Timeline

SECOND_NS = 1_000_000_000


def entries(*lines: dict[str, Any]) -> Iterable[LogEntry]:
    for number, line in enumerate(lines):
        time_ns = line.pop("_time_ns", (1000 + number) * SECOND_NS)
        yield LogEntry(orjson.dumps(line), Path("expert.log"), time_ns, line, line["id"])


def statistics_of(**files: Iterable[LogEntry]) -> LogStatistics:
    found = LogStatistics()
    for name, each in files.items():
        found.file(f"{name.partition('_')[0]}.log", "20261123T171500Z-4711-0bcd01", 100).add_all(each)
    return found


class TestTimeline:
    @given(st.lists(st.integers(0, 400_000_000), min_size=1, max_size=50), st.integers(1, 80))
    def test_whatever_the_width_nothing_is_lost(self, seconds: list[int], most: int):
        timeline = Timeline()
        for second in seconds:
            timeline.add(second * SECOND_NS)
        buckets = timeline.buckets(min(seconds) * SECOND_NS, max(seconds) * SECOND_NS, most)
        assert sum(buckets.counts) == len(seconds)
        assert len(buckets.counts) <= most or buckets.width_seconds == WIDTHS_SECONDS[-1]
        assert buckets.begin_ns <= min(seconds) * SECOND_NS

    def test_memory_stays_bounded_over_years(self):
        timeline = Timeline()
        for hour in range(20_000):
            timeline.add(hour * 3600 * SECOND_NS)
        assert len(list(timeline)) <= 4096
        assert sum(timeline) == 20_000

    @given(st.lists(st.tuples(st.integers(0, 400_000_000), st.booleans()), max_size=200), st.booleans())
    def test_two_together_are_one_that_counted_all(self, seconds: list[tuple[int, bool]], far: bool):
        both, one, other = Timeline(), Timeline(), Timeline()
        for second in range(0, 10_000 if far else 0, 2):
            one.add(second * SECOND_NS)
            both.add(second * SECOND_NS)
        for second, is_one in seconds:
            (one if is_one else other).add(second * SECOND_NS)
            both.add(second * SECOND_NS)
        other.update(one)
        assert other.buckets(0, 400_000_000 * SECOND_NS, 60) == both.buckets(0, 400_000_000 * SECOND_NS, 60)

    def test_each_width_is_a_multiple_of_the_one_before(self):
        assert all(wide % narrow == 0 for narrow, wide in pairwise(WIDTHS_SECONDS))

    def test_a_sparkline_shows_nothing_least_and_most(self):
        timeline = Timeline()
        for second, count in enumerate((1, 0, 8, 4)):
            for _ in range(count):
                timeline.add(second * SECOND_NS)
        assert timeline.buckets(0, 3 * SECOND_NS, 60).bars == "▁ █▄"


class TestSequenceNumbers:
    @given(st.sets(st.integers(0, 40_000), min_size=1), st.sets(st.integers(0, 40_000)))
    def test_they_are_a_set_of_numbers(self, some: set[int], others: set[int]):
        numbers, more = SequenceNumbers(), SequenceNumbers()
        assert all(numbers.add(number) for number in some)
        assert not any(numbers.add(number) for number in some)
        for number in others:
            more.add(number)
        numbers.update(more)
        together = some | others
        assert (numbers.count, numbers.first, numbers.last) == (len(together), min(together), max(together))
        told = {number for first, last in numbers.ranges() for number in range(first, last + 1)}
        assert told == together
        missing = {number for first, last in numbers.holes() for number in range(first, last + 1)}
        assert missing == set(range(min(together), max(together))) - together

    @given(st.sets(st.integers(0, 40_000), min_size=1), st.sets(st.integers(0, 40_000), min_size=1))
    def test_many_are_added_and_looked_for_at_once_as_one_by_one(self, some: set[int], others: set[int]):
        one_by_one, at_once = SequenceNumbers(), SequenceNumbers()
        for number in some:
            one_by_one.add(number)
        at_once.add_new(list(some))
        assert list(at_once.ranges()) == list(one_by_one.ranges())
        assert at_once.count == len(some)
        assert at_once.has_any(list(others)) == bool(some & others)
        assert [number in at_once for number in sorted(others)] == [number in some for number in sorted(others)]

    @given(st.integers(0, 20_000), st.integers(1, 20_000))
    def test_a_stretch_is_added_as_its_numbers(self, first: int, length: int):
        numbers = SequenceNumbers()
        numbers.add_new(range(first, first + length))
        assert list(numbers.ranges()) == [(first, first + length - 1)]
        assert (numbers.count, numbers.has_any([first + length])) == (length, False)

    def test_stretches_go_over_blocks(self):
        numbers = SequenceNumbers()
        for number in range(8000, 8500):
            numbers.add(number)
        assert list(numbers.ranges()) == [(8000, 8499)]

    def test_an_empty_set(self):
        numbers = SequenceNumbers()
        assert (numbers.count, numbers.first, numbers.last, list(numbers.holes())) == (0, None, None, [])

    @pytest.mark.parametrize("entry_id", [None, "", "x-1", "1a2097fe9ce0bcd01-", f"{BOOT_ID}-999999999999999"])
    def test_ids_of_another_kind_have_no_number(self, entry_id: str | None):
        assert run_and_number(entry_id) is None

    def test_an_id_is_its_run_and_its_number(self):
        assert run_and_number(f"{BOOT_ID}-17") == (BOOT_ID, 17)


class TestLogStatistics:
    def test_entries_count_by_log_process_and_level(self):
        found = statistics_of(
            expert=entries(log_line(1, "a", "DEBUG"), log_line(2, "b"), log_line(3, "c", "ERROR")),
            errors=entries(log_line(3, "c", "ERROR")),
        )
        (expert,) = [each for each in found.writers.values() if each.log == "expert.log"]
        assert (expert.entries, expert.by_level) == (3, {"DEBUG": 1, "INFO": 1, "ERROR": 1})
        assert (expert.first_ns, expert.last_ns) == (1000 * SECOND_NS, 1002 * SECOND_NS)
        assert (expert.files, expert.size_bytes) == (1, 100)

    def test_what_stands_in_a_log_twice_counts_once(self):
        found = statistics_of(
            expert_1=entries(log_line(1, "a"), log_line(2, "b")), expert_2=entries(log_line(2, "b"), log_line(3, "c"))
        )
        (writer,) = found.writers.values()
        assert (writer.entries, writer.duplicates, writer.files) == (3, 1, 2)

    def test_an_error_in_two_logs_is_told_as_in_the_one_with_the_most_of_it(self):
        lines = [error_line(1, "feed lost", "refused"), error_line(2, "feed lost", "refused")]
        found = statistics_of(expert=entries(*lines), errors=entries(lines[0]))
        (group,) = found.top_errors(5)
        assert (group.count, group.fingerprint.kind, group.example.message) == (2, "ConnectionError", "feed lost")
        assert (group.first_ns, group.last_ns) == (1000 * SECOND_NS, 1001 * SECOND_NS)
        assert found.error_kinds == 1

    def test_numbers_are_missing_only_where_no_log_has_them(self):
        found = statistics_of(
            expert=entries(*(log_line(number, "a") for number in (1, 2, 5, 9))),
            trades=entries(log_line(7, "a")),
        )
        (run,) = found.runs()
        assert (run.boot_id, run.first, run.last, run.present) == (BOOT_ID, 1, 9, 5)
        assert (run.missing, run.holes, run.longest) == (4, 3, ((3, 4), (6, 6), (8, 8)))

    def test_a_clock_that_goes_back_is_told_and_entries_of_a_former_run_are_not_one(self):
        found = statistics_of(
            expert=entries(
                log_line(1, "a", _time_ns=100 * SECOND_NS),
                log_line(1, "recovered", id="0a2097fe9ce0bcd01-9", _time_ns=50 * SECOND_NS),
                log_line(2, "b", _time_ns=100 * SECOND_NS - 99_000_000),
                log_line(3, "c", _time_ns=97 * SECOND_NS),
                log_line(4, "d", _time_ns=98 * SECOND_NS),
            )
        )
        assert [(step.time_ns, step.back_ns) for step in found.steps] == [(100 * SECOND_NS, 3 * SECOND_NS)]
        assert found.step_count == 1

    def test_gap_entries_say_what_was_dropped(self):
        gap = {"sink": "file", "first_seq": 1, "last_seq": 9, "seconds": 0.8, "reason": "queue full"}
        found = statistics_of(
            expert=entries(
                log_line(1, "dropped", "WARNING", log_type="gap", extra=gap | {"dropped": 5, "by_level": {"DEBUG": 5}}),
                log_line(
                    2,
                    "dropped",
                    "WARNING",
                    log_type="gap",
                    extra=gap | {"dropped": 3, "by_level": {"DEBUG": 1, "INFO": 2}},
                ),
                log_line(3, "held", "WARNING", log_type="gap", extra=gap | {"held_back": 7, "by_level": {"INFO": 7}}),
                log_line(4, "no gap", extra={"sink": "file", "dropped": 3}),
            )
        )
        told = {(each.what, each.entries, each.gaps): each.by_level for each in found.drops.values()}
        assert told == {("dropped", 8, 2): {"DEBUG": 6, "INFO": 2}, ("held back", 7, 1): {"INFO": 7}}
