"""A market on loopback: a websocket server that plays timed frames to whoever is connected.

Time starts with the first connection and runs on: who reconnects joins at the present, as at a real exchange. When
the frames end, connections stay open and silent.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from aiohttp import WSMsgType, web

from metaexpert.demo.desk.exchange import OrderEndpoint
from metaexpert.demo.frame_source import TimedFrame

_MIN_WAIT_SECONDS = 0.001
_MAX_WITHOUT_PAUSE = 50
_SHUTDOWN_SECONDS = 0.5


class MarketServer:
    """Plays `frames` at `speed` times their own pace; an async context manager.

    Args:
        frames: What is streamed at `url`.
        speed: Times the frames' own pace.
        orders: An endpoint for orders beside the stream; without one it takes none.

    Attributes:
        frames_sent: Frames played so far, whether or not somebody was connected.
        finished: Set when the frames have ended.
        url: Of the stream.
        http_url: Of everything else.
    """

    def __init__(
        self, frames: Iterable[TimedFrame], *, speed: float = 1.0, orders: OrderEndpoint | None = None
    ) -> None:
        self._frames = frames
        self._speed = speed
        self._orders = orders
        self._sockets: set[web.WebSocketResponse] = set()
        self._joined = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._playing: asyncio.Task[None] | None = None
        self.frames_sent = 0
        self.finished = asyncio.Event()
        self.url = ""
        self.http_url = ""

    async def __aenter__(self) -> Self:
        orders = self._orders
        app = web.Application(middlewares=() if orders is None else orders.middlewares)
        app.add_routes([web.get("/stream", self._connect), *(() if orders is None else orders.routes)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        address = f"127.0.0.1:{self._runner.addresses[0][1]}"
        self.url, self.http_url = f"ws://{address}/stream", f"http://{address}"
        self._playing = asyncio.create_task(self._play(), name="market")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._playing is not None:
            self._playing.cancel()
            await asyncio.wait({self._playing})
        await self.disconnect_all()
        if self._runner is not None:
            await self._runner.cleanup()

    def fall_silent(self) -> None:
        """Play no more frames; connections stay open."""
        if self._playing is not None:
            self._playing.cancel()
        self.finished.set()

    async def disconnect_all(self) -> None:
        """Close every connection, as an exchange does when it is maintained; clients may come back."""
        for socket in tuple(self._sockets):
            await socket.close(code=1001, message=b"going away")

    async def _connect(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.add(socket)
        self._joined.set()
        try:
            async for message in socket:
                if message.type is WSMsgType.ERROR:
                    break
        finally:
            self._sockets.discard(socket)
        return socket

    async def _play(self) -> None:
        await self._joined.wait()
        clock = asyncio.get_running_loop().time
        started_at = clock()
        for number, frame in enumerate(self._frames):
            ahead_seconds = started_at + frame.offset_seconds / self._speed - clock()
            if ahead_seconds > 0 or number % _MAX_WITHOUT_PAUSE == 0:
                await asyncio.sleep(max(ahead_seconds, _MIN_WAIT_SECONDS))
            await self._broadcast(frame.text)
        self.finished.set()

    async def _broadcast(self, text: str) -> None:
        self.frames_sent += 1
        for socket in tuple(self._sockets):
            with contextlib.suppress(ConnectionError):  # a client that leaves now is removed by its own handler
                await socket.send_str(text)
