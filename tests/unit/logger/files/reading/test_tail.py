"""The last entries, read from the files' ends."""

import os
from pathlib import Path

from support.readable_logs import BOOT, START_NS, Folder, json_line, text_line

from metaexpert.logger.files.ownership import hold
from metaexpert.logger.files.reading.query import Query
from metaexpert.logger.files.reading.report import ReadReport
from metaexpert.logger.files.reading.sources import sources_in
from metaexpert.logger.files.reading.tail import last

SECOND = 1_000_000_000


def dated(path: Path, time_ns: int) -> Path:
    os.utime(path, ns=(time_ns, time_ns))
    return path


def test_only_the_ends_of_the_files_written_last_are_read(tmp_path: Path):
    folder = Folder(tmp_path)
    for number in range(1, 30):
        begin = START_NS + number * 3600 * SECOND
        lines = [json_line(begin + seq, seq=number * 1000 + seq) for seq in range(1000)]
        file = folder.write(lines, number)
        dated(folder.pack(file) if number < 20 else file, begin + SECOND)
    report = ReadReport()
    found = last(sources_in([tmp_path]), None, 10, report=report)
    assert [each.entry_id for each in found] == [f"{BOOT}9f3a01-{seq}" for seq in range(29_990, 30_000)]
    assert (report.files, report.kept) == (1, 10)
    assert report.bytes < 200_000


def test_as_many_files_are_read_as_are_needed(tmp_path: Path):
    folder = Folder(tmp_path)
    for number in range(1, 10):
        begin = START_NS + number * 3600 * SECOND
        lines = [json_line(begin + seq, "ERROR" if seq == 3 else "INFO", seq=number * 10 + seq) for seq in range(10)]
        file = folder.write(lines, number)
        dated(folder.pack(file) if number < 8 else file, begin + SECOND)
    report = ReadReport()
    found = last(sources_in([tmp_path]), Query.parsed(level="ERROR"), 4, report=report)
    assert [each.entry_id for each in found] == [f"{BOOT}9f3a01-{number}3" for number in range(6, 10)]
    assert report.files == 4
    assert len(last(sources_in([tmp_path]), None, 1000)) == 90
    assert last(sources_in([tmp_path]), None, 0) == []


def test_text_with_tracebacks_is_read_from_the_end(tmp_path: Path):
    entries = [
        text_line(START_NS + seq * 1000, "ERROR", f"m{seq}") + b"\n    Traceback\n    E: x" for seq in range(5000)
    ]
    Folder(tmp_path).write(entries)
    assert [each.line for each in last(sources_in([tmp_path]), None, 3)] == entries[-3:]


def test_an_entry_that_stands_twice_counts_once(tmp_path: Path):
    folder = Folder(tmp_path)
    lines = [json_line(START_NS + seq, seq=seq) for seq in range(20)]
    folder.write(lines)
    folder.write(lines[10:], tag="bbbbbb")
    assert [each.line for each in last(sources_in([tmp_path]), None, 15)] == lines[5:]


def test_as_many_come_as_are_asked_for_though_most_stand_twice(tmp_path: Path):
    folder = Folder(tmp_path)
    entries = [text_line(START_NS + 3600 * SECOND + seq * 1000, "ERROR", f"m{seq}") for seq in range(3000)]
    for log in ("expert", "errors", "more"):
        folder.write(entries, log=log)
    assert [each.line for each in last(sources_in([tmp_path]), None, 1000)] == entries[-1000:]


def test_of_lines_that_repeat_in_one_file_bounded_numbers_are_held(tmp_path: Path):
    folder = Folder(tmp_path)
    line = text_line(START_NS + 3600 * SECOND)
    folder.pack(folder.write([line] * 5000))
    report = ReadReport()
    assert [each.line for each in last(sources_in([tmp_path]), None, 10, report=report)] == [line] * 10
    assert report.duplicates == 0


def test_what_a_later_run_recovered_is_among_the_last_ones_once(tmp_path: Path):
    folder = Folder(tmp_path)
    lines = [text_line(START_NS + 60 * SECOND + seq * 1000, "ERROR", f"m{seq}") for seq in range(100)]
    folder.pack(folder.write(lines))
    later = tmp_path / "expert.20261123T010000Z-4712-bbbbbb.0001.log"
    new = text_line(START_NS + 7200 * SECOND)
    later.write_bytes(b"".join(each + b"\n" for each in [*lines[50:], new]))
    found = last(sources_in([tmp_path]), None, 80)
    assert [each.line for each in found] == [*lines[-79:], new]


def test_a_line_that_is_not_ended_is_left_to_its_living_writer(tmp_path: Path):
    path = Folder(tmp_path).write([json_line(START_NS)])
    with path.open("ab", buffering=0) as file:
        file.write(b'{"timestamp":"2026')
        report = ReadReport()
        hold(file.fileno())
        assert len(last(sources_in([tmp_path]), report=report)) == 1
        assert report.damaged == 0
    assert len(last(sources_in([tmp_path]), report=report)) == 1
    assert report.damaged == 1
