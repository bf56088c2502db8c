"""The process under test of an outage: an expert that logs in bulk while its collector is down, and drains afterwards.

Its progress file says what had returned and what was on the disk at the last look, for whoever kills it.
"""

import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from metaexpert.logger import (
    ElasticsearchOptions,
    LoggerConfig,
    LoggingRuntime,
    LokiOptions,
    QueueOptions,
    SpoolOptions,
    get_logger,
    setup_logging,
)
from soak.expert import accounts
from soak.progress import Progress

SINK = "collector"
ORDINARY, PROTECTED = range(2)
"""Thread numbers of what is logged: one numbering for each kind."""

RETURNED, PROTECTED_RETURNED, OWN_ON_DISK, SPOOLED, RECOVERED, QUEUED_BYTES, MEMORY_BYTES, DELIVERED = range(8)
SLOTS = 8

QUEUE_BYTES = 8 * 2**20
QUEUE_ENTRIES = 20_000

_PROTECTED_EVERY = 500
_WAIT_EVERY = 50
_LOOK_SECONDS = 0.02
_FLUSH_SECONDS = 3600.0

type End = Literal["wait", "stop", "drain"]

log = get_logger("soak.producer")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a process is to do.

    Attributes:
        folder: where logging writes.
        progress: its progress file.
        url: the collector.
        kind: what the collector is.
        run: the process's number.
        entries: how many it logs.
        rate: how many a second, 0 for as fast as backpressure lets it.
        spool_bytes: cap of the sink's disk queue.
        end: what comes then: wait to be killed, stop, or deliver everything and stop.
    """

    folder: str
    progress: str
    url: str
    kind: str
    run: int
    entries: int
    rate: float
    spool_bytes: int
    end: End


class Producer:
    """Logs as its plan says."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._progress = Progress(Path(plan.progress), SLOTS)

    async def run(self) -> None:
        """Log until the end, and tell what the accounts say."""
        flushed = True
        async with setup_logging(config(self._plan)) as runtime:
            watching = asyncio.create_task(self._watch(runtime, anonymous_bytes()))
            await self._log(runtime)
            if self._plan.end == "wait":
                await asyncio.Event().wait()
            if self._plan.end == "drain":
                flushed = await runtime.flush(_FLUSH_SECONDS)
            watching.cancel()
        sys.stdout.buffer.write(orjson.dumps({"flushed": flushed, "sinks": accounts(runtime)}))
        sys.stdout.flush()

    async def _log(self, runtime: LoggingRuntime) -> None:
        began = time.monotonic()
        for number in range(self._plan.entries):
            fields: dict[str, Any] = {"soak_run": self._plan.run, "soak_thread": ORDINARY, "soak_number": number}
            log.info("book of %s at %d", "BTCUSDT", number, **fields)
            self._progress[RETURNED] = number + 1
            if number % _PROTECTED_EVERY == 0:
                self._log_protected(number // _PROTECTED_EVERY)
            if number % _WAIT_EVERY == 0:
                await runtime.wait_ready()
                await asyncio.sleep(self._ahead_seconds(began, number))

    def _log_protected(self, number: int) -> None:
        fields: dict[str, Any] = {"soak_run": self._plan.run, "soak_thread": PROTECTED, "soak_number": number}
        log.audit("limit %d changed", number, **fields)
        self._progress[PROTECTED_RETURNED] = number + 1

    def _ahead_seconds(self, began: float, number: int) -> float:
        rate = self._plan.rate
        return max(0.0, began + number / rate - time.monotonic()) if rate else 0.0

    async def _watch(self, runtime: LoggingRuntime, at_start_bytes: int) -> None:
        while True:
            self._look(runtime, at_start_bytes)
            await asyncio.sleep(_LOOK_SECONDS)

    def _look(self, runtime: LoggingRuntime, at_start_bytes: int) -> None:
        sink, progress = runtime.stats().sinks[SINK], self._progress
        ledger = sink.ledger
        progress[RECOVERED], progress[DELIVERED], progress[SPOOLED] = ledger.recovered, ledger.delivered, ledger.spooled
        progress[OWN_ON_DISK] = max(0, ledger.spooled - ledger.recovered)
        progress[QUEUED_BYTES] = max(progress[QUEUED_BYTES], sink.queued_bytes)
        progress[MEMORY_BYTES] = max(progress[MEMORY_BYTES], anonymous_bytes() - at_start_bytes)


def config(plan: Plan) -> LoggerConfig:
    """The collector alone: files would only take the disk's time."""
    quick: dict[str, Any] = {
        "backoff_first": 0.05,
        "backoff_max": 0.5,
        "queue": QueueOptions(max_entries=QUEUE_ENTRIES, max_bytes=QUEUE_BYTES),
        "spool": SpoolOptions(max_bytes=plan.spool_bytes),
    }
    sink = (
        LokiOptions(name=SINK, url=plan.url, **quick)
        if plan.kind == "loki"
        else ElasticsearchOptions(name=SINK, url=plan.url, index="soak", **quick)
    )
    return LoggerConfig(
        log_level="DEBUG",
        log_dir=Path(plan.folder),
        log_to_console=False,
        log_to_file=False,
        sinks=(sink,),
        shutdown_timeout=3.0,
    )


def anonymous_bytes() -> int:
    """Memory of this process that no file backs: mapped segments belong to the disk's account. 0 where unknown."""
    if sys.platform != "linux":
        return 0
    with open("/proc/self/status", "rb") as status:  # noqa: PTH123 - fifty times a second, beside what is measured
        for line in status:
            if line.startswith(b"RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0


def main(text: str) -> None:
    """Do what the plan says."""
    asyncio.run(Producer(Plan(**orjson.loads(text))).run())


if __name__ == "__main__":
    main(sys.argv[1])
