"""A lock by name: one at a time, left by nobody who lives, and taken over from the dead."""

import os
import threading
from pathlib import Path

import pytest

from metaexpert.logger.files.evidence.named_lock import locked_by_name


def test_one_at_a_time_has_it(tmp_path: Path):
    path, inside, most = tmp_path / "expert.log.seals", 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(50):
            with locked_by_name(path, patience_seconds=60.0):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert list(tmp_path.iterdir()) == []


def test_it_is_let_go_of_whatever_happens_under_it(tmp_path: Path):
    path = tmp_path / "expert.log.seals"
    with pytest.raises(RuntimeError), locked_by_name(path):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_who_waits_in_vain_is_told(tmp_path: Path):
    path = tmp_path / "expert.log.seals"
    with (
        locked_by_name(path),
        pytest.raises(BlockingIOError, match=r"seals\.lock for long"),
        locked_by_name(path, patience_seconds=0.01),
    ):
        pytest.fail("two have it")


def test_one_that_a_kill_left_is_taken_over_after_a_minute(tmp_path: Path):
    path = tmp_path / "expert.log.seals"
    lock = tmp_path / "expert.log.seals.lock"
    lock.touch()
    os.utime(lock, (1000.0, 1000.0))
    with pytest.raises(BlockingIOError), locked_by_name(path, now=lambda: 1059.0, patience_seconds=0.0):
        pytest.fail("it may be somebody's")
    with locked_by_name(path, now=lambda: 1061.0):
        assert lock.exists()
    assert not lock.exists()
