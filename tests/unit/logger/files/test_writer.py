"""Files: whole entries only, each once, rotated between batches, for their owner alone, whatever the system answers."""

import asyncio
import errno
import json
import os
import resource
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from support.eventually import eventually
from support.running_logger import logging_to, sink_stats

from metaexpert.logger import FileOptions, MemoryOptions, get_logger
from metaexpert.logger.files import writer
from metaexpert.logger.files.writer import AppendFile, SizeRotation
from metaexpert.logger.jobs import Jobs, Worker

log = get_logger("unit.files")

LOOK_SECONDS = 1.0

NO_ROTATION = SizeRotation(max_bytes=0, backup_count=0)


@pytest_asyncio.fixture
async def worker() -> AsyncIterator[Worker]:
    under_test = Worker(Jobs(), "files")
    yield under_test
    under_test.close()


def numbers(path: Path) -> list[int]:
    """The numbers of the entries "n <number>" in a JSON file; every line has to be whole."""
    content = path.read_bytes()
    assert content == b"" or content.endswith(b"\n")
    return [int(json.loads(line)["message"][2:]) for line in content.splitlines()]


def listed(folder: Path) -> list[Path]:
    """Everything in `folder`, by name."""
    return sorted(folder.iterdir())


def set_aside(folder: Path) -> Path:
    """The one torn file kept beside a new one."""
    (aside,) = folder.glob("expert.log.torn-*")
    return aside


def in_order(folder: Path, name: str = "expert.log") -> list[Path]:
    """A log file and its backups, oldest first."""
    backups = sorted(folder.glob(f"{name}.[0-9]*"), key=lambda path: -int(path.suffix[1:]))
    return [*backups, folder / name]


