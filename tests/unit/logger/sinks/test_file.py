"""A sink of a file: what it writes, and what it says when its place is in trouble."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.eventually import eventually
from support.running_logger import logging_to, sink_stats
from support.written_logs import numbers

from metaexpert.logger import FileOptions, LoggingRuntime, MemoryOptions, get_logger
from metaexpert.logger.files import retiring
from metaexpert.logger.files.names import LogFile
from metaexpert.logger.identity import Identity
from metaexpert.logger.sinks.file import FileSink

log = get_logger("unit.files")


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
            for path in (tmp_path / name for name in ("expert.log", "trades.log", "errors.log"))
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
        earlier = LogFile.first(path, Identity(service="earlier")).path
        earlier.write_bytes(b'{"message":"n 0"}\n{"mess')
        async with logging_to(FileOptions(path=path)) as runtime:
            log.info("n 1")
            assert await runtime.flush()
            told = sink_stats(runtime).last_error or ""
            assert f"the last line of {earlier} is torn (6 bytes of it)" in told
        assert numbers(path) == [1]
        assert earlier.read_bytes() == b'{"message":"n 0"}\n{"mess'

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


class Disk:
    """Stands for the disk that files are brought to: notes which, and refuses when it is told to."""

    def __init__(self) -> None:
        self.synced: list[int] = []
        self.refuses = False

    def sync(self, descriptor: int) -> None:
        self.synced.append(os.fstat(descriptor).st_size)
        if self.refuses:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


def file_sink(runtime: LoggingRuntime) -> FileSink:
    sink = runtime.sinks["file"]
    assert isinstance(sink, FileSink)
    return sink


class TestBroughtToTheDisk:
    @pytest.fixture
    def disk(self, monkeypatch: pytest.MonkeyPatch) -> Disk:
        disk = Disk()
        monkeypatch.setattr(retiring, "sync_descriptor", disk.sync)
        return disk

    @staticmethod
    def options(path: Path, **more: Any) -> FileOptions:
        return FileOptions(path=path / "expert.log", batch_max_entries=1, **more)

    async def test_never_is_at_the_end_and_for_the_journal(self, tmp_path: Path, disk: Disk):
        async with logging_to(self.options(tmp_path)) as runtime:
            log.info("n 0")
            log.error("n 1")
            assert await runtime.flush()
            assert disk.synced == []
            await file_sink(runtime).sync()  # as the journal's keeper does
            assert len(disk.synced) == 1
        assert disk.synced[-1] == (tmp_path / "expert.log").stat().st_size

    async def test_batch_is_each_time_before_the_batch_counts(self, tmp_path: Path, disk: Disk):
        async with logging_to(self.options(tmp_path, fsync="batch")) as runtime:
            for number in range(3):
                log.info("n %d", number)
                assert await runtime.flush()
                assert len(disk.synced) == number + 1
                assert disk.synced[-1] == (tmp_path / "expert.log").stat().st_size

    async def test_protected_is_for_entries_that_are(self, tmp_path: Path, disk: Disk):
        async with logging_to(self.options(tmp_path, fsync="protected")) as runtime:
            log.error("n 0")
            assert await runtime.flush()
            assert disk.synced == []
            log.trade.order_cancelled(order_id=1)
            assert await runtime.flush()
            assert disk.synced == [(tmp_path / "expert.log").stat().st_size]

    async def test_interval_is_once_whatever_is_written_meanwhile_and_again_for_what_comes_later(
        self, tmp_path: Path, disk: Disk
    ):
        async with logging_to(self.options(tmp_path, fsync="interval", fsync_interval=0.05)) as runtime:
            for number in range(10):
                log.info("n %d", number)
            assert await runtime.flush()
            size = (tmp_path / "expert.log").stat().st_size
            await eventually(lambda: size in disk.synced)
            log.info("n 10")
            assert await runtime.flush()
            size = (tmp_path / "expert.log").stat().st_size
            await eventually(lambda: size in disk.synced)

    async def test_a_disk_that_refuses_holds_the_batch_up_and_gets_it_once(self, tmp_path: Path, disk: Disk):
        disk.refuses = True
        async with logging_to(self.options(tmp_path, fsync="batch")) as runtime:
            log.info("n 0")
            await eventually(lambda: sink_stats(runtime).state in {"degraded", "failed"})
            assert os.strerror(errno.EIO) in (sink_stats(runtime).last_error or "")
            assert sink_stats(runtime).ledger.delivered == 0
            disk.refuses = False
            assert await runtime.flush(timeout=10.0)
            assert sink_stats(runtime).state == "active"
        assert numbers(tmp_path / "expert.log") == [0]

    async def test_one_that_refused_is_told_to_the_journal_too(self, tmp_path: Path, disk: Disk):
        """Though it is well again: what it refused may not be on it."""
        async with logging_to(self.options(tmp_path, fsync="interval", fsync_interval=0.01)) as runtime:
            disk.refuses = True
            log.info("n 0")
            await eventually(lambda: disk.synced)
            disk.refuses = False
            log.info("n 1")
            assert await runtime.flush()
            assert "could not be brought to the disk" in (sink_stats(runtime).last_error or "")
            with pytest.raises(OSError, match=os.strerror(errno.EIO)):
                await file_sink(runtime).sync()
            await file_sink(runtime).sync()
