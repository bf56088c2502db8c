"""The collector's HTTP side: reads a request, lets the protocol modules decide, shows the faults it was told to.

Faulty requests store nothing, with two exceptions that are the point of their modes: `lost_ack` stores and then
drops the connection, `partial` stores what the protocol's own partial failure would.
"""

import asyncio
import math
import os
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable

import orjson
from aiohttp import web

from metaexpert.demo.collector import bulk, loki
from metaexpert.demo.collector.faults import TARGETS, Fault, FaultPlan, Target, parse_fault
from metaexpert.demo.collector.store import EntryStore, dump_stores
from metaexpert.demo.collector.watch import Watch
from metaexpert.demo.collector.wire import (
    Answer,
    Json,
    TooLarge,
    Unreadable,
    decode_body,
    json_answer,
    load_json,
    text_answer,
)

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_FAULT_POLL_SECONDS = 0.02
_NOT_HTTP = b"\x00\xff\x13garbage, not HTTP\r\n\r\n"
_HTML = Answer(200, b"<html><body>It works!</body></html>", "text/html")
_LOKI_TEXTS = {
    "260": "ingestion blocked for user fake until '2030-01-01T00:00:00Z' with status code '260'",
    "401": "no org id",
    "403": "forbidden",
    "404": "404 page not found",
    "429": "Ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec) while attempting to ingest "
    "'1000' lines totaling '1048576' bytes, reduce log volume or contact your Loki administrator to see if the "
    "limit can be increased",
    "500": "empty ring",
    "502": "bad gateway",
    "503": "service unavailable",
    "504": "context deadline exceeded",
}
_BULK_ERRORS = {
    "401": ("security_exception", "missing authentication credentials for REST request [/_bulk]"),
    "403": ("security_exception", "action [indices:data/write/bulk] is unauthorized for user [demo]"),
    "404": ("index_not_found_exception", "no such index [metaexpert]"),
    "429": ("es_rejected_execution_exception", bulk.OVERLOADED),
    "500": ("exception", "internal server error"),
    "502": ("exception", "bad gateway"),
    "503": ("cluster_block_exception", "blocked by: [SERVICE_UNAVAILABLE/1/state not recovered / initialized];"),
    "504": ("timeout_exception", "timed out"),
}


