"""Lines without ids: what one run wrote to two logs comes once, and what is remembered for it is bounded."""

from pathlib import Path

from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.files.reading.merge import Once
from metaexpert.logger.files.reading.report import ReadReport


def written_to(stem: str, line: bytes, time_ns: int = 1, tag: str = "0bcd01") -> LogEntry:
    return LogEntry(line, Path(f"{stem}.20261123T171500Z-4711-{tag}.0001.log"), time_ns)


def kept(*entries: LogEntry) -> tuple[list[bytes], int]:
    report = ReadReport()
    return [entry.line for entry in Once(report).of(entries)], report.duplicates


def test_a_line_of_two_logs_of_one_run_comes_once_and_is_counted():
    assert kept(written_to("expert", b"a"), written_to("errors", b"a"), written_to("errors", b"b")) == ([b"a", b"b"], 1)


def test_repetitions_other_runs_and_other_times_stay():
    entries = [
        written_to("expert", b"a"),
        written_to("expert", b"a"),
        written_to("errors", b"a", tag="0bcd02"),
        written_to("errors", b"a", time_ns=2),
        LogEntry(b"a", Path("foreign.log"), 2),
    ]
    assert kept(*entries) == ([b"a"] * 5, 0)


def test_a_log_without_times_takes_no_memory():
    once = Once(ReadReport())
    lines = (b"%d" % number for number in range(5000))
    assert sum(1 for _ in once.of(written_to("expert", line) for line in lines)) == 5000
    assert len(once._lines) <= 1024
