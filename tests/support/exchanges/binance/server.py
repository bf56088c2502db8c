"""The Binance server: spot and USD-M futures on one port, from wallets of their own."""

from collections.abc import Mapping
from decimal import Decimal

from support.exchanges.clock import Clock
from support.exchanges.connection import Connection
from support.exchanges.events import Event
from support.exchanges.faults import Kind as FaultKind
from support.exchanges.faults import RestFault
from support.exchanges.instruments import Instrument, Kind
from support.exchanges.refusals import RefusedError
from support.exchanges.rules import Rules, wallet_by_kind
from support.exchanges.server import AnswerError, Call, Credentials, ExchangeServer

from .errors import body, refusal, too_many
from .futures_rest import FuturesRest
from .instruments import instruments as default_instruments
from .instruments import kind_of
from .private_streams import PrivateStreams
from .public_rest import PublicRest
from .public_streams import PublicStreams
from .signing import check
from .spot_rest import SpotRest

_OVERLOADED = "Server is currently overloaded with other requests. Please try again in a few minutes."
_BALANCES = {
    "spot": {"USDT": Decimal(100_000), "BTC": Decimal(2), "ETH": Decimal(10)},
    "linear": {"USDT": Decimal(100_000)},
}
_RULES = Rules(
    wallet_of=wallet_by_kind,
    post_only_refused=True,
    client_id_form=r"[.A-Z:/a-z0-9_-]{1,36}",
    client_ids_return=True,
    trigger_makes_order=lambda instrument: instrument.kind is Kind.LINEAR,
)


class BinanceServer(ExchangeServer):
    """Binance on a loopback port."""

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
        SpotRest(self)
        FuturesRest(self)

    def say_maintenance(self, *, maintained: bool = True) -> None:
        """What the system status endpoint says from now on."""
        self._public_rest.maintained = maintained

    def expire_listen_key(self) -> None:
        """Let the futures listen key run out."""
        self._private.expire()

    def check_signature(self, call: Call) -> None:
        check(call, self.credentials, self.clock.now_ms())

    def refused(self, error: RefusedError, call: Call) -> AnswerError:
        return refusal(error.reason, futures=kind_of(call) is Kind.LINEAR, asking=call.method == "GET")

    def limited(self, fault: RestFault, /) -> AnswerError:
        banned = fault.kind is FaultKind.BAN
        return too_many(fault.retry_after_seconds, banned=banned, now_ms=self.clock.now_ms())

    def maintained(self) -> AnswerError:
        return AnswerError(503, body(-1008, _OVERLOADED))

    def unknown(self, call: Call, /) -> AnswerError:
        return AnswerError(404, body(-5000, f"Path {call.path}, Method {call.method} is invalid"))

    def opened(self, connection: Connection) -> None:
        self._private.opened(connection)

    def told(self, connection: Connection, text: str) -> None:
        if connection.path.startswith("/ws-api/"):
            self._private.told(connection, text)
        else:
            self._public.told(connection, text)

    def heard(self, event: Event) -> None:
        for connection in self.connections:
            self._public.heard(connection, event)
            if connection.user:
                self._private.heard(connection, event)
