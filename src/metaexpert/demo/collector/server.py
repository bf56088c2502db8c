"""Serves a collector on loopback for as long as a context lasts."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiohttp import web

from metaexpert.demo.collector.app import Collector

_SHUTDOWN_SECONDS = 0.5


@asynccontextmanager
async def serving(collector: Collector, port: int = 0) -> AsyncGenerator[int]:
    """Serve `collector` on 127.0.0.1 (port 0: any free one); gives the port."""
    runner = web.AppRunner(
        collector.application(), access_log=None, auto_decompress=False, shutdown_timeout=_SHUTDOWN_SECONDS
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield runner.addresses[0][1]
    finally:
        collector.stopping.set()
        await runner.cleanup()
