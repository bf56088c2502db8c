"""Whether somebody still writes a log file: as long as the process lives that holds it, whatever else happens."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from metaexpert.logger.files import ownership
from metaexpert.logger.files.ownership import at_rest, hold, is_written

_WRITER = """
import os, sys
from metaexpert.logger.files.ownership import hold
descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
hold(descriptor)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "expert.log"
    file.write_bytes(b"line\n")
    return file


@pytest.fixture
def held(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    hold(descriptor)
    yield descriptor
    os.close(descriptor)


def test_one_that_nobody_holds_is_not_written(path: Path):
    assert not is_written(path)


def test_one_that_is_missing_is_not_written(tmp_path: Path):
    assert not is_written(tmp_path / "none.log")


def test_one_that_is_held_is_written_until_it_is_closed(path: Path):
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    hold(descriptor)
    assert is_written(path)
    assert is_written(path)
    os.close(descriptor)
    assert not is_written(path)


@pytest.mark.usefixtures("held")
def test_asking_lets_the_writer_write_and_others_read(path: Path, held: int):
    assert is_written(path)
    os.write(held, b"more\n")
    assert path.read_bytes() == b"line\nmore\n"


def test_a_process_that_is_killed_writes_no_more(path: Path):
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"held\n"
        assert is_written(path)
        writer.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
        writer.wait(20)
        assert not is_written(path)


def test_an_empty_one_is_about_to_be_written_for_a_while(tmp_path: Path):
    """Between its creation and its lock nobody may take it for left behind."""
    file = tmp_path / "expert.log"
    file.touch()
    made = file.stat().st_mtime
    assert is_written(file, lambda: made + 1.0)
    assert not is_written(file, lambda: made + 60.0)


def test_where_there_are_no_locks_it_is_written_until_it_was_left_alone_for_a_day(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    def no_locks(_descriptor: int, *, shared: bool = False) -> None:
        raise OSError(errno.ENOLCK, f"no locks here, shared or not: {shared}")

    monkeypatch.setattr(ownership, "_lock", no_locks)
    descriptor = os.open(path, os.O_WRONLY)
    hold(descriptor)
    os.close(descriptor)
    touched = path.stat().st_mtime
    assert is_written(path, lambda: touched + 3600.0)
    assert not is_written(path, lambda: touched + 90_000.0)


def test_a_writer_waits_out_who_merely_asks(path: Path, monkeypatch: pytest.MonkeyPatch):
    asking = os.open(path, os.O_RDONLY)
    hold(asking)
    writing = os.open(path, os.O_WRONLY)
    monkeypatch.setattr(time, "sleep", lambda _: os.close(asking))
    hold(writing)
    assert is_written(path)
    os.close(writing)


def test_a_writer_goes_on_without_a_lock_that_somebody_keeps(path: Path, held: int, monkeypatch: pytest.MonkeyPatch):
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    second = os.open(path, os.O_WRONLY)
    assert not hold(second)
    os.close(second)
    assert len(waits) == 100
    assert is_written(path)
    assert held >= 0


@pytest.mark.skipif(sys.platform == "win32", reason="it is only asked there")
def test_one_at_rest_is_not_gone_on_with_and_others_find_it_finished(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with path.open("ab") as writer:
        with at_rest(path) as is_finished:
            assert is_finished
            assert not is_written(path)
            assert not hold(writer.fileno())
        assert hold(writer.fileno())


@pytest.mark.usefixtures("held")
def test_one_that_is_held_is_not_at_rest(path: Path):
    with at_rest(path) as is_finished:
        assert not is_finished


def test_one_that_is_missing_is_at_rest(tmp_path: Path):
    with at_rest(tmp_path / "none.log") as is_finished:
        assert is_finished
