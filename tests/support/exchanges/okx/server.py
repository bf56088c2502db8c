"""The OKX server: v5 REST and streams in front of one trading account."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
from support.exchanges.clock import Clock
from support.exchanges.connection import Connection
from support.exchanges.events import Event
from support.exchanges.faults import RestFault
from support.exchanges.instruments import Instrument
from support.exchanges.refusals import RefusedError
from support.exchanges.rules import Rules
from support.exchanges.server import AnswerError, Call, Credentials, ExchangeServer

from .errors import body, code_of
from .instruments import instruments as default_instruments
from .private_rest import PrivateRest
from .private_streams import CHANNELS, PrivateStreams
from .public_rest import PublicRest
from .public_streams import PublicStreams
from .signing import check, login_error
from .texts import WALLET

_BALANCES = {WALLET: {"USDT": Decimal(100_000), "BTC": Decimal(2), "ETH": Decimal(10)}}
_RULES = Rules(
    wallet_of=lambda _: WALLET,
    client_id_form=r"[A-Za-z0-9]{1,32}",
    trigger_makes_order=lambda _: True,
)
_CONNECTION = "local001"


class OkxServer(ExchangeServer):
    """OKX on a loopback port."""

    def __init__(
        self,
        *,
        instruments: list[Instrument] | None = None,
        balances: Mapping[str, Mapping[str, Decimal]] | None = None,
        clock: Clock | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        super().__init__(instruments or default_instruments(), balances or _BALANCES, _RULES, clock, credentials)
        self._public_rest = PublicRest(self)
        self._public = PublicStreams(self.exchange.market)
        self._private = PrivateStreams(self)
        PrivateRest(self)

    def say_maintenance(self, *, maintained: bool = True) -> None:
        """What the system status endpoint says from now on."""
        self._public_rest.maintained = maintained

    def check_signature(self, call: Call) -> None:
        check(call, self.credentials, self.clock.now_ms())

    def refused(self, error: RefusedError, call: Call) -> AnswerError:
        code, words = code_of(error.reason, call.path)
        if call.method == "POST" and "/trade/" in call.path:
            row = {"ordId": "", "clOrdId": "", "tag": "", "sCode": code, "sMsg": words}
            return AnswerError(200, body("1", "All operations failed", [row]))
        return AnswerError(200, body(code, words))

    def limited(self, _: RestFault, /) -> AnswerError:
        return AnswerError(429, body("50011", "Rate limit reached. Please refer to API documentation."))

    def maintained(self) -> AnswerError:
        return AnswerError(503, body("50001", "Service temporarily unavailable. Please try again later."))

    def unknown(self, _: Call, /) -> AnswerError:
        return AnswerError(404, body("404", "Not Found"))

    def opened(self, connection: Connection) -> None:
        pass

    def told(self, connection: Connection, text: str) -> None:
        if text == "ping":
            connection.send_text("pong")
            return
        try:
            frame = orjson.loads(text)
        except orjson.JSONDecodeError:
            self._fail(connection, "60012", f"Invalid request: {text}")
            return
        match frame.get("op"):
            case "login":
                self._let_in(connection, frame["args"][0])
            case "subscribe":
                for arg in frame["args"]:
                    self._subscribe(connection, arg)
            case "unsubscribe":
                for arg in frame["args"]:
                    self._unsubscribe(connection, arg)
            case _:
                self._fail(connection, "60012", f"Invalid request: {text}")

    def heard(self, event: Event) -> None:
        for connection in self.connections:
            self._public.heard(connection, event)
            if connection.user:
                self._private.heard(connection, event)

    def _let_in(self, connection: Connection, given: dict[str, str]) -> None:
        wrong = login_error(given, self.credentials, self.clock.now_ms())
        if wrong is not None:
            self._fail(connection, *wrong)
            return
        connection.user = True
        connection.send({"event": "login", "code": "0", "msg": "", "connId": _CONNECTION})

    def _subscribe(self, connection: Connection, arg: dict[str, str]) -> None:
        private = arg["channel"] in CHANNELS
        if private and not connection.user:
            self._fail(connection, "60011", "Please log in")
            return
        if not private and not self._public.exists(connection, arg):
            words = f"Wrong URL or channel:{arg['channel']},instId:{arg.get('instId')} doesn't exist."
            self._fail(connection, "60018", words)
            return
        topic = _topic(arg)
        connection.notes[topic] = arg
        if topic not in connection.topics:
            connection.topics.append(topic)
        connection.send({"event": "subscribe", "arg": arg, "connId": _CONNECTION})
        (self._private if private else self._public).begin(connection, topic, arg)

    def _unsubscribe(self, connection: Connection, arg: dict[str, str]) -> None:
        if _topic(arg) in connection.topics:
            connection.topics.remove(_topic(arg))
        connection.send({"event": "unsubscribe", "arg": arg, "connId": _CONNECTION})

    def _fail(self, connection: Connection, code: str, words: str) -> None:
        connection.send({"event": "error", "code": code, "msg": words, "connId": _CONNECTION})


def _topic(arg: Mapping[str, Any]) -> str:
    return ":".join(str(arg[name]) for name in ("channel", "instType", "instId") if arg.get(name))
