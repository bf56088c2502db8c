"""What a desk asks of its logs: an order's life, a failed request with what its code knew, and the DEBUG before it.

Run it with `python examples/desk.py`; it logs to a temporary folder and then reads it back with `metaexpert logs`.
"""

import asyncio
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from metaexpert.logger import ErrorOptions, HeldBackOptions, Logger, LoggerConfig, get_logger, setup_logging

log: Logger = get_logger("desk")


async def send(order_id: str, price: Decimal) -> None:
    """Send an order to an exchange that is not there."""
    api_secret = "kX9vQ2mLp7Rt4Zw8Ns3Yb6Hd1Jf5Gc0A"  # noqa: S105 - never seen again, though it is a local variable
    log.debug("signed with %s characters", len(api_secret), order_id=order_id)
    url = f"https://api.binance.com/api/v3/order?quantity=1&price={price}&signature=c8db56825ae71d6d79447849"
    try:
        with log.timer("order.send"):
            raise ConnectionResetError("the exchange hung up")  # noqa: TRY301 - as a client would
    except ConnectionResetError as error:
        log.api_failure(error, exchange="binance", method="POST", url=url, attempt=2, latency_seconds=0.31)


async def main(folder: Path) -> None:
    """Log what a desk logs."""
    config = LoggerConfig(
        log_dir=folder,
        log_level="INFO",
        log_to_console=False,
        json_logging=True,
        errors=ErrorOptions(locals=True),
        buffer_until_error=HeldBackOptions(),
    )
    async with setup_logging(config):
        trade = log.bind(exchange="binance", symbol="BTCUSDT").trade
        whole, price = Decimal("0.5"), Decimal("43100.50")
        trade.order_placed(order_id="A-17", side="BUY", order_type="limit", quantity=whole, price=price)
        trade.order_accepted(order_id="A-17")
        trade.order_partially_filled(
            order_id="A-17", side="BUY", quantity=whole, executed_quantity=Decimal("0.2"), executed_price=price
        )
        wrong = trade.order_filled(
            order_id="A-17", side="BUY", quantity=whole, executed_quantity=Decimal("0.3"), price=Decimal("43100.05")
        )
        trade.correction(
            original=wrong, reason="a digit was misread", actor="ops", values={"price": "43100.50"}, order_id="A-17"
        )
        await asyncio.gather(send("A-18", Decimal("43099.5")), asyncio.sleep(0))


def show(folder: Path) -> None:
    """Read back what was logged."""
    for words in (("trades", "--table"), ("trades", "--json"), ("errors",)):
        subprocess.run([sys.executable, "-m", "metaexpert", "logs", *words, str(folder)], check=True)  # noqa: S603 - ours
    lines = [json.loads(line) for line in (folder / "expert.log").read_text(encoding="utf-8").splitlines()]
    print("DEBUG that was held until the error:", [line["message"] for line in lines if line["level"] == "DEBUG"])
    (failed,) = [line for line in lines if "api_error" in line.get("extra", {})]
    print("what the code knew:", failed["exception"]["locals"])


if __name__ == "__main__":
    with TemporaryDirectory() as made:
        asyncio.run(main(Path(made)))
        show(Path(made))
