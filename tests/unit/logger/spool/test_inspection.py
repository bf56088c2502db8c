"""Looking at disk queues from outside, dropping what ended runs left, and taking it over."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fake_sinks import capture

from metaexpert.logger.entry import Lane
from metaexpert.logger.spool.inspection import (
    drop,
    queue_folders,
    queue_state,
    taken_over,
    waiting_entries,
)
from metaexpert.logger.spool.queue import SegmentSpool
from metaexpert.logger.spool.spool import SpoolLimits

_open: list[SegmentSpool] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while _open:
        _open.pop().close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "loki-loki"


def filled(folder: Path, boot: str, *levels: int) -> SegmentSpool:
    spool = SegmentSpool(folder, boot, os.getpid(), SpoolLimits(max_bytes=10**8))
    _open.append(spool)
    spool.append(
        [capture(at, level, time_ns=1000 + at) for at, level in enumerate(levels)],
        [b"part %d" % level for level in levels],
    )
    return spool


def ended(folder: Path, boot: str, *levels: int) -> None:
    filled(folder, boot, *levels).close()
    _open.pop()


def test_folders_are_listed_by_name_and_none_where_there_is_no_spool(tmp_path: Path, folder: Path) -> None:
    assert queue_folders(tmp_path) == []
    ended(folder, "0a", 20)
    ended(folder.with_name("elasticsearch-es"), "0a", 20)
    assert queue_folders(tmp_path) == [folder.with_name("elasticsearch-es"), folder]


def test_a_queue_tells_what_waits_and_whether_its_owner_lives(folder: Path) -> None:
    ended(folder, "0a", 10, 20, 40, 20)
    state = queue_state(folder)
    assert (state.name, state.alive, state.entries) == ("loki-loki", False, 4)
    assert state.by_lane == {Lane.DEBUG: 1, Lane.INFO: 2, Lane.ERROR: 1}
    assert (state.oldest_ns, state.newest_ns) == (1000, 1003)
    assert state.size_bytes == sum(path.stat().st_size for path in folder.glob("*.segment"))
    filled(folder, "0b", 20)
    assert (queue_state(folder).alive, queue_state(folder).entries) == (True, 5)


def test_entries_come_in_the_order_of_their_arrival(folder: Path) -> None:
    ended(folder, "0a", 10, 40, 10, 20)
    filled(folder, "0b", 30)
    found = list(waiting_entries(folder))
    assert [entry.part for entry in found] == [b"part 10", b"part 40", b"part 10", b"part 20", b"part 30"]
    assert [entry.lane for entry in found] == [Lane.DEBUG, Lane.ERROR, Lane.DEBUG, Lane.INFO, Lane.WARNING]
    assert [entry.seq for entry in found] == [0, 1, 2, 3, 0]
    assert found[0].run.startswith("0a-")


def test_dropping_leaves_what_a_live_run_has(folder: Path) -> None:
    ended(folder, "0a", 10, 20)
    filled(folder, "0b", 30)
    dropped = drop(folder)
    assert (dropped.entries, dropped.left_entries) == (2, 1)
    assert dropped.size_bytes > 0
    assert [entry.part for entry in waiting_entries(folder)] == [b"part 30"]


def test_what_is_taken_over_and_acknowledged_is_gone(folder: Path) -> None:
    ended(folder, "0a", 10, 20, 30)
    with taken_over(folder) as spool:
        block = spool.read(2, 10**6)
        assert block.cursor is not None
        spool.ack(block.cursor)
    assert [entry.part for entry in waiting_entries(folder)] == [b"part 30"]


def test_what_cannot_be_read_is_named_and_never_dropped(folder: Path) -> None:
    ended(folder, "0a", 10)
    (path,) = folder.glob("*.segment")
    data = bytearray(path.read_bytes())
    data[8] = 2
    path.write_bytes(data)
    assert "version 2" in queue_state(folder).damaged[path.name]
    assert drop(folder).entries == 0
    assert path.exists()
