"""Figures gathered part by part, by one process or several: those of each file looked through entry by entry."""

import gzip
import os
from concurrent.futures import Future
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Never

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.log_lines import error_line, log_line
from support.readable_logs import START_NS, stamp, text_line

from metaexpert.cli.stats_text import as_document
from metaexpert.logger.files.reading import counting
from metaexpert.logger.files.reading.blocks import blocks_of
from metaexpert.logger.files.reading.counting import counted
from metaexpert.logger.files.reading.helpers import Helper
from metaexpert.logger.files.reading.log_statistics import LogStatistics
from metaexpert.logger.files.reading.precheck import Precheck
from metaexpert.logger.files.reading.query import Query
from metaexpert.logger.files.reading.report import ReadReport
from metaexpert.logger.files.reading.scan import Scanner
from metaexpert.logger.files.reading.sources import ReadError, Source, sources_in

SECOND = 1_000_000_000
OTHER = "0a2097fe9ce0bcd01"
BOOT = "1a2097fe9ce0bcd01"
FIRST, LATER = "20261123T000000Z-4711-0bcd01", "20261123T010000Z-4712-0bcd02"


def line(draw: st.DrawFn, seq: int) -> bytes:
    """A line of any kind a log has."""
    time_ns = START_NS + draw(st.integers(0, 20)) * 50_000_000 + seq * 10_000_000
    boot = draw(st.sampled_from([BOOT] * 6 + [OTHER]))
    values: dict[str, Any] = log_line(seq, "tick", draw(st.sampled_from(["DEBUG", "INFO", "Level 35", "CRITICAL"])))
    match draw(st.sampled_from(["plain"] * 6 + ["again", "gap", "error", "damaged", "foreign", "nested"])):
        case "again":
            seq = max(1, seq - 3)
        case "gap":
            fields = {"sink": "file", "dropped": 3, "by_level": {"DEBUG": 3}, "first_seq": 1, "reason": "full"}
            values |= {"log_type": "gap", "extra": fields}
        case "error":
            values = error_line(seq, "lost", f"refused {seq}", draw(st.sampled_from(["KeyError", "OSError"])))
        case "damaged":
            return b'{"timestamp":"2026-11-23T00:00:00.000000000Z","level":"INFO","message":"a" "b"}'
        case "foreign":
            return orjson.dumps({"time": stamp(time_ns)[:19] + "Z", "level": "WARN", "msg": f"from elsewhere {seq}"})
        case "nested":
            values |= {"extra": {"book": [[1, 2], {"a": None}], "id": "x", "level": "ERROR"}}
        case _:
            pass
    return orjson.dumps(values | {"timestamp": stamp(time_ns), "id": f"{boot}-{seq}", "seq": seq})


@st.composite
def folders(draw: st.DrawFn) -> dict[str, bytes]:
    """Files by name."""
    files, seq = dict[str, bytes](), 0
    for log in ("errors", "expert"):
        for run in (FIRST, LATER):
            for number in range(1, draw(st.integers(1, 3)) + 1):
                lines = list[bytes]()
                for _ in range(draw(st.integers(0, 12))):
                    seq += draw(st.sampled_from([1, 1, 1, 2, 5]))
                    lines.append(line(draw, seq))
                data = b"".join(each + b"\n" for each in lines)
                is_packed = draw(st.booleans())
                name = f"{log}.{run}.{number:04}.log" + (".gz" if is_packed else "")
                files[name] = gzip.compress(data, 1) if is_packed else data
    return files


def write(folder: Path, files: dict[str, bytes]) -> tuple[Source, ...]:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return sources_in([folder])


def entry_by_entry(sources: tuple[Source, ...], query: Query) -> LogStatistics:
    """The figures as one process gathers them that decodes every line of every file."""
    found = LogStatistics()
    for source in sorted(sources, key=lambda each: (each.log, each.path.name)):
        report = ReadReport()
        scanner = Scanner(query, Precheck.of(query), source.path, report)
        file = found.file(source.log, str(source.file.run) if source.file else "", source.size_bytes)
        file.add_all(
            each for block in blocks_of(source, 0, None, lambda: 1 << 20, report) for each in scanner.kept(block)
        )
        file.writer.damaged += report.damaged
    return found


def document(found: LogStatistics) -> dict[str, Any]:
    told = as_document(found, 100)
    return told | {"clock_steps": sorted(told["clock_steps"], key=orjson.dumps)}


