"""Whose files are whose: a lock that ends with its process and is not inherited."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from metaexpert.logger.owner_lock import OwnerLock

HOLDER = """
import sys
from pathlib import Path
from metaexpert.logger.owner_lock import OwnerLock
lock = OwnerLock.acquire(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def free(path: Path) -> bool:
    lock = OwnerLock.acquire(path)
    if lock is not None:
        lock.release(delete=False)
    return lock is not None


def test_one_owner_at_a_time(tmp_path: Path):
    path = tmp_path / "a.lock"
    lock = OwnerLock.acquire(path)
    assert lock is not None
    assert not free(path)
    lock.release(delete=False)
    assert free(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_released_with_nothing_left_it_takes_its_file_away(tmp_path: Path):
    lock = OwnerLock.acquire(tmp_path / "a.lock")
    assert lock is not None
    lock.release(delete=True)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_owns_nothing_any_more(tmp_path: Path):
    path = tmp_path / "a.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert not free(path)
        holder.kill()
    assert free(path)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        OwnerLock.acquire(tmp_path / "none" / "a.lock")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_does_not_hold_on_what_its_parent_lets_go(tmp_path: Path):
    path = tmp_path / "a.lock"
    lock = OwnerLock.acquire(path)
    assert lock is not None
    context = multiprocessing.get_context("fork")
    begun, end = context.Event(), context.Event()
    child = context.Process(target=_wait, args=(begun, end))
    child.start()
    try:
        assert begun.wait(30)
        assert not free(path), "and the child's end of it is not the parent's"
        lock.forget()  # as the parent's end would
        assert free(path)
    finally:
        end.set()
        child.join(30)


def _wait(begun: "multiprocessing.synchronize.Event", end: "multiprocessing.synchronize.Event") -> None:  # pyright: ignore[reportAttributeAccessIssue]
    begun.set()
    end.wait(60)
