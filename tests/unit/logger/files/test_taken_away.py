"""Files, and the log's name, that somebody else moves, deletes or truncates."""

import os
from pathlib import Path
from typing import Any

import pytest
from support.running_logger import logging_to, sink_stats
from support.written_logs import NO_ROTATION, in_order, listed, new_log, numbers, written

from metaexpert.logger import FileOptions, get_logger
from metaexpert.logger.files import writer
from metaexpert.logger.files.rotation import Rotation
from metaexpert.logger.files.writer import AppendFile
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Worker

log = get_logger("unit.files")

LOOK_SECONDS = 1.0


class TestTakenAway:
    """By logrotate, or by somebody who deletes what is large."""

    @pytest.fixture
    def now(self) -> list[float]:
        return [1000.0]

    @pytest.mark.parametrize("how", ["deleted", "renamed", "replaced", "deleted with its folder"])
    async def test_it_is_begun_anew_within_the_interval_and_the_old_one_gets_nothing_more(
        self, tmp_path: Path, worker: Worker, now: list[float], how: str
    ):
        log_path = tmp_path / "logs" / "expert.log"
        file = new_log(log_path, worker, clock=lambda: now[0])
        await file.append([b"one"], 1)
        (path,) = in_order(log_path)
        with path.open("rb") as old:
            if how == "renamed":
                path.rename(tmp_path / "old.log")
            else:
                path.unlink()
            if how == "replaced":
                path.write_bytes(b"theirs\n")
            elif how == "deleted with its folder":
                log_path.unlink()
                path.parent.rmdir()
            now[0] += LOOK_SECONDS
            await file.append([b"two"], 2)
            assert f"{path} was moved or deleted by somebody else; begun anew" in file.take_warning()
            now[0] += LOOK_SECONDS
            await file.append([b"three"], 3)
            assert old.read() == b"one\n"
        await file.close()
        assert log_path.read_bytes() == b"two\nthree\n"
        if how == "replaced":
            assert path.read_bytes() == b"theirs\n"

    @pytest.mark.parametrize("how", ["deleted", "renamed", "replaced"])
    async def test_so_it_is_when_the_logs_name_is_taken_away(
        self, tmp_path: Path, worker: Worker, now: list[float], how: str
    ):
        path = tmp_path / "expert.log"
        file = new_log(path, worker, clock=lambda: now[0])
        await file.append([b"one"], 1)
        if how == "renamed":
            path.rename(tmp_path / "expert.log.1")
        else:
            path.unlink()
        if how == "replaced":
            path.write_bytes(b"theirs\n")
        now[0] += LOOK_SECONDS
        await file.append([b"two"], 2)
        assert "moved or deleted by somebody else; begun anew" in file.take_warning()
        await file.close()
        assert [each.read_bytes() for each in in_order(path)] == [b"one\n", b"two\n"]
        assert path.read_bytes() == b"two\n"
        if how == "renamed":
            assert (tmp_path / "expert.log.1").read_bytes() == b"one\n"
        if how == "replaced":
            (aside,) = [each for each in listed(tmp_path) if each.name.startswith("expert.aside-")]
            assert aside.read_bytes() == b"theirs\n"

    async def test_a_truncated_one_is_begun_anew_too(self, tmp_path: Path, worker: Worker, now: list[float]):
        path = tmp_path / "expert.log"
        file = new_log(path, worker, clock=lambda: now[0])
        await file.append([b"one"], 1)
        os.truncate(path, 0)
        now[0] += LOOK_SECONDS
        await file.append([b"two"], 2)
        assert "truncated by somebody else; begun anew" in file.take_warning()
        await file.close()
        assert [each.read_bytes() for each in in_order(path)] == [b"", b"two\n"]

    async def test_another_process_that_began_a_file_has_taken_nothing_away(
        self, tmp_path: Path, worker: Worker, now: list[float]
    ):
        path = tmp_path / "expert.log"
        file = new_log(path, worker, clock=lambda: now[0])
        other = AppendFile(path, NO_ROTATION, worker, Identity(service="other"), clock=lambda: now[0])
        for number in range(3):
            await file.append([b"one"], number)
            await other.append([b"two"], number)
            now[0] += LOOK_SECONDS
        await file.close()
        await other.close()
        assert file.take_warning() == other.take_warning() == ""
        assert sorted(each.read_bytes() for each in in_order(path)) == [b"one\n" * 3, b"two\n" * 3]

    async def test_no_system_call_is_spent_on_it_more_often(
        self, tmp_path: Path, worker: Worker, now: list[float], monkeypatch: pytest.MonkeyPatch
    ):
        looks: list[Any] = []
        real = AppendFile._harm_here

        def harm_here(under_test: AppendFile, opened: Any) -> str:
            looks.append(opened)
            return real(under_test, opened)

        monkeypatch.setattr(AppendFile, "_harm_here", harm_here)
        file = new_log(tmp_path / "expert.log", worker, clock=lambda: now[0])
        for number in range(50):
            await file.append([b"line"], number)
            now[0] += LOOK_SECONDS / 10
        await file.close()
        assert 4 <= len(looks) <= 6
        assert file.take_warning() == ""
        assert (tmp_path / "expert.log").read_bytes() == b"line\n" * 50

    async def test_our_own_rotation_is_no_such_thing(self, tmp_path: Path, worker: Worker, now: list[float]):
        file = new_log(tmp_path / "expert.log", worker, Rotation(max_bytes=10), clock=lambda: now[0])
        for number in range(8):
            await file.append([b"line %d" % number], number)
            now[0] += LOOK_SECONDS
        await file.close()
        assert file.take_warning() == ""
        assert written(tmp_path / "expert.log") == b"".join(b"line %d\n" % number for number in range(8))

    async def test_the_sink_tells_and_every_entry_is_in_one_of_the_two(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(writer, "_LOOK_SECONDS", 0.0)
        path = tmp_path / "expert.log"
        async with logging_to(FileOptions(path=path)) as runtime:
            log.info("n 0")
            assert await runtime.flush()
            path.resolve().rename(tmp_path / "old.log")
            log.info("n 1")
            assert await runtime.flush()
            assert "moved or deleted" in (sink_stats(runtime).last_error or "")
            assert sink_stats(runtime).state == "active"
        assert (numbers(tmp_path / "old.log"), numbers(path)) == ([0], [1])
