"""Which file a rotation moves where, and what happens to one whose last line is torn."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger.files.rotation import rotate, set_torn_aside


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


class TestRotate:
    def test_files_move_up_one_and_the_last_gives_way(self, tmp_path: Path):
        log = tmp_path / "expert.log"
        for generation in range(6):
            log.write_text(f"g{generation}")
            rotate(log, 3)
        assert contents(tmp_path) == {"expert.log.1": "g5", "expert.log.2": "g4", "expert.log.3": "g3"}

    def test_one_backup_is_replaced_each_time(self, tmp_path: Path):
        log = tmp_path / "expert.log"
        for text in ("old", "new"):
            log.write_text(text)
            rotate(log, 1)
        assert contents(tmp_path) == {"expert.log.1": "new"}

    def test_a_hole_in_the_row_is_no_trouble(self, tmp_path: Path):
        log = tmp_path / "expert.log"
        log.write_text("now")
        (tmp_path / "expert.log.2").write_text("two")
        rotate(log, 5)
        assert contents(tmp_path) == {"expert.log.1": "now", "expert.log.3": "two"}

    def test_other_files_are_left_alone(self, tmp_path: Path):
        log = tmp_path / "expert.log"
        others = {"expert.log.10": "mine", "expert.log.bak": "mine", "trades.log.1": "mine", "expert.log.1.gz": "mine"}
        for name, text in others.items():
            (tmp_path / name).write_text(text)
        log.write_text("now")
        rotate(log, 3)
        assert contents(tmp_path) == {**others, "expert.log.1": "now"}

    def test_a_file_that_cannot_be_moved_is_still_in_place(self, tmp_path: Path):
        log = tmp_path / "expert.log"
        log.write_text("now")
        (tmp_path / "expert.log.1").mkdir()
        with pytest.raises(OSError, match=r"expert\.log"):
            rotate(log, 1)
        assert log.read_text() == "now"

    def test_a_missing_file_is_an_error(self, tmp_path: Path):
        with pytest.raises(FileNotFoundError):
            rotate(tmp_path / "expert.log", 2)


class TestTornFile:
    @pytest.mark.parametrize("data", [b"", b"one\n", b"one\ntwo\n", b"\n"])
    def test_one_that_ends_well_stays(self, tmp_path: Path, data: bytes):
        log = tmp_path / "expert.log"
        log.write_bytes(data)
        assert set_torn_aside(log) is None
        assert log.read_bytes() == data

    def test_a_missing_one_is_not_torn(self, tmp_path: Path):
        assert set_torn_aside(tmp_path / "expert.log") is None
        assert contents(tmp_path) == {}

    @given(data=st.binary(min_size=1).filter(lambda data: not data.endswith(b"\n")))
    def test_a_torn_one_is_moved_as_it_is(self, tmp_path_factory: pytest.TempPathFactory, data: bytes):
        log = tmp_path_factory.mktemp("torn") / "expert.log"
        log.write_bytes(data)
        aside = set_torn_aside(log)
        assert aside is not None
        assert aside.parent == log.parent
        assert aside.name.startswith("expert.log.")
        assert aside.read_bytes() == data
        assert not log.exists()

    def test_two_torn_ones_do_not_overwrite_each_other(self, tmp_path: Path):
        log = tmp_path / "expert.log"
        found: set[Path | None] = set()
        for _ in range(3):
            log.write_bytes(b"torn")
            found.add(set_torn_aside(log))
        assert len(found) == 3
        assert all(path is not None and path.exists() for path in found)