@contextmanager
def largest_file(size_bytes: int) -> Generator[None]:
    """No file of this process may grow beyond `size_bytes`: writes fall short there, and then fail (EFBIG)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestAppend:
    async def test_the_file_and_its_folder_are_made_at_the_first_write(self, tmp_path: Path, worker: Worker):
        path = tmp_path / "a" / "b" / "expert.log"
        file = AppendFile(path, NO_ROTATION, worker)
        assert not path.parent.exists()
        await file.append(b"one\n", 1)
        await file.append(b"two\n", 2)
        await file.close()
        assert path.read_bytes() == b"one\ntwo\n"

    async def test_only_its_owner_may_read_it(self, tmp_path: Path, worker: Worker):
        file = AppendFile(tmp_path / "expert.log", SizeRotation(max_bytes=5, backup_count=2), worker)
        await file.append(b"one two\n", 1)
        await file.append(b"three\n", 2)
        await file.close()
        modes = [stat.S_IMODE(path.stat().st_mode) for path in listed(tmp_path)]
        assert modes == [0o600, 0o600]

    async def test_a_file_that_exists_is_continued(self, tmp_path: Path, worker: Worker):
        path = tmp_path / "expert.log"
        path.write_bytes(b"before\n")
        file = AppendFile(path, NO_ROTATION, worker)
        await file.append(b"after\n", 1)
        await file.close()
        assert path.read_bytes() == b"before\nafter\n"
        assert file.warning == ""

    async def test_a_torn_last_line_is_set_aside_as_it_is(self, tmp_path: Path, worker: Worker):
        path = tmp_path / "expert.log"
        path.write_bytes(b'{"whole":1}\n{"to')
        file = AppendFile(path, NO_ROTATION, worker)
        await file.append(b"new\n", 1)
        await file.close()
        aside = set_aside(tmp_path)
        assert path.read_bytes() == b"new\n"
        assert aside.read_bytes() == b'{"whole":1}\n{"to'
        assert aside.name in file.warning

    @pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on file sizes")
    async def test_a_write_cut_short_goes_on_where_it_stopped(self, tmp_path: Path, worker: Worker):
        path = tmp_path / "expert.log"
        file = AppendFile(path, NO_ROTATION, worker)
        data = b"".join(b"line %04d\n" % number for number in range(100))
        with largest_file(333), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            await file.append(data, "batch")
        assert path.read_bytes() == data[:333]
        with largest_file(500), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            await file.append(data, "batch")
        assert path.read_bytes() == data[:500]
        await file.append(data, "batch")
        await file.append(b"next\n", "next batch")
        await file.close()
        assert path.read_bytes() == data + b"next\n"

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    async def test_a_full_disk_is_an_error_and_not_a_loss(self, worker: Worker):
        file = AppendFile(Path("/dev/full"), NO_ROTATION, worker)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            await file.append(b"one\n", 1)
        with suppress(OSError):  # this device cannot be brought to the disk either, and has to be closed all the same
            await file.close()


class TestRotation:
    async def test_it_comes_between_batches_and_loses_and_splits_nothing(self, tmp_path: Path):
        options = FileOptions(path=Path("expert.log"), max_bytes=20_000, backup_count=1000, batch_max_entries=16)
        async with logging_to(options, log_dir=tmp_path) as runtime:
            for number in range(2000):
                log.info("n %d", number)
            assert await runtime.flush()
            assert sink_stats(runtime).ledger.delivered == 2000
        files = in_order(tmp_path)
        assert len(files) > 10
        found = [number for path in files for number in numbers(path)]
        assert found == list(range(2000))
        # a file outgrows its bound only by a batch that is larger than the bound itself
        assert all(path.stat().st_size <= 20_000 for path in files)

    async def test_no_more_backups_are_kept_than_asked_for(self, tmp_path: Path):
        options = FileOptions(path=Path("expert.log"), max_bytes=2000, backup_count=3, batch_max_entries=4)
        async with logging_to(options, log_dir=tmp_path) as runtime:
            for number in range(500):
                log.info("n %d", number)
            assert await runtime.flush()
        names = [path.name for path in listed(tmp_path)]
        assert names == ["expert.log", "expert.log.1", "expert.log.2", "expert.log.3"]
        found = [number for path in in_order(tmp_path) for number in numbers(path)]
        assert found == list(range(found[0], 500))

    @pytest.mark.parametrize(("max_bytes", "backup_count"), [(0, 5), (1000, 0)])
    async def test_zero_means_never(self, tmp_path: Path, max_bytes: int, backup_count: int):
        options = FileOptions(
            path=Path("expert.log"), max_bytes=max_bytes, backup_count=backup_count, batch_max_entries=4
        )
        async with logging_to(options, log_dir=tmp_path) as runtime:
            for number in range(100):
                log.info("n %d", number)
            assert await runtime.flush()
        assert [path.name for path in listed(tmp_path)] == ["expert.log"]
        assert numbers(tmp_path / "expert.log") == list(range(100))

    async def test_a_batch_larger_than_the_bound_stays_whole(self, tmp_path: Path):
        options = FileOptions(path=Path("expert.log"), max_bytes=500, backup_count=5)
        async with logging_to(options, log_dir=tmp_path) as runtime:
            for number in range(50):
                log.info("n %d", number)
            assert await runtime.flush()
        assert [number for path in in_order(tmp_path) for number in numbers(path)] == list(range(50))

    async def test_one_that_fails_is_told_and_the_old_file_goes_on(self, tmp_path: Path):
        (tmp_path / "expert.log.1").mkdir()  # a folder stands where the backup should go
        options = FileOptions(path=Path("expert.log"), max_bytes=1000, backup_count=1, batch_max_entries=4)
        async with logging_to(options, log_dir=tmp_path) as runtime:
            for number in range(50):
                log.info("n %d", number)
            assert await runtime.flush()
            assert "could not rotate" in (sink_stats(runtime).last_error or "")
        assert numbers(tmp_path / "expert.log") == list(range(50))

    async def test_a_size_reached_before_the_start_counts(self, tmp_path: Path):
        (tmp_path / "expert.log").write_bytes(b'{"message":"n 0"}\n' * 100)
        options = FileOptions(path=Path("expert.log"), max_bytes=1000, backup_count=1)
        async with logging_to(options, log_dir=tmp_path) as runtime:
            log.info("n 1")
            assert await runtime.flush()
        assert numbers(tmp_path / "expert.log") == [1]
        assert numbers(tmp_path / "expert.log.1") == [0] * 100


class TestSinkOfAFile:
    async def test_the_three_files_hold_everything_trades_and_errors(self, tmp_path: Path):
        async with logging_to(log_to_file=True, log_dir=tmp_path, json_logging=True) as runtime:
            log.info("plain")
            log.error("broken")
            log.trade.order_cancelled(order_id=1)
            log.audit("changed")
            assert await runtime.flush()
        found = {
            path.name: [json.loads(line)["message"] for line in path.read_bytes().splitlines()]
            for path in listed(tmp_path)
        }
        assert found == {
            "expert.log": ["plain", "broken", "order_cancelled", "changed"],
            "trades.log": ["order_cancelled", "changed"],
            "errors.log": ["broken"],
        }

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    async def test_a_full_disk_degrades_its_sink_and_no_other(self):
        full = FileOptions(name="full", path=Path("/dev/full"))
        async with logging_to(full, MemoryOptions(), shutdown_timeout=0.2) as runtime:
            for number in range(100):
                log.info("n %d", number)
            await eventually(lambda: runtime.stats().sinks["full"].state == "failed")
            stats = runtime.stats()
            assert os.strerror(errno.ENOSPC) in (stats.sinks["full"].last_error or "")
            assert stats.sinks["full"].ledger.in_flight == 100
            await eventually(lambda: runtime.stats().sinks["memory"].ledger.delivered == 100)
        ledger = runtime.stats().sinks["full"].ledger
        assert (ledger.dropped, ledger.balanced) == ({("INFO", "shutdown"): 100}, True)

    @pytest.mark.parametrize("obstacle", ["file in place of the folder", "folder in place of the file"])
    async def test_a_place_that_cannot_be_written_fails_its_sink_until_it_can(self, tmp_path: Path, obstacle: str):
        folder = tmp_path / "logs"
        path = folder / "expert.log"
        if obstacle.startswith("file"):
            folder.write_bytes(b"")
        else:
            path.mkdir(parents=True)
        options = FileOptions(path=path)
        async with logging_to(options, MemoryOptions()) as runtime:
            for number in range(10):
                log.info("n %d", number)
            await eventually(lambda: runtime.stats().sinks["file"].state in {"degraded", "failed"})
            await eventually(lambda: runtime.stats().sinks["memory"].ledger.delivered == 10)
            assert runtime.stats().sinks["file"].last_error
            if obstacle.startswith("file"):
                folder.unlink()
            else:
                path.rmdir()
            assert await runtime.flush(timeout=10.0)
            assert runtime.stats().sinks["file"].state == "active"
        assert numbers(path) == list(range(10))

    def test_a_write_cut_short_while_logging_leaves_each_entry_once(self, tmp_path: Path):
        """In a process of its own, whose files may not grow beyond a size until it lifts the limit."""
        program = """
