"""What is known of the clock, as it is kept on disk."""

from pathlib import Path

import pytest

from metaexpert.logger.files.keeping import clock_record
from metaexpert.logger.files.keeping.clock_record import CLOCK_FILE, record, recorded, up_time
from metaexpert.logger.files.keeping.clock_trust import ClockReading, ClockTrust

TRUST = ClockTrust(seen=ClockReading(1_790_000_000.5, 12.25, "boot"), wait_seconds=7.0, leaps=3)


def test_what_was_taken_down_is_found_again(tmp_path: Path):
    assert recorded(tmp_path) is None
    record(tmp_path, ClockTrust(seen=ClockReading(1.0, 2.0, "a longer name of a boot than the next one"), leaps=10**9))
    record(tmp_path, TRUST)
    assert recorded(tmp_path) == TRUST
    assert (tmp_path / CLOCK_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("at", [0, 9, 40, 100])
def test_a_damaged_one_is_none(tmp_path: Path, at: int):
    record(tmp_path, TRUST)
    data = bytearray((tmp_path / CLOCK_FILE).read_bytes())
    data[at] ^= 1
    (tmp_path / CLOCK_FILE).write_bytes(data)
    assert recorded(tmp_path) is None


@pytest.mark.parametrize("data", [b"", b"\n", b"00000000 {}\n", b"8d3f1f2a [1]", b"\xff\xfe"])
def test_what_is_no_record_is_none(tmp_path: Path, data: bytes):
    (tmp_path / CLOCK_FILE).write_bytes(data)
    assert recorded(tmp_path) is None


def test_times_of_this_boot_go_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (first, boot), (second, same) = up_time(), up_time()
    assert second >= first
    assert boot == same
    monkeypatch.setattr(clock_record, "_BOOT_ID", tmp_path / "nowhere")
    assert up_time()[1].startswith("process ")
