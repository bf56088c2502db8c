"""A relay on loopback that passes requests on to a real server and, when told to, loses its answer."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from support.scripted_collector import Received, ScriptedCollector, serving


class Relay(ScriptedCollector):
    """Passes requests on to `target`; `lose` as a reply does so and closes the connection instead of answering."""

    def __init__(self, target: str, session: aiohttp.ClientSession) -> None:
        super().__init__(self.relay)
        self._target = target.rstrip("/")
        self._session = session

    async def relay(self, _request: web.Request, received: Received) -> web.StreamResponse:
        """Pass on and answer."""
        headers = {
            name: value
            for name, value in received.headers.items()
            if name.lower() in {"content-type", "content-encoding"}
        }
        async with self._session.post(self._target + received.path, data=received.raw, headers=headers) as response:
            return web.Response(status=response.status, body=await response.read())

    async def lose(self, request: web.Request, received: Received) -> web.StreamResponse:
        """Pass on, and close without the answer."""
        await self.relay(request, received)
        return await self.close(request, received)


@asynccontextmanager
async def relaying(target: str) -> AsyncGenerator[Relay]:
    """A relay to `target` while the context lasts."""
    async with aiohttp.ClientSession() as session:
        relay = Relay(target, session)
        async with serving(relay):
            yield relay
