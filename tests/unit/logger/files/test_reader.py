"""Files merged by time: each entry once, in order, whatever the files went through."""

import gzip
import importlib
import os
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.readable_logs import BOOT, START_NS, Folder, json_line, text_line

from metaexpert.logger.files import reader
from metaexpert.logger.files.reader import Query, Reader, last, sources_in
from metaexpert.logger.files.reading import ahead, blocks
from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.files.reading.helpers import Helper, Work
from metaexpert.logger.files.reading.merge import WINDOW_ENTRIES
from metaexpert.logger.files.reading.moments import stamp_ns

SECOND = 1_000_000_000


def ids(entries: Iterable[LogEntry]) -> list[str]:
    return [entry.entry_id or "" for entry in entries]


def order(line: bytes) -> tuple[int, int, str]:
    (entry,) = [LogEntry(line, Path(), 0)]
    name = entry.values["id"]
    return stamp_ns(entry.values["timestamp"]) or 0, len(name), name


@st.composite
def folders(draw: st.DrawFn) -> list[tuple[str, list[list[bytes]], list[str]]]:
    """Runs, each with its files' lines, and what becomes of each file."""
    runs = []
    for number in range(draw(st.integers(1, 4))):
        tag, rng = f"9f3a0{number}", random.Random(draw(st.integers(0, 1000)))
        time_ns, seq, files, fates = START_NS, 0, [], []
        for _ in range(draw(st.integers(1, 3))):
            lines = []
            for _ in range(draw(st.integers(0, 40))):
                seq, time_ns = seq + 1, time_ns + rng.randrange(3) * 1000
                late = rng.randrange(5) * 1000 if seq > 5 else 0
                lines.append(json_line(time_ns - late, rng.choice(["INFO", "ERROR"]), "m", seq, tag))
            files.append(lines)
            fates.append(draw(st.sampled_from(["plain", "gz", "zst", "damaged", "again"])))
        runs.append((tag, files, fates))
    return runs


def make(path: Path, runs: list[tuple[str, list[list[bytes]], list[str]]]) -> tuple[list[bytes], int]:
    """Write the folder; answered is what is to be read from it, and how many lines are damaged."""
    folder, expected, damaged = Folder(path), [], 0
    for tag, files, fates in runs:
        for number, (lines, fate) in enumerate(zip(files, fates, strict=True), 1):
            expected += lines
            written = lines
            if fate == "damaged":
                written = [part for line in lines for part in (line, b"\0garbage")]
                damaged += len(lines)
            if fate == "again":  # as a recovery writes them into the next run's file
                folder.write(lines[-3:], number, f"eeee{tag[-2:]}")
            file = folder.write(written, number, tag)
            if fate == "gz":
                folder.pack(file)
            if fate == "zst":
                zstd(file)
    return expected, damaged


def zstd(path: Path) -> Path:
    module = importlib.import_module("compression.zstd" if _has("compression.zstd") else "backports.zstd")
    packed = path.with_name(path.name + ".zst")
    packed.write_bytes(module.compress(path.read_bytes()))
    path.unlink()
    return packed


def _has(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


@settings(max_examples=40, deadline=None)
@given(runs=folders(), level=st.sampled_from([None, "ERROR"]))
def test_the_merge_is_the_sort_of_all_entries(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[str, list[list[bytes]], list[str]]], level: str | None
):
    path = tmp_path_factory.mktemp("logs")
    lines, damaged = make(path, runs)
    reading = Reader(sources_in([path]), Query.parsed(level=level))
    found = [entry.line for entry in reading]
    assert found == sorted((line for line in lines if level is None or b"ERROR" in line), key=order)
    assert (reading.report.damaged, reading.report.late) == (damaged, 0)
    assert reading.report.kept == len(found)
    assert [entry.line for entry in last(sources_in([path]), Query.parsed(level=level), 7)] == found[-7:]


