"""One file of the journal: allocated whole, its owner's alone, and nothing left behind where it cannot be made."""

import errno
import os
import stat
import sys
import threading
from pathlib import Path

import pytest
from support.journals import header

from metaexpert.logger.journal import segments
from metaexpert.logger.journal.segments import JournalSegment, allocate, read_at, write_at
from metaexpert.logger.segment import decode_header, frame, frames

SIZE = 8192
MODES = pytest.mark.parametrize("mapped", [True, False], ids=["mmap", "pwrite"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.journal"


def made(path: Path, *, mapped: bool = True) -> JournalSegment:
    return JournalSegment(path, header(), SIZE, mapped=mapped)


@MODES
class TestFile:
    def test_is_allocated_whole_and_its_owners_alone(self, path: Path, mapped: bool):
        segment = made(path, mapped=mapped)
        status = path.stat()
        assert status.st_size == SIZE
        if sys.platform == "linux":
            assert status.st_blocks * 512 >= SIZE
        if os.name == "posix":
            assert stat.S_IMODE(status.st_mode) == 0o600
        assert decode_header(path.read_bytes()) == (header(), segment.end)
        segment.close(delete=True)
        assert not path.exists()

    def test_frames_and_their_marks_are_in_the_file_at_once(self, path: Path, mapped: bool):
        segment = made(path, mapped=mapped)
        data = frame(7, 8, 1, b"payload")
        segment.write(segment.end, data)
        segment.mark(segment.end, 0)
        segment.mark(segment.end, 9)
        segment.mark(segment.end, 63)
        (found,) = frames(path.read_bytes(), segment.begin)
        assert (found.seq, found.payload, found.mark) == (7, b"payload", 1 | 1 << 9 | 1 << 63)
        assert segment.mark_of(segment.end) == found.mark
        segment.mark_all(segment.end, 6)
        assert next(frames(path.read_bytes(), segment.begin)).mark == 6
        assert segment.frame_at(segment.end)[40:] == b"payload"
        segment.sync()
        assert segment.was_synced
        segment.close(delete=False)
        assert path.exists()

    def test_never_takes_the_place_of_another_file(self, path: Path, mapped: bool):
        path.write_bytes(b"somebody's")
        with pytest.raises(FileExistsError):
            made(path, mapped=mapped)
        assert path.read_bytes() == b"somebody's"

    def test_knows_that_it_is_gone_or_replaced(self, path: Path, mapped: bool):
        segment = made(path, mapped=mapped)
        assert not segment.is_gone()
        path.unlink()
        assert segment.is_gone()
        path.write_bytes(b"another")
        assert segment.is_gone()
        segment.close(delete=False)

    def test_closed_it_takes_nothing_and_says_so(self, path: Path, mapped: bool):
        segment = made(path, mapped=mapped)
        segment.close(delete=False)
        segment.close(delete=False)
        for attempt in (lambda: segment.write(200, b"x"), lambda: segment.mark(200, 1), segment.sync):
            with pytest.raises((OSError, ValueError)):
                attempt()

    def test_forgotten_it_is_full_and_the_file_as_it_was(self, path: Path, mapped: bool):
        segment = made(path, mapped=mapped)
        segment.write(segment.end, frame(1, 1, 1, b"x"))
        before = path.read_bytes()
        segment.forget()
        assert segment.end > segment.size_bytes
        assert path.read_bytes() == before


class TestWithoutRoom:
    @pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system has no such call")
    def test_a_full_disk_is_an_error_here_and_nothing_is_left(self, path: Path, monkeypatch: pytest.MonkeyPatch):
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "posix_fallocate", full)
        with pytest.raises(OSError, match="No space left"):
            made(path)
        assert list(path.parent.iterdir()) == []

    def test_a_map_that_cannot_be_had_leaves_nothing(self, path: Path, monkeypatch: pytest.MonkeyPatch):
        def refused(*_: object) -> None:
            raise OSError(errno.ENOMEM, "no map")

        monkeypatch.setattr(segments.mmap, "mmap", refused)
        with pytest.raises(OSError, match="no map"):
            made(path)
        assert list(path.parent.iterdir()) == []

    def test_where_the_system_cannot_allocate_zeros_are_written(self, path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
        with path.open("wb") as file:
            allocate(file.fileno(), 3 * 1024 * 1024 + 5)
        assert path.stat().st_size == 3 * 1024 * 1024 + 5
        assert not any(path.read_bytes())


class TestSync:
    def test_the_first_one_brings_the_name_to_the_disk_too(self, path: Path, monkeypatch: pytest.MonkeyPatch):
        asked: list[Path] = []
        monkeypatch.setattr(segments, "sync_folder", asked.append)
        segment = made(path)
        segment.sync()
        segment.sync()
        assert asked == [path.parent]
        segment.close(delete=True)

    def test_one_that_fails_is_told_and_counts_for_nothing(self, path: Path, monkeypatch: pytest.MonkeyPatch):
        def refused(_: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        segment = made(path)
        monkeypatch.setattr(segments, "sync_descriptor", refused)
        with pytest.raises(OSError, match="Input/output"):
            segment.sync()
        assert not segment.was_synced
        segment.close(delete=True)

    def test_a_folder_can_be_synced(self, tmp_path: Path):
        segments.sync_folder(tmp_path)


@pytest.mark.parametrize("positioned", [True, False])
def test_writing_and_reading_at_a_place_go_on_after_short_writes(
    path: Path, monkeypatch: pytest.MonkeyPatch, *, positioned: bool
):
    name = "pwrite" if positioned and hasattr(os, "pwrite") else "write"
    whole = getattr(os, name)
    if name == "write":
        monkeypatch.delattr(os, "pwrite", raising=False)
        monkeypatch.delattr(os, "pread", raising=False)
    monkeypatch.setattr(os, name, lambda descriptor, data, *at: whole(descriptor, data[:3], *at))
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0))
    try:
        write_at(descriptor, 4, b"0123456789")
        assert read_at(descriptor, 4, 10) == b"0123456789"
        assert read_at(descriptor, 0, 4) == bytes(4)
    finally:
        os.close(descriptor)


def test_threads_that_share_a_position_do_not_mix_it_up(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(os, "pwrite", raising=False)
    monkeypatch.delattr(os, "pread", raising=False)
    move, other_wrote = os.lseek, threading.Event()

    def slow(descriptor: int, at: int, whence: int) -> int:
        moved = move(descriptor, at, whence)
        if at == 0:
            other_wrote.wait(0.2)  # gives the other thread every chance to move it
        return moved

    monkeypatch.setattr(os, "lseek", slow)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0))
    try:
        first = threading.Thread(target=write_at, args=(descriptor, 0, b"first"))
        first.start()
        write_at(descriptor, 8, b"second")
        other_wrote.set()
        first.join()
        assert read_at(descriptor, 0, 16) == b"first\0\0\0second"
    finally:
        os.close(descriptor)


@pytest.mark.skipif(sys.platform == "win32", reason="needs fcntl")
@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.EIO])
def test_where_there_is_no_full_sync_an_ordinary_one_is_made(path: Path, monkeypatch: pytest.MonkeyPatch, number: int):
    import fcntl

    def refused(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    synced: list[int] = []
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", refused)
    monkeypatch.setattr(os, "fsync", synced.append)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        if number == errno.EIO:
            with pytest.raises(OSError, match=os.strerror(errno.EIO)):
                segments.sync_descriptor(descriptor)
            assert synced == []
        else:
            segments.sync_descriptor(descriptor)
            assert synced == [descriptor]
    finally:
        os.close(descriptor)