import asyncio, resource, sys
from pathlib import Path
from metaexpert.logger import FileOptions, LoggerConfig, get_logger, setup_logging

async def main():
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    config = LoggerConfig(log_dir=sys.argv[1], log_to_console=False, log_to_file=False,
                          sinks=[FileOptions(path=Path("expert.log"))])
    async with setup_logging(config) as runtime:
        for number in range(200):
            get_logger("child").info("n %d", number)
        while runtime.stats().sinks["file"].state == "active":
            await asyncio.sleep(0.001)
        size = Path(sys.argv[1], "expert.log").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        print(size, await runtime.flush(), runtime.stats().sinks["file"].ledger.delivered)

asyncio.run(main())
"""
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stdout.split() == ["5000", "True", "200"]
        assert numbers(tmp_path / "expert.log") == list(range(200))

    async def test_a_torn_line_of_an_earlier_run_is_told_and_kept(self, tmp_path: Path):
        path = tmp_path / "expert.log"
        path.write_bytes(b'{"message":"n 0"}\n{"mess')
        async with logging_to(FileOptions(path=path)) as runtime:
            log.info("n 1")
            assert await runtime.flush()
            assert "torn" in (sink_stats(runtime).last_error or "")
        assert numbers(path) == [1]
        aside = set_aside(tmp_path)
        assert aside.read_bytes() == b'{"message":"n 0"}\n{"mess'

    async def test_text_lines_are_one_line_an_entry(self, tmp_path: Path):
        path = tmp_path / "expert.log"
        async with logging_to(FileOptions(path=path, json_logging=False)) as runtime:
            log.info("first\nforged line\x1b[2J", symbol="BTCUSDT")
            log.warning("second")
            assert await runtime.flush()
        first, second = path.read_text().splitlines()
        assert "forged line" in first
        assert "\x1b" not in first
        assert "BTCUSDT" in first
        assert "second" in second


class ScriptedFile:
    """A real file whose writes take as much as they are told to, or fail."""

    def __init__(self, path: Path, steps: list[int | OSError]) -> None:
        self._file = path.open("ab", buffering=0)
        self._steps = steps

    def fileno(self) -> int:
        return self._file.fileno()

    async def close(self) -> None:
        self._file.close()

    async def write(self, data: Any) -> int:
        step = self._steps.pop(0) if self._steps else len(data)
        if isinstance(step, OSError):
            raise step
        return self._file.write(bytes(data[:step]))


@pytest.mark.parametrize(
    "steps",
    [
        [1, 1, 1],
        [OSError(errno.ENOSPC, "full")],
        [3, OSError(errno.ENOSPC, "full"), OSError(errno.EIO, "broken"), 2, OSError(errno.ENOSPC, "full")],
    ],
    ids=["short", "refused", "both"],
)
async def test_whatever_the_system_takes_of_a_write_nothing_is_written_twice(
    tmp_path: Path, worker: Worker, steps: list[int | OSError], monkeypatch: pytest.MonkeyPatch
):
    file = AppendFile(tmp_path / "expert.log", NO_ROTATION, worker)
    await file.append(b"begin\n", "begin")
    await file.close()
    scripted = ScriptedFile(tmp_path / "expert.log", list(steps))
    monkeypatch.setattr(file, "_file", scripted)
    written = False
    for _ in range(len(steps) + 1):
        try:
            await file.append(b"some lines\nof a batch\n", "batch")
            written = True
            break
        except OSError:
            continue
    assert written
    await scripted.close()
    assert (tmp_path / "expert.log").read_bytes() == b"begin\nsome lines\nof a batch\n"
    monkeypatch.setattr(file, "_file", None)


class Gated:
    """A raw file whose writes wait in their thread until they may go on."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.reached = threading.Event()
        self.open = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def write(self, data: Any) -> int:
        self.reached.set()
        assert self.open.wait(20.0)
        return self._raw.write(data)


