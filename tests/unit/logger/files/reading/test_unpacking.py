"""Compressed files: what stands behind a damaged place, and what is told where nothing can unpack them."""

import gzip
import random
import sys
from pathlib import Path

import pytest

from metaexpert.logger.files.reading.report import ReadReport
from metaexpert.logger.files.reading.sources import ReadError, Source
from metaexpert.logger.files.reading.unpacking import unpacked


def test_the_member_behind_one_damaged_far_from_its_begin_is_read(tmp_path: Path):
    path, report = tmp_path / "old.log.gz", ReadReport()
    hurt = bytearray(gzip.compress(random.Random(1).randbytes(900_000)))
    hurt[-8] ^= 0xFF  # its checksum, pieces behind its begin
    path.write_bytes(bytes(hurt) + gzip.compress(b"behind it\n"))
    content = b"".join(unpacked(Source.at(path), report))
    assert content.endswith(b"behind it\n")
    assert (content.count(b"behind it\n"), report.damaged) == (1, 1)


def test_a_zstd_file_without_what_reads_it_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "old.log.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd")
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ReadError, match=r"install metaexpert\[zstd\], or Python 3\.14"):
        next(unpacked(Source.at(path), ReadReport()))


@pytest.mark.skipif(sys.platform != "linux", reason="a file that opens and cannot be read is one of Linux")
def test_what_the_disk_does_not_give_is_told_and_ends_nothing(tmp_path: Path):
    path, report = tmp_path / "old.log.gz", ReadReport()
    path.symlink_to("/proc/self/mem")  # nothing is at its begin: EIO
    assert list(unpacked(Source.at(path), report)) == []
    assert report.notes == [f"{path}: Input/output error while it was read"]
