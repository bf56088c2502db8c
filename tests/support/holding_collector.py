"""A collector on loopback that keeps what it accepted as the real one does, and misbehaves as it is told meanwhile."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from support.faults import QUICK
from support.hec import ACK_PATH, TOKEN, Hec, events
from support.otlp import exported
from support.scripted_collector import Received, Reply, ScriptedCollector, documents, json_reply, pushed, status

from metaexpert.logger import ElasticsearchOptions, LokiOptions, OtlpOptions, SplunkOptions

_DRIP_SECONDS = 0.05
_OPTIONS = {"loki": LokiOptions, "elasticsearch": ElasticsearchOptions, "otlp": OtlpOptions, "splunk": SplunkOptions}
_MORE: dict[str, dict[str, Any]] = {"splunk": {"token": TOKEN, "ack_poll_interval": 0.05}}


class HoldingCollector(ScriptedCollector):
    """Loki, Elasticsearch, an OpenTelemetry Collector or Splunk with indexer acknowledgement, as far as a sink can see.

    Attributes:
        kind: "loki", "elasticsearch", "otlp" or "splunk".
        held: how often each entry was stored, an entry that is there already once; in Splunk after `dedup entry_id`.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(self.accept)
        self.kind = kind
        self.held: Counter[str] = Counter()
        self._hec = Hec()

    def options(self, url: str = "", **more: Any) -> LokiOptions | ElasticsearchOptions | OtlpOptions | SplunkOptions:
        """A sink that sends here."""
        values = {**QUICK, **_MORE.get(self.kind, {}), "url": url or self.url, **more}
        return _OPTIONS[self.kind](**values)

    def misbehave(self, reply: Reply) -> None:
        """Answer everything so."""
        self.default = reply

    def mend(self) -> None:
        """Answer as a healthy collector from now on."""
        self.default = self.accept

    def arrived(self, received: Received) -> list[str]:
        """The ids of a request's entries."""
        if self.kind == "loki":
            return [entry.metadata["entry_id"] for entry in pushed(received)]
        if self.kind == "otlp":
            return [record.uid for record in exported(received)]
        if self.kind == "splunk":
            return [] if received.path == ACK_PATH else [event["event"]["id"] for event in events(received)]
        return [document.entry_id for document in documents(received)]

    async def accept(self, request: web.Request, received: Received) -> web.StreamResponse:
        """Store what is new, and say what became of each."""
        if self.kind == "splunk":
            indexed = len(self._hec.indexed)
            code, body = self._hec.answer(received)
            self.held.update({*self._hec.ids[indexed:]} - self.held.keys())
            return await json_reply(body, code)(request, received)
        arrived = self.arrived(received)
        known = [each in self.held for each in arrived]
        self.held.update(each for each, there in zip(arrived, known, strict=True) if not there)
        if self.kind != "elasticsearch":
            return await status(204)(request, received)
        items = [{"create": {"status": 409 if there else 201}} for there in known]
        return await json_reply({"errors": any(known), "items": items})(request, received)

    # ---- misbehaviour -----------------------------------------------------------------------------------------

    async def reset(self, request: web.Request, _: Received) -> web.StreamResponse:
        """Reset the connection, as a crash does: closing a socket that lingers for no time sends RST."""
        with _socket_of(request) as (transport, raw):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        return web.Response(status=500)

    async def half_close(self, request: web.Request, _: Received) -> web.StreamResponse:
        """Say that nothing more will come, and go on listening."""
        with _socket_of(request) as (_transport, raw):
            raw.shutdown(socket.SHUT_WR)
        await self.stopping.wait()
        return web.Response(status=500)

    async def drip(self, request: web.Request, _: Received) -> web.StreamResponse:
        """A byte now and then, for ever."""
        response = web.StreamResponse(status=200, headers={"Content-Length": "1000000"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while not self.stopping.is_set():
                await response.write(b"x")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.stopping.wait(), _DRIP_SECONDS)
        return response

    def raw(self, answer: bytes) -> Reply:
        """These bytes in place of an answer, and the end of the connection."""

        async def reply(request: web.Request, _: Received) -> web.StreamResponse:
            with _socket_of(request) as (transport, _raw):
                transport.write(answer)
                transport.close()
            return web.Response(status=500)

        return reply


@contextlib.contextmanager
def _socket_of(request: web.Request) -> Generator[tuple[asyncio.Transport, Any]]:
    transport = request.transport
    assert transport is not None
    yield transport, transport.get_extra_info("socket")


@contextlib.contextmanager
def reserved_port() -> Generator[tuple[socket.socket, int]]:
    """A loopback port that refuses connections until somebody listens on the socket."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound, bound.getsockname()[1]


@asynccontextmanager
async def serving_on(
    bound: socket.socket, collector: ScriptedCollector, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[None]:
    """Serve `collector` on a port chosen before."""
    app = web.Application(client_max_size=512 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", collector.handle)
    runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.SockSite(runner, bound, ssl_context=tls).start()
        yield
    finally:
        collector.stopping.set()
        await runner.cleanup()