def test_several_processes_read_what_one_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ahead, "PART_BYTES", 20_000)
    monkeypatch.setattr(ahead, "_LEAST_PART_BYTES", 20_000)
    folder = Folder(tmp_path)
    for run in range(3):
        tag = f"9f3a0{run}"
        for number in range(1, 4):
            begin = (number - 1) * 500
            lines = [
                json_line(
                    START_NS + (begin + seq) * 1000 + run, "ERROR" if seq % 10 == 0 else "INFO", "m", begin + seq, tag
                )
                for seq in range(500)
            ]
            file = folder.write([*lines[:250], b"damaged", *lines[250:]], number, tag)
            if (run + number) % 3 == 0:
                folder.pack(file)
    for query in (Query(), Query.parsed(level="ERROR"), Query.parsed(grep="nothing of it")):
        alone, together = (Reader(sources_in([tmp_path]), query, parallel=count) for count in (1, 2))
        assert [entry.line for entry in together] == [entry.line for entry in alone]
        told = [
            (each.report.lines, each.report.bytes, each.report.damaged, each.report.files) for each in (alone, together)
        ]
        assert told[0] == told[1]
        assert {(each.path, each.offset) for each in together.report.places} == {
            (each.path, each.offset) for each in alone.report.places
        }


def remembered_helpers(monkeypatch: pytest.MonkeyPatch) -> list[Helper[Any, Any]]:
    """The processes that are started from now on."""
    helpers: list[Helper[Any, Any]] = []
    start = ahead.Helper

    def remembered(work: Work[Any, Any]) -> Helper[Any, Any]:
        helpers.append(start(work))
        return helpers[-1]

    monkeypatch.setattr(ahead, "Helper", remembered)
    return helpers


def test_a_process_that_ends_amid_its_work_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ahead, "PART_BYTES", 4096)
    monkeypatch.setattr(ahead, "_LEAST_PART_BYTES", 4096)
    lines = [json_line(START_NS + seq, seq=seq) for seq in range(1000)]
    folder = Folder(tmp_path)
    folder.write(lines[:500])
    folder.pack(folder.write(lines[500:], 2))
    helpers = remembered_helpers(monkeypatch)
    entries = iter(Reader(sources_in([tmp_path]), parallel=2))
    found = [next(entries).line]
    for helper in helpers:
        helper._process.kill()
    found += [entry.line for entry in entries]
    assert found == lines


def test_reading_that_is_given_up_ends_its_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    helpers = remembered_helpers(monkeypatch)
    Folder(tmp_path).write([json_line(START_NS + seq, seq=seq) for seq in range(10)])
    entries = Reader(sources_in([tmp_path]), parallel=2)._entries()
    next(entries)
    entries.close()
    assert [helper._process.poll() is not None for helper in helpers] == [True, True]


def test_where_a_process_cannot_be_started_this_one_reads_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    helpers = remembered_helpers(monkeypatch)
    start = ahead.Helper

    def first_alone(work: Work[Any, Any]) -> Helper[Any, Any]:
        if helpers:
            raise BlockingIOError("no more processes")
        return start(work)

    monkeypatch.setattr(ahead, "Helper", first_alone)
    lines = [json_line(START_NS + seq, seq=seq) for seq in range(10)]
    Folder(tmp_path).write(lines)
    assert [entry.line for entry in Reader(sources_in([tmp_path]), parallel=2)] == lines
    assert [helper._process.poll() is not None for helper in helpers] == [True]


def test_duplicates_are_left_out_also_when_they_come_late(tmp_path: Path):
    folder = Folder(tmp_path)
    lines = [json_line(START_NS + seq * SECOND, "ERROR", seq=seq) for seq in range(1000)]
    folder.write(lines)
    folder.write(
        [*(json_line(START_NS + seq * SECOND, seq=seq, tag="bbbbbb") for seq in range(900)), *lines[:5]], tag="bbbbbb"
    )
    once = Reader(sources_in([tmp_path]))
    assert len(ids(once)) == len(set(ids(once))) == 1900
    assert (once.report.duplicates, once.report.late) == (5, 0)
    assert len(list(Reader(sources_in([tmp_path]), distinct=False))) == 1905


