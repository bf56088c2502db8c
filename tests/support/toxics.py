"""A TCP proxy on loopback with toxics: latency, bandwidth, reset, slow close, half-open, a cut in the middle.

A toxic is put on and taken off while connections stand; those that it has broken stay broken.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Latency:
    """Every piece of data takes so much longer, either way."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """So many bytes pass in a second, either way."""

    bytes_per_second: int


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset when data comes: RST, as a crash sends it."""


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """A connection is accepted and nothing ever passes."""


@dataclass(frozen=True, slots=True)
class SlowClose:
    """The request passes; of its answer all but the last byte, and the end comes only after a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class CutRequest:
    """So many bytes of a request pass, and the connection is closed on both sides."""

    after_bytes: int


@dataclass(frozen=True, slots=True)
class CutAnswer:
    """The request passes; so many bytes of its answer do, and the connection is closed on both sides."""

    after_bytes: int


type Toxic = Latency | Bandwidth | Reset | HalfOpen | SlowClose | CutRequest | CutAnswer


class _CutError(Exception):
    """The connection has to end here."""


class ToxicProxy:
    """Passes connections on to one server.

    Args:
        target: the server's address.

    Attributes:
        url: the proxy's own address.
        toxic: what is in force; None for an honest proxy.
        connections: how many were accepted.
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        assert parts.hostname is not None
        assert parts.port is not None
        self._target = (parts.hostname, parts.port)
        self.url = ""
        self.toxic: Toxic | None = None
        self.connections = 0
        self._under_way: set[asyncio.Task[None]] = set()

    async def serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Pass one connection on until either side ends it."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        try:
            await self._pass_on(client, to_client)
        except (_CutError, OSError):
            pass
        finally:
            self._under_way.discard(task)
            to_client.close()

    async def _pass_on(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection(*self._target)
        both = [
            asyncio.create_task(self._requests(client, to_server, to_client)),
            asyncio.create_task(self._answers(server, to_client)),
        ]
        try:
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            to_server.close()

    async def _requests(
        self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter, to_client: asyncio.StreamWriter
    ) -> None:
        passed = 0
        while data := await client.read(_CHUNK_BYTES):
            match self.toxic:
                case HalfOpen():
                    continue
                case Reset():
                    raw = to_client.get_extra_info("socket")
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    to_client.transport.abort()
                    raise _CutError
                case CutRequest(after_bytes=most):
                    await self._slowly(data[: most - passed], to_server)
                    passed += len(data)
                    if passed >= most:
                        raise _CutError
                case _:
                    await self._slowly(data, to_server)

    async def _answers(self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        while data := await server.read(_CHUNK_BYTES):
            match self.toxic:
                case HalfOpen():
                    continue
                case SlowClose(seconds=seconds):
                    await self._slowly(data[:-1], to_client)
                    await asyncio.sleep(seconds)
                    raise _CutError
                case CutAnswer(after_bytes=most):
                    await self._slowly(data[:most], to_client)
                    raise _CutError
                case _:
                    await self._slowly(data, to_client)

    async def _slowly(self, data: bytes, to: asyncio.StreamWriter) -> None:
        match self.toxic:
            case Latency(seconds=seconds):
                await asyncio.sleep(seconds)
            case Bandwidth(bytes_per_second=rate):
                await asyncio.sleep(len(data) / rate)
            case _:
                pass
        to.write(data)
        await to.drain()

    async def end(self) -> None:
        """End all connections."""
        under_way = [*self._under_way]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


@asynccontextmanager
async def proxying(target: str) -> AsyncGenerator[ToxicProxy]:
    """A proxy to `target` on a free loopback port while the context lasts."""
    proxy = ToxicProxy(target)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
        with contextlib.suppress(asyncio.CancelledError):
            await server.wait_closed()
