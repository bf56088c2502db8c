"""The thread that keeps log files: woken by a rotation, at the start and at an interval; stopped soon."""

import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from support.eventually import eventually
from support.log_files import names, written
from support.running_logger import logging_to

from metaexpert.logger import FileOptions, get_logger
from metaexpert.logger.files.keeping import housekeeping_thread, pace
from metaexpert.logger.files.keeping.housekeeping import LOCK_FILE, Housekeeper
from metaexpert.logger.files.keeping.housekeeping_thread import HousekeepingThread
from metaexpert.logger.files.keeping.kept_logs import KeptLog
from metaexpert.logger.files.keeping.pace import lower_priority
from metaexpert.logger.files.keeping.retention import Rules
from metaexpert.logger.notices import Notices
from metaexpert.logger.retry import SinkState

PATIENCE_SECONDS = 20.0


def thread_for(folder: Path, **more: Any) -> HousekeepingThread:
    return HousekeepingThread(folder, [KeptLog(folder / "expert.log", Rules(packing=".gz"))], Notices(), **more)


def ended(thread: HousekeepingThread) -> None:
    thread.stop()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_running


async def test_it_keeps_at_the_start_when_woken_and_ends(tmp_path: Path):
    written(tmp_path / "expert.log", 1)
    thread = thread_for(tmp_path)
    thread.start()
    thread.start()
    await eventually(lambda: thread.stats().packed == 1)
    written(tmp_path / "expert.log", 2)
    thread.wake()
    await eventually(lambda: thread.stats().packed == 2)
    ended(thread)
    assert names(tmp_path) == ["expert.0001.log.gz", "expert.0002.log.gz"]
    thread.start()
    assert not thread.is_running, "stopped is stopped"


async def test_it_looks_by_itself_at_an_interval(tmp_path: Path):
    thread = thread_for(tmp_path, interval_seconds=0.01)
    thread.start()
    await eventually(lambda: thread.stats().passes > 0)
    written(tmp_path / "expert.log")
    await eventually(lambda: thread.stats().packed == 1)
    ended(thread)


def test_without_logs_there_is_no_thread(tmp_path: Path):
    thread = HousekeepingThread(tmp_path, [], Notices())
    thread.start()
    assert not thread.is_running
    thread.go_over_to(tmp_path, [KeptLog(tmp_path / "expert.log", Rules())])
    assert thread.is_running
    ended(thread)


def test_it_is_no_fault_where_no_more_threads_can_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    thread = thread_for(tmp_path)
    thread.start()
    assert not thread.is_running
    ended(thread)


async def test_a_fault_of_ours_is_told_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    keep = Housekeeper.keep
    faults = iter([ZeroDivisionError("ours")])

    def faulty(self: Housekeeper) -> bool:
        for fault in faults:
            raise fault
        return keep(self)

    monkeypatch.setattr(Housekeeper, "keep", faulty)
    thread = thread_for(tmp_path, interval_seconds=0.01)
    thread.start()
    await eventually(lambda: thread.stats().passes > 0)
    ended(thread)
    assert thread.stats().failures == 1
    await eventually(lambda: all(each.name != "metaexpert-notice" for each in threading.enumerate()))
    assert "log files: ZeroDivisionError: ours" in capfd.readouterr().err


async def test_a_stop_amid_a_large_file_leaves_a_temporary_file_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    amid, go_on = threading.Event(), threading.Event()
    rest = pace.Pace.rest

    def slow(self: pace.Pace) -> None:
        amid.set()
        go_on.wait(PATIENCE_SECONDS)
        rest(self)

    monkeypatch.setattr(pace.Pace, "rest", slow)
    written(tmp_path / "expert.log")
    thread = thread_for(tmp_path)
    thread.start()
    await eventually(amid.is_set)
    thread.stop()
    go_on.set()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_running
    assert names(tmp_path) == ["expert.0001.log"]


async def test_another_process_at_the_folder_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(housekeeping_thread, "_ASK_AGAIN_SECONDS", 0.01)
    answers = iter([False, True])
    asked: list[bool] = []

    def keep(_self: Housekeeper) -> bool:
        asked.append(next(answers, True))
        return asked[-1]

    monkeypatch.setattr(Housekeeper, "keep", keep)
    thread = thread_for(tmp_path)
    thread.start()
    await eventually(lambda: len(asked) == 2)
    ended(thread)


@pytest.mark.skipif(sys.platform != "linux", reason="priorities of single threads are Linux's")
def test_it_gives_way_to_all_others():
    seen: list[int] = []

    def work() -> None:
        lower_priority()
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [5]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) < 5


class TestInTheRuntime:
    async def test_a_rotation_has_the_old_file_compressed(self, tmp_path: Path):
        sink = FileOptions(path=Path("expert.log"), max_bytes=2000, compression="gzip", batch_max_entries=5)
        log = get_logger("kept")
        async with logging_to(sink, log_dir=tmp_path) as runtime:
            for number in range(60):
                log.info("entry %d", number, filling="x" * 100)
                await runtime.flush()
            await eventually(lambda: _kept(runtime).packed >= 2)
            assert _kept(runtime).state is SinkState.ACTIVE
        await eventually(lambda: not any(each.name == "metaexpert-housekeeping" for each in threading.enumerate()))
        left = names(tmp_path)
        assert sum(name.endswith(".log.gz") for name in left) >= 2
        assert not [name for name in left if ".tmp" in name or name == LOCK_FILE]

    async def test_a_reload_goes_over_to_other_rules(self, tmp_path: Path):
        written(tmp_path / "expert.log")
        async with logging_to(log_dir=tmp_path, log_to_file=True) as runtime:
            await eventually(lambda: _kept(runtime).passes > 0)
            assert _kept(runtime).packed == 0
            await runtime.reload(runtime.config.model_copy(update={"compression": "gzip"}))
            await eventually(lambda: _kept(runtime).packed == 1)

    async def test_without_files_nothing_is_kept(self):
        async with logging_to() as runtime:
            assert _kept(runtime).passes == 0
            assert not any(each.name == "metaexpert-housekeeping" for each in threading.enumerate())


def _kept(runtime: Any) -> Any:
    return runtime.stats().housekeeping