class TestCancelled:
    DATA = b"some lines\nof a batch\n"

    async def cancelled_append(self, file: AppendFile) -> Gated:
        """Begin to append the batch, and cancel it while its thread is in the write, which then goes on."""
        opened: Any = file._file
        gated = Gated(opened._file)
        opened._file = gated
        appending = asyncio.create_task(file.append(self.DATA, "batch"))
        await eventually(gated.reached.is_set)
        appending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await appending
        return gated

    async def test_a_write_that_went_on_in_its_thread_is_not_written_twice(self, tmp_path: Path, worker: Worker):
        file = AppendFile(tmp_path / "expert.log", NO_ROTATION, worker)
        await file.append(b"begin\n", "begin")
        gated = await self.cancelled_append(file)
        gated.open.set()
        await file.append(self.DATA, "batch")
        await file.append(b"end\n", "end")
        await file.close()
        assert (tmp_path / "expert.log").read_bytes() == b"begin\n" + self.DATA + b"end\n"

    async def test_neither_is_one_that_ends_while_the_next_attempt_already_asks(self, tmp_path: Path, worker: Worker):
        file = AppendFile(tmp_path / "expert.log", NO_ROTATION, worker)
        await file.append(b"begin\n", "begin")
        gated = await self.cancelled_append(file)
        again = asyncio.create_task(file.append(self.DATA, "batch"))
        await asyncio.sleep(0)
        gated.open.set()
        await again
        await file.close()
        assert (tmp_path / "expert.log").read_bytes() == b"begin\n" + self.DATA

    async def test_the_size_that_rotation_goes_by_is_the_files(self, tmp_path: Path, worker: Worker):
        file = AppendFile(tmp_path / "expert.log", SizeRotation(max_bytes=40, backup_count=1), worker)
        await file.append(b"begin\n", "begin")
        gated = await self.cancelled_append(file)
        gated.open.set()
        await file.append(self.DATA, "batch")
        await file.append(b"0123456789abcdef\n", "next")
        await file.close()
        assert (tmp_path / "expert.log.1").read_bytes() == b"begin\n" + self.DATA
        assert (tmp_path / "expert.log").read_bytes() == b"0123456789abcdef\n"


