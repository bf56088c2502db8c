"""Lines without ids: what is a copy of another, told by who wrote them and when; what is remembered is bounded."""

import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.files.reading.merge import Once
from metaexpert.logger.files.reading.report import ReadReport
from metaexpert.logger.files.reading.text_copies import TextCopies, Writer

FIRST, SECOND, THIRD = "20261123T171500Z", "20261123T180000Z", "20261123T190000Z"
AT_NS = Writer.of(Path(f"expert.{FIRST}-1-000000.0001.log")).begun_ns + 60_000_000_000
"""A minute after the first run began."""


def line(
    text: bytes = b"a",
    stem: str = "expert",
    start: str = FIRST,
    *,
    tag: str = "0bcd01",
    number: int = 1,
    time_ns: int = AT_NS,
    packing: str = "",
) -> LogEntry:
    return LogEntry(text, Path(f"{stem}.{start}-4711-{tag}.{number:04}.log{packing}"), time_ns)


def kept(*entries: LogEntry) -> tuple[list[LogEntry], int]:
    report = ReadReport()
    return list(Once(report).of(entries)), report.duplicates


def test_a_line_of_two_logs_of_one_run_comes_once_and_is_counted():
    first, copy, other = line(), line(stem="errors"), line(b"b", "errors")
    assert kept(first, copy, other) == ([first, other], 1)


def test_what_a_later_run_recovered_comes_once():
    first = line()
    copies = [line(start=SECOND), line(stem="errors", start=SECOND), line(start=THIRD, packing=".gz")]
    assert kept(first, *copies) == ([first], 3)


def test_a_recovered_line_whose_first_writing_is_not_there_comes_once():
    copies = [line(start=SECOND), line(stem="errors", start=SECOND), line(start=THIRD)]
    assert kept(*copies) == (copies[:1], 2)


def test_what_two_processes_log_at_one_time_are_two_entries():
    both = [line(), line(start="20261123T171503Z", tag="0bcd02")]
    assert kept(*both, line(start=SECOND)) == (both, 1)


def test_within_the_second_a_run_begins_in_its_lines_may_be_recovered_ones():
    begun_ns = Writer.of(line(start=SECOND).source).begun_ns
    assert kept(line(time_ns=begun_ns - 1), line(start=SECOND, time_ns=begun_ns - 1))[1] == 1
    assert kept(line(time_ns=begun_ns), line(start=SECOND, time_ns=begun_ns))[1] == 0


def test_repetitions_stay_also_over_a_rotation():
    repeated = [line(), line(), line(number=2)]
    assert kept(*repeated) == (repeated, 0)
    copies = [line(start=SECOND), line(start=SECOND), line(start=SECOND, number=2)]
    assert kept(*repeated, *copies) == (repeated, 3)


def test_other_times_and_files_of_other_names_stay():
    entries = [line(), line(stem="errors", time_ns=AT_NS + 1)]
    entries += [LogEntry(b"a", Path(name), AT_NS) for name in ("foreign.log", "foreign.log.1")]
    assert kept(*entries) == (entries, 0)


def test_a_copy_that_comes_late_is_known():
    first, others = line(), [line(b"%d" % number, time_ns=AT_NS + number) for number in range(1, 30_000)]
    found, copies = kept(first, *others, line(start=SECOND))
    assert (len(found), copies) == (30_000, 1)


def test_what_is_remembered_is_bounded():
    copies = TextCopies(known=100)
    assert not any(copies.is_copy(line(b"%d" % number)) for number in range(5000))
    assert len(copies._new) + len(copies._old) <= 200
    assert all(copies.is_copy(line(b"%d" % number, "errors")) for number in range(4900, 5000))


COUNTS = st.integers(0, 3)


@given(
    COUNTS.flatmap(lambda most: st.tuples(st.just(most), st.integers(0, most))),
    COUNTS.flatmap(lambda most: st.tuples(st.just(most), st.integers(0, most))),
    st.integers(0, 6),
    st.integers(0, 1000),
)
def test_as_many_come_as_there_were_in_whatever_order(
    one: tuple[int, int], other: tuple[int, int], recovered: int, seed: int
):
    """Two runs log a line some times, into a log and in part into another; a later run recovers some of all."""
    recovered = min(recovered, one[0] + other[0])
    standing = [
        *(line() for _ in range(one[0])),
        *(line(stem="errors") for _ in range(one[1])),
        *(line(tag="0bcd02") for _ in range(other[0])),
        *(line(stem="errors", tag="0bcd02") for _ in range(other[1])),
        *(line(start=SECOND) for _ in range(recovered)),
    ]
    random.Random(seed).shuffle(standing)
    assert len(kept(*standing)[0]) == one[0] + other[0]
