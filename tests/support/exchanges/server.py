"""A real HTTP and websocket server on a loopback port, in front of one exchange; a dialect says what is asked on it.

Every path may begin with the name of the host it stands for, `/fapi.binance.com/fapi/v1/order`, so that one port
serves all hosts of an exchange.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self
from urllib.parse import parse_qsl

import orjson
from aiohttp import web
from support.eventually import eventually

from .clock import Clock
from .connection import Connection
from .events import Event
from .exchange import Exchange
from .faults import FrameFaults, Kind, RestFault, RestFaults
from .instruments import Instrument
from .orders import NewOrder, Order
from .refusals import RefusedError
from .rules import Rules
from .traffic import ReceivedOrder, Request, Traffic

_MAINTENANCE_PAGE = "<html><head><title>503 Service Temporarily Unavailable</title></head><body>nginx</body></html>"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the one client of the exchange signs with."""

    key: str = "local-key"
    secret: str = "local-secret"
    passphrase: str = "local-passphrase"


@dataclass(frozen=True, slots=True)
class Call:
    """One REST request, decoded; `raw` is its body, `query` the query string, as they were signed."""

    method: str
    path: str
    query: str
    raw: str
    parameters: Mapping[str, Any]
    headers: Mapping[str, str]

    @property
    def endpoint(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"

    def text(self, name: str, default: str = "") -> str:
        """A parameter as text."""
        value = self.parameters.get(name, default)
        return default if value is None else str(value)

    def decimal(self, name: str) -> Decimal | None:
        """A parameter as a number; None when it is missing or empty."""
        value = self.text(name)
        return Decimal(value) if value else None

    def integer(self, name: str, default: int) -> int:
        """A parameter as an integer."""
        return int(self.text(name) or default)


class AnswerError(Exception):
    """An answer that is not the one that was hoped for."""

    def __init__(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body
        self.headers = headers or {}


@dataclass(frozen=True, slots=True)
class Route:
    """What answers at an endpoint, and whether it must be signed."""

    answer: Callable[[Call], object]
    signed: bool = False


class ExchangeServer(ABC):
    """Serves one exchange while the context lasts.

    Attributes:
        exchange: the exchange itself: market, account, orders.
        rest_faults, frame_faults: what goes wrong.
        traffic: what came in.
        url: `http://127.0.0.1:port`.
    """

    def __init__(
        self,
        instruments: list[Instrument],
        balances: Mapping[str, Mapping[str, Decimal]],
        rules: Rules,
        clock: Clock | None,
        credentials: Credentials | None,
    ) -> None:
        self.clock = clock or Clock()
        self.credentials = credentials or Credentials()
        self.exchange = Exchange(instruments, balances, rules, self.clock)
        self.exchange.market.listeners.append(self.heard)
        self.rest_faults = RestFaults()
        self.frame_faults = FrameFaults()
        self.traffic = Traffic()
        self.connections: list[Connection] = []
        self.url = ""
        self._broken: list[Exception] = []
        self._received: ReceivedOrder | None = None
        self._routes: dict[str, Route] = {}

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.rest_faults.clear()
        await self.drop_connections(clean=True)
        await self._runner.cleanup()
        if self._broken:
            raise ExceptionGroup("the local exchange itself failed", self._broken)

    # ---- for tests --------------------------------------------------------------------------------------------

    @property
    def orders(self) -> list[Order]:
        """Every order that was accepted."""
        return list(self.exchange.orders.values())

    def move_price(self, name: str, price: Decimal | int | str) -> None:
        """Move the price of what answers to the name: the exchange's own, ccxt's, or base and quote in one word."""
        self.exchange.move_price(name, Decimal(price))

    def pass_time(self, milliseconds: int) -> None:
        """Let time go by on the market, not for timestamps of requests: candles end."""
        self.exchange.market.pass_time(milliseconds)

    def lay_candles(self, name: str, interval: str, closes: Iterable[Decimal | int | str]) -> None:
        """Give the last finished candles these closes, the latest one last."""
        for listing in self.exchange.market.named(name):
            listing.candles.lay(interval, [Decimal(close) for close in closes], self.exchange.market.clock.now_ms())

    async def drop_connections(self, *parts: str, clean: bool) -> None:
        """End the websocket connections that subscribed to what contains all parts, by a close frame or by a break."""
        for connection in self.connected(*parts):
            if clean:
                await connection.close()
            else:
                connection.abort()

    def send_garbage(self, *parts: str, text: str = '{"broken":') -> None:
        """Send something to connections that is no frame of this exchange."""
        for connection in self.connected(*parts):
            connection.send_text(text)

    async def subscribed(self, *parts: str, connections: int = 1) -> None:
        """Wait until so many connections have subscribed to what contains all parts, of the topic or the path."""
        await eventually(
            lambda: len(self.connected(*parts)) >= connections, what=f"a subscription to {' '.join(parts)}"
        )

    def connected(self, *parts: str) -> list[Connection]:
        """The connections that subscribed to what contains all parts; without parts, all."""
        return [c for c in self.connections if not parts or any(_has(f"{c.path} {t}", parts) for t in c.topics)]

    # ---- for dialects -----------------------------------------------------------------------------------------

    @abstractmethod
    def check_signature(self, call: Call) -> None:
        """Raise AnswerError unless the request is signed as it must be."""

    @abstractmethod
    def refused(self, error: RefusedError, call: Call) -> AnswerError:
        """The exchange's own answer to a refusal."""

    @abstractmethod
    def limited(self, fault: RestFault, /) -> AnswerError:
        """The exchange's own answer to too many requests."""

    @abstractmethod
    def maintained(self) -> AnswerError:
        """The exchange's own answer while it is maintained."""

    @abstractmethod
    def unknown(self, call: Call, /) -> AnswerError:
        """The exchange's own answer at a path that it does not have."""

    @abstractmethod
    def opened(self, connection: Connection) -> None:
        """A websocket was opened.

        Raises:
            AnswerError: it is not accepted.
        """

    @abstractmethod
    def told(self, connection: Connection, text: str) -> None:
        """The client said something on a websocket."""

    @abstractmethod
    def heard(self, event: Event) -> None:
        """Something happened on the exchange."""

    def serve(self, endpoint: str, answer: Callable[[Call], object], *, signed: bool = False) -> None:
        """Answer at an endpoint."""
        self._routes[endpoint] = Route(answer, signed)

    def place(self, new: NewOrder) -> Order:
        """Keep that an order was sent, then place it."""
        self._received = ReceivedOrder(
            new.client_id, new.instrument.id, new.side, str(new.quantity), "" if new.limit is None else str(new.limit)
        )
        self.traffic.orders.append(self._received)
        order = self.exchange.place(new)
        self._received.order_id = order.id
        return order

    # ---- inside -----------------------------------------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = _without_host(request.path)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._connect(request, path)
        raw = (await request.read()).decode()
        call = Call(request.method, path, request.query_string, raw, _parameters(request, raw), request.headers)
        self.traffic.requests.append(
            Request(call.endpoint, call.parameters, dict(request.headers), self.clock.now_ms())
        )
        return await self._respond(request, call)

    async def _respond(self, request: web.Request, call: Call) -> web.StreamResponse:
        fault = self.rest_faults.next_for(call.endpoint)
        if fault is not None and fault.kind is Kind.LOST_REQUEST:
            return _hang_up(request)
        if fault is not None and fault.kind is Kind.MAINTENANCE_PAGE:
            return web.Response(status=503, text=_MAINTENANCE_PAGE, content_type="text/html")
        self._received = None
        response = self._answered(call, fault)
        received = self._received
        if fault is not None and fault.kind is Kind.LOST_ANSWER:
            if received is not None:
                received.answered = False
            return _hang_up(request)
        if fault is not None and fault.kind is Kind.HELD_ANSWER:
            await fault.released.wait()
        if fault is not None and fault.kind is Kind.GARBAGE_ANSWER:
            return web.Response(text="\x00 nothing you know", content_type="application/json")
        return response

    def _answered(self, call: Call, fault: RestFault | None) -> web.Response:
        try:
            return _json(200, self._answer(call, fault))
        except RefusedError as error:
            refusal = self.refused(error, call)
            return _json(refusal.status, refusal.body, refusal.headers)
        except AnswerError as answer:
            return _json(answer.status, answer.body, answer.headers)
        except Exception as error:  # noqa: BLE001 - a fault of the server's own is the test's to hear of, when it ends
            self._broken.append(error)
            return _json(500, {"broken": repr(error)})

    def _answer(self, call: Call, fault: RestFault | None) -> object:
        if fault is not None and fault.kind in {Kind.RATE_LIMIT, Kind.BAN}:
            raise self.limited(fault)
        if fault is not None and fault.kind is Kind.MAINTENANCE:
            raise self.maintained()
        route = self._routes.get(call.endpoint)
        if route is None:
            raise self.unknown(call)
        if route.signed:
            self.check_signature(call)
        if fault is not None and fault.reason is not None:
            raise RefusedError(fault.reason)
        return route.answer(call)

    async def _connect(self, request: web.Request, path: str) -> web.StreamResponse:
        if self.frame_faults.refused_connections:
            self.frame_faults.refused_connections -= 1
            return web.Response(status=503, text="Service Unavailable")
        self.traffic.sockets.append(path)
        connection = Connection(path, dict(request.query), self.frame_faults)
        try:
            self.opened(connection)
        except AnswerError as answer:
            return _json(answer.status, answer.body, answer.headers)
        self.connections.append(connection)
        try:
            return await connection.run(request, self.told)
        finally:
            self.connections.remove(connection)


def _has(text: str, parts: tuple[str, ...]) -> bool:
    return all(part in text for part in parts)


def _without_host(path: str) -> str:
    first, slash, rest = path.lstrip("/").partition("/")
    return slash + rest if "." in first or ":" in first else path


def _parameters(request: web.Request, raw: str) -> dict[str, Any]:
    parameters: dict[str, Any] = dict(request.query)
    if raw.startswith("{"):
        return parameters | orjson.loads(raw)
    if raw.startswith("["):
        return parameters | {"": orjson.loads(raw)}
    return parameters | dict(parse_qsl(raw, keep_blank_values=True))


def _json(status: int, body: object, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status, body=orjson.dumps(body), content_type="application/json", headers=dict(headers or {})
    )


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
