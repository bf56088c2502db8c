"""What a folder lies on, by the system's list of mounts."""

import os
import sys
from pathlib import Path

import pytest

from metaexpert.logger.journal import medium
from metaexpert.logger.journal.medium import file_system_of, machine_start, may_map


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "mountinfo"
    monkeypatch.setattr(medium, "_MOUNTS", path)
    return path


def line(folder: Path, kind: str, options: str = "shared:1") -> str:
    device = folder.stat().st_dev
    return f"36 35 {os.major(device)}:{os.minor(device)} / /mnt rw,noatime {options} - {kind} /dev/x rw\n"


@pytest.mark.skipif(not hasattr(os, "major"), reason="needs POSIX device numbers")
class TestMounts:
    @pytest.mark.parametrize("options", ["", "shared:1", "shared:1 master:2"])
    def test_the_type_stands_behind_any_number_of_options(self, mounts: Path, tmp_path: Path, options: str):
        mounts.write_text("1 0 999:999 / / rw - btrfs x rw\n" + line(tmp_path, "ext4", options))
        assert file_system_of(tmp_path) == "ext4"

    def test_the_last_mount_of_a_device_counts(self, mounts: Path, tmp_path: Path):
        mounts.write_text(line(tmp_path, "ext4") + line(tmp_path, "xfs"))
        assert file_system_of(tmp_path) == "xfs"

    @pytest.mark.parametrize(
        ("kind", "safe"),
        [
            *((kind, True) for kind in ("ext4", "xfs", "tmpfs", "overlay")),
            *((kind, False) for kind in ("btrfs", "zfs", "nfs4", "9p", "fuse", "fuse.sshfs")),
        ],
    )
    def test_where_a_map_is_safe(self, mounts: Path, tmp_path: Path, kind: str, safe: bool):
        mounts.write_text(line(tmp_path, kind))
        assert may_map(tmp_path) is safe

    @pytest.mark.parametrize("text", ["", "\n\n", "36 35\n", "garbage - \n"])
    def test_an_unknown_one_is_taken_for_an_ordinary_disk(self, mounts: Path, tmp_path: Path, text: str):
        mounts.write_text(text)
        assert file_system_of(tmp_path) is None
        assert may_map(tmp_path)


def test_without_such_a_list_nothing_is_known(mounts: Path, tmp_path: Path):
    assert not mounts.exists()
    assert file_system_of(tmp_path) is None
    assert file_system_of(tmp_path / "nowhere") is None


def test_this_start_of_the_machine_has_one_name():
    assert machine_start() == machine_start() != ""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is always so")
def test_where_the_system_names_none_it_is_told_by_its_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(medium, "_BOOT_ID", tmp_path / "nowhere")
    assert machine_start.__wrapped__().startswith("minute-")
