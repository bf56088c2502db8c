"""Writing once more, in place, what a failed sync may have lost."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from metaexpert.logger.files import rewriting
from metaexpert.logger.files.rewriting import write_again
from metaexpert.logger.journal.segments import write_at

LINES = b"".join(b"line %d\n" % number for number in range(5000))


@contextmanager
def appended(path: Path, data: bytes = LINES) -> Generator[int]:
    path.write_bytes(data)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("block_pages", [1, 256])
@pytest.mark.parametrize(
    ("begin", "end"), [(0, len(LINES)), (0, 7), (4095, 4097), (5000, 12_288), (len(LINES), len(LINES))]
)
def test_that_part_is_written_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begin: int, end: int, block_pages: int
):
    done: list[tuple[int, bytes]] = []

    def noted(descriptor: int, at: int, data: bytes) -> None:
        done.append((at, data))
        write_at(descriptor, at, data)

    monkeypatch.setattr(rewriting, "write_at", noted)
    monkeypatch.setattr(rewriting, "_BLOCK_BYTES", 4096 * block_pages)
    path = tmp_path / "expert.log"
    with appended(path) as descriptor:
        os.utime(path, (1000.0, 1000.0))
        write_again(path, descriptor, begin, end)
        assert path.stat().st_mtime == 1000.0
        os.write(descriptor, b"more\n")
    assert path.read_bytes() == LINES + b"more\n"
    assert b"".join(data for _, data in done) == LINES[begin:end]
    assert not done or done[0][0] == begin


@pytest.mark.parametrize(("begin", "end"), [(4096, 8192), (4000, 4096), (8192, len(LINES)), (10, 9000)])
def test_a_page_that_came_back_empty_is_told(tmp_path: Path, begin: int, end: int):
    data = LINES[:begin] + bytes(end - begin) + LINES[end:]
    path = tmp_path / "expert.log"
    with appended(path, data) as descriptor, pytest.raises(OSError, match="no longer there"):
        write_again(path, descriptor, begin, len(data))


def test_a_file_that_became_shorter_is_told(tmp_path: Path):
    path = tmp_path / "expert.log"
    with appended(path) as descriptor, pytest.raises(OSError, match="no longer there"):
        write_again(path, descriptor, 0, len(LINES) + 1)


def test_another_file_of_that_name_is_left_alone(tmp_path: Path):
    path = tmp_path / "expert.log"
    with appended(path) as descriptor:
        path.rename(tmp_path / "moved")
        path.write_bytes(b"mine")
        with pytest.raises(OSError, match="another file"):
            write_again(path, descriptor, 0, 4)
    assert path.read_bytes() == b"mine"
