"""Files: whole entries only, each once, rotated between batches, for their owner alone, whatever the system answers."""

import asyncio
import errno
import os
import resource
import stat
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from support.eventually import eventually
from support.running_logger import logging_to, sink_stats
from support.written_logs import IDENTITY, NO_ROTATION, in_order, listed, new_log, numbers, written

from metaexpert.logger import FileOptions, get_logger
from metaexpert.logger.files import retiring, series
from metaexpert.logger.files.names import LogFile
from metaexpert.logger.files.ownership import at_rest, hold, is_written
from metaexpert.logger.files.rotation import Rotation
from metaexpert.logger.files.writer import AppendFile
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Worker

log = get_logger("unit.files")


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
        file = new_log(path, worker)
        assert not path.parent.exists()
        await file.append([b"one"], 1)
        await file.append([b"two", b"three"], 2)
        await file.close()
        assert path.read_bytes() == b"one\ntwo\nthree\n"
        assert in_order(path) == [LogFile.first(path, IDENTITY).path]

    @pytest.mark.skipif(os.name == "nt", reason="Windows brings names to the disk by itself")
    async def test_folders_that_are_made_are_brought_to_the_disk(
        self, tmp_path: Path, worker: Worker, monkeypatch: pytest.MonkeyPatch
    ):
        synced: list[Path] = []
        monkeypatch.setattr(series, "sync_folder", synced.append)
        for _ in range(2):
            file = new_log(tmp_path / "one" / "two" / "expert.log", worker)
            await file.append([b"one"], 1)
            await file.close()
        assert synced == [tmp_path / "one", tmp_path]

    async def test_only_its_owner_may_read_it(self, tmp_path: Path, worker: Worker):
        file = new_log(tmp_path / "expert.log", worker, Rotation(max_bytes=5))
        await file.append([b"one two"], 1)
        await file.append([b"three"], 2)
        await file.close()
        modes = [stat.S_IMODE(path.stat().st_mode) for path in listed(tmp_path)]
        assert modes == [0o600, 0o600, 0o600]

    async def test_it_is_held_as_long_as_it_is_open(self, tmp_path: Path, worker: Worker):
        path = tmp_path / "expert.log"
        file = new_log(path, worker)
        await file.append([b"one"], 1)
        assert is_written(path)
        await file.close()
        assert not is_written(path)

    async def test_what_an_earlier_run_wrote_is_left_alone(self, tmp_path: Path, worker: Worker):
        path = tmp_path / "expert.log"
        for number in range(2):
            file = AppendFile(path, NO_ROTATION, worker, Identity(service="unit"))
            await file.append([b"run %d" % number], number)
            await file.close()
            assert path.read_bytes() == b"run %d\n" % number
        assert sorted(each.read_bytes() for each in in_order(path)) == [b"run 0\n", b"run 1\n"]

    async def test_this_runs_last_file_is_gone_on_with(self, tmp_path: Path, worker: Worker):
        """As when the runtime moves to another event loop, or reads its configuration again."""
        path = tmp_path / "expert.log"
        file = new_log(path, worker)
        await file.append([b"one"], 1)
        await file.close()
        await file.append([b"two"], 2)
        await file.close()
        other = new_log(path, worker, Rotation(max_bytes=12))
        await other.append([b"three"], 3)
        await other.close()
        assert [each.read_bytes() for each in in_order(path)] == [b"one\ntwo\n", b"three\n"]
        assert file.take_warning() == other.take_warning() == ""

    async def test_but_not_when_it_ends_amid_a_line(self, tmp_path: Path, worker: Worker):
        path = tmp_path / "expert.log"
        file = new_log(path, worker)
        await file.append([b"one"], 1)
        await file.close()
        with path.open("ab") as torn:
            torn.write(b"to")
        await file.append([b"two"], 2)
        await file.close()
        assert [each.read_bytes() for each in in_order(path)] == [b"one\nto", b"two\n"]

    async def test_nor_when_it_has_rested_for_nearly_a_day(self, tmp_path: Path, worker: Worker):
        """Housekeeping may have begun to compress it."""
        path = tmp_path / "expert.log"
        file = new_log(path, worker)
        await file.append([b"one"], 1)
        await file.close()
        yesterday = time.time() - 86_000
        os.utime(path, (yesterday, yesterday))
        await file.append([b"two"], 2)
        await file.close()
        assert sorted(each.read_bytes() for each in in_order(path)) == [b"one\n", b"two\n"]

    async def test_nor_while_it_is_held(self, tmp_path: Path, worker: Worker):
        path = tmp_path / "expert.log"
        file = new_log(path, worker)
        await file.append([b"one"], 1)
        await file.close()
        with path.open("ab") as held:
            hold(held.fileno())
            await file.append([b"two"], 2)
        await file.close()
        assert [each.read_bytes() for each in in_order(path)] == [b"one\n", b"two\n"]

    async def test_nor_while_housekeeping_has_it_in_hand(self, tmp_path: Path, worker: Worker):
        path = tmp_path / "expert.log"
        file = new_log(path, worker)
        await file.append([b"one"], 1)
        await file.close()
        with at_rest(path.resolve()) as is_finished:
            assert is_finished
            await file.append([b"two"], 2)
        await file.close()
        assert [each.read_bytes() for each in in_order(path)] == [b"one\n", b"two\n"]

    async def test_nor_when_housekeeping_had_it_a_moment_ago(
        self, tmp_path: Path, worker: Worker, monkeypatch: pytest.MonkeyPatch
    ):
        def too_late(descriptor: int) -> bool:
            with suppress(FileNotFoundError):
                path.resolve().unlink()
            monkeypatch.setattr(series, "hold", hold)
            return hold(descriptor)

        path = tmp_path / "expert.log"
        file = new_log(path, worker)
        await file.append([b"one"], 1)
        await file.close()
        monkeypatch.setattr(series, "hold", too_late)
        await file.append([b"two"], 2)
        await file.close()
        assert [each.read_bytes() for each in in_order(path)] == [b"two\n"]

    @pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on file sizes")
    async def test_a_write_cut_short_goes_on_where_it_stopped(self, tmp_path: Path, worker: Worker):
        path = tmp_path / "expert.log"
        file = new_log(path, worker)
        lines = [b"line %04d" % number for number in range(100)]
        data = b"".join(line + b"\n" for line in lines)
        with largest_file(333), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            await file.append(lines, "batch")
        assert path.read_bytes() == data[:333]
        with largest_file(500), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            await file.append(lines, "batch")
        assert path.read_bytes() == data[:500]
        await file.append(lines, "batch")
        await file.append([b"next"], "next batch")
        await file.close()
        assert path.read_bytes() == data + b"next\n"

    @pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on file sizes")
    async def test_a_write_given_up_amid_a_line_ends_its_file(self, tmp_path: Path, worker: Worker):
        path = tmp_path / "expert.log"
        file = new_log(path, worker)
        with largest_file(7), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            await file.append([b"one", b"two", b"three"], "given up")
        await file.append([b"four"], "next")
        await file.close()
        assert [each.read_bytes() for each in in_order(path)] == [b"one\ntwo", b"four\n"]

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    async def test_a_full_disk_is_an_error_and_not_a_loss(self, worker: Worker):
        file = new_log(Path("/dev/full"), worker)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            await file.append([b"one"], 1)
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
        files = in_order(tmp_path / "expert.log")
        assert len(files) > 10
        found = [number for path in files for number in numbers(path)]
        assert found == list(range(2000))
        # a file outgrows its bound only by a batch that is larger than the bound itself
        assert all(path.stat().st_size <= 20_000 for path in files)

    async def test_the_logs_name_leads_to_the_file_begun_last(self, tmp_path: Path, worker: Worker):
        path = tmp_path / "expert.log"
        file = new_log(path, worker, Rotation(max_bytes=5))
        for number in range(4):
            await file.append([b"line %d" % number], number)
            assert path.read_bytes() == b"line %d\n" % number
        await file.close()
        assert path.resolve() == in_order(path)[-1]
        assert len(listed(tmp_path)) == 5

    @pytest.mark.parametrize(("max_bytes", "backup_count"), [(0, 5), (1000, 0)])
    async def test_zero_means_never(self, tmp_path: Path, max_bytes: int, backup_count: int):
        options = FileOptions(
            path=Path("expert.log"), max_bytes=max_bytes, backup_count=backup_count, batch_max_entries=4
        )
        async with logging_to(options, log_dir=tmp_path) as runtime:
            for number in range(100):
                log.info("n %d", number)
            assert await runtime.flush()
        (only,) = in_order(tmp_path / "expert.log")
        assert numbers(only) == list(range(100))

    async def test_a_batch_larger_than_the_bound_stays_whole(self, tmp_path: Path):
        options = FileOptions(path=Path("expert.log"), max_bytes=500, backup_count=5)
        async with logging_to(options, log_dir=tmp_path) as runtime:
            for number in range(50):
                log.info("n %d", number)
            assert await runtime.flush()
        assert [number for path in in_order(tmp_path / "expert.log") for number in numbers(path)] == list(range(50))

    async def test_one_that_fails_is_told_and_the_old_file_goes_on(
        self, tmp_path: Path, worker: Worker, monkeypatch: pytest.MonkeyPatch
    ):
        path = tmp_path / "expert.log"
        file = new_log(path, worker, Rotation(max_bytes=5))
        await file.append([b"one two"], 1)
        monkeypatch.setattr(os, "open", Refusing(os.open))
        await file.append([b"three"], 2)
        monkeypatch.undo()
        assert "could not rotate" in file.take_warning()
        await file.append([b"four"], 3)
        await file.close()
        assert [each.read_bytes() for each in in_order(path)] == [b"one two\nthree\n", b"four\n"]

    async def test_a_name_that_is_taken_is_passed_over(self, tmp_path: Path, worker: Worker):
        path = tmp_path / "expert.log"
        first = LogFile.first(path, IDENTITY)
        first.next().path.write_bytes(b"whose?\n")
        first.next().next().path.mkdir()
        file = new_log(path, worker, Rotation(max_bytes=5))
        await file.append([b"one two"], 1)
        await file.append([b"three"], 2)
        await file.close()
        assert path.read_bytes() == b"three\n"
        assert first.next().path.read_bytes() == b"whose?\n"

    async def test_who_wants_to_know_gets_each_file_that_is_done_with_closed(self, tmp_path: Path, worker: Worker):
        path = tmp_path / "expert.log"
        told: list[tuple[LogFile, bytes, bool]] = []

        def rotated(file: LogFile) -> None:
            told.append((file, file.path.read_bytes(), is_written(file.path)))

        file = new_log(path, worker, Rotation(max_bytes=5), rotated=rotated)
        for number in range(10):
            await file.append([b"line %d" % number], number)
        await file.close()
        assert told == [
            (LogFile.parsed(each), b"line %d\n" % number, False) for number, each in enumerate(in_order(path))
        ]

    async def test_the_next_write_does_not_wait_for_the_old_file_on_its_way_to_the_disk(
        self, tmp_path: Path, worker: Worker, monkeypatch: pytest.MonkeyPatch
    ):
        path = tmp_path / "expert.log"
        may_end = threading.Event()
        monkeypatch.setattr(retiring, "sync_descriptor", lambda _: may_end.wait(20.0))
        file = new_log(path, worker, Rotation(max_bytes=5))
        for number in range(4):
            await file.append([b"line %d" % number], number)
        assert [is_written(each) for each in in_order(path)] == [True] * 4
        syncing = asyncio.create_task(file.sync())
        await asyncio.sleep(0)
        assert not syncing.done()
        may_end.set()
        await syncing
        assert [is_written(each) for each in in_order(path)] == [False, False, False, True]
        await file.close()

    async def test_a_disk_slower_than_rotations_holds_them_up(
        self, tmp_path: Path, worker: Worker, monkeypatch: pytest.MonkeyPatch
    ):
        """Else files that are open would pile up."""
        may_end = threading.Event()
        monkeypatch.setattr(retiring, "sync_descriptor", lambda _: may_end.wait(20.0))
        file = new_log(tmp_path / "expert.log", worker, Rotation(max_bytes=5))
        writing = asyncio.create_task(append_lines(file, 20))
        await eventually(lambda: len(in_order(tmp_path / "expert.log")) == 5)
        assert not writing.done()
        may_end.set()
        await writing
        await file.close()
        assert written(tmp_path / "expert.log") == b"".join(b"line %d\n" % number for number in range(20))

    async def test_what_could_not_be_brought_to_the_disk_is_told_by_the_next_sync(
        self, tmp_path: Path, worker: Worker, monkeypatch: pytest.MonkeyPatch
    ):
        def refuse(_descriptor: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(retiring, "sync_descriptor", refuse)
        clock = [100.0]
        file = new_log(tmp_path / "expert.log", worker, Rotation(max_bytes=5), clock=lambda: clock[0])
        await append_lines(file, 2)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            await file.sync()
        monkeypatch.undo()
        with pytest.raises(OSError, match="an earlier file is not on the disk yet"):
            await file.sync()
        clock[0] += 5.0
        await file.sync()
        assert [is_written(each) for each in in_order(tmp_path / "expert.log")] == [False, True]
        await file.close()


async def append_lines(file: AppendFile, count: int) -> None:
    for number in range(count):
        await file.append([b"line %d" % number], number)


class Refusing:
    """`os.open` of a disk that makes no more files."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __call__(self, name: Any, flags: int, *more: Any, **named: Any) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._real(name, flags, *more, **named)


class ScriptedFile:
    """A raw file whose writes take as much as they are told to, or fail."""

    def __init__(self, raw: FileIO, steps: list[int | OSError]) -> None:
        self._raw = raw
        self._steps = steps

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def write(self, data: Any) -> int:
        step = self._steps.pop(0) if self._steps else len(data)
        if isinstance(step, OSError):
            raise step
        return self._raw.write(bytes(data[:step]))


def scripted(file: AppendFile, make: Callable[[FileIO], Any]) -> Any:
    """Write through what `make` makes of the open file from now on."""
    opened = file._open_file
    assert opened is not None
    made: Any = make(opened.raw)
    opened.raw = made
    return made


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
    tmp_path: Path, worker: Worker, steps: list[int | OSError]
):
    file = new_log(tmp_path / "expert.log", worker)
    await file.append([b"begin"], "begin")
    scripted(file, lambda raw: ScriptedFile(raw, list(steps)))
    written = False
    for _ in range(len(steps) + 1):
        try:
            await file.append([b"some lines", b"of a batch"], "batch")
            written = True
            break
        except OSError:
            continue
    assert written
    await file.close()
    assert (tmp_path / "expert.log").read_bytes() == b"begin\nsome lines\nof a batch\n"


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
    LINES = (b"some lines", b"of a batch")
    DATA = b"some lines\nof a batch\n"

    async def cancelled_append(self, file: AppendFile) -> Gated:
        """Begin to append the batch, and cancel it while its thread is in the write, which then goes on."""
        gated: Gated = scripted(file, Gated)
        appending = asyncio.create_task(file.append(self.LINES, "batch"))
        await eventually(gated.reached.is_set)
        appending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await appending
        return gated

    async def test_a_write_that_went_on_in_its_thread_is_not_written_twice(self, tmp_path: Path, worker: Worker):
        file = new_log(tmp_path / "expert.log", worker)
        await file.append([b"begin"], "begin")
        gated = await self.cancelled_append(file)
        gated.open.set()
        await file.append(self.LINES, "batch")
        await file.append([b"end"], "end")
        await file.close()
        assert (tmp_path / "expert.log").read_bytes() == b"begin\n" + self.DATA + b"end\n"

    async def test_neither_is_one_that_ends_while_the_next_attempt_already_asks(self, tmp_path: Path, worker: Worker):
        file = new_log(tmp_path / "expert.log", worker)
        await file.append([b"begin"], "begin")
        gated = await self.cancelled_append(file)
        again = asyncio.create_task(file.append(self.LINES, "batch"))
        await asyncio.sleep(0)
        gated.open.set()
        await again
        await file.close()
        assert (tmp_path / "expert.log").read_bytes() == b"begin\n" + self.DATA

    async def test_one_that_nobody_takes_up_again_ends_its_file(self, tmp_path: Path, worker: Worker):
        file = new_log(tmp_path / "expert.log", worker)
        await file.append([b"begin"], "begin")
        gated = await self.cancelled_append(file)
        gated.open.set()
        await file.append([b"other"], "other")
        await file.close()
        first, second = in_order(tmp_path / "expert.log")
        assert first.read_bytes() == b"begin\n" + self.DATA
        assert second.read_bytes() == b"other\n"

    async def test_the_size_that_rotation_goes_by_is_the_files(self, tmp_path: Path, worker: Worker):
        file = new_log(tmp_path / "expert.log", worker, Rotation(max_bytes=40))
        await file.append([b"begin"], "begin")
        gated = await self.cancelled_append(file)
        gated.open.set()
        await file.append(self.LINES, "batch")
        await file.append([b"0123456789abcdef"], "next")
        await file.close()
        first, second = in_order(tmp_path / "expert.log")
        assert first.read_bytes() == b"begin\n" + self.DATA
        assert second.read_bytes() == b"0123456789abcdef\n"

    async def test_a_close_goes_on_in_its_thread_and_the_next_write_opens_the_file_again(
        self, tmp_path: Path, worker: Worker
    ):
        file = new_log(tmp_path / "expert.log", worker)
        await file.append([b"begin"], "begin")
        closing = asyncio.create_task(file.close())
        await asyncio.sleep(0)
        closing.cancel()
        with suppress(asyncio.CancelledError):
            await closing
        await file.append([b"end"], "end")
        await file.close()
        assert written(tmp_path / "expert.log") == b"begin\nend\n"
