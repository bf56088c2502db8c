"""OKX's private channels: orders, orders-algo, positions and account, after a login.

https://www.okx.com/docs-v5/en/#order-book-trading-trade-ws-order-channel
"""

from typing import Any

from support.exchanges.connection import Connection
from support.exchanges.events import AccountChanged, Event, OrderChanged
from support.exchanges.server import ExchangeServer

from .instruments import type_of
from .texts import account_text, algo_text, order_frame, position_text

CHANNELS = ("orders", "orders-algo", "positions", "account", "balance_and_position")


class PrivateStreams:
    """Sends what happens to the client's orders and account."""

    def __init__(self, server: ExchangeServer) -> None:
        self._server = server

    def begin(self, connection: Connection, topic: str, arg: dict[str, str]) -> None:
        """Account and positions begin with what is there."""
        if arg["channel"] == "account":
            self._send(connection, topic, [self._account()])
        elif arg["channel"] == "positions":
            held = [p for p in self._exchange.account.held() if arg.get("instId") in {None, p.instrument.id}]
            self._send(connection, topic, [position_text(self._exchange, p) for p in held])

    def heard(self, connection: Connection, event: Event) -> None:
        """Send what an event means for the client."""
        for topic in connection.topics:
            arg = connection.notes[topic]
            match event:
                case OrderChanged():
                    self._order_changed(connection, topic, arg, event)
                case AccountChanged():
                    self._account_changed(connection, topic, arg, event)
                case _:
                    pass

    @property
    def _exchange(self) -> Any:
        return self._server.exchange

    def _account(self) -> dict[str, Any]:
        return account_text(self._exchange, self._server.clock.now_ms())

    def _order_changed(self, connection: Connection, topic: str, arg: dict[str, str], event: OrderChanged) -> None:
        order, algo = event.order, event.order.trigger is not None
        fits = arg.get("instType", "ANY") in {"ANY", type_of(order.instrument)}
        named = arg.get("instId") in {None, order.instrument.id}
        if not fits or not named or arg["channel"] != ("orders-algo" if algo else "orders"):
            return
        row = algo_text(order) if algo else order_frame(self._exchange, order, event.fill)
        self._send(connection, topic, [row])

    def _account_changed(self, connection: Connection, topic: str, arg: dict[str, str], event: AccountChanged) -> None:
        if arg["channel"] == "account":
            self._send(connection, topic, [self._account()])
        elif arg["channel"] == "positions":
            touched = [p for p in event.positions if arg.get("instId") in {None, p.instrument.id}]
            if touched:
                self._send(connection, topic, [position_text(self._exchange, p) for p in touched])

    def _send(self, connection: Connection, topic: str, rows: list[dict[str, Any]]) -> None:
        arg = connection.notes[topic] | {"uid": "44705892343619584"}
        connection.send({"arg": arg, "data": rows}, topic)
