"""Reports of runs that ended without a stop: kept so many, read back, and one that cannot be read passed over."""

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from metaexpert.logger.journal.crash_reports import CrashReport, recorder_of, reports, write_report

REPORT = CrashReport(
    run="r0-1",
    service="tests",
    pid=1,
    host="here",
    started_ns=1,
    last_entry_ns=2,
    found_ns=3,
    how="was killed",
    recovered={"file": 2},
    seqs="1-2",
    damaged=0,
    unreadable=("x: no",),
)


def left_by(folder: Path, run: str) -> None:
    (folder / f"{run}.recorder").write_bytes(run.encode())
    (folder / f"{run}.running").touch()


def test_is_read_back_beside_the_recorder_and_what_told_of_the_end_goes(tmp_path: Path):
    left_by(tmp_path, "r0-1")
    write_report(tmp_path, REPORT, 5)
    assert reports(tmp_path) == [REPORT]
    assert recorder_of(tmp_path, REPORT).read_bytes() == b"r0-1"
    assert [path.name for path in tmp_path.iterdir()] == ["crashes"]
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "crashes" / "r0-1.json").stat().st_mode) == 0o600
    assert not list(tmp_path.glob("crashes/*.tmp"))


def test_without_a_recorder_it_is_written_all_the_same(tmp_path: Path):
    write_report(tmp_path, REPORT, 5)
    assert reports(tmp_path) == [REPORT]


def test_the_newest_are_kept_with_their_recorders(tmp_path: Path):
    for number in range(7):
        left_by(tmp_path, f"r{number}-1")
        write_report(tmp_path, replace(REPORT, run=f"r{number}-1"), 3)
    assert [report.run for report in reports(tmp_path)] == ["r4-1", "r5-1", "r6-1"]
    assert sorted(path.name for path in (tmp_path / "crashes").glob("*.recorder")) == [
        "r4-1.recorder",
        "r5-1.recorder",
        "r6-1.recorder",
    ]


def test_none_are_kept_where_none_are_wanted(tmp_path: Path):
    left_by(tmp_path, "r0-1")
    write_report(tmp_path, REPORT, 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", "null", "{}", '{"unreadable": []}', '{"unreadable": null}', "\xff"]
)
def test_one_that_cannot_be_read_is_passed_over(tmp_path: Path, text: str):
    write_report(tmp_path, REPORT, 5)
    (tmp_path / "crashes" / "r1-1.json").write_bytes(text.encode("latin-1"))
    assert reports(tmp_path) == [REPORT]


def test_one_with_more_than_this_version_knows_is_passed_over(tmp_path: Path):
    write_report(tmp_path, REPORT, 5)
    told = json.loads((tmp_path / "crashes" / "r0-1.json").read_text())
    (tmp_path / "crashes" / "r1-1.json").write_text(json.dumps(told | {"more": 1}))
    assert reports(tmp_path) == [REPORT]


def test_there_are_none_where_there_is_no_folder(tmp_path: Path):
    assert reports(tmp_path / "nowhere") == []


def test_a_folder_that_takes_nothing_is_told(tmp_path: Path):
    (tmp_path / "crashes").write_text("a file")
    with pytest.raises(OSError, match="crashes"):
        write_report(tmp_path, REPORT, 5)
