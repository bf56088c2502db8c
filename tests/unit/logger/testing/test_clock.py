"""The fake clock stands still until it is told to move, and fits wherever our classes take a clock."""

from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest
from support.written_logs import new_log

from metaexpert.logger.jobs import Jobs, Worker
from metaexpert.logger.retry import parse_retry_after
from metaexpert.logger.testing import FakeClock


def test_time_stands_still_until_it_is_advanced():
    clock = FakeClock(wall_seconds=100.0, monotonic_seconds=5.0)
    assert (clock.time(), clock.time_ns(), clock.monotonic()) == (100.0, 100_000_000_000, 5.0)
    clock.advance(0.25)
    assert (clock.time(), clock.time_ns(), clock.monotonic()) == (100.25, 100_250_000_000, 5.25)


def test_small_steps_add_up_exactly():
    clock = FakeClock(monotonic_seconds=0.0)
    for _ in range(1000):
        clock.advance(0.1)
    assert clock.monotonic() == 100.0


def test_a_jump_moves_the_wall_clock_alone():
    clock = FakeClock(wall_seconds=100.0, monotonic_seconds=5.0)
    clock.jump(-30)
    assert (clock.time(), clock.monotonic()) == (70.0, 5.0)


def test_time_never_passes_backwards():
    with pytest.raises(ValueError, match=r"cannot advance by -1 s.*jump"):
        FakeClock().advance(-1)


def test_it_is_the_clock_of_a_retry_after_date():
    clock = FakeClock()
    header = format_datetime(datetime.fromtimestamp(clock.time() + 90, UTC), usegmt=True)
    assert parse_retry_after(header, clock.time) == 90.0
    clock.advance(60)
    assert parse_retry_after(header, clock.time) == 30.0


async def test_it_is_the_clock_of_a_file_that_looks_after_itself_every_second(tmp_path: Path):
    clock, worker = FakeClock(), Worker(Jobs(), "clock")
    file = new_log(tmp_path / "a.log", worker, clock=clock.monotonic)
    await file.append([b"one"], 1)
    (tmp_path / "a.log").unlink()
    await file.append([b"two"], 2)
    assert not (tmp_path / "a.log").exists()
    clock.advance(1.0)
    await file.append([b"three"], 3)
    assert (tmp_path / "a.log").read_bytes() == b"three\n"
    await file.close()
    worker.close()
