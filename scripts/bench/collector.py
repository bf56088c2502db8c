"""A collector that accepts Loki pushes, Elasticsearch bulks and OTLP/HTTP logs, checks each entry and counts it.

It does what a benchmark needs and no more: the requests' shape is checked, every entry is found by its number, answers
are those of the real ones (204; one status for each item; 200 with an empty message). Stalled, it reads and never
answers. It runs in a process of its own until its standard input is closed.
"""

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import orjson
from aiohttp import web

from bench.arrival import OWN_DATASET, OWN_LOGGER, Arrivals

BODY_LIMIT_BYTES = 256 * 2**20
_CREATED = b'{"create":{"status":201}}'


class Collector:
    """Arrivals over three protocols."""

    def __init__(self, offered: int) -> None:
        """Expect entries numbered from 0 to ``offered`` - 1."""
        self._arrivals = Arrivals(offered)
        self._requests = 0

    def application(self) -> web.Application:
        """The HTTP side."""
        application = web.Application(client_max_size=BODY_LIMIT_BYTES)
        application.add_routes(
            [
                web.post("/loki/api/v1/push", self._loki),
                web.post("/_bulk", self._bulk),
                web.post("/{index}/_bulk", self._bulk),
                web.post("/v1/logs", self._otlp),
                web.get("/tally", self._tally),
            ]
        )
        return application

    async def _loki(self, request: web.Request) -> web.Response:
        self._requests += 1
        for line in _loki_lines(orjson.loads(await request.read())):
            self._arrivals.take_line(line.encode())
        return web.Response(status=204)

    async def _bulk(self, request: web.Request) -> web.Response:
        self._requests += 1
        lines = (await request.read()).splitlines()
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            self._take_document(orjson.loads(action), orjson.loads(document))
        items = b",".join([_CREATED] * (len(lines) // 2))
        return web.Response(body=b'{"errors":false,"items":[' + items + b"]}", content_type="application/json")

    def _take_document(self, action: dict[str, Any], document: dict[str, Any]) -> None:
        identity = action["create"]["_id"]
        if document["event"]["id"] != identity or "@timestamp" not in document or "message" not in document:
            self._arrivals.note(f"document {identity}: {document!r}")
        elif document["event"].get("dataset") != OWN_DATASET:
            self._arrivals.take_fields(document["extra"])

    async def _otlp(self, request: web.Request) -> web.Response:
        # Only the peer that needs it brings protobuf along.
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

        self._requests += 1
        message = ExportLogsServiceRequest.FromString(await request.read())
        for resource in message.resource_logs:
            for scope in resource.scope_logs:
                for record in scope.log_records if scope.scope.name != OWN_LOGGER else ():
                    self._arrivals.take_fields({pair.key: _plain(pair.value) for pair in record.attributes})
        return web.Response(body=b"", content_type="application/x-protobuf")

    async def _tally(self, _request: web.Request) -> web.Response:
        arrivals = self._arrivals
        return web.json_response(
            {
                "requests": self._requests,
                "offered": arrivals.offered,
                "arrived": arrivals.arrived,
                "duplicates": arrivals.duplicates,
                "fault": arrivals.fault,
                "caller_right": arrivals.caller_right,
            }
        )


def _loki_lines(body: dict[str, Any]) -> Iterator[str]:
    """The lines of a push; anything but the documented shape raises and is answered with 500, which is a loss."""
    for stream in body["streams"]:
        if not all(isinstance(value, str) for value in stream["stream"].values()):
            raise ValueError(f"labels must be strings: {stream['stream']!r}")
        for nanoseconds, line, *metadata in stream["values"]:
            if not (nanoseconds.isdigit() and all(isinstance(value, str) for m in metadata for value in m.values())):
                raise ValueError(f"malformed value at {nanoseconds!r}")
            yield line


def _plain(value: Any) -> object:
    return getattr(value, value.WhichOneof("value"))


async def _never(request: web.Request) -> web.Response:
    async for _ in request.content.iter_any():
        pass
    await asyncio.Event().wait()
    return web.Response()


def _stalled_application() -> web.Application:
    application = web.Application(client_max_size=BODY_LIMIT_BYTES)
    application.router.add_route("*", "/{path:.*}", _never)
    return application


async def serve(offered: int, *, stalled: bool) -> None:
    """Serve on a free port of loopback, print the port, and end when standard input does."""
    application = _stalled_application() if stalled else Collector(offered).application()
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()
