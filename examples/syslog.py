"""A trade sent to a syslog receiver as CEF, as a SIEM takes it.

Run it with `python examples/syslog.py`; the receiver is one of a few lines on this machine. For a real one only `host`,
`port` and `transport` differ.
"""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from metaexpert.logger import LoggerConfig, SyslogOptions, get_logger, setup_logging

log = get_logger("orders")


async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Show each message: its length stands in front of it (RFC 6587, octet counting)."""
    while length := (await reader.read(1)):
        while not length.endswith(b" "):
            length += await reader.readexactly(1)
        print((await reader.readexactly(int(length))).decode())
    writer.close()


async def main(folder: Path) -> None:
    """Log a trade, and wait until the receiver has it."""
    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    config = LoggerConfig(
        log_name="ema-cross",
        log_dir=folder,
        log_to_console=False,
        sinks=(SyslogOptions(host="127.0.0.1", port=port, format="cef", facility="local3"),),
    )
    async with server, setup_logging(config) as runtime:
        log.trade.order_placed(order_id="42", symbol="BTCUSDT", side="BUY", quantity="0.1", price="64000.10")
        await runtime.flush()


if __name__ == "__main__":
    with TemporaryDirectory() as made:
        asyncio.run(main(Path(made)))
