"""A websocket connection that comes back: heartbeat, idle timeout, bounded frames, reconnect with full jitter.

`frames()` yields what arrives, over as many connections as it takes, until it is closed or cancelled; every
connection and the HTTP session are closed on the way out. The wait between attempts grows with each attempt that
brought no frame and starts over after one that did.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from metaexpert.exceptions import MetaExpertError
from metaexpert.logger import get_logger
from metaexpert.logger.retry import Backoff

log = get_logger(__name__)

_TIMEOUT = aiohttp.ClientWSTimeout(ws_close=1.0)  # pyright: ignore[reportCallIssue]  attrs hides its fields


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketOptions:
    """How to connect.

    Attributes:
        url: `ws://` or `wss://`.
        subscribe: Text frames sent after each connect.
        connect_timeout_seconds: For the TCP, TLS and websocket handshakes together.
        heartbeat_seconds: A ping this often; no pong within half of it ends the connection.
        idle_timeout_seconds: No frame for this long ends the connection.
        max_frame_bytes: A larger frame ends the connection.
        backoff: Waits between attempts.
    """

    url: str
    subscribe: tuple[str, ...] = ()
    connect_timeout_seconds: float = 10.0
    heartbeat_seconds: float = 15.0
    idle_timeout_seconds: float = 60.0
    max_frame_bytes: int = 4 * 1024 * 1024
    backoff: Backoff = field(default_factory=Backoff)

    def __post_init__(self) -> None:
        """Refuse what no attempt could ever connect to.

        Raises:
            MetaExpertError: The address is not one of a websocket.
        """
        address = URL(self.url)
        if address.scheme not in {"ws", "wss", "http", "https"} or not address.host:
            raise MetaExpertError(f"url {str(address.with_query(None))!r} is not an address such as wss://host/path")


@dataclass(frozen=True, slots=True)
class Frame:
    """One text or binary frame and when it came, UTC nanoseconds."""

    data: str | bytes
    received_ns: int


@dataclass(frozen=True, slots=True)
class WebSocketStats:
    """Counts since the start.

    Attributes:
        connected: Whether a connection stands now.
        connects: Connections made.
        failures: Attempts that failed, and connections that ended.
        frames: Frames received.
        frame_bytes: Their payload, bytes of UTF-8.
        last_error: Why the last attempt or connection ended.
    """

    connected: bool
    connects: int
    failures: int
    frames: int
    frame_bytes: int
    last_error: str | None


class _ConnectionEndedError(Exception):
    """The connection is over; the message says why."""


class WebSocketClient:
    """Reads one websocket address for ever; clock, random source and sleep are given."""

    def __init__(
        self,
        options: WebSocketOptions,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        uniform: Callable[[float, float], float] = random.uniform,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._options = options
        self._address = str(URL(options.url).with_query(None))  # user streams carry their secret in the query
        self._clock_ns = clock_ns
        self._uniform = uniform
        self._sleep = sleep
        self._connected = False
        self._connects = 0
        self._failures = 0
        self._frames = 0
        self._frame_bytes = 0
        self._last_error: str | None = None

    def stats(self) -> WebSocketStats:
        """A snapshot of the counters."""
        return WebSocketStats(
            self._connected, self._connects, self._failures, self._frames, self._frame_bytes, self._last_error
        )

    async def frames(self) -> AsyncGenerator[Frame]:
        """Yield frames, reconnecting for ever; ends only by being closed or cancelled."""
        attempt = 0
        async with aiohttp.ClientSession() as session:
            while True:
                frames_before = self._frames
                try:
                    async with aclosing(self._connection(session)) as frames:
                        async for frame in frames:
                            yield frame
                except (aiohttp.ClientError, OSError, _ConnectionEndedError) as error:
                    attempt = 1 if self._frames > frames_before else attempt + 1
                    await self._pause(attempt, error)

    async def _connection(self, session: aiohttp.ClientSession) -> AsyncGenerator[Frame]:
        """The frames of one connection; always ends with an exception that says why."""
        socket = await self._connect(session)
        self._connected = True
        self._connects += 1
        log.info("websocket connected", url=self._address, connects=self._connects)
        try:
            for text in self._options.subscribe:
                await socket.send_str(text)
            while True:
                yield self._count(await self._receive(socket))
        finally:
            self._connected = False
            await socket.close()

    async def _connect(self, session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
        options = self._options
        # TimeoutError is an OSError: the caller's except clause takes it
        async with asyncio.timeout(options.connect_timeout_seconds):
            return await session.ws_connect(
                options.url,
                heartbeat=options.heartbeat_seconds,
                max_msg_size=options.max_frame_bytes,
                timeout=_TIMEOUT,
            )

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> str | bytes:
        try:
            message = await socket.receive(self._options.idle_timeout_seconds)
        except TimeoutError:
            raise _ConnectionEndedError(f"no frame for {self._options.idle_timeout_seconds:g} s") from None
        match message.type:
            case aiohttp.WSMsgType.TEXT | aiohttp.WSMsgType.BINARY:
                return message.data
            case aiohttp.WSMsgType.ERROR:
                raise _ConnectionEndedError(f"{message.data or socket.exception()!r}")
            case _:
                raise _ConnectionEndedError(f"closed, code {socket.close_code}")

    def _count(self, data: str | bytes) -> Frame:
        self._frames += 1
        self._frame_bytes += len(data) if isinstance(data, bytes) or data.isascii() else len(data.encode())
        return Frame(data, self._clock_ns())

    async def _pause(self, attempt: int, error: Exception) -> None:
        self._failures += 1
        self._last_error = _explain(error)
        wait_seconds = self._options.backoff.wait_seconds(attempt, None, self._uniform)
        log.warning(
            "websocket disconnected",
            url=self._address,
            reason=self._last_error,
            attempt=attempt,
            wait_seconds=wait_seconds,
        )
        await self._sleep(wait_seconds)


def _explain(error: Exception) -> str:
    """What ended a connection; never with the address, whose query may be secret."""
    match error:
        case _ConnectionEndedError():
            return str(error)
        case aiohttp.ClientResponseError():
            return f"status {error.status}: {error.message}"
        case _:
            return f"{type(error).__name__}: {error}"
