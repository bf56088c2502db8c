"""A collector on loopback that dies and comes back at the same address."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import override

from aiohttp import web
from support.holding_collector import HoldingCollector
from support.scripted_collector import Received, status


class MortalCollector(HoldingCollector):
    """While it is dead, its address refuses connections.

    Args:
        kind: as in `HoldingCollector`.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self._bound = self._reserve(0)
        self.port: int = self._bound.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._runner: web.AppRunner | None = None

    def _reserve(self, port: int) -> socket.socket:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
        return bound

    @override
    async def accept(self, request: web.Request, received: Received) -> web.StreamResponse:
        """Store what is posted; a probe asks with a method that nobody has a use for."""
        if received.method != "POST":
            return await status(405)(request, received)
        return await super().accept(request, received)

    async def live(self) -> None:
        """Take connections."""
        self.stopping = asyncio.Event()
        app = web.Application(client_max_size=512 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self.handle)
        runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=0.1)
        await runner.setup()
        await web.SockSite(runner, self._bound).start()
        self._runner = runner

    async def die(self) -> None:
        """Close what there is, and refuse connections."""
        self.stopping.set()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
            self._bound = self._reserve(self.port)

    async def end(self) -> None:
        """Give the address back."""
        await self.die()
        with suppress(OSError):
            self._bound.close()

    @property
    def posts(self) -> list[bytes]:
        """The bodies of its requests but for probes, as they came."""
        return [request.raw for request in self.requests if request.method == "POST"]

    @property
    def probes(self) -> int:
        """How often it was probed."""
        return sum(request.method == "GET" for request in self.requests)


@asynccontextmanager
async def collectors(kind: str, count: int) -> AsyncGenerator[list[MortalCollector]]:
    """So many collectors of a kind, alive, while the context lasts."""
    made = [MortalCollector(kind) for _ in range(count)]
    try:
        for one in made:
            await one.live()
        yield made
    finally:
        for one in made:
            await one.end()
