"""A sink that is down holds up no stop, where its disk queue can take the rest, and no flush, once it is replaced."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from support.eventually import eventually
from support.holding_collector import HoldingCollector
from support.running_logger import logging_to, sink_stats
from support.scripted_collector import serving

from metaexpert.logger import LokiOptions, QueueOptions, get_logger

log = get_logger("lifecycle.down")

DEADLINE_SECONDS = 120.0
"""A stop that waits for its deadline takes this long; one that does not is far from it on any machine."""


@pytest_asyncio.fixture
async def loki() -> AsyncIterator[HoldingCollector]:
    async with serving(HoldingCollector("loki")) as collector:
        assert isinstance(collector, HoldingCollector)
        yield collector


def options(collector: HoldingCollector, **more: Any) -> LokiOptions:
    values: dict[str, Any] = {
        "url": collector.url,
        "batch_max_age": 0.01,
        "backoff_first": 0.01,
        "backoff_max": 0.02,
        "timeout": 30.0,
        "queue": QueueOptions(overflow="spill"),
    }
    return LokiOptions(**{**values, **more})


class TestStop:
    @pytest.mark.parametrize("trouble", ["close", "hang"])
    async def test_by_way_of_the_disk_takes_a_last_attempt_and_not_the_deadline(
        self, loki: HoldingCollector, tmp_path: Path, trouble: str
    ):
        loki.misbehave(loki.close)
        runtime = logging_to(options(loki), log_dir=tmp_path, shutdown_timeout=DEADLINE_SECONDS)
        began = asyncio.get_running_loop().time()
        async with runtime:
            for number in range(200):
                log.info("n %d", number)
            await eventually(lambda: sink_stats(runtime).breaker != "closed")
            loki.misbehave(getattr(loki, trouble))
        assert asyncio.get_running_loop().time() - began < DEADLINE_SECONDS / 2
        stats = sink_stats(runtime)
        assert (stats.ledger.spooled, stats.ledger.dropped_total, stats.ledger.balanced) == (200, 0, True)

        loki.mend()
        async with logging_to(options(loki), log_dir=tmp_path) as runtime:
            await eventually(lambda: len(loki.held) == 200)
        assert set(loki.held.values()) == {1}

    async def test_what_the_last_attempt_brings_through_is_not_left_to_the_disk(
        self, loki: HoldingCollector, tmp_path: Path
    ):
        """The collector comes back just then: the stop goes on until it has everything."""
        loki.misbehave(loki.close)
        runtime = logging_to(
            options(loki, backoff_first=600.0, backoff_max=600.0), log_dir=tmp_path, shutdown_timeout=DEADLINE_SECONDS
        )
        async with runtime:
            log.error("down")
            await eventually(lambda: sink_stats(runtime).retries == 1)
            loki.mend()
        assert sink_stats(runtime).ledger.delivered == 1


class TestReload:
    async def test_a_flush_under_way_follows_the_sink_that_takes_over(self, loki: HoldingCollector):
        loki.misbehave(loki.close)
        async with serving(HoldingCollector("loki")) as other:
            assert isinstance(other, HoldingCollector)
            async with logging_to(options(loki, queue=None)) as runtime:
                for number in range(20):
                    log.info("n %d", number)
                flushing = asyncio.create_task(runtime.flush(timeout=60.0))
                await eventually(lambda: sink_stats(runtime).retries > 0)
                await runtime.reload(runtime.config.model_copy(update={"sinks": (options(other, queue=None),)}))
                assert await flushing
                assert sink_stats(runtime).ledger.balanced
        assert len(other.held) == 20
