"""Log to Loki and Elasticsearch, both played by a small collector process on loopback that fails for a while.

Run it with `python examples/collectors.py`; nothing outside this machine is contacted. For real servers only the `url`
(and credentials) differ; `OtlpOptions`, `SplunkOptions` and `NdjsonOptions` take the same place.
"""

import asyncio
import tempfile

from metaexpert.demo.collector_process import CollectorProcess
from metaexpert.logger import ElasticsearchOptions, LoggerConfig, LokiOptions, get_logger, setup_logging

ENTRIES = 500

log = get_logger("example.collectors")


def configuration(url: str, folder: str) -> LoggerConfig:
    """Two collectors and nothing else; short waits, since this is an example.

    In the folder are the journal, and what waits on disk while a collector is down.
    """
    return LoggerConfig(
        log_name="example",
        log_dir=folder,
        log_to_console=False,
        log_to_file=False,
        sinks=(
            LokiOptions(url=url, labels={"env": "example"}, batch_max_age=0.05, backoff_first=0.1, backoff_max=0.5),
            ElasticsearchOptions(
                url=url, index="logs-metaexpert-example", batch_max_age=0.05, backoff_first=0.1, backoff_max=0.5
            ),
        ),
    )


async def main() -> None:
    """Log through an outage, then compare the ledgers with what the collector holds."""
    with tempfile.TemporaryDirectory() as folder:
        await log_through_an_outage(folder)


async def log_through_an_outage(folder: str) -> None:
    """The same, with a folder to work in."""
    async with CollectorProcess.start() as collector:
        await collector.faults("all", "503", seconds=0.5)
        async with setup_logging(configuration(collector.url, folder)) as logging_runtime:
            for number in range(ENTRIES):
                log.info("tick", symbol="BTCUSDT", number=number)
            log.trade.order_filled(order_id=7, symbol="BTCUSDT", side="SELL", quantity="0.5", price="43100.50")
            print("every entry acknowledged:", await logging_runtime.flush(timeout=20.0))
        for name, sink in logging_runtime.stats().sinks.items():
            held = await collector.entries(name)
            print(f"{name}: delivered {sink.ledger.delivered}, the collector holds {len(held)}")
            print(f"  failed attempts: {sink.retries}, the last one: {(sink.last_error or '')[:60]}")


if __name__ == "__main__":
    asyncio.run(main())
