"""Files made of others: whole and verified under their final name, or not there at all; what a kill leaves is swept."""

import gzip
import os
import random
import stat
import subprocess
import threading
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.log_files import BEGAN_AT, QUICK, content, names, written

from metaexpert.exceptions import ConfigError
from metaexpert.logger.files.keeping import packing, transfer
from metaexpert.logger.files.keeping.pace import Pace, StoppedError
from metaexpert.logger.files.keeping.packing import packer, unpacked
from metaexpert.logger.files.keeping.transfer import DamageError, digest, sweep
from metaexpert.logger.files.ownership import hold

PACKINGS = pytest.mark.parametrize("suffix", [".gz", ".zst"])
NOISE = random.Random(7).randbytes(700_000)


@PACKINGS
class TestPacking:
    def test_the_content_comes_back_and_mode_and_time_stay(self, tmp_path: Path, suffix: str):
        file = written(tmp_path / "expert.log", data=NOISE)
        target = file.packed(suffix).path
        made = transfer.transfer(file.path, target, QUICK, packing=suffix)
        assert made.size_bytes == len(NOISE)
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        assert target.stat().st_mtime == BEGAN_AT + 1
        with unpacked(target) as stream:
            assert stream.read() == NOISE
        assert names(tmp_path) == ["expert.0001.log", f"expert.0001.log{suffix}"]

    def test_other_programs_read_it(self, tmp_path: Path, suffix: str):
        file = written(tmp_path / "expert.log")
        target = file.packed(suffix).path
        transfer.transfer(file.path, target, QUICK, packing=suffix)
        program = {".gz": "gzip", ".zst": "zstd"}[suffix]
        try:
            done = subprocess.run([program, "-dc", str(target)], capture_output=True, check=True)
        except FileNotFoundError:
            pytest.skip(f"no {program} here")
        assert done.stdout == content(1)

    @settings(max_examples=25, deadline=None)
    @given(data=st.binary(max_size=2000), pieces=st.lists(st.integers(1, 500), max_size=8))
    def test_whatever_pieces_it_comes_in(
        self, tmp_path_factory: pytest.TempPathFactory, suffix: str, data: bytes, pieces: list[int]
    ):
        packing_now, packed, rest = packer(suffix), b"", data
        for size in pieces:
            packed, rest = packed + packing_now.compress(rest[:size]), rest[size:]
        path = tmp_path_factory.mktemp("pieces") / f"packed{suffix}"
        path.write_bytes(packed + packing_now.compress(rest) + packing_now.flush())
        with unpacked(path) as stream:
            assert stream.read() == data

    @pytest.mark.parametrize("harm", ["cut", "flipped", "empty of sense"])
    def test_damage_is_found(self, tmp_path: Path, suffix: str, harm: str):
        file = written(tmp_path / "expert.log", data=NOISE)
        target = file.packed(suffix).path
        transfer.transfer(file.path, target, QUICK, packing=suffix)
        packed = bytearray(target.read_bytes())
        match harm:
            case "cut":
                del packed[-100:]
            case "flipped":
                packed[len(packed) // 2] ^= 0x10
            case _:
                packed[:] = b"no such thing"
        target.write_bytes(packed)
        with pytest.raises(DamageError, match=r"0001\.log"):
            digest(target, QUICK)
        with pytest.raises(DamageError):
            transfer.transfer(target, tmp_path / "copy.log", QUICK, unpack=True)
        assert not (tmp_path / "copy.log").exists()


def test_zstd_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(packing, "_HAS_OWN_ZSTD", False)
    monkeypatch.setitem(__import__("sys").modules, "backports.zstd", None)
    monkeypatch.delattr("backports.zstd", raising=False)
    with pytest.raises(ConfigError, match=r"pip install 'metaexpert\[zstd\]'"):
        packing.zstd()


def test_a_disk_that_gives_back_something_else_is_found_before_the_name_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = written(tmp_path / "expert.log")
    bring_to_disk = transfer._bring_to_disk

    def forgetful(made: BinaryIO) -> None:
        bring_to_disk(made)
        os.pwrite(made.fileno(), gzip.compress(b"other"), 0)

    monkeypatch.setattr(transfer, "_bring_to_disk", forgetful)
    with pytest.raises(DamageError):
        transfer.transfer(file.path, file.packed(".gz").path, QUICK, packing=".gz")
    assert names(tmp_path) == ["expert.0001.log"]


def test_work_that_is_told_to_stop_leaves_nothing_behind(tmp_path: Path):
    stop = threading.Event()
    file = written(tmp_path / "expert.log", data=NOISE)
    stop.set()
    with pytest.raises(StoppedError):
        transfer.transfer(file.path, file.packed(".gz").path, Pace(stop), packing=".gz")
    assert names(tmp_path) == ["expert.0001.log"]


class TestSweep:
    def test_temporary_files_of_the_dead_go_and_all_else_stays(self, tmp_path: Path):
        file = written(tmp_path / "expert.log")
        dead = [
            file.path.with_name(f"{file.path.name}.gz.tmp-1-aa"),
            file.path.with_name(f"{file.path.name}.tmp-1-aa"),
            file.path.with_name(f"{file.chain.name}.tmp-1-aa"),
        ]
        others = [tmp_path / name for name in ("mine.tmp", "expert.log.tmp", "notes.log.tmp-1-aa", "x.tmp-1")]
        for path in (*dead, *others):
            path.write_bytes(b"half")
        assert sorted(sweep(tmp_path, 0.0)) == sorted(dead)
        assert all(path.exists() for path in (*others, file.path))

    def test_those_of_the_living_stay(self, tmp_path: Path):
        file = written(tmp_path / "expert.log")
        path = file.path.with_name(f"{file.path.name}.gz.tmp-1-aa")
        with path.open("wb") as made:
            hold(made.fileno())
            assert sweep(tmp_path, 0.0) == []
        assert sweep(tmp_path, 0.0) == [path]

    def test_a_link_in_the_making_goes_when_it_is_an_hour_old(self, tmp_path: Path):
        file = written(tmp_path / "expert.log")
        link = tmp_path / f"expert.log.{file.run}.tmp"
        link.symlink_to(file.path.name)
        made_at = link.lstat().st_mtime
        assert sweep(tmp_path, made_at + 3000) == []
        assert sweep(tmp_path, made_at + 4000) == [link]

    def test_a_folder_that_is_not_there_has_nothing_to_sweep(self, tmp_path: Path):
        assert sweep(tmp_path / "none", 0.0) == []
