"""A collector on loopback, Loki or Elasticsearch as far as a sink can see, which counts what it was given by id.

Until `open()` its port refuses connections, as a collector does that is down; `answering = False` has it answer 503.
"""

import gzip
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import orjson
from aiohttp import web

from soak.arrivals import Arrivals

type Kind = Literal["loki", "elasticsearch"]

_LIMIT_BYTES = 256 * 2**20
_STORED = {"create": {"status": 201}}
_THERE = {"create": {"status": 409}}


class Collector:
    """Counts arrivals.

    Args:
        kind: what it is.
        arrivals: where it counts them; empty.

    Attributes:
        arrivals: what came and was accepted.
        answering: whether it accepts; else it answers that it is not available.
        refused: requests it did not accept.
    """

    def __init__(self, kind: Kind, arrivals: Arrivals) -> None:
        self.kind: Kind = kind
        self.arrivals = arrivals
        self.answering = True
        self.refused = 0
        self._ids: set[str] = set()
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Its address, also while it refuses connections."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    async def open(self) -> None:
        """Accept connections."""
        application = web.Application(client_max_size=_LIMIT_BYTES)
        application.router.add_post("/{path:.*}", self._accept)
        self._runner = web.AppRunner(application, access_log=None, auto_decompress=False, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket).start()

    async def close(self) -> None:
        """Stop for good."""
        if self._runner is not None:
            await self._runner.cleanup()
        self._socket.close()

    async def _accept(self, request: web.Request) -> web.Response:
        raw = await request.read()
        if not self.answering:
            self.refused += 1
            return web.Response(status=503)
        body = gzip.decompress(raw) if request.headers.get("Content-Encoding") == "gzip" else raw
        if self.kind == "loki":
            self._take_push(body)
            return web.Response(status=204)
        items = [_STORED if new else _THERE for new in self._take_bulk(body)]
        answer = {"errors": _THERE in items, "items": items}
        return web.Response(body=orjson.dumps(answer), content_type="application/json")

    def _take_push(self, body: bytes) -> None:
        values = [value for stream in orjson.loads(body)["streams"] for value in stream["values"]]
        # a push is sorted into streams, each in its order; Loki has no order between them
        for _time, line, metadata in sorted(values, key=_by_time_and_sequence):
            self.arrivals.take(orjson.loads(line), metadata["entry_id"], line.encode())

    def _take_bulk(self, body: bytes) -> Iterator[bool]:
        lines = body.removesuffix(b"\n").split(b"\n")
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            parameters: dict[str, Any] = orjson.loads(action)["create"]
            entry_id = parameters["_id"]
            yield entry_id not in self._ids
            self._ids.add(entry_id)
            self.arrivals.take(orjson.loads(document), entry_id, document)


def _by_time_and_sequence(value: list[Any]) -> tuple[int, int]:
    time_ns, _line, metadata = value
    return int(time_ns), int(metadata["entry_id"].rpartition("-")[2])


@asynccontextmanager
async def collecting(kind: Kind, arrivals: Arrivals | None = None) -> AsyncGenerator[Collector]:
    """A collector whose port refuses connections until it is opened."""
    collector = Collector(kind, arrivals or Arrivals())
    try:
        yield collector
    finally:
        await collector.close()
