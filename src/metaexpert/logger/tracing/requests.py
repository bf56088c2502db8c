"""A session's requests: `traceparent` sent along, times into meters, failures as entries that say what went wrong.

`aiohttp.ClientSession(trace_configs=[request_tracing(log, exchange="binance")])` is all there is to do. Nothing of a
request's query, headers or bodies is ever logged, but for the code an exchange refused with. Timers: `api.<host>`,
`api.<host> <METHOD> <route>` and, for the parts of a request, `api.<host>:dns`, `:connect` (TCP and, with https, TLS:
aiohttp tells no moment between them), `:first_byte` (sent to answered) and `:wait` (for a free connection). Counters:
`api.<host>:new`, `:reused` and `:failed`.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, cast, final

from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.measuring import meters
from metaexpert.logger.tracing.answers import FAILED_STATUS, exchange_code, request_id
from metaexpert.logger.tracing.current import sending_trace
from metaexpert.logger.tracing.routes import path_of, route_of

if TYPE_CHECKING:
    from types import SimpleNamespace

    import aiohttp
    from yarl import URL

    from metaexpert.logger.logger import Logger

_MOST_HOSTS: Final = 16
_MOST_ROUTES: Final = 100
"""Hosts and routes that have timers of their own; beyond that they share one."""

_OTHERS: Final = "(others)"
_ADDRESS: Final = re.compile(r"""\b[a-z][a-z0-9+.\-]*://[^\s'"<>]*|\?[^\s'"]*""")
_MOST_REASON_CHARACTERS: Final = 256
_SCHEME_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


type _Hook = Callable[[Any, Any, Any], Awaitable[None]]
type _Step = Callable[[_Sent, Any], Awaitable[None] | None]


@final
class _Sent:
    """One request, from its beginning to its answer: what aiohttp hands to each of the hooks.

    Attributes:
        trace_request_ctx: what the caller said of it.
        begun: when it began.
        marks: when parts of it began.
        host: whom it goes to, as meters name it; empty where nothing is to be told of it.
        span: the id it has in its trace.
        sent: how often it was sent to where it ends.
        code: the exchange's, when it was told already.
        status: the answer's; 0 before there is one.
        reads: its body is being read for us.
    """

    __slots__ = ("begun", "code", "host", "marks", "reads", "sent", "span", "status", "trace_request_ctx")

    def __init__(self, trace_request_ctx: object = None) -> None:
        self.trace_request_ctx = trace_request_ctx
        self.begun = perf_counter()
        self.marks: dict[str, float] = {}
        self.host = ""
        self.span = ""
        self.sent = 0
        self.code: str | None = None
        self.status = 0
        self.reads = False

    def said(self, name: str) -> object:
        """What the caller said of it under this name."""
        given = self.trace_request_ctx
        return cast("Mapping[str, object]", given).get(name) if isinstance(given, Mapping) else None

    @property
    def attempt(self) -> int:
        """Which try this was: by the caller's count, and one more for each time aiohttp sent it again itself."""
        first = self.said("attempt")
        return (first if isinstance(first, int) else 1) + max(0, self.sent - 1)


