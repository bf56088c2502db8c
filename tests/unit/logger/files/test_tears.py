"""Torn files of earlier runs: each told once, by the first run that begins after its writer's end."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger.files.names import LogFile, Run, files_of
from metaexpert.logger.files.ownership import hold
from metaexpert.logger.files.tears import Tear, tears, torn_bytes

BEGAN = Run("20261101T000000Z", 1, "aaaaaa").started_at.timestamp()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "expert.log"


def left(
    log: Path, day: int, content: bytes = b"whole\nto", *, number: int = 1, ended_after_days: float = 0.5
) -> LogFile:
    """A file of the run that began on that day of November."""
    run = Run(f"202611{day:02d}T000000Z", day, "aaaaaa")
    file = LogFile(run, number, log.parent, log.stem, log.suffix)
    file.path.write_bytes(content)
    at = BEGAN + (day - 1 + ended_after_days) * 86_400
    os.utime(file.path, (at, at))
    return file


def found(log: Path, day: int = 30) -> list[Tear]:
    """What the run that begins on that day finds."""
    return list(tears(files_of(log), Run(f"202611{day:02d}T000000Z", day, "bbbbbb")))


def test_a_torn_file_is_told_with_what_there_is_of_the_line(log: Path):
    file = left(log, 1)
    assert found(log) == [Tear(file, 2)]
    assert file.path.read_bytes() == b"whole\nto"


@pytest.mark.parametrize("content", [b"", b"\n", b"whole\n"])
def test_one_that_ends_well_is_none(log: Path, content: bytes):
    left(log, 1, content)
    assert found(log) == []


def test_only_a_runs_last_file_can_be_torn_by_its_end(log: Path):
    left(log, 1)
    last = left(log, 1, number=2)
    assert found(log) == [Tear(last, 2)]


def test_one_that_is_still_written_is_none(log: Path):
    file = left(log, 1)
    with file.path.open("ab") as held:
        hold(held.fileno())
        assert found(log) == []
    assert found(log) == [Tear(file, 2)]


def test_ones_own_files_are_none(log: Path):
    file = left(log, 1)
    assert list(tears(files_of(log), file.run)) == []


def test_one_that_a_run_since_then_has_told_is_not_told_again(log: Path):
    left(log, 1)
    left(log, 2, b"whole\n")
    assert found(log) == []


def test_one_whose_writer_outlived_the_runs_that_came_after_it_is_told(log: Path):
    file = left(log, 1, ended_after_days=9.5)
    left(log, 2, b"whole\n")
    assert found(log) == [Tear(file, 2)]


def test_runs_that_ended_at_once_are_told_together(log: Path):
    files = [left(log, day, ended_after_days=20.0 - day) for day in (1, 2, 3)]
    assert [tear.file for tear in found(log)] == files


@given(
    whole=st.binary(max_size=300),
    torn=st.binary(max_size=300).filter(lambda data: b"\n" not in data),
    far=st.booleans(),
)
def test_the_bytes_after_the_last_newline_are_counted(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, torn: bytes, far: bool
):
    path = tmp_path_factory.mktemp("torn") / "file"
    beginning = whole + b"\n" if whole else b""
    middle = b"x" * 200_000 if far else b""
    path.write_bytes(beginning + middle + torn)
    assert torn_bytes(path) == len(middle + torn)
