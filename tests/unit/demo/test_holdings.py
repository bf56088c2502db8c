"""Log files are read back whole, rotated ones included."""

from pathlib import Path

from metaexpert.demo.holdings import read_log
from metaexpert.logger.files.names import LogFile
from metaexpert.logger.identity import Identity


def line(entry_id: str, log_type: str = "general") -> str:
    return f'{{"id":"{entry_id}","level":"INFO","logger":"demo","log_type":"{log_type}"}}\n'


def file_of(folder: Path, name: str = "expert.log") -> LogFile:
    return LogFile.first(folder / name, Identity(service="demo"))


def test_all_files_of_a_log_are_read_and_none_of_them_twice(tmp_path: Path):
    first, other_run = file_of(tmp_path), file_of(tmp_path)
    first.path.write_text(line("a-1"))
    first.next().path.write_text(line("a-2", "gap"))
    other_run.path.write_text(line("a-3"))
    (tmp_path / "expert.log").symlink_to(other_run.path.name)
    file_of(tmp_path, "other.log").path.write_text(line("a-9"))
    holding = read_log(tmp_path / "expert.log")
    assert set(holding.kinds) == {"a-1", "a-2", "a-3"}
    assert (len(holding.gaps), holding.by_logger, holding.copies, holding.unreadable) == (1, {"demo": 3}, 0, 0)


def test_copies_and_torn_lines_are_counted(tmp_path: Path):
    file_of(tmp_path).path.write_text(line("a-1") + line("a-1") + line("a-2") + '[1]\n{"id":"a-3"}\n{"id":"a-')
    holding = read_log(tmp_path / "expert.log")
    assert (len(holding.kinds), holding.copies, holding.unreadable) == (2, 1, 3)


def test_a_file_that_is_not_there_holds_nothing(tmp_path: Path):
    assert len(read_log(tmp_path / "none.log").kinds) == 0
