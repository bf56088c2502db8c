"""Compressed files: what stands behind a damaged place, and what is told where nothing can unpack them."""

import gzip
import random
import sys
import zlib
from contextlib import suppress
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


def lines(first: int, count: int) -> bytes:
    return b"".join(b'{"n":%d,"text":"%d"}\n' % (n, n * 7919) for n in range(first, first + count))


def zstd(content: bytes) -> bytes:
    module = pytest.importorskip("backports.zstd" if sys.version_info < (3, 14) else "compression.zstd")
    return module.compress(content, options={module.CompressionParameter.checksum_flag: 1})


PACKERS = {".gz": gzip.compress, ".zst": zstd}


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("count", [3, 1_000, 40_000])
def test_a_bad_checksum_costs_no_entry(tmp_path: Path, packing: str, count: int):
    """What was decoded with the piece in which the damage is noticed, up to 256 KiB, was lost."""
    path, report = tmp_path / f"old.log{packing}", ReadReport()
    content, more = lines(0, count), lines(count, 3)
    hurt = bytearray(PACKERS[packing](content))
    hurt[-8 if packing == ".gz" else -1] ^= 0xFF
    path.write_bytes(bytes(hurt) + PACKERS[packing](more))
    assert b"".join(unpacked(Source.at(path), report)) == content + more
    assert (report.damaged, report.places[0].offset) == (1, len(content))


@pytest.mark.parametrize("packing", PACKERS)
def test_a_cut_tail_gives_all_before_it(tmp_path: Path, packing: str):
    content = lines(0, 40_000)
    whole = PACKERS[packing](content)
    for cut in (1, 5, len(whole) // 2):
        path, report = tmp_path / f"{cut}.log{packing}", ReadReport()
        path.write_bytes(whole[:-cut])
        found = b"".join(unpacked(Source.at(path), report))
        assert content.startswith(found)
        assert len(found) >= (
            len(content) if cut == 1 or (packing == ".gz" and cut == 5) else len(content) // 2 - 150_000
        )
        assert report.damaged == 1


def test_all_that_can_be_decoded_before_a_damaged_place_is_given(tmp_path: Path):
    """As much as decoding byte by byte gives."""
    content = lines(0, 30_000)
    hurt = bytearray(gzip.compress(content))
    hurt[len(hurt) * 2 // 3] ^= 0xFF
    path, report = tmp_path / "old.log.gz", ReadReport()
    path.write_bytes(bytes(hurt) + gzip.compress(b"behind it\n"))
    found = b"".join(unpacked(Source.at(path), report))
    one, possible = zlib.decompressobj(31), bytearray()
    with suppress(zlib.error):
        for byte in hurt:
            data = bytes([byte])
            while data:
                possible += one.decompress(data, 1)
                data = one.unconsumed_tail
    assert len(possible) > len(content) // 2
    assert found.removesuffix(b"behind it\n").rstrip(b"\n") == possible.rstrip(b"\n")
    assert found.endswith(b"\nbehind it\n"), "the next member begins a line of its own"
    assert report.damaged == 1


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
    assert report.faults == [f"{path}: Input/output error while it was read"]
