"""`python -m metaexpert.demo.collector`: serve on a free loopback port until told to stop or orphaned.

Prints one JSON line, `{"port": …, "pid": …}`, when it listens. It ends on POST /admin/shutdown, on SIGTERM, and when
its standard input does (the parent closed it, or died); started by hand on a terminal, on an interrupt instead.
"""

import argparse
import asyncio
import os
import signal
import sys
import threading
from collections.abc import Sequence

import orjson

from metaexpert.demo.collector.app import Collector
from metaexpert.demo.collector.server import serving

_STDIN = 0


def main(argv: Sequence[str] | None = None) -> int:
    """Serve; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m metaexpert.demo.collector", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: any free one)")
    options = parser.parse_args(argv)
    asyncio.run(_serve(options.port, by_hand=os.isatty(_STDIN)))
    return 0


async def _serve(port: int, *, by_hand: bool) -> None:
    collector = Collector()
    async with serving(collector, port) as bound_port:
        _stop_on(collector, signal.SIGTERM)
        if by_hand:
            _stop_on(collector, signal.SIGINT)
        else:
            # a terminal's interrupt reaches the whole group: the parent decides, and may still want to flush to us
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            _stop_when_orphaned(collector)
        _announce(bound_port)
        await collector.stopping.wait()


def _announce(port: int) -> None:
    sys.stdout.buffer.write(orjson.dumps({"port": port, "pid": os.getpid()}) + b"\n")
    sys.stdout.buffer.flush()


def _stop_on(collector: Collector, number: signal.Signals) -> None:
    loop = asyncio.get_running_loop()

    def stop(_number: int, _frame: object) -> None:
        loop.call_soon_threadsafe(collector.stopping.set)

    signal.signal(number, stop)


def _stop_when_orphaned(collector: Collector) -> None:
    """Watch standard input in a daemon thread: the one way that works on every platform's pipes."""
    loop = asyncio.get_running_loop()

    def watch() -> None:
        while os.read(_STDIN, 4096):
            continue
        if not loop.is_closed():
            loop.call_soon_threadsafe(collector.stopping.set)

    threading.Thread(target=watch, name="stdin-watch", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
