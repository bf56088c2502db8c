"""Every option of queues, batches and waits reaches the part that heeds it."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from support.eventually import eventually
from support.fake_sinks import FakeSink, captures
from support.running_logger import logging_to, sink_stats

from metaexpert.logger import (
    CustomOptions,
    LoggerConfig,
    LokiOptions,
    MemoryOptions,
    NdjsonOptions,
    QueueOptions,
    get_logger,
)
from metaexpert.logger.assembly import new_delivery
from metaexpert.logger.delivery import Delivery
from metaexpert.logger.entry import SIZE, Lane
from metaexpert.logger.notices import Notices

log = get_logger("assembly")


def delivery(**options: Any) -> Delivery:
    return new_delivery(
        MemoryOptions(name="m", **options), FakeSink(), LoggerConfig(log_to_file=False), Notices(), wake=lambda: None
    )


class TestRoom:
    @pytest.mark.parametrize(
        ("queue", "kept"),
        [
            ({"max_entries": 16}, 16),
            ({"max_bytes": 256 * 1024}, 256),
            ({"max_entries": 16, "overflow": "grow", "max_bytes": 256 * 1024, "grow_max_bytes": 512 * 1024}, 512),
        ],
    )
    def test_bounds(self, queue: dict[str, Any], kept: int):
        made = delivery(queue=queue)
        made.lanes.offer(Lane.INFO, (entries := captures(range(1000), size=1024)), sum(one[SIZE] for one in entries))
        assert made.lanes.entries == kept

    @pytest.mark.parametrize(("overflow", "first"), [("drop_oldest", 984), ("drop_newest", 0)])
    def test_what_gives_way(self, overflow: str, first: int):
        made = delivery(queue={"max_entries": 16, "overflow": overflow})
        for entry in captures(range(1000)):
            made.lanes.offer(Lane.INFO, [entry], entry[SIZE])
        assert [entry[0] for entry in made.lanes.take(1000, 10**9)] == list(range(first, first + 16))

    def test_watermarks(self):
        made = delivery(queue={"max_entries": 100, "high_watermark": 0.3, "low_watermark": 0.2})
        made.lanes.offer(Lane.INFO, captures(range(29)), 0)
        assert not made.lanes.pressed()
        made.lanes.offer(Lane.INFO, captures(range(29, 30)), 0)
        assert made.lanes.pressed()
        made.lanes.release(made.lanes.take(9, 10**9))
        assert made.lanes.pressed(), "until the low one"
        made.lanes.release(made.lanes.take(2, 10**9))
        assert not made.lanes.pressed()


def test_the_queue_of_all_sinks_is_that_of_one_without_its_own():
    config = LoggerConfig(log_to_file=False, queue=QueueOptions(max_entries=20))
    made = new_delivery(MemoryOptions(name="m"), FakeSink(), config, Notices(), wake=lambda: None)
    made.lanes.offer(Lane.INFO, captures(range(100)), 0)
    assert made.lanes.entries == 20


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ({"batch_max_entries": 10, "batch_max_age": 60.0}, {10}),
        ({"batch_max_bytes": 1024, "batch_max_age": 60.0}, {4}),  # closed by the one that reaches it
    ],
    ids=["entries", "bytes"],
)
async def test_batches_end_where_the_options_say(options: dict[str, Any], sizes: set[int]):
    sink = FakeSink()
    async with logging_to(CustomOptions(new_sink=lambda _: sink, **options)):
        for _ in range(400):
            log.info("x" * 300)
        await eventually(lambda: len(sink.batches) >= 20)
        assert {len(batch) for batch in sink.batches} == sizes


async def test_a_disk_queue_ends_at_its_cap(tmp_path: Path):
    """The port is reserved and nobody listens on it."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        queue = QueueOptions(max_entries=100, overflow="spill", spill_max_bytes=64 * 1024)  # pyright: ignore[reportArgumentType]
        async with logging_to(LokiOptions(url=url, queue=queue), log_dir=tmp_path, shutdown_timeout=0.1) as runtime:

            def at_its_cap() -> bool:
                """Log on until entries have to give way on disk."""
                for number in range(10):
                    log.info("n %d", number)
                return sink_stats(runtime).ledger.dropped.get(("INFO", "spool full"), 0) > 0

            await eventually(at_its_cap)
            files = (tmp_path / "spool" / "loki-loki").glob("*.segment")
            assert 16 * 1024 < sum(path.stat().st_size for path in files) <= 128 * 1024  # the worker's batches on top


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a full backlog is refused rather than left waiting on Windows")
async def test_connecting_has_a_time_limit_of_its_own():
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen(0)
        url = f"http://127.0.0.1:{busy.getsockname()[1]}"
        waiting = [socket.socket() for _ in range(4)]
        try:
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(busy.getsockname())
            options = NdjsonOptions(url=url, timeout=60.0, connect_timeout=0.05, batch_max_age=0.01)
            async with logging_to(options, shutdown_timeout=0.1) as runtime:
                log.info("x")
                await eventually(lambda: sink_stats(runtime).retries > 0)
        finally:
            for each in waiting:
                each.close()