def test_what_stands_too_far_behind_comes_when_it_is_met_and_is_counted(tmp_path: Path):
    lines = [json_line(START_NS + seq, seq=seq) for seq in range(1, 100_000 // 20)]
    path = Folder(tmp_path).write([*lines, json_line(START_NS, seq=0)])
    reading = Reader(sources_in([path]))
    reading._piece_bytes = lambda: 4096
    found = ids(reading)
    assert (len(found), reading.report.late) == (len(lines) + 1, 1)
    assert found.index(f"{BOOT}9f3a01-0") == len(lines) - WINDOW_ENTRIES


def test_times_leave_files_and_parts_of_files_unread(tmp_path: Path):
    folder = Folder(tmp_path)
    for number in range(1, 5):
        lines = [
            json_line(START_NS + (number * 10_000 + seq) * SECOND // 10, seq=number * 10_000 + seq)
            for seq in range(10_000)
        ]
        folder.write(lines, number)
    middle = START_NS + 25_000 * SECOND // 10
    query = Query(since_ns=middle, until_ns=middle + 100 * SECOND)
    reading = Reader(sources_in([tmp_path]), query)
    assert ids(reading) == [f"{BOOT}9f3a01-{seq}" for seq in range(25_000, 26_000)]
    assert reading.report.bytes < 1_500_000 < sum(each.size_bytes for each in sources_in([tmp_path])) // 5
    assert [entry.entry_id for entry in last(sources_in([tmp_path]), query, 3)] == ids(reading)[-3:]


def test_a_file_written_before_the_time_asked_for_is_not_opened(tmp_path: Path):
    folder = Folder(tmp_path)
    old = folder.pack(folder.write([json_line(START_NS)]))
    os.utime(old, ns=(START_NS + SECOND, START_NS + SECOND))
    reading = Reader(sources_in([tmp_path]), Query(since_ns=START_NS + 3600 * SECOND))
    assert (ids(reading), reading.report.skipped, reading.report.files) == ([], 1, 0)
    os.utime(old, ns=(5, 5))  # a date its own name contradicts is not believed
    reading = Reader(sources_in([tmp_path]), Query(since_ns=START_NS))
    assert len(ids(reading)) == 1


def test_entries_of_a_former_run_do_not_mislead_the_search_by_time(tmp_path: Path):
    day = 86_400 * SECOND
    former = [json_line(START_NS - day + seq, "ERROR", seq=seq, tag="eeeeee", message="x" * 900) for seq in range(600)]
    own = [json_line(START_NS + seq * SECOND // 10, seq=seq) for seq in range(20_000)]
    Folder(tmp_path).write([*own[:100], *former, *own[100:]])
    since = Reader(sources_in([tmp_path]), Query(since_ns=START_NS + 1000 * SECOND))
    assert ids(since) == [f"{BOOT}9f3a01-{seq}" for seq in range(10_000, 20_000)]
    until = Reader(sources_in([tmp_path]), Query(until_ns=START_NS - 3600 * SECOND))
    assert len(ids(until)) == len(former)


def test_many_files_are_read_with_few_of_them_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = Folder(tmp_path)
    for number in range(1, 601):
        file = folder.write([json_line(START_NS + number * SECOND, seq=number)], number)
        if number % 2:
            folder.pack(file)
    most, opened = 0, reader.Reader._opened

    def counted(self: Reader, count: int) -> None:
        nonlocal most
        most = max(most, count)
        opened(self, count)

    monkeypatch.setattr(reader.Reader, "_opened", counted)
    assert ids(Reader(sources_in([tmp_path]))) == [f"{BOOT}9f3a01-{seq}" for seq in range(1, 601)]
    assert most <= 2


@pytest.mark.parametrize("packing", ["gz", "zst"])
@pytest.mark.parametrize("parallel", [1, 2])
def test_a_file_that_is_compressed_while_it_is_read_is_read_to_its_end(tmp_path: Path, packing: str, parallel: int):
    lines = [json_line(START_NS + seq, seq=seq) for seq in range(8000)]
    path = Folder(tmp_path).write(lines)
    entries = iter(Reader(sources_in([tmp_path]), parallel=parallel))
    found = [next(entries).line]
    Folder(tmp_path).pack(path) if packing == "gz" else zstd(path)
    assert found + [entry.line for entry in entries] == lines


def test_a_file_that_is_renamed_while_it_is_read_is_read_to_its_end(tmp_path: Path):
    lines = [json_line(START_NS + seq, seq=seq) for seq in range(8000)]
    path = tmp_path / "other.log"
    path.write_bytes(b"\n".join(lines))
    entries = iter(Reader(sources_in([tmp_path]), parallel=1))
    found = [next(entries).line]
    path.rename(tmp_path / "other.log.1")
    path.write_bytes(b"another file")
    assert found + [entry.line for entry in entries] == lines


def test_a_file_that_vanishes_while_it_is_read_is_told(tmp_path: Path):
    path = Folder(tmp_path).write(json_line(START_NS + seq, seq=seq) for seq in range(8000))
    reading = Reader(sources_in([tmp_path]), parallel=1)
    entries = iter(reading)
    next(entries)
    path.unlink()
    assert 0 < len(list(entries)) < 7999
    assert "vanished" in reading.report.notes[0]


def test_damaged_and_cut_gzip_files_give_what_they_have(tmp_path: Path):
    lines = [json_line(START_NS + seq, seq=seq, extra={"noise": random.Random(seq).random()}) for seq in range(600)]
    members = [gzip.compress(b"\n".join(lines[low : low + 200]) + b"\n") for low in (0, 200, 400)]
    hurt = bytearray(members[1])
    hurt[len(hurt) // 2 : len(hurt) // 2 + 40] = b"\x55" * 40
    path = Folder(tmp_path).name()
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(members[0] + bytes(hurt) + members[2][: len(members[2]) * 3 // 4])
    reading = Reader(sources_in([tmp_path]))
    found = [entry.line for entry in reading]
    assert found[:200] == lines[:200]
    assert lines[410:450] == [line for line in found if line in lines[410:450]], "what follows the damage is read"
    assert lines[599] not in found
    assert {each.path for each in reading.report.places} == {packed}
    assert {"damaged .gz data", "the .gz data end too early"} <= {
        each.reason.partition(":")[0] for each in reading.report.places
    }


def test_a_line_without_end_costs_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(blocks, "LONGEST_BYTES", 100_000)
    good = json_line(START_NS)
    path = tmp_path / "other.log"
    path.write_bytes(good + b"\n" + b"x" * 3_000_000 + b"\n" + good + b"\n")
    reading = Reader(sources_in([path]), distinct=False)
    reading._piece_bytes = lambda: 65_536
    assert [entry.line for entry in reading] == [good, good]
    assert (reading.report.damaged, reading.report.places[0].offset) == (1, len(good) + 1)


def test_text_and_json_are_merged(tmp_path: Path):
    folder = Folder(tmp_path)
    text = [
        text_line(START_NS + 2000, "ERROR", "failed symbol=BTC")
        + b"\n    Traceback (most recent call last)\n    KeyError: 1"
    ]
    folder.write([*text, text_line(START_NS + 6000)])
    folder.write([json_line(START_NS + 4000, seq=1, tag="aaaaaa")], tag="aaaaaa")
    entries = list(Reader(sources_in([tmp_path])))
    assert [entry.time_ns - START_NS for entry in entries] == [2000, 4000, 6000]
    assert entries[0].line == text[0]
    (found,) = Reader(sources_in([tmp_path]), Query.parsed(where=["symbol=BTC", "exception.type=KeyError"]))
    assert found.line == text[0]
