"""From when to when a file's entries can be: a hold misses no file that may have one in its range."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.log_files import log_file

from metaexpert.logger.files.keeping.hold import Hold, Holds
from metaexpert.logger.files.keeping.retention import KeptFile, Rules, protection
from metaexpert.logger.files.keeping.time_spans import with_spans
from metaexpert.logger.files.names import Run

LOG = Path("logs/expert.log")
HOUR, DAY = 3600.0, 86_400.0
FIRST = Run("20260101T000000Z", 1, "aaaaaa")
SECOND = Run("20260105T000000Z", 2, "bbbbbb")
THIRD = Run("20260109T000000Z", 3, "cccccc")


def start(run: Run) -> float:
    return run.started_at.timestamp()


def kept(run: Run, number: int, modified_at: float, **more: Any) -> KeptFile:
    return KeptFile(file=log_file(LOG, number, run), size_bytes=1, modified_at=modified_at, **more)


def held(files: list[KeptFile], since: float | None, until: float | None) -> list[tuple[Run, int]]:
    """The files that a hold over a range protects."""
    holds = Holds((Hold(id="1", reason="case", actor="me", placed_at="", since=since, until=until),))
    spanned = with_spans(files)
    return [(each.file.run, each.file.number) for each in spanned if protection(each, Rules(), 1e12, holds)]


def rotated(run: Run, count: int, every: float = DAY) -> list[KeptFile]:
    return [kept(run, number, start(run) + number * every) for number in range(1, count + 1)]


def test_an_entry_that_waited_for_the_disk_stands_in_the_next_file():
    files = rotated(FIRST, 6)
    late = start(FIRST) + 3.5 * DAY  # called before the rotation, written behind it
    assert (FIRST, 5) in held(files, late, late + 1)
    assert (FIRST, 6) not in held(files, late, late + 1)


def test_what_a_killed_run_left_stands_in_the_first_files_of_the_next():
    files = [*rotated(FIRST, 2, HOUR), *rotated(SECOND, 4, 60.0), *rotated(SECOND, 8, DAY)[4:]]
    left = start(FIRST) + 3 * HOUR
    found = held(files, left, left + 1)
    assert {(SECOND, number) for number in (1, 2, 3, 4)} <= set(found), "they were written within minutes of its begin"
    assert (SECOND, 8) not in found


def test_a_run_that_began_in_between_hides_nothing_of_one_that_was_killed_before():
    other = Run("20260108T000000Z", 4, "dddddd")
    files = [
        kept(FIRST, 1, start(FIRST) + HOUR),
        kept(SECOND, 1, start(THIRD) - HOUR),
        kept(other, 1, start(THIRD) + DAY),
    ]
    left = start(SECOND) + HOUR
    assert (THIRD, 1) in held([*files, kept(THIRD, 1, start(THIRD) + DAY)], left, left + 1)


@pytest.mark.parametrize("dated", [0.0, 1_000_000.0])
def test_a_file_dated_before_its_run_lies_in_any_later_range(dated: float):
    files = [*rotated(FIRST, 2), kept(FIRST, 3, dated)]
    assert (FIRST, 3) in held(files, start(FIRST) + 100 * DAY, None)


def test_a_file_dated_before_the_one_before_it_ends_no_sooner_than_the_next():
    files = rotated(FIRST, 5)
    files[3] = kept(FIRST, 4, start(FIRST) + HOUR)
    assert (FIRST, 4) in held(files, start(FIRST) + 3.5 * DAY, start(FIRST) + 3.6 * DAY)
    assert (FIRST, 4) not in held(files, start(FIRST) + 6 * DAY, None)


def test_dates_of_files_before_that_cannot_be_true_make_no_file_begin_later():
    files = rotated(FIRST, 6)
    files[2] = kept(FIRST, 3, start(FIRST) + 50 * DAY)  # copied, and dated anew
    inside = start(FIRST) + 4.5 * DAY
    assert (FIRST, 5) in held(files, inside, inside + 1)


def test_files_far_from_the_range_are_not_held():
    files = [*rotated(FIRST, 3, HOUR), *rotated(SECOND, 5)]
    assert held(files, start(SECOND) + 3.5 * DAY, start(SECOND) + 3.6 * DAY) == [(SECOND, 4), (SECOND, 5)]
    assert held(files, None, start(FIRST) - DAY) == [(FIRST, 1), (FIRST, 2)], "nothing tells when they began"


@settings(deadline=None)
@given(
    spans=st.lists(st.floats(1.0, 5 * DAY), min_size=1, max_size=8),
    entry=st.tuples(st.integers(0, 7), st.floats(0, 1)),
    waited=st.floats(0, 1),
)
def test_no_entry_of_a_run_escapes_a_hold_over_its_time(spans: list[float], entry: tuple[int, float], waited: float):
    """An entry stands in the file that is written at its time, or waits for as long as that one takes."""
    ends = [start(FIRST) + sum(spans[: number + 1]) for number in range(len(spans))]
    files = [kept(FIRST, number, end) for number, end in enumerate(ends, 1)]
    number = entry[0] % len(spans)
    begin = ends[number - 1] if number else start(FIRST)
    called_at = begin + entry[1] * (ends[number] - begin) - waited * (spans[number - 1] if number else 0.0)
    assert (FIRST, number + 1) in held(files, called_at, called_at)
