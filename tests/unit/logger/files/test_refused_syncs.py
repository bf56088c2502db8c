"""A disk that takes the writes and refuses the syncs: what the system says it has written since is not believed."""

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.running_logger import logging_to
from support.written_logs import in_order, new_log, numbers, written

from metaexpert.logger import FileOptions, get_logger
from metaexpert.logger.files import retiring, rewriting
from metaexpert.logger.files.rotation import Rotation
from metaexpert.logger.jobs import Worker
from metaexpert.logger.journal.segments import sync_descriptor, write_at


@dataclass
class Forgetful:
    """A disk as Linux shows it after a failed write-back: the next sync succeeds, and writes nothing of before.

    Attributes:
        refusals: how many syncs are refused.
        safe: what of each file is on the disk, by its inode.
    """

    refusals: int = 0
    refused: int = 0
    safe: dict[int, bytearray] = field(default_factory=dict[int, bytearray])
    _dirty: dict[int, list[tuple[int, int]]] = field(default_factory=dict[int, list[tuple[int, int]]])
    _known: dict[int, int] = field(default_factory=dict[int, int])

    def sync(self, descriptor: int) -> None:
        state = os.fstat(descriptor)
        self._dirty.setdefault(state.st_ino, []).append((self._known.get(state.st_ino, 0), state.st_size))
        self._known[state.st_ino] = state.st_size
        parts = self._dirty.pop(state.st_ino)
        if self.refused < self.refusals:
            self.refused += 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync_descriptor(descriptor)
        disk = self.safe.setdefault(state.st_ino, bytearray())
        disk.extend(bytes(max(0, state.st_size - len(disk))))
        with open(f"/proc/self/fd/{descriptor}", "rb") as file:  # noqa: PTH123 - of a descriptor
            data = file.read()
        for begin, end in parts:
            disk[begin:end] = data[begin:end]

    def write_at(self, descriptor: int, at: int, data: bytes) -> None:
        self._dirty.setdefault(os.fstat(descriptor).st_ino, []).append((at, at + len(data)))
        write_at(descriptor, at, data)

    def has(self, path: Path) -> bool:
        return bytes(self.safe.get(path.stat().st_ino, b"")) == path.read_bytes()


pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads back by descriptor")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Forgetful:
    made = Forgetful()
    monkeypatch.setattr(retiring, "sync_descriptor", made.sync)
    monkeypatch.setattr(rewriting, "write_at", made.write_at)
    return made


async def test_what_a_failed_sync_was_about_is_written_again_before_the_next(
    tmp_path: Path, worker: Worker, disk: Forgetful
):
    file = new_log(tmp_path / "expert.log", worker)
    await file.append([b"one"], 1)
    await file.sync()
    await file.append([b"two"], 2)
    disk.refusals = 1
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        await file.sync()
    (path,) = in_order(tmp_path / "expert.log")
    assert not disk.has(path)
    await file.sync()
    assert disk.has(path)
    await file.close()


async def test_after_it_the_next_write_begins_another_file_and_the_old_one_is_made_safe(
    tmp_path: Path, worker: Worker, disk: Forgetful
):
    file = new_log(tmp_path / "expert.log", worker)
    await file.append([b"one"], 1)
    disk.refusals = 1
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        await file.sync_written()
    assert file.is_to_be_written_again()
    await file.append([b"two"], 2)
    assert "the disk refused to take" in file.take_warning()
    await file.append([b"three"], 3)
    first, second = in_order(tmp_path / "expert.log")
    assert (first.read_bytes(), second.read_bytes()) == (b"one\n", b"two\nthree\n")
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        await file.sync()
    await file.close()
    assert disk.has(first)
    assert disk.has(second)


async def test_a_disk_that_refuses_for_long_is_not_filled_with_files(tmp_path: Path, worker: Worker, disk: Forgetful):
    disk.refusals = 10**6
    file = new_log(tmp_path / "expert.log", worker)
    for number in range(20):
        await file.append([b"line %d" % number], number)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            await file.sync_written()
    assert len(in_order(tmp_path / "expert.log")) == 2
    assert written(tmp_path / "expert.log").count(b"\n") == 20
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        await file.close()


async def test_a_finished_file_that_lost_a_page_is_never_said_to_be_safe(
    tmp_path: Path, worker: Worker, disk: Forgetful
):
    clock = [100.0]
    file = new_log(tmp_path / "expert.log", worker, Rotation(max_bytes=5), clock=lambda: clock[0])
    await file.append([b"one"], 1)
    disk.refusals = 1000  # however often it is asked beside the writes
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        await file.sync()
    await file.append([b"two"], 2)
    (first, _) = in_order(tmp_path / "expert.log")
    first.write_bytes(bytes(4))
    disk.refusals = 0
    for _ in range(3):
        clock[0] += 5.0
        with pytest.raises(OSError, match=r"no longer there|Input/output"):
            await file.sync()
    with pytest.raises(OSError, match="no longer there"):
        await file.close()


@pytest.mark.parametrize("refusals", [1, 2, 3])
async def test_a_batch_is_delivered_when_the_disk_has_it(tmp_path: Path, disk: Forgetful, refusals: int):
    """Once it is tried in place; after that in a file of its own, where it stands as a whole."""
    options = FileOptions(path=tmp_path / "expert.log", fsync="batch")
    async with logging_to(options, log_dir=tmp_path) as runtime:
        log = get_logger("refused")
        log.info("n 0")
        assert await runtime.flush(10.0)
        disk.refusals = refusals
        log.info("n 1")
        assert await runtime.flush(20.0)
        assert disk.refused == refusals
        files = in_order(tmp_path / "expert.log")
        assert len(files) == (1 if refusals == 1 else 2)
        found = [number for path in files for number in numbers(path)]
        assert set(found) == {0, 1}
        assert found.count(1) == len(files)
        ledger = next(iter(runtime.stats().sinks.values())).ledger
        assert ledger.balanced
        assert disk.has(files[-1])
    assert all(map(disk.has, files))