class Collector:
    """Both targets, their faults and their counters, behind one aiohttp application."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._clock = clock
        self._started_at = clock()
        self.loki = loki.LokiTarget(clock_ns)
        self.bulk = bulk.BulkTarget()
        self.faults = FaultPlan()
        self.stopping = asyncio.Event()
        self._requests: Counter[Target] = Counter()
        self._body_bytes: Counter[Target] = Counter()
        self._statuses: dict[Target, Counter[str]] = {target: Counter() for target in TARGETS}
        self._watches: dict[Target, Watch] = {target: Watch() for target in TARGETS}
        self._hanging = 0

    def application(self) -> web.Application:
        """The routes; bodies are decoded here, not by aiohttp, so that a bad gzip is answered as the servers do."""
        app = web.Application(client_max_size=bulk.BODY_LIMIT_BYTES)
        app.add_routes(
            [
                web.get("/ready", self._ready),
                web.post("/loki/api/v1/push", self._push),
                web.post("/_bulk", self._bulk),
                web.post("/{index}/_bulk", self._bulk),
                web.post("/admin/faults", self._set_faults),
                web.post("/admin/watch", self._watch_for),
                web.get("/admin/entries", self._entries),
                web.get("/admin/stats", self._stats),
                web.post("/admin/shutdown", self._shutdown),
            ]
        )
        return app

    async def _ready(self, _: web.Request) -> web.Response:
        if self.faults.current("loki", self._clock()) is not None:
            return _response(text_answer(503, "Ingester not ready: waiting for 15s after being ready"))
        return _response(text_answer(200, "ready"))

    async def _push(self, request: web.Request) -> web.Response:
        return await self._receive(request, "loki", loki.BODY_LIMIT_BYTES, lambda body, _: self.loki.push(body))

    async def _bulk(self, request: web.Request) -> web.Response:
        def decide(body: bytes, fault: Fault | None) -> Answer:
            self.bulk.overloaded_one_in = bulk.REJECT_ONE_IN if fault is not None and fault.mode == "partial" else 0
            index, filter_path = request.match_info.get("index", ""), request.query.get("filter_path", "")
            answer = self.bulk.bulk(body, request.content_type, index, filter_path)
            return _one_item_short(answer) if fault is not None and fault.mode == "short" else answer

        return await self._receive(request, "elasticsearch", bulk.BODY_LIMIT_BYTES, decide)

    async def _receive(
        self, request: web.Request, target: Target, limit_bytes: int, decide: Callable[[bytes, Fault | None], Answer]
    ) -> web.Response:
        """One data request: read, fail if told to, decode, decide, answer."""
        self._requests[target] += 1
        raw = await request.read()
        self._body_bytes[target] += len(raw)
        fault = self.faults.take(target, self._clock())
        body = decode_body(raw, request.headers.get("Content-Encoding", "").lower(), limit_bytes)
        self._watches[target].look((*_said(request), raw, body if isinstance(body, bytes) else b""))
        if fault is not None:
            answer = await self._fail(request, target, fault, body)
            if answer is not None:
                return self._answered(target, answer)
        if not isinstance(body, bytes):
            return self._answered(target, _undecodable(target, body))
        self.loki.refuse_one_in = loki.PARTIAL_ONE_IN if fault is not None and fault.mode == "partial" else 0
        answer = decide(body, fault)
        if fault is not None and fault.mode == "lost_ack":
            _drop_connection(request)
            return self._answered(target, Answer(0))
        return self._answered(target, answer)

    async def _fail(
        self, request: web.Request, target: Target, fault: Fault, body: bytes | Unreadable | TooLarge
    ) -> Answer | None:
        """Show one fault; None when the request is to be processed all the same."""
        match fault.mode:
            case "hang":
                return await self._hang(request, target)
            case "reset":
                _drop_connection(request)
                return Answer(0)
            case "garbage":
                return _garbage(request, target)
            case "413":
                fits = isinstance(body, bytes) and len(body) <= fault.max_bytes
                return None if fits else _undecodable(target, TooLarge(fault.max_bytes))
            case "partial" | "short" | "lost_ack":
                return None
            case mode:
                return _status_answer(target, mode, fault.retry_after_seconds)

    async def _hang(self, request: web.Request, target: Target) -> Answer | None:
        """Keep the client waiting while the fault lasts; whoever still waits then is served."""
        self._hanging += 1
        try:
            while self._hangs(target) and _is_connected(request):  # noqa: ASYNC110  no event tells of a closed peer
                await asyncio.sleep(_FAULT_POLL_SECONDS)
        finally:
            self._hanging -= 1
        return None if _is_connected(request) and not self.stopping.is_set() else Answer(0)

    def _hangs(self, target: Target) -> bool:
        fault = self.faults.current(target, self._clock())
        return fault is not None and fault.mode == "hang" and not self.stopping.is_set()

    def _answered(self, target: Target, answer: Answer) -> web.Response:
        self._statuses[target][str(answer.status or "none")] += 1
        return _response(answer)

    async def _set_faults(self, request: web.Request) -> web.Response:
        try:
            order = parse_fault(load_json(await request.read()), self._clock())
        except orjson.JSONDecodeError as error:
            order = f"not JSON: {error}"
        if isinstance(order, str):
            return _response(json_answer(400, {"error": order}))
        self.faults.set(order.targets, order.fault)
        return _response(json_answer(200, {"targets": list(order.targets), "mode": order.fault.mode}))

    async def _watch_for(self, request: web.Request) -> web.Response:
        try:
            texts = load_json(await request.read())
        except orjson.JSONDecodeError:
            texts = None
        if not isinstance(texts, dict):
            return _response(json_answer(400, {"error": "what is looked for is an object of names and texts"}))
        for watch in self._watches.values():
            watch.watch_for({name: str(text) for name, text in texts.items()})
        return _response(json_answer(200, {"watched": list(texts)}))

    async def _entries(self, request: web.Request) -> web.Response:
        stores = self._stores().get(request.query.get("target", ""))
        if stores is None:
            return _response(json_answer(400, {"error": f"target is one of {', '.join(TARGETS)}"}))
        return _response(json_answer(200, dump_stores(stores)))

    def _stores(self) -> dict[str, list[EntryStore]]:
        return {"loki": [self.loki.store], "elasticsearch": list(self.bulk.stores.values())}

    async def _stats(self, _: web.Request) -> web.Response:
        now = self._clock()
        targets: dict[str, Json] = {target: self._target_stats(target, now) for target in TARGETS}
        process: dict[str, Json] = {
            "pid": os.getpid(),
            "cpu_seconds": time.process_time(),
            "uptime_seconds": now - self._started_at,
            "hanging": self._hanging,
        }
        return _response(json_answer(200, {**process, **targets}))

    def _target_stats(self, target: Target, now: float) -> dict[str, Json]:
        stores = self._stores()[target]
        received = self.loki if target == "loki" else self.bulk
        fault = self.faults.current(target, now)
        return {
            "requests": self._requests[target],
            "body_bytes": self._body_bytes[target],
            "statuses": dict(self._statuses[target]),
            "entries_received": received.received,
            "entries_stored": sum(map(len, stores)),
            "entries_refused": received.refused,
            "copies": sum(count - 1 for store in stores for count in store.copies.values()),
            "conflicting": sum(len(store.conflicting_ids) for store in stores),
            "fault": "ok" if fault is None else fault.mode,
            "found": dict(self._watches[target].found),
        }

    async def _shutdown(self, _: web.Request) -> web.Response:
        self.stopping.set()
        return _response(json_answer(200, {"stopping": True}))


def _said(request: web.Request) -> tuple[bytes, ...]:
    """What a request says beside its body."""
    return request.raw_path.encode(), *(name + b": " + value for name, value in request.raw_headers)


def _response(answer: Answer) -> web.Response:
    headers = {"Content-Type": answer.content_type} if answer.body else {}
    if answer.retry_after_seconds is not None:
        headers["Retry-After"] = str(math.ceil(answer.retry_after_seconds))
    return web.Response(status=answer.status or 500, body=answer.body, headers=headers)


def _status_answer(target: Target, mode: str, retry_after_seconds: float | None) -> Answer:
    if target == "loki" or mode not in _BULK_ERRORS:
        answer = text_answer(int(mode), _LOKI_TEXTS.get(mode, mode))
    else:
        kind, reason = _BULK_ERRORS[mode]
        cause: dict[str, Json] = {"type": kind, "reason": reason}
        answer = json_answer(int(mode), {"error": {"root_cause": [cause], **cause}, "status": int(mode)})
    return Answer(answer.status, answer.body, answer.content_type, retry_after_seconds)


def _undecodable(target: Target, problem: Unreadable | TooLarge) -> Answer:
    match problem:
        case TooLarge(limit_bytes):
            if target == "elasticsearch":
                return Answer(413)
            return text_answer(413, f"request body too large, limit: {limit_bytes} bytes")
        case Unreadable(reason):
            if target == "elasticsearch":
                return bulk.bad_request(bulk.BadRequest("parse_exception", reason))
            return text_answer(400, reason)


def _one_item_short(answer: Answer) -> Answer:
    """A misbehaving clone's success: no errors, and one result fewer than documents."""
    response = load_json(answer.body)
    items = response.get("items") if isinstance(response, dict) else None
    return json_answer(200, {"errors": False, "items": items[:-1] if isinstance(items, list) else []})


def _garbage(request: web.Request, target: Target) -> Answer:
    """Nonsense instead of an answer: HTML from a proxy's start page, or bytes that are not HTTP at all."""
    if target == "elasticsearch":
        return _HTML
    if request.transport is not None:
        request.transport.write(_NOT_HTTP)
        request.transport.close()
    return Answer(0)


def _drop_connection(request: web.Request) -> None:
    """Reset the connection (RST where the platform allows it)."""
    if request.transport is None:
        return
    connection = request.transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    request.transport.abort()


def _is_connected(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()
