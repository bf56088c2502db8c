"""One client's websocket connection: what it subscribed to, and the frames on their way to it.

Frames are queued in order and written by one task; pings of the client are answered unless the server is silent.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from .faults import FrameFaults


class Connection:
    """A websocket.

    Attributes:
        path: where it was opened, without the host.
        topics: what the client subscribed to, in the dialect's own words.
        user: whether the client proved who it is.
        notes: what a dialect remembers of it.
    """

    def __init__(self, path: str, query: dict[str, str], faults: FrameFaults) -> None:
        self.path = path
        self.query = query
        self.topics: list[str] = []
        self.user = False
        self.notes: dict[str, Any] = {}
        self._faults = faults
        self._socket = web.WebSocketResponse(autoping=False, compress=False)
        self._request: web.Request | None = None
        self._outgoing: asyncio.Queue[str | None] = asyncio.Queue()

    def send(self, frame: object, topic: str = "") -> None:
        """Send a JSON frame, or what the faults make of it."""
        for sent in self._faults.sent(topic, orjson.dumps(frame).decode()):
            self._outgoing.put_nowait(sent)

    def send_text(self, text: str) -> None:
        """Send text as it is."""
        if not self._faults.silent:
            self._outgoing.put_nowait(text)

    async def run(self, request: web.Request, heard: Callable[["Connection", str], None]) -> web.WebSocketResponse:
        """Speak until one side ends it."""
        self._request = request
        await self._socket.prepare(request)
        writing = asyncio.ensure_future(self._write())
        try:
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    heard(self, message.data)
                elif message.type is WSMsgType.PING and not self._faults.silent:
                    await self._socket.pong(message.data)
        finally:
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await writing
        return self._socket

    async def close(self, code: int = 1001) -> None:
        """End it with a close frame."""
        with contextlib.suppress(ConnectionError):
            await self._socket.close(code=code, drain=False)

    def abort(self) -> None:
        """Let the TCP connection break."""
        if self._request is not None and self._request.transport is not None:
            self._request.transport.abort()

    async def _write(self) -> None:
        while (frame := await self._outgoing.get()) is not None:
            with contextlib.suppress(ConnectionError):
                await self._socket.send_str(frame)
