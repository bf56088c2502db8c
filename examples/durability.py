"""A process kills itself right after its log calls returned; the next one delivers what it left.

Run it with `python examples/durability.py`; it starts itself a second time for that.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from metaexpert.logger import LoggerConfig, get_logger, setup_logging
from metaexpert.logger.files.reader import Reader
from metaexpert.logger.files.reading.sources import sources_in

log = get_logger("durability")


async def trade(folder: Path) -> None:
    """Log some fills, wait for one of them to be on the disk, and die amid the work."""
    async with setup_logging(LoggerConfig(log_dir=folder, log_to_console=False, json_logging=True)):
        receipt = log.trade.order_filled(order_id=1, symbol="BTCUSDT", side="BUY", quantity="0.5", price="43100.5")
        await receipt
        for number in range(2, 6):
            log.trade.order_filled(order_id=number, symbol="BTCUSDT", side="BUY", quantity="0.5", price="43100.5")
        os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)


async def start_again(folder: Path) -> None:
    """The next start: what is left of the run before goes first."""
    async with setup_logging(LoggerConfig(log_dir=folder, log_to_console=False, json_logging=True)) as runtime:
        await runtime.flush()
    entries = Reader(sources_in([folder], "trades.log"))  # the files of both runs, each entry once
    orders = sorted(entry.value("trade_data.order_id") for entry in entries if entry.log_type == "trade")
    print(f"orders in trades.log: {orders}")
    assert orders == [1, 2, 3, 4, 5]  # noqa: S101 - and holds


def main() -> None:
    """Run the first process to its end, then the second."""
    if len(sys.argv) > 1:
        asyncio.run(trade(Path(sys.argv[1])))
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, __file__, folder], check=False)  # noqa: S603 - itself
        asyncio.run(start_again(Path(folder)))


if __name__ == "__main__":
    main()
