"""Two ways to log in bulk: heedlessly, so that a full queue sheds, and with `wait_ready`, so that nothing is lost.

Run it with `python examples/backpressure.py`; the queue is made small, so that one second is enough to fill it.
"""

import asyncio
import tempfile
from pathlib import Path

from metaexpert.logger import LoggerConfig, LoggingRuntime, QueueOptions, RuntimeStats, get_logger, setup_logging

ENTRIES = 20_000
QUEUE_ENTRIES = 2_000
BETWEEN_CHECKS = 100
"""Entries logged between two calls of `wait_ready`; few beside the queue's room."""

log = get_logger("example.backpressure")


async def heedless(_runtime: LoggingRuntime) -> None:
    """Log as fast as the loop goes, and leave it to others now and then."""
    for number in range(ENTRIES):
        log.debug("candle", number=number)
        if number % QUEUE_ENTRIES == 0:
            log.error("an error has room of its own", number=number)
            await asyncio.sleep(0)


async def considerate(runtime: LoggingRuntime) -> None:
    """Wait between chunks until no sink is under pressure."""
    for number in range(ENTRIES):
        if number % BETWEEN_CHECKS == 0:
            await runtime.wait_ready()
        log.debug("candle", number=number)


async def main() -> None:
    """Run both and show what became of the entries."""
    for producer in (heedless, considerate):
        with tempfile.TemporaryDirectory() as folder:
            config = LoggerConfig(
                log_level="DEBUG",
                log_dir=Path(folder),
                json_logging=True,
                log_to_console=False,
                queue=QueueOptions(max_entries=QUEUE_ENTRIES),
            )
            async with setup_logging(config) as logging_runtime:
                await producer(logging_runtime)
                await logging_runtime.flush(timeout=20.0)
            show(producer.__name__, logging_runtime.stats(), Path(folder) / "expert.log")


def show(name: str, stats: RuntimeStats, file: Path) -> None:
    """Print what was dropped where, and the gap entries that say so in the file itself."""
    ledger = stats.sinks["file"].ledger
    lines = file.read_text(encoding="utf-8").splitlines()
    gaps = [line for line in lines if '"log_type":"gap"' in line]
    print(f"{name}: {stats.ingress.accepted} entries taken in, {len(lines) - len(gaps)} in the file")
    print(f"  refused on the way in: {dict(stats.ingress.dropped)}")
    print(f"  shed by the file's queue: {dict(ledger.dropped)}")
    print(f"  gap entries in the file: {len(gaps)}; ledger balanced: {ledger.balanced}")


if __name__ == "__main__":
    asyncio.run(main())