QUERIES = st.sampled_from(
    [
        Query(),
        Query(level=40),
        Query(since_ns=START_NS + SECOND // 2),
        Query(since_ns=START_NS + SECOND // 4, until_ns=START_NS + SECOND),
        Query.parsed(where=["level=INFO"]),
    ]
)


@settings(max_examples=60, deadline=None)
@given(folders(), QUERIES, st.sampled_from([200, 700, 10_000]), st.sampled_from([100, 600, 100_000]))
def test_parts_of_any_size_tell_what_the_files_do(files: dict[str, bytes], query: Query, part: int, piece: int):
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(counting, "PART_BYTES", part)
        patched.setattr(counting, "_PIECE_BYTES", piece)
        sources, report = write(Path(folder), files), ReadReport()
        found = counted(sources, query, report, parallel=1)
        expected = entry_by_entry(sources, query)
        if (
            query.level is not None or query.where
        ):  # of lines that bytes rule out it is not told whether they are damaged
            for writer in (*found.writers.values(), *expected.writers.values()):
                writer.damaged = report.damaged = 0
        assert document(found) == document(expected)
        assert report.files == len(sources)
        assert report.damaged == sum(writer.damaged for writer in found.writers.values())


def many_lines(folder: Path) -> tuple[Source, ...]:
    files = dict[str, bytes]()
    for number in range(1, 4):
        numbers = range(number * 1000, number * 1000 + 900)
        lines = [error_line(seq, "lost", "refused") if seq % 50 == 0 else log_line(seq, "tick") for seq in numbers]
        data = b"".join(
            orjson.dumps(each | {"timestamp": stamp(START_NS + each["seq"] * 1_000_000)}) + b"\n" for each in lines
        )
        files[f"expert.{FIRST}.{number:04}.log"] = data
    files[f"expert.{LATER}.0001.log"] = files[f"expert.{FIRST}.0003.log"][-20_000:].partition(b"\n")[2]
    return write(folder, files)


def test_several_processes_tell_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(counting, "PART_BYTES", 30_000)
    sources, alone, together = many_lines(tmp_path), ReadReport(), ReadReport()
    expected = counted(sources, Query(), alone, parallel=1)
    found = counted(sources, Query(), together, parallel=2)
    assert document(found) == document(expected)
    assert together == alone
    (later,) = [writer for writer in found.writers.values() if writer.process == LATER]
    assert later.entries == 0 < later.duplicates


def test_processes_that_end_are_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(counting, "PART_BYTES", 30_000)
    sources = many_lines(tmp_path)
    begin = Helper.ask

    def killed(self: Helper[Any, Any], part: Any) -> Future[Any]:
        self._process.kill()
        self._process.wait()
        return begin(self, part)

    monkeypatch.setattr(Helper, "ask", killed)
    found = counted(sources, Query(), ReadReport(), parallel=2)
    assert document(found) == document(counted(sources, Query(), ReadReport(), parallel=1))


def test_what_goes_wrong_in_a_process_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    begin = Helper.ask
    monkeypatch.setattr(Helper, "ask", lambda self, part: begin(self, part._replace(source=None)))  # pyright: ignore[reportUnknownArgumentType, reportUnknownLambdaType, reportUnknownMemberType]
    with pytest.raises(ReadError, match="cannot be read: AttributeError"):
        counted(many_lines(tmp_path), Query(), ReadReport(), parallel=2)


def test_where_no_process_can_be_started_this_one_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refused(*_: object, **__: object) -> Never:
        raise OSError("no more processes")

    monkeypatch.setattr("metaexpert.logger.files.reading.helpers.subprocess.Popen", refused)
    found = counted(many_lines(tmp_path), Query(), ReadReport(), parallel=2)
    assert sum(writer.entries for writer in found.writers.values()) == 2700


def test_files_that_times_rule_out_are_counted_and_not_read(tmp_path: Path):
    minute = 60 * SECOND
    for number in range(1, 4):
        begin = START_NS + number * 60 * minute
        path = tmp_path / f"expert.{FIRST}.{number:04}.log"
        path.write_bytes(
            b"".join(
                orjson.dumps(log_line(number * 10 + n, "m") | {"timestamp": stamp(begin + n)}) + b"\n" for n in range(9)
            )
        )
        os.utime(path, ns=(begin + SECOND, begin + SECOND))
    report, after = ReadReport(), START_NS + 150 * minute
    (writer,) = counted(sources_in([tmp_path]), Query(since_ns=after), report).writers.values()
    assert (writer.files, writer.entries) == (3, 9)
    assert (report.files, report.skipped, report.lines) == (1, 2, 9)
    report = ReadReport()
    (writer,) = counted(sources_in([tmp_path]), Query(until_ns=START_NS + 90 * minute), report).writers.values()
    assert (writer.files, writer.entries, report.skipped) == (3, 9, 2)


def test_text_that_a_later_run_recovered_counts_once(tmp_path: Path):
    lines = [text_line(START_NS + 60 * SECOND + seq // 2 * 1000, "ERROR", f"m{seq // 2}") for seq in range(40)]
    own = text_line(START_NS + 7200 * SECOND)
    files = {
        f"expert.{FIRST}.0001.log.gz": gzip.compress(b"".join(each + b"\n" for each in lines[:38])),
        f"expert.{LATER}.0001.log": b"".join(each + b"\n" for each in [*lines[20:], own]),
        f"errors.{LATER}.0001.log": b"".join(each + b"\n" for each in lines[20:]),
    }
    told = {
        (each.log, each.process): each
        for each in counted(write(tmp_path, files), Query(), ReadReport()).writers.values()
    }
    assert {key: (each.entries, each.duplicates) for key, each in told.items()} == {
        ("expert.log", FIRST): (38, 0),
        ("expert.log", LATER): (3, 18),
        ("errors.log", LATER): (20, 0),
    }
    later = told["expert.log", LATER]
    assert (later.by_level, later.first_ns) == ({"ERROR": 2, "INFO": 1}, START_NS + 60 * SECOND + 19_000)
