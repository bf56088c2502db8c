"""Files of runs that ended come to the disk before the journal forgets what stands in them."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from support.running_logger import logging_to

from metaexpert.logger import FileOptions, get_logger
from metaexpert.logger.files import former_files, retiring
from metaexpert.logger.files.former_files import sync_files_of
from metaexpert.logger.files.names import LogFile, Run


def written(log: Path, run: Run, number: int = 1) -> Path:
    path = LogFile(run, number, log.parent, log.stem, log.suffix).path
    path.write_text("a line\n")
    return path


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    found: list[Path] = []
    monkeypatch.setattr(
        former_files, "sync_descriptor", lambda descriptor: found.append(Path(f"/proc/self/fd/{descriptor}").readlink())
    )
    return found


pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names descriptors")


def test_the_files_of_these_runs_are_synced_and_no_others(tmp_path: Path, synced: list[Path]):
    log, run = tmp_path / "expert.log", Run("20261123T171542Z", 1, "9f3a01")
    mine = {written(log, run), written(log, run, 2)}
    written(log, Run("20261123T171542Z", 2, "9f3a02"))
    written(tmp_path / "other.log", run)
    sync_files_of(log, {run: False})
    assert set(synced) == mine


def test_what_the_disk_had_refused_is_written_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    again: list[Path] = []
    monkeypatch.setattr(former_files, "write_again", lambda path, *_: again.append(path))
    log, run, other = (
        tmp_path / "expert.log",
        Run("20261123T171542Z", 1, "9f3a01"),
        Run("20261123T171542Z", 2, "9f3a02"),
    )
    refused = written(log, run)
    written(log, other)
    sync_files_of(log, {run: True, other: False})
    assert again == [refused]


def refusing(_descriptor: int) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


async def test_a_stop_that_cannot_sync_keeps_the_journal_until_a_start_has_written_the_files_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: list[Path]
):
    again: list[Path] = []
    real: Any = former_files.write_again
    monkeypatch.setattr(former_files, "write_again", lambda path, *rest: (again.append(path), real(path, *rest)))
    journal = tmp_path / "logs" / "journal"
    file = FileOptions(path="expert.log")
    with monkeypatch.context() as disk:
        disk.setattr(retiring, "sync_descriptor", refusing)
        async with logging_to(file, log_dir=tmp_path / "logs", journal={"enabled": True}) as runtime:
            get_logger("former").error("precious")
            assert await runtime.flush()
    assert [path for path in journal.glob("*.journal") if b"precious" in path.read_bytes()]
    assert list(journal.glob("*.unsynced"))
    async with logging_to(file, log_dir=tmp_path / "logs", journal={"enabled": True}) as runtime:
        assert await runtime.flush()
    (left,) = [path for path in (tmp_path / "logs").glob("expert.2*.log") if b"precious" in path.read_bytes()]
    assert again == [left]
    assert left in synced
    assert not list(journal.glob("*"))


async def test_a_start_that_cannot_sync_the_files_of_a_former_run_keeps_its_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    journal = tmp_path / "logs" / "journal"
    file = FileOptions(path="expert.log")
    monkeypatch.setattr(former_files, "sync_descriptor", refusing)
    with monkeypatch.context() as disk:
        disk.setattr(retiring, "sync_descriptor", refusing)
        async with logging_to(file, log_dir=tmp_path / "logs", journal={"enabled": True}) as runtime:
            get_logger("former").error("precious")
            assert await runtime.flush()
    async with logging_to(file, log_dir=tmp_path / "logs", journal={"enabled": True}) as runtime:
        assert await runtime.flush()
    assert [path for path in journal.glob("*.journal") if b"precious" in path.read_bytes()]
    assert list(journal.glob("*.unsynced"))
