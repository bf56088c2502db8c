"""The websocket client against real servers on loopback: it comes back, and it says what happened."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import pytest
from aiohttp import web

from metaexpert.core.events import Tick
from metaexpert.exceptions import MetaExpertError
from metaexpert.logger.retry import Backoff
from metaexpert.websocket.client import Frame, WebSocketClient, WebSocketOptions
from metaexpert.websocket.feed import WebSocketFeed

type Serve = Callable[[web.WebSocketResponse], Awaitable[None]]

PATIENCE_SECONDS = 10


@asynccontextmanager
async def http_server(connect: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncGenerator[str]:
    """Answers every request with `connect`; gives the address, with a secret in its query."""
    app = web.Application()
    app.add_routes([web.get("/ws", connect)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/ws?listenKey=secret"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def server(*serves: Serve, answer_pings: bool = True) -> AsyncGenerator[str]:
    """Handles the first connection with the first of `serves`, and so on; the last one handles all that follow."""
    left = list(serves)

    async def connect(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=answer_pings)
        await socket.prepare(request)
        await (left.pop(0) if len(left) > 1 else left[0])(socket)
        return socket

    async with http_server(connect) as url:
        yield url


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.001)


class Waits:
    """A sleep that takes no time and remembers what it was asked for."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


def client(url: str, waits: Waits | None = None, **options: object) -> WebSocketClient:
    return WebSocketClient(
        WebSocketOptions(url=url, **options),  # type: ignore[arg-type]
        clock_ns=lambda: 42,
        uniform=lambda _low, high: high,
        sleep=(waits or Waits()).sleep,
    )


async def take(source: WebSocketClient, count: int) -> list[str | bytes]:
    taken: list[str | bytes] = []
    async with asyncio.timeout(PATIENCE_SECONDS), aclosing(source.frames()) as frames:
        async for frame in frames:
            taken.append(frame.data)
            if len(taken) == count:
                break
    return taken


def send(*texts: str) -> Serve:
    """Send these and then close."""

    async def serve(socket: web.WebSocketResponse) -> None:
        for text in texts:
            await socket.send_str(text)
        await socket.close()

    return serve


async def stay_silent(socket: web.WebSocketResponse) -> None:
    async for _ in socket:
        pass


async def test_frames_arrive_with_the_time_of_receipt():
    async with server(send("a")) as url, aclosing(client(url).frames()) as frames:
        assert await anext(frames) == Frame("a", 42)


async def test_binary_frames_arrive_too():
    async def serve(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(b"\x00")

    async with server(serve) as url:
        assert await take(client(url), 1) == [b"\x00"]


async def test_subscriptions_are_sent_on_each_connect():
    heard: list[str] = []

    async def serve(socket: web.WebSocketResponse) -> None:
        heard.append(await socket.receive_str())
        await socket.send_str("ok")

    async with server(serve) as url:
        await take(client(url, subscribe=('{"op":"subscribe"}',)), 2)
    assert heard == ['{"op":"subscribe"}'] * 2


async def test_it_reconnects_when_the_server_closes():
    waits = Waits()
    async with server(send("a"), send("b")) as url:
        source = client(url, waits)
        assert await take(source, 2) == ["a", "b"]
    stats = source.stats()
    assert (stats.connects, stats.failures, stats.frames, stats.frame_bytes) == (2, 1, 2, 2)
    assert (stats.connected, stats.last_error) == (False, "closed, code 1000")
    assert waits.seconds == [0.5]


async def test_waits_double_up_to_their_limit_and_start_over_after_a_frame():
    waits = Waits()
    backoff = Backoff(0.5, 3.0)
    async with server(send(), send(), send(), send(), send("a"), send("b")) as url:
        await take(client(url, waits, backoff=backoff), 2)
    assert waits.seconds == [0.5, 1.0, 2.0, 3.0, 0.5]


async def test_a_refused_connection_is_tried_again():
    async with server(send("a")) as url:
        pass
    waits = Waits()
    source = client(url, waits)
    reading = asyncio.create_task(take(source, 1))
    await until(lambda: len(waits.seconds) >= 3)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert source.stats().connects == 0
    assert "ClientConnectorError" in (source.stats().last_error or "")


async def test_an_address_that_is_no_websocket_is_tried_again():
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=403)

    waits = Waits()
    async with http_server(refuse) as url:
        source = client(url, waits)
        reading = asyncio.create_task(take(source, 1))
        await until(lambda: len(waits.seconds) >= 2)
        reading.cancel()
        await asyncio.wait({reading})
    assert source.stats().last_error == "status 403: Invalid response status"


async def test_silence_ends_a_connection():
    async with server(stay_silent, send("b")) as url:
        source = client(url, idle_timeout_seconds=0.05)
        assert await take(source, 1) == ["b"]
    assert source.stats().last_error == "no frame for 0.05 s"


async def test_a_server_that_answers_no_ping_ends_a_connection():
    async with server(stay_silent, send("b"), answer_pings=False) as url:
        source = client(url, heartbeat_seconds=0.1)
        assert await take(source, 1) == ["b"]
    assert source.stats().connects == 2


async def test_a_frame_over_the_limit_ends_a_connection():
    async with server(send("x" * 2000), send("b")) as url:
        source = client(url, max_frame_bytes=1000)
        assert await take(source, 1) == ["b"]
        assert source.stats().connects == 2


async def test_cancelling_closes_the_connection():
    closed = asyncio.Event()

    async def serve(socket: web.WebSocketResponse) -> None:
        await socket.send_str("a")
        await stay_silent(socket)
        closed.set()

    async with server(serve) as url:
        source = client(url)
        reading = asyncio.create_task(take(source, 2))
        await until(lambda: source.stats().frames == 1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await asyncio.wait_for(closed.wait(), PATIENCE_SECONDS)
        assert not source.stats().connected


async def test_disconnects_are_logged_without_the_querys_secrets(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    async with server(send("a")) as url:
        await take(client(url), 2)
    records = [record for record in caplog.records if record.name == "metaexpert.websocket.client"]
    assert [record.getMessage() for record in records] == [
        "websocket connected",
        "websocket disconnected",
        "websocket connected",
    ]
    assert "127.0.0.1" in str([vars(record) for record in records])
    assert "secret" not in str([vars(record) for record in records])


@pytest.mark.parametrize("url", ["example.com/ws", "ftp://example.com", "wss://", ""])
def test_what_is_no_address_is_refused_at_once(url: str):
    with pytest.raises(MetaExpertError, match="not an address"):
        WebSocketOptions(url=url)


TRADE = '{"e":"aggTrade","E":1,"s":"BTCUSDT","a":1,"p":"5","q":"1","f":1,"l":1,"T":2,"m":true,"M":true}'


async def test_a_feed_counts_and_logs_garbage_and_goes_on(caplog: pytest.LogCaptureFixture):
    async with server(send("nonsense", TRADE, "{}", TRADE)) as url:
        feed = WebSocketFeed(client(url))
        async with asyncio.timeout(PATIENCE_SECONDS), aclosing(feed.events()) as events:
            assert [type(await anext(events)) for _ in range(2)] == [Tick, Tick]
    assert feed.garbage_frames == 2
    assert [record.getMessage() for record in caplog.records].count("frame not understood") == 2
