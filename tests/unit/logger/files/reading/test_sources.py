"""Which files are read: each once, whatever names it has."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.readable_logs import START_NS, Folder, json_line

from metaexpert.logger.files.names import OPERATIONS
from metaexpert.logger.files.reading.sources import ReadError, Source, sources_in

LINE = json_line(START_NS)


def names(sources: tuple[Source, ...]) -> list[str]:
    return sorted(source.path.name for source in sources)


def test_a_folder_gives_its_log_files_and_nothing_else(tmp_path: Path):
    folder = Folder(tmp_path)
    first, second = folder.write([LINE]), folder.pack(folder.write([LINE], 2))
    for name in ("old.log", "old.log.1", "old.log.2.gz", "other.jsonl"):
        (tmp_path / name).write_bytes(LINE + b"\n")
    for name in (f"{first.name}.chain", f"{first.name}.gz.tmp", "notes.txt", "expert.seals", "journal.bin"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "below").mkdir()
    expected = [first.name, second.name, "old.log", "old.log.1", "old.log.2.gz", "other.jsonl"]
    assert names(sources_in([tmp_path])) == sorted(expected)


def test_the_record_of_commands_is_no_log_of_the_folder_but_can_be_asked_for(tmp_path: Path):
    file = Folder(tmp_path).write([LINE])
    (tmp_path / OPERATIONS).write_bytes(b'{"time": "2026-11-23T17:15:42+00:00", "command": "logs hold add"}\n')
    assert names(sources_in([tmp_path])) == [file.name]
    assert names(sources_in([tmp_path / OPERATIONS])) == [OPERATIONS]


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_the_link_of_a_logs_name_is_not_read_twice(tmp_path: Path, link: Callable[[Path, Path], None]):
    file = Folder(tmp_path).write([LINE])
    link(file, tmp_path / "expert.log")
    assert names(sources_in([tmp_path])) == [file.name]
    assert names(sources_in([tmp_path / "expert.log"])) == [file.name]
    assert names(sources_in([tmp_path, tmp_path / "expert.log", file])) == [file.name]


def test_a_logs_name_gives_the_files_of_that_log(tmp_path: Path):
    folder = Folder(tmp_path)
    mine = [folder.write([LINE]).name, folder.write([LINE], 2).name, "expert.log.1"]
    (tmp_path / "expert.log.1").write_bytes(LINE)
    folder.write([LINE], log="trades")
    assert names(sources_in([tmp_path / "expert.log"])) == sorted(mine)
    assert names(sources_in([tmp_path], "expert")) == sorted(mine)
    assert names(sources_in([tmp_path], "expert.log")) == sorted(mine)


def test_what_is_there_plain_and_compressed_or_in_two_places_is_read_once(tmp_path: Path):
    live, archive = Folder(tmp_path / "live"), Folder(tmp_path / "archive")
    live.path.mkdir()
    archive.path.mkdir()
    plain = live.write([LINE])
    live.pack(plain)
    live.write([LINE])
    archive.pack(archive.write([LINE]))
    assert [each.path for each in sources_in([archive.path, live.path])] == [plain]
    plain.unlink()
    assert [each.path.parent for each in sources_in([archive.path, live.path])] == [archive.path]


def test_a_place_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(ReadError, match="no such folder, log or file"):
        sources_in([tmp_path / "nothing.log"])
    with pytest.raises(ReadError, match="no such folder, log or file"):
        sources_in([tmp_path / "nowhere" / "expert.log"])
    assert sources_in([tmp_path]) == ()
