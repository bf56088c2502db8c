"""The Bybit server: v5 REST and streams in front of one unified account."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
from support.exchanges.clock import Clock
from support.exchanges.connection import Connection
from support.exchanges.events import Event
from support.exchanges.faults import Kind as FaultKind
from support.exchanges.faults import RestFault
from support.exchanges.instruments import Instrument, Kind
from support.exchanges.refusals import RefusedError
from support.exchanges.rules import Rules
from support.exchanges.server import AnswerError, Call, Credentials, ExchangeServer

from .errors import body, code_of
from .instruments import instruments as default_instruments
from .private_rest import PrivateRest
from .private_streams import TOPICS, PrivateStreams
from .public_rest import PublicRest
from .public_streams import PublicStreams
from .signing import check, may_listen

_BALANCES = {"unified": {"USDT": Decimal(100_000), "BTC": Decimal(2), "ETH": Decimal(10)}}
_TOO_MANY = "Too many visits. Exceeded the API Rate Limit."


class BybitServer(ExchangeServer):
    """Bybit on a loopback port."""

    def __init__(
        self,
        *,
        instruments: list[Instrument] | None = None,
        balances: Mapping[str, Mapping[str, Decimal]] | None = None,
        clock: Clock | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        super().__init__(instruments or default_instruments(), balances or _BALANCES, Rules(), clock, credentials)
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
        code, words = code_of(error, Kind(call.text("category", "linear")))
        return AnswerError(200, body(code, words, self.clock.now_ms()))

    def limited(self, fault: RestFault, /) -> AnswerError:
        now_ms = self.clock.now_ms()
        if fault.kind is FaultKind.BAN:
            return AnswerError(403, body(10018, "access too frequent. Please try again later.", now_ms))
        reset = now_ms + fault.retry_after_seconds * 1000
        headers = {"X-Bapi-Limit": "10", "X-Bapi-Limit-Status": "0", "X-Bapi-Limit-Reset-Timestamp": str(reset)}
        return AnswerError(200, body(10006, _TOO_MANY, now_ms), headers)

    def maintained(self) -> AnswerError:
        return AnswerError(200, body(10016, "System error. Please try again later.", self.clock.now_ms()))

    def unknown(self, call: Call, /) -> AnswerError:
        return AnswerError(404, body(10404, f"Request path not found: {call.path}", self.clock.now_ms()))

    def opened(self, connection: Connection) -> None:
        pass

    def told(self, connection: Connection, text: str) -> None:
        try:
            frame = orjson.loads(text)
        except orjson.JSONDecodeError:
            self._acknowledge(connection, {"op": ""}, success=False, words="Params Error")
            return
        match frame.get("op"):
            case "ping":
                self._pong(connection, frame)
            case "auth":
                self._let_in(connection, frame)
            case "subscribe":
                self._subscribe(connection, frame)
            case "unsubscribe":
                connection.topics[:] = [topic for topic in connection.topics if topic not in frame["args"]]
                self._acknowledge(connection, frame, success=True, words="")
            case _:
                self._acknowledge(connection, frame, success=False, words="unknown op")

    def heard(self, event: Event) -> None:
        for connection in self.connections:
            if connection.user:
                self._private.heard(connection, event)
            elif "/public/" in connection.path:
                self._public.heard(connection, event)

    def _pong(self, connection: Connection, frame: dict[str, Any]) -> None:
        if connection.path.endswith("/private"):
            stamp = [str(self.clock.now_ms())]
            connection.send({"req_id": str(frame.get("req_id", "")), "op": "pong", "args": stamp, "conn_id": "local-1"})
        else:
            self._acknowledge(connection, frame, success=True, words="pong")

    def _let_in(self, connection: Connection, frame: dict[str, Any]) -> None:
        connection.user = may_listen(frame["args"], self.credentials, self.clock.now_ms())
        self._acknowledge(connection, frame, success=connection.user, words="" if connection.user else "Params Error")

    def _subscribe(self, connection: Connection, frame: dict[str, Any]) -> None:
        if connection.path.endswith("/private"):
            known = [topic for topic in frame["args"] if topic in TOPICS and connection.user]
        else:
            known = [topic for topic in frame["args"] if self._public.exists(connection, topic)]
        new = [topic for topic in known if topic not in connection.topics]
        connection.topics.extend(new)
        missing = [topic for topic in frame["args"] if topic not in known]
        words = f"error:handler not found,topic:{missing[0]}" if missing else "subscribe"
        self._acknowledge(connection, frame, success=not missing, words=words)
        for topic in new:
            self._public.begin(connection, topic)

    def _acknowledge(self, connection: Connection, frame: dict[str, Any], *, success: bool, words: str) -> None:
        connection.send(
            {
                "success": success, "ret_msg": words, "conn_id": "local-1", "op": frame.get("op"),
                **({"req_id": str(frame["req_id"])} if "req_id" in frame else {}),
            }
        )  # fmt: skip
