"""The process under test: an expert that logs protected entries in several threads until it is killed, or stops.

Right after a call returns its number goes into the progress file, so that whoever kills the process knows exactly which
calls had returned. Started by `soak.processes`, with its plan as JSON.
"""

import asyncio
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from metaexpert.logger import (
    ElasticsearchOptions,
    JournalOptions,
    LoggerConfig,
    LoggingRuntime,
    LokiOptions,
    get_logger,
    setup_logging,
)
from soak.points import Point, arm
from soak.progress import Progress

SINK = "collector"
KINDS = 4
"""Number n is an error, a critical, a trade or an audit entry, by its remainder."""

RETURNED, SYNCED, DELIVERED = range(3)
SLOTS = 3
"""Numbers for each thread: calls that returned, receipts awaited, and the last entry whose delivery was awaited."""

_SYNCED_EVERY = 32
_DELIVERED_EVERY = 128
_REST_EVERY = 16
_REST_SECONDS = 0.0005
_FLUSH_SECONDS = 40.0
_SEGMENT_BYTES = 256 * 1024
"""Small, so that each process comes to the end of some."""

log = get_logger("soak.expert")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a process is to do.

    Attributes:
        folder: where it writes its files.
        progress: its progress file.
        url: the collector.
        kind: what the collector is.
        run: the process's number.
        threads: how many log; the first is the event loop's own.
        calls: how many calls each makes.
        rests: after its calls it waits to be killed, instead of stopping.
        receipts: whether it awaits some of its receipts.
        deliveries: whether it awaits the collector's acknowledgement of some, too.
        point: where it kills itself.
    """

    folder: str
    progress: str
    url: str
    kind: str
    run: int
    threads: int
    calls: int
    rests: bool
    receipts: bool
    deliveries: bool
    point: Point | None = None


class Expert:
    """Logs as its plan says."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._progress = Progress(Path(plan.progress), plan.threads * SLOTS)

    async def run(self) -> None:
        """Log until the end, and tell what the accounts say."""
        if self._plan.point is not None:
            arm(self._plan.point)
        async with setup_logging(config(self._plan)) as runtime:
            await self._log()
            if self._plan.rests:
                await asyncio.Event().wait()
            flushed = await runtime.flush(_FLUSH_SECONDS)
        sys.stdout.buffer.write(orjson.dumps({"flushed": flushed, "sinks": accounts(runtime)}))
        sys.stdout.flush()

    async def _log(self) -> None:
        threads = [threading.Thread(target=self._in_thread, args=(each,)) for each in range(1, self._plan.threads)]
        for thread in threads:
            thread.start()
        await self._on_loop()
        while any(thread.is_alive() for thread in threads):  # noqa: ASYNC110 - threads set no event of a loop's
            await asyncio.sleep(_REST_SECONDS)

    async def _on_loop(self) -> None:
        for number in range(self._plan.calls):
            receipt = self._call(0, number)
            if self._plan.receipts:
                await self._awaited(number, receipt)
            if number % _REST_EVERY == 0:
                await asyncio.sleep(_REST_SECONDS)

    async def _awaited(self, number: int, receipt: Any) -> None:
        if number % _SYNCED_EVERY == 0:
            await receipt
            self._progress[SYNCED] = number + 1
        if self._plan.deliveries and number % _DELIVERED_EVERY == 1:
            await receipt.delivered(SINK)
            self._progress[DELIVERED] = number + 1

    def _in_thread(self, thread: int) -> None:
        for number in range(self._plan.calls):
            receipt = self._call(thread, number)
            if self._plan.receipts and number % _SYNCED_EVERY == 0:
                receipt.wait(_FLUSH_SECONDS)
                self._progress[thread * SLOTS + SYNCED] = number + 1
            if number % _REST_EVERY == 0:
                time.sleep(_REST_SECONDS)

    def _call(self, thread: int, number: int) -> Any:
        fields: dict[str, Any] = {"soak_run": self._plan.run, "soak_thread": thread, "soak_number": number}
        match number % KINDS:
            case 0:
                receipt: Any = log.error("order %d refused", number, **fields)
            case 1:
                receipt = log.critical("margin call %d", number, **fields)
            case 2:
                receipt = log.trade.order_filled(
                    order_id=number, symbol="BTCUSDT", side="BUY", quantity="0.5", price="43100.5", **fields
                )
            case _:
                receipt = log.audit("limit %d changed", number, **fields)
        self._progress[thread * SLOTS + RETURNED] = number + 1
        log.debug("after call %d", number)
        return receipt


def config(plan: Plan) -> LoggerConfig:
    """Files as by default, and the collector."""
    quick: dict[str, Any] = {"backoff_first": 0.02, "backoff_max": 0.2, "batch_max_age": 0.02, "timeout": 5.0}
    sink = (
        LokiOptions(name=SINK, url=plan.url, **quick)
        if plan.kind == "loki"
        else ElasticsearchOptions(name=SINK, url=plan.url, index="soak", **quick)
    )
    return LoggerConfig(
        log_level="DEBUG",
        log_dir=Path(plan.folder),
        log_to_console=False,
        json_logging=True,
        max_bytes=2**40,
        sinks=(sink,),
        journal=JournalOptions(segment_bytes=_SEGMENT_BYTES, max_bytes=256 * 2**20),
        shutdown_timeout=10.0,
    )


def lane_of(number: int) -> int:
    """The lane that carries entry `number`: errors in one, trades and audit entries in another.

    A collector that was down gets the lanes beside each other, so that protected entries wait for nobody; a file has
    all of them in one order.
    """
    return number % KINDS // 2


def accounts(runtime: LoggingRuntime) -> dict[str, dict[str, Any]]:
    """Each sink's ledger, in numbers."""
    return {
        name: {
            "routed": sink.ledger.routed,
            "recovered": sink.ledger.recovered,
            "delivered": sink.ledger.delivered,
            "duplicate": sink.ledger.duplicate,
            "rejected": sink.ledger.rejected,
            "dropped": sink.ledger.dropped_total,
            "spooled": sink.ledger.spooled,
            "in_flight": sink.ledger.in_flight,
            "balanced": sink.ledger.balanced,
        }
        for name, sink in runtime.stats().sinks.items()
    }


def main(text: str) -> None:
    """Do what the plan says."""
    values = orjson.loads(text)
    point = values.pop("point")
    asyncio.run(Expert(Plan(point=Point(**point) if point else None, **values)).run())


if __name__ == "__main__":
    main(sys.argv[1])
