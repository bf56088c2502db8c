"""A wall clock that jumps by hours: entries carry what it said, and nothing that waits or rotates goes by it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from support.eventually import eventually
from support.faults import ids_in, trial, whole_lines
from support.holding_collector import HoldingCollector
from support.scripted_collector import Received, serving, status
from support.written_logs import in_order

from metaexpert.logger import FileOptions, QueueOptions
from metaexpert.logger.retry import MAX_RETRY_AFTER_SECONDS, Backoff, parse_retry_after

HOUR = 3600


class WallClock:
    """What the machine says the time is.

    Attributes:
        ahead_seconds: how far it is off.
        told: every time it was asked for an entry's, nanoseconds.
    """

    def __init__(self) -> None:
        self.ahead_seconds = 0
        self.told: list[int] = []
        self._time, self._time_ns = time.time, time.time_ns

    def time(self) -> float:
        return self._time() + self.ahead_seconds

    def time_ns(self) -> int:
        return self._time_ns() + self.ahead_seconds * 1_000_000_000

    def entry_time_ns(self) -> int:
        self.told.append(self.time_ns())
        return self.told[-1]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[WallClock]:
    """The clock of this process, for all who ask it."""
    wall = WallClock()
    monkeypatch.setattr("time.time", wall.time)
    monkeypatch.setattr("time.time_ns", wall.time_ns)
    monkeypatch.setattr("metaexpert.logger.call.time_ns", wall.entry_time_ns)
    monkeypatch.setattr("metaexpert.logger.own_entries.time_ns", wall.time_ns)
    yield wall
    monkeypatch.undo()


JUMPS = pytest.mark.parametrize("hours", [-30, -3, 3, 30])


def nanoseconds(entry: dict[str, Any]) -> int:
    second, _, fraction = entry["timestamp"].removesuffix("Z").partition(".")
    return int(datetime.fromisoformat(second).replace(tzinfo=UTC).timestamp()) * 1_000_000_000 + int(fraction)


@JUMPS
async def test_entries_keep_their_order_and_the_time_they_were_told(clock: WallClock, tmp_path: Path, hours: int):
    """In files that rotate meanwhile, too: they are in the order of the entries, not of their times."""
    path = tmp_path / "expert.log"
    async with trial(FileOptions(path=path, max_bytes=20_000, backup_count=50)) as run:
        for number in range(6):
            run.log()
            clock.ahead_seconds = hours * HOUR * (number % 3)
            run.log()
            assert await run.runtime.flush()  # no wait of ours goes by this clock
    files = in_order(path)
    assert len(files) > 2
    assert ids_in(*files) == run.healthy_ids
    times = [nanoseconds(orjson.loads(line)) for each in files for line in whole_lines(each)]
    assert times == clock.told
    assert times != sorted(times)


@JUMPS
async def test_a_collectors_waits_go_on(clock: WallClock, hours: int):
    """Backoff and batch age pass as ever, whatever the clock does in the middle of an outage."""
    collector = HoldingCollector("loki")
    async with serving(collector):
        collector.misbehave(status(503, "down"))
        async with trial(collector.options()) as run:
            run.log()
            await run.shows("failed", "HTTP 503")
            clock.ahead_seconds = hours * HOUR
            run.log()
            before = run.stats.retries
            await eventually(lambda: run.stats.retries > before + 2)
            collector.mend()
            await run.recovers()
        run.assert_all_arrived(collector.held.elements())


@JUMPS
async def test_a_retry_after_date_is_the_collectors_own(clock: WallClock, hours: int):
    """It is read beside the answer's Date, so that a clock of ours that is wrong neither waits for hours nor at all."""
    collector = HoldingCollector("loki")
    sent = datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC)

    async def slower(request: web.Request, received: Received) -> web.StreamResponse:
        dates = {"Date": format_datetime(sent, usegmt=True), "Retry_After": _later(sent, 1)}
        return await status(429, "slower", **dates)(request, received)

    async with serving(collector):
        collector.then(slower)
        clock.ahead_seconds = hours * HOUR
        async with trial(collector.options()) as run:
            run.log()
            await eventually(lambda: len(collector.requests) >= 2)
            await run.recovers()
        run.assert_all_arrived(collector.held.elements())
    first, second = collector.requests[:2]
    assert 1.0 <= second.at - first.at < 10.0


def _later(moment: datetime, seconds: float) -> str:
    return format_datetime(moment + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize("hours", [-30, 30])
def test_without_a_date_of_the_answer_no_jump_silences_a_sink_for_long(hours: int):
    right = datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC)
    wrong = (right + timedelta(hours=hours)).timestamp()
    told = parse_retry_after(_later(right, 1), lambda: wrong)
    assert told is not None
    assert told >= 0.0
    waits = Backoff().wait_seconds(1, told, lambda _, most: most)
    assert 0.0 <= waits <= MAX_RETRY_AFTER_SECONDS + 1.0


async def test_a_gap_across_a_jump_tells_its_entries(clock: WallClock):
    """Its length in seconds is by the entries' own times, and never negative."""
    collector = HoldingCollector("loki")
    async with serving(collector):
        collector.misbehave(status(503, "down"))
        async with trial(collector.options(queue=QueueOptions(max_entries=100))) as run:
            run.log(200)
            await run.healthy_keeps_up()
            clock.ahead_seconds = -3 * HOUR
            run.log(200)
            await run.healthy_keeps_up()
            collector.mend()
            await run.recovers()
            await eventually(lambda: run.stats.ledger.gaps and not run.stats.queued_entries)
        run.assert_accounts_are_true(list(collector.held.elements()))
    gaps = [
        orjson.loads(line)
        for request in collector.requests
        for stream in orjson.loads(request.body)["streams"]
        if stream["stream"]["log_type"] == "gap"
        for _, line, _ in stream["values"]
    ]
    told = {gap["id"]: gap["extra"] for gap in gaps}
    assert sum(gap["dropped"] for gap in told.values()) == run.stats.ledger.dropped_total
    assert all(gap["seconds"] >= 0 for gap in told.values())


@JUMPS
async def test_runs_at_one_moment_have_files_of_their_own(clock: WallClock, tmp_path: Path, hours: int):
    """A clock that is set back comes to the same moment twice; nothing is written over, nothing gone on with."""
    path = tmp_path / "expert.log"
    held: list[list[str]] = []
    for number in range(4):
        clock.ahead_seconds = hours * HOUR * (number % 2)
        async with trial(FileOptions(path=path)) as run:
            run.log()
        held.append(run.healthy_ids)
        assert ids_in(path) == held[-1]
    assert sorted(ids_in(*in_order(path))) == sorted(each for run_ids in held for each in run_ids)
