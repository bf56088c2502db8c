"""How recovered entries are named."""

import json
import logging

from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger.entry import RECOVERY, LogEntry
from metaexpert.logger.journal.markers import moment, ranges, recovery_entry


def numbers_in(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(", ") if text else []:
        begin, _, end = part.partition("-")
        found += range(int(begin), int(end or begin) + 1)
    return found


@given(st.lists(st.integers(0, 60), max_size=60))
def test_ranges_name_each_number_once_in_order(numbers: list[int]):
    text = ranges(numbers)
    assert numbers_in(text) == sorted(set(numbers))
    assert text.count("-") <= len(text.split(", "))


def test_ranges_are_as_few_as_can_be():
    assert ranges([9, 3, 4, 5, 6, 7, 7]) == "3-7, 9"
    assert ranges([]) == ""
    assert ranges([5]) == "5"


def test_too_many_ranges_are_counted():
    text = ranges(range(0, 1400, 2))
    assert text.endswith(", 998 and 200 more ranges")


def test_the_marker_names_run_entries_and_end():
    entry = LogEntry(recovery_entry("boot", 7, [3, 4, 9], "was killed", 1_000_000_000, 2))
    assert (entry.level, entry.log_type) == (logging.WARNING, RECOVERY)
    assert entry.message == (
        "recovered 3 entries of run boot (process 7), which was killed, last entry at 1970-01-01T00:00:01.000Z; "
        "ids boot-: 3-4, 9"
    )
    assert entry.fields() == {
        "recovered": 3,
        "run": "boot",
        "pid": 7,
        "seqs": "3-4, 9",
        "ended": "was killed",
        "last_entry": moment(1_000_000_000),
        "damaged": 2,
    }


def test_the_marker_of_a_run_that_left_nothing():
    entry = LogEntry(recovery_entry("boot", 7, [], "was killed", 0, 0))
    assert entry.message == "recovered 0 entries of run boot (process 7), which was killed"
    assert entry.fields()["last_entry"] is None
    json.dumps(entry.fields())
