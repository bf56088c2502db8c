"""A sink in trouble beside a healthy one: what both hold, what the accounts say, and that no bound was broken.

Every trial checks when it ends: no exception came out of the loop, every ledger balances, the healthy sink has every
entry in order, and memory stayed within what the queue options allow.
"""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import psutil
from support.eventually import eventually
from support.running_logger import ids, logging_to, unbalanced

from metaexpert.logger import LoggingRuntime, MemoryOptions, QueueOptions, get_logger
from metaexpert.logger.lanes import RESERVED_SHARE
from metaexpert.logger.sinks.memory import MemorySink
from metaexpert.logger.stats import SinkStats

HEALTHY = "healthy"
PROMPTLY_SECONDS = 5.0
"""Generous for a busy machine; a sink held up by its neighbour would stay behind for ever."""

ROOM = QueueOptions(max_entries=2000, max_bytes=4 * 1024 * 1024)

QUICK: dict[str, Any] = {"backoff_first": 0.01, "backoff_max": 0.05, "batch_max_age": 0.01, "timeout": 0.4}
"""Options of an HTTP sink that let an outage pass within a test."""

_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)

log = get_logger("integration.faults")


class Trial:
    """One run.

    Attributes:
        runtime: logging to the sink under trial and to the healthy one.
        logged: how many entries were logged through `log`.
    """

    def __init__(self, runtime: LoggingRuntime, name: str, room: QueueOptions) -> None:
        self.runtime = runtime
        self.logged = 0
        self._name = name
        self._room = room
        self.loop_faults: list[dict[str, Any]] = []

    @property
    def stats(self) -> SinkStats:
        """The statistics of the sink under trial."""
        return self.runtime.stats().sinks[self._name]

    @property
    def healthy_ids(self) -> list[str]:
        """What the healthy sink holds, in order."""
        sink = self.runtime.sinks[HEALTHY]
        assert isinstance(sink, MemorySink)
        return ids(sink.entries)

    def log(self, count: int = 40, text: str = "") -> None:
        """Log entries of four levels, and a trade, which go to both sinks."""
        for number in range(count - 1):
            log.log(_LEVELS[number % len(_LEVELS)], "n %d%s", self.logged + number, text, order_id=number)
        log.trade.order_placed(order_id=self.logged, symbol="BTCUSDT", side="BUY", quantity="0.1", price="43100.5")
        self.logged += count

    async def shows(self, state: str, words: str = "") -> None:
        """Wait until the sink under trial says how it is, and see that it keeps the bounds and nobody believes it."""
        await eventually(
            lambda: self.stats.state == state and words in (self.stats.last_error or ""),
            what=f"{state}, {words!r}",
        )
        self.assert_within_bounds()
        assert not await self.runtime.flush(timeout=0.01)

    async def healthy_keeps_up(self) -> None:
        """The healthy sink has everything, promptly, whatever its neighbour does."""
        await eventually(
            lambda: self.runtime.stats().sinks[HEALTHY].ledger.delivered == self.logged,
            PROMPTLY_SECONDS,
            "the healthy sink has everything",
        )
        assert self.runtime.stats().sinks[HEALTHY].state in {"active", "stopped"}

    async def recovers(self) -> None:
        """Wait until the sink under trial is well again and has settled all that waited."""
        await eventually(
            lambda: self.stats.state == "active" and not self.stats.queued_entries,
            what="active again",
        )
        self.assert_within_bounds()

    def assert_within_bounds(self) -> None:
        """What waits takes no more room than the options give it, errors' and trades' reserve counted in."""
        share = 1.0 + RESERVED_SHARE
        stats = self.runtime.stats()
        for sink in stats.sinks.values():
            assert sink.queued_entries <= self._room.max_entries * share
            assert sink.queued_bytes <= self._room.max_bytes * share
        assert stats.ingress.queued_entries <= 2 * self._room.max_entries * share
        assert stats.ingress.queued_bytes <= 2 * self._room.max_bytes * share

    def assert_all_arrived(self, held: Iterable[str]) -> None:
        """The destination holds each entry, once, and the ledger says exactly that."""
        assert Counter(held) == Counter(self.healthy_ids)
        ledger = self.stats.ledger
        assert (ledger.rejected, dict(ledger.dropped)) == (0, {})
        assert ledger.delivered + ledger.duplicate == self.logged

    def assert_accounts_are_true(self, held: Sequence[str]) -> None:
        """Where entries were lost: the destination holds as many, each once, as the ledger says."""
        ledger = self.stats.ledger
        assert max(Counter(held).values(), default=1) == 1
        assert len(held) == ledger.delivered + ledger.duplicate
        # gap entries are the sink's own; all else the healthy one has too
        assert len(set(held) - set(self.healthy_ids)) <= ledger.gaps
        assert ledger.routed == self.logged + ledger.gaps


@asynccontextmanager
async def trial(sink: Any, room: QueueOptions = ROOM, **config: Any) -> AsyncGenerator[Trial]:
    """Log to `sink` and to a healthy one while the context lasts, and judge what came of it."""
    runtime = logging_to(sink, MemoryOptions(name=HEALTHY, max_entries=1_000_000), queue=room, **config)
    under_trial = Trial(runtime, sink.name or sink.type, room)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: under_trial.loop_faults.append(context))
    async with runtime:
        yield under_trial
        await under_trial.healthy_keeps_up()
        under_trial.assert_within_bounds()
    assert under_trial.loop_faults == []
    assert unbalanced(runtime) == []
    stats = runtime.stats()
    assert {sink.ledger.in_flight for sink in stats.sinks.values()} == {0}
    assert stats.dispatcher.faults == 0
    healthy = under_trial.healthy_ids
    assert len(healthy) == under_trial.logged
    sequence = [int(each.rpartition("-")[2]) for each in healthy]
    assert sequence == sorted(sequence)


def ids_in(*paths: Path) -> list[str]:
    """The ids of the entries in JSON files; each line has to be whole."""
    return [orjson.loads(line)["id"] for path in paths for line in whole_lines(path)]


def whole_lines(path: Path) -> list[bytes]:
    """The lines of a file that ends with one."""
    content = path.read_bytes()
    assert content == b"" or content.endswith(b"\n")
    return content.splitlines()


def resident_bytes() -> int:
    """Memory of this process, bytes."""
    return psutil.Process(os.getpid()).memory_info().rss