def request_tracing(
    log: "Logger", *, exchange: str | None = None, propagate: bool = True, entries: bool = False
) -> "aiohttp.TraceConfig":
    """What a session is given to be traced: `aiohttp.ClientSession(trace_configs=[request_tracing(log)])`.

    A request may say more of itself: `session.get(url, trace_request_ctx={"attempt": 2, "request_id": "a-17"})`.

    Args:
        log: where failures are logged, at WARNING, and with `entries` every request, at DEBUG.
        exchange: a field of these entries.
        propagate: send `traceparent` and `tracestate` along where a trace is active and the request names none.
        entries: log every request, not only those that fail.
    """
    import aiohttp  # noqa: PLC0415 - whoever calls this has it; nobody else pays for it

    hooks = _Hooks(log, exchange, propagate=propagate, entries=entries)
    config = aiohttp.TraceConfig(trace_config_ctx_factory=cast("type[SimpleNamespace]", _Sent))
    for signal, step in (
        (config.on_request_start, hooks.started),
        (config.on_request_headers_sent, hooks.sent),
        (config.on_request_redirect, hooks.redirected),
        (config.on_request_end, hooks.ended),
        (config.on_request_exception, hooks.broke),
        (config.on_response_chunk_received, hooks.received),
        (config.on_connection_queued_start, _mark("wait")),
        (config.on_connection_queued_end, _lasted("wait")),
        (config.on_dns_resolvehost_start, _mark("dns")),
        (config.on_dns_resolvehost_end, _lasted("dns")),
        (config.on_connection_create_start, _mark("connect")),
        (config.on_connection_create_end, _connected),
        (config.on_connection_reuseconn, _reused),
    ):
        cast("list[_Hook]", signal).append(_hook(step))
    return config


def _hook(step: _Step) -> _Hook:
    """A step as aiohttp calls it; whatever goes wrong in it is counted, and nothing of the request's business."""

    async def hook(_session: Any, sent: _Sent, about: Any) -> None:
        try:
            doing = step(sent, about)
            if doing is not None:
                await doing
        except Exception:  # noqa: BLE001 - see above
            meters.counter("api:tracing_faults").add()

    return hook


def _mark(part: str) -> _Step:
    def begun(sent: _Sent, _about: Any) -> None:
        sent.marks[part] = perf_counter()

    return begun


def _lasted(part: str) -> _Step:
    def ended(sent: _Sent, _about: Any) -> None:
        _record(sent, part)

    return ended


def _record(sent: _Sent, part: str) -> float:
    """Count how long a part lasted; seconds."""
    begun = sent.marks.pop(part, None)
    if begun is None or not sent.host:
        return 0.0
    seconds = perf_counter() - begun
    meters.timer(f"api.{sent.host}:{part}").record(seconds)
    if part == "dns":
        sent.marks["dns_took"] = seconds
    return seconds


def _connected(sent: _Sent, _about: Any) -> None:
    begun, dns_seconds = sent.marks.pop("connect", None), sent.marks.pop("dns_took", 0.0)
    if begun is not None and sent.host:
        meters.timer(f"api.{sent.host}:connect").record(perf_counter() - begun - dns_seconds)
        meters.counter(f"api.{sent.host}:new").add()


def _reused(sent: _Sent, _about: Any) -> None:
    if sent.host:
        meters.counter(f"api.{sent.host}:reused").add()


