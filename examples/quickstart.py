"""Log from coroutines to three files and read back what arrived.

Run it with `python examples/quickstart.py`; it writes into a temporary folder and prints what it did.
"""

import asyncio
import json
import tempfile
from decimal import Decimal
from pathlib import Path

from metaexpert.logger import LoggerConfig, get_logger, lazy, log_context, setup_logging

log = get_logger("example.quickstart")


def order_book() -> dict[str, str]:
    """Stands for something that is expensive to compute."""
    return {"bid": "43100.4", "ask": "43100.5"}


async def trade(order_id: int) -> None:
    """Everything logged in here, and in tasks started from here, carries the order's id."""
    with log_context(order_id=order_id):
        log.debug("book", depth=lazy(order_book))  # computed only where DEBUG is enabled
        log.trade.order_placed(
            order_id=order_id, symbol="BTCUSDT", side="BUY", quantity=Decimal("0.5"), price=Decimal("43100.50")
        )
        await asyncio.sleep(0)
        log.info("placed after %d %s", 12, "ms", api_key="never written anywhere")


def reconnect() -> None:
    """Fail, and log the exception with its traceback."""
    try:
        open_stream()
    except ConnectionError:
        log.exception("reconnecting", attempt=1)


def open_stream() -> None:
    """Stands for a connection that breaks."""
    raise ConnectionError("order stream closed")


def show(folder: Path) -> None:
    """Print what the files hold; each log's own name leads to the file of it that was begun last."""
    for file in sorted(file for file in folder.iterdir() if file.is_symlink()):
        entries = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        print(f"\n{file.name}: {len(entries)} entries")
        for entry in entries:
            print(" ", entry["level"], entry["message"], entry.get("extra", ""))


async def main() -> None:
    """Run some coroutines that log, then show the files."""
    with tempfile.TemporaryDirectory() as folder:
        config = LoggerConfig(log_dir=Path(folder), json_logging=True, log_to_console=False)
        async with setup_logging(config) as logging_runtime:
            log.info("connected", exchange="binance", latency_ms=3.2)
            await asyncio.gather(*(trade(order_id) for order_id in range(3)))
            reconnect()
            print("every sink acknowledged every entry:", await logging_runtime.flush(timeout=5.0))
        show(Path(folder))


if __name__ == "__main__":
    asyncio.run(main())
