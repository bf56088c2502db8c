"""A real HTTP server on loopback that gives the answers it was told to, one a request, and keeps every request.

Requests are kept as they came: raw body, decoded body, headers, and the port of the connection they came on.
"""

import asyncio
import contextlib
import gzip
import ssl
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

_CHUNK = b"x" * 65_536


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    raw: bytes
    connection: int
    at: float

    @property
    def body(self) -> bytes:
        """The body without its compression."""
        return gzip.decompress(self.raw) if self.headers.get("Content-Encoding") == "gzip" else self.raw


type Reply = Callable[[web.Request, Received], Awaitable[web.StreamResponse]]


class ScriptedCollector:
    """Serves what it was told to, then `default`.

    Attributes:
        requests: every request, in order of arrival.
        sent_bytes: how much of endless bodies could be sent.
        stopping: set when the server ends; hanging replies wait for it.
    """

    def __init__(self, default: Reply) -> None:
        self.default = default
        self.requests: list[Received] = []
        self.sent_bytes = 0
        self.stopping = asyncio.Event()
        self.url = ""
        self._script: deque[Reply] = deque()

    def then(self, *replies: Reply) -> None:
        """Give these answers next, one a request."""
        self._script.extend(replies)

    @property
    def connections(self) -> set[int]:
        """The ports of the connections requests came on."""
        return {request.connection for request in self.requests}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Keep the request and give the next answer; one that does not come whole is none."""
        try:
            raw = await request.read()
        except (web.RequestPayloadError, ConnectionError):
            return web.Response(status=400)
        peer = request.transport.get_extra_info("peername") if request.transport else None
        received = Received(
            request.method,
            request.path_qs,
            request.headers,
            raw,
            peer[1] if peer else 0,
            asyncio.get_running_loop().time(),
        )
        self.requests.append(received)
        reply = self._script.popleft() if self._script else self.default
        return await reply(request, received)

    # ---- answers ----------------------------------------------------------------------------------------------

    async def close(self, request: web.Request, _: Received) -> web.StreamResponse:
        """Close the connection without an answer."""
        if request.transport is not None:
            request.transport.close()
        return web.Response(status=500)

    async def hang(self, _request: web.Request, _: Received) -> web.StreamResponse:
        """Never answer."""
        await self.stopping.wait()
        return web.Response(status=500)

    async def garbage(self, request: web.Request, _: Received) -> web.StreamResponse:
        """Bytes that are no HTTP."""
        if request.transport is not None:
            request.transport.write(b"\x00\xff\x13 nothing you know\r\n\r\n")
            request.transport.close()
        return web.Response(status=500)

    async def half_answer(self, request: web.Request, _: Received) -> web.StreamResponse:
        """A good status and the beginning of a body, then the connection is gone."""
        response = web.StreamResponse(status=200, headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"errors":false,')
        if request.transport is not None:
            request.transport.close()
        return response

    def endless(self, status: int, total_bytes: int) -> Reply:
        """An answer with a body of `total_bytes`, of which as much is sent as the client takes."""

        async def reply(request: web.Request, _: Received) -> web.StreamResponse:
            response = web.StreamResponse(status=status, headers={"Content-Length": str(total_bytes)})
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                while self.sent_bytes < total_bytes:
                    await response.write(_CHUNK)
                    self.sent_bytes += len(_CHUNK)
            return response

        return reply


def status(code: int, body: bytes | str = b"", **headers: str) -> Reply:
    """An answer with this status, body and headers."""
    content = body.encode() if isinstance(body, str) else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def reply(_request: web.Request, _received: Received) -> web.StreamResponse:
        return web.Response(status=code, body=content, headers=named)

    return reply


def json_reply(value: object, code: int = 200) -> Reply:
    """An answer that carries `value` as JSON."""
    return status(code, orjson.dumps(value), Content_Type="application/json")


@contextlib.asynccontextmanager
async def serving(collector: ScriptedCollector, tls: ssl.SSLContext | None = None) -> AsyncGenerator[ScriptedCollector]:
    """Serve `collector` on a free loopback port while the context lasts."""
    app = web.Application(client_max_size=512 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", collector.handle)
    runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        collector.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
        yield collector
    finally:
        collector.stopping.set()
        await runner.cleanup()


# ---- what collectors hold ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pushed:
    """One entry of a Loki push."""

    labels: Mapping[str, str]
    time_ns: str
    line: str
    metadata: Mapping[str, str]

    @property
    def entry(self) -> dict[str, Any]:
        """The line, decoded."""
        return orjson.loads(self.line)

    @property
    def key(self) -> tuple[str, str, str]:
        """What Loki de-duplicates by."""
        return orjson.dumps(self.labels, option=orjson.OPT_SORT_KEYS).decode(), self.time_ns, self.line


def pushed(request: Received) -> list[Pushed]:
    """The entries of a push request, in order."""
    return [
        Pushed(stream["stream"], *value)
        for stream in orjson.loads(request.body)["streams"]
        for value in stream["values"]
    ]


@dataclass(frozen=True, slots=True)
class BulkDocument:
    """One operation of a bulk request."""

    action: str
    index: str
    entry_id: str
    source: dict[str, Any]


def documents(request: Received) -> list[BulkDocument]:
    """The operations of a bulk request, in order."""
    lines = request.body.removesuffix(b"\n").split(b"\n")
    operations: list[BulkDocument] = []
    for action_line, source in zip(lines[::2], lines[1::2], strict=True):
        action, parameters = next(iter(orjson.loads(action_line).items()))
        operations.append(BulkDocument(action, parameters["_index"], parameters["_id"], orjson.loads(source)))
    return operations