class TestTakenAway:
    """By logrotate, or by somebody who deletes what is large."""

    @pytest.fixture
    def now(self) -> list[float]:
        return [1000.0]

    @pytest.fixture
    def file(self, tmp_path: Path, worker: Worker, now: list[float]) -> AppendFile:
        return AppendFile(
            tmp_path / "expert.log", SizeRotation(max_bytes=10**6, backup_count=3), worker, lambda: now[0]
        )

    @pytest.mark.parametrize("how", ["deleted", "renamed", "replaced", "deleted with its folder"])
    async def test_it_is_begun_anew_within_the_interval_and_the_old_one_gets_nothing_more(
        self, tmp_path: Path, worker: Worker, now: list[float], how: str
    ):
        path = tmp_path / "logs" / "expert.log"
        file = AppendFile(path, NO_ROTATION, worker, lambda: now[0])
        await file.append(b"one\n", 1)
        with path.open("rb") as old:
            if how == "renamed":
                path.rename(tmp_path / "old.log")
            else:
                path.unlink()
            if how == "replaced":
                path.write_bytes(b"theirs\n")
            elif how == "deleted with its folder":
                path.parent.rmdir()
            now[0] += LOOK_SECONDS
            await file.append(b"two\n", 2)
            assert str(path) in file.warning
            assert "moved or deleted" in file.warning
            now[0] += LOOK_SECONDS
            await file.append(b"three\n", 3)
            assert old.read() == b"one\n"
        await file.close()
        assert path.read_bytes() == (b"theirs\n" if how == "replaced" else b"") + b"two\nthree\n"

    async def test_no_system_call_is_spent_on_it_more_often(
        self, tmp_path: Path, file: AppendFile, now: list[float], monkeypatch: pytest.MonkeyPatch
    ):
        looks: list[int] = []
        real = AppendFile._is_gone

        def is_gone(under_test: AppendFile, descriptor: int) -> bool:
            looks.append(descriptor)
            return real(under_test, descriptor)

        monkeypatch.setattr(AppendFile, "_is_gone", is_gone)
        for number in range(50):
            await file.append(b"line\n", number)
            now[0] += LOOK_SECONDS / 10
        await file.close()
        assert 4 <= len(looks) <= 6
        assert file.warning == ""
        assert (tmp_path / "expert.log").read_bytes() == b"line\n" * 50

    async def test_our_own_rotation_is_no_such_thing(self, tmp_path: Path, worker: Worker, now: list[float]):
        file = AppendFile(tmp_path / "expert.log", SizeRotation(max_bytes=10, backup_count=9), worker, lambda: now[0])
        for number in range(8):
            await file.append(b"line %d\n" % number, number)
            now[0] += LOOK_SECONDS
        await file.close()
        assert file.warning == ""
        assert b"".join(path.read_bytes() for path in in_order(tmp_path)) == b"".join(
            b"line %d\n" % number for number in range(8)
        )

    async def test_the_sink_tells_and_every_entry_is_in_one_of_the_two(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(writer, "_LOOK_SECONDS", 0.0)
        path = tmp_path / "expert.log"
        async with logging_to(FileOptions(path=path)) as runtime:
            log.info("n 0")
            assert await runtime.flush()
            path.rename(tmp_path / "old.log")
            log.info("n 1")
            assert await runtime.flush()
            assert "moved or deleted" in (sink_stats(runtime).last_error or "")
            assert sink_stats(runtime).state == "active"
        assert (numbers(tmp_path / "old.log"), numbers(path)) == ([0], [1])