@final
class _Hooks:
    """What is done at aiohttp's signals that tell of requests themselves."""

    def __init__(self, log: "Logger", exchange: str | None, *, propagate: bool, entries: bool) -> None:
        self._log = log
        self._named: dict[str, object] = {} if exchange is None else {"exchange": exchange}
        self._propagate = propagate
        self._entries = entries
        self._hosts: set[str] = set()
        self._routes: set[str] = set()

    def started(self, sent: _Sent, about: Any) -> None:
        """A request begins; one of the pipeline's own is none of ours."""
        if current_fields.get() is PIPELINE:
            return
        sent.host = _among(self._hosts, _host_of(about.url), _MOST_HOSTS)
        here = sending_trace()
        if here is None:
            return
        sent.span = here.span_id
        if self._propagate and "traceparent" not in about.headers:
            about.headers.update(here.headers())

    def sent(self, sent: _Sent, _about: Any) -> None:
        """Its headers are on their way: from here on the other side takes its time."""
        sent.sent += 1
        sent.marks["first_byte"] = perf_counter()

    def redirected(self, sent: _Sent, _about: Any) -> None:
        """It is sent elsewhere, which is no further attempt."""
        _record(sent, "first_byte")
        sent.sent -= 1

    async def ended(self, sent: _Sent, about: Any) -> None:
        """Its answer's headers are here."""
        if not sent.host:
            return
        _record(sent, "first_byte")
        response = about.response
        sent.status = response.status
        seconds = self._recorded(sent, about)
        if response.status >= FAILED_STATUS:
            sent.code = await _code_of(sent, response)
            self._failed(sent, about, seconds, dict(response.headers))
        elif self._entries:
            self._log.debug("request", **self._told(sent, about, seconds, dict(response.headers)))

    def broke(self, sent: _Sent, about: Any) -> None:
        """It ended without an answer, or with one its caller takes for an exception."""
        if not sent.host:
            return
        error: BaseException = about.exception
        if isinstance(error, asyncio.CancelledError):
            meters.counter(f"api.{sent.host}:cancelled").add()
            return
        seconds = self._recorded(sent, about)
        status = getattr(error, "status", 0)
        sent.status = status if type(status) is int else 0
        headers = getattr(error, "headers", None)
        self._failed(sent, about, seconds, headers or {}, **_error_of(error))

    def received(self, sent: _Sent, about: Any) -> None:
        """Its body is here, which may say that the exchange refused, whatever the status said."""
        if sent.reads or not sent.host or sent.code is not None or not sent.status:
            return
        sent.code = exchange_code(about.chunk, sent.status)
        if sent.code is not None:
            self._failed(sent, about, perf_counter() - sent.begun, {})

    def _recorded(self, sent: _Sent, about: Any) -> float:
        seconds = perf_counter() - sent.begun
        route = f"{sent.host} {about.method} {route_of(about.url.path)}"
        meters.timer(f"api.{sent.host}").record(seconds)
        meters.timer(f"api.{_among(self._routes, route, _MOST_ROUTES)}").record(seconds)
        return seconds

    def _failed(self, sent: _Sent, about: Any, seconds: float, headers: Mapping[str, str], **error: object) -> None:
        meters.counter(f"api.{sent.host}:failed").add()
        self._log.warning("request failed", **self._told(sent, about, seconds, headers), **error)

    def _told(self, sent: _Sent, about: Any, seconds: float, headers: Mapping[str, str]) -> dict[str, Any]:
        told: dict[str, Any] = {
            **self._named,
            "method": about.method,
            "host": _host_of(about.url),
            "path": path_of(about.url.path),
            "route": route_of(about.url.path),
            "latency_ms": round(seconds * 1000, 3),
            "attempt": sent.attempt,
        }
        optional = {
            "status": sent.status or None,
            "exchange_code": sent.code,
            "request_id": sent.said("request_id") or request_id(headers) or sent.span or None,
        }
        return told | {name: value for name, value in optional.items() if value is not None}


def _among(known: set[str], name: str, most: int) -> str:
    """The name, as long as there are not too many of them."""
    if name not in known:
        if len(known) >= most:
            return _OTHERS
        known.add(name)
    return name


def _host_of(url: "URL") -> str:
    """The host, and the port where it is not the usual one."""
    host = url.host or ""
    return host if url.port == _SCHEME_PORTS.get(url.scheme) else f"{host}:{url.port}"


async def _code_of(sent: _Sent, response: "aiohttp.ClientResponse") -> str | None:
    """What the body of a refusal says, where it is here already: nobody's request waits for that."""
    if not response.content.is_eof():
        return None
    sent.reads = True
    try:
        return exchange_code(await response.read(), response.status)
    finally:
        sent.reads = False


def _error_of(error: BaseException) -> dict[str, object]:
    """An exception's kind, and of those that tell of connections the text, without addresses and queries."""
    import aiohttp  # noqa: PLC0415 - imported long since

    told: dict[str, object] = {"error_type": type(error).__qualname__}
    if isinstance(error, aiohttp.ClientError | OSError):
        reason = _ADDRESS.sub("…", str(error)).strip()
        told |= {"reason": reason[:_MOST_REASON_CHARACTERS]} if reason else {}
    return told
