"""The log's own name: it leads to the file begun last, and what is somebody else's is kept."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from support.written_logs import IDENTITY, listed

from metaexpert.logger.files.links import is_written_directly, leads_to_a_file, point, release
from metaexpert.logger.files.names import LogFile
from metaexpert.logger.identity import Identity


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "expert.log"


@pytest.fixture
def file(log: Path) -> LogFile:
    made = LogFile.first(log, IDENTITY)
    made.path.write_bytes(b"ours\n")
    return made


@pytest.fixture
def no_symbolic_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path, _target: Path) -> None:
        raise PermissionError("a required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)


@pytest.fixture
def no_links(no_symbolic_links: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path, _target: Path) -> None:
        raise PermissionError(f"no links here at all, symbolic or not: {no_symbolic_links}")

    monkeypatch.setattr(Path, "hardlink_to", refuse)


def aside(log: Path) -> list[Path]:
    return [path for path in listed(log.parent) if path.name.startswith("expert.aside-")]


class TestPoint:
    def test_it_leads_to_the_bare_name_so_that_the_folder_can_be_moved(self, log: Path, file: LogFile, tmp_path: Path):
        assert point(file) == (True, None)
        assert log.readlink() == Path(file.path.name)
        moved = tmp_path.rename(tmp_path.with_name(f"{tmp_path.name}-moved"))
        assert (moved / "expert.log").read_bytes() == b"ours\n"

    def test_it_is_led_from_file_to_file(self, log: Path, file: LogFile):
        point(file)
        file.next().path.write_bytes(b"next\n")
        assert point(file.next()) == (True, None)
        assert log.read_bytes() == b"next\n"
        assert len(listed(log.parent)) == 3

    def test_one_that_led_to_a_file_that_is_gone_is_ours_too(self, log: Path, file: LogFile):
        log.symlink_to(f"{file.next().path.name}")
        assert point(file) == (True, None)
        assert log.read_bytes() == b"ours\n"

    @pytest.mark.usefixtures("no_symbolic_links")
    def test_where_there_are_no_symbolic_links_it_is_a_hard_one(self, log: Path, file: LogFile):
        assert point(file) == (True, None)
        assert not log.is_symlink()
        assert log.samefile(file.path)
        file.next().path.write_bytes(b"next\n")
        assert point(file.next()) == (True, None)
        assert log.samefile(file.next().path)

    @pytest.mark.usefixtures("no_links")
    def test_where_there_are_none_the_files_are_without(self, log: Path, file: LogFile):
        assert point(file) == (False, None)
        assert listed(log.parent) == [file.path]

    def test_a_file_of_somebody_else_is_kept_under_another_name(self, log: Path, file: LogFile):
        for content in (b"first\n", b"second\n"):
            log.unlink(missing_ok=True)
            log.write_bytes(content)
            is_linked, kept = point(file)
            assert is_linked
            assert kept in aside(log)
        assert sorted(path.read_bytes() for path in aside(log)) == [b"first\n", b"second\n"]

    def test_it_is_kept_when_another_process_sets_it_aside_at_the_same_moment(
        self, log: Path, file: LogFile, monkeypatch: pytest.MonkeyPatch
    ):
        log.write_bytes(b"theirs\n")
        other = replace(file, number=7)
        other.path.write_bytes(b"of the other process\n")
        rename = Path.replace

        def slower(source: Path, target: Path) -> Path:
            monkeypatch.setattr(Path, "replace", rename)
            assert point(other)[1] is not None
            return source.replace(target)

        monkeypatch.setattr(Path, "replace", slower)
        assert point(file) == (True, None)
        assert [path.read_bytes() for path in aside(log)] == [b"theirs\n"]
        assert log.read_bytes() == b"ours\n"

    def test_nothing_is_left_of_a_name_that_could_not_be_used(
        self, log: Path, file: LogFile, monkeypatch: pytest.MonkeyPatch
    ):
        def refuse(_path: Path, _target: Path) -> Path:
            raise PermissionError("in use")

        log.write_bytes(b"theirs\n")
        monkeypatch.setattr(Path, "replace", refuse)
        with pytest.raises(PermissionError):
            point(file)
        assert log.read_bytes() == b"theirs\n"
        assert not aside(log)

    def test_so_is_a_link_to_elsewhere(self, log: Path, file: LogFile, tmp_path: Path):
        (tmp_path / "other.txt").write_bytes(b"theirs\n")
        log.symlink_to("other.txt")
        point(file)
        assert log.read_bytes() == b"ours\n"
        (kept,) = aside(log)
        assert kept.readlink() == Path("other.txt")

    def test_a_folder_stays_where_it_is(self, log: Path, file: LogFile):
        log.mkdir()
        with pytest.raises(IsADirectoryError):
            point(file)
        assert log.is_dir()

    def test_what_a_kill_left_half_way_is_written_over(self, log: Path, file: LogFile):
        left = log.with_name(f"{log.name}.{file.run}.tmp")
        left.symlink_to("nowhere")
        assert point(file) == (True, None)
        assert not left.is_symlink()


class TestLeadsToAFile:
    def test_of_any_process(self, log: Path, file: LogFile):
        other = LogFile.first(log, Identity(service="other"))
        other.path.touch()
        log.symlink_to(other.path.name)
        assert leads_to_a_file(log)
        assert file.path.exists()

    def test_not_to_one_that_is_gone(self, log: Path, file: LogFile):
        point(file)
        file.path.unlink()
        assert not leads_to_a_file(log)
        assert leads_to_a_file(log, or_to_one_that_was=True)

    def test_not_to_another_logs(self, log: Path, tmp_path: Path):
        other = LogFile.first(tmp_path / "errors.log", IDENTITY)
        other.path.touch()
        log.symlink_to(other.path.name)
        assert not leads_to_a_file(log)

    def test_not_when_there_is_none(self, log: Path):
        assert not leads_to_a_file(log)


class TestRelease:
    @pytest.mark.usefixtures("no_symbolic_links")
    def test_a_hard_link_goes_with_its_file(self, log: Path, file: LogFile):
        point(file)
        release(file.next())
        assert log.exists()
        release(file)
        assert not log.exists()
        assert file.path.exists()

    def test_anything_else_stays(self, log: Path, file: LogFile):
        release(file)
        point(file)
        release(file)
        assert log.is_symlink()


class TestWrittenDirectly:
    def test_a_device_is(self, log: Path):
        log.symlink_to(os.devnull)
        assert is_written_directly(log)

    def test_files_and_nothing_are_not(self, log: Path):
        assert not is_written_directly(log)
        log.touch()
        assert not is_written_directly(log)

    def test_a_folder_is_an_error(self, log: Path):
        log.mkdir()
        with pytest.raises(IsADirectoryError):
            is_written_directly(log)
