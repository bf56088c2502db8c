"""Bybit's private stream: order, execution, position and wallet, after an auth frame.

https://bybit-exchange.github.io/docs/v5/websocket/private/order
"""

from typing import Any

from support.exchanges.connection import Connection
from support.exchanges.events import AccountChanged, Event, OrderChanged
from support.exchanges.server import ExchangeServer

from .texts import execution_text, order_text, position_text, wallet_text

TOPICS = ("order", "execution", "position", "wallet")


class PrivateStreams:
    """Sends what happens to the client's orders and account."""

    def __init__(self, server: ExchangeServer) -> None:
        self._server = server

    def heard(self, connection: Connection, event: Event) -> None:
        """Send what an event means for the client."""
        match event:
            case OrderChanged():
                self._send(connection, "order", [order_text(event.order)])
                if event.fill is not None:
                    self._send(connection, "execution", [execution_text(event.order, event.fill)])
            case AccountChanged():
                exchange = self._server.exchange
                if event.positions:
                    self._send(connection, "position", [position_text(exchange, p) for p in event.positions])
                self._send(connection, "wallet", [wallet_text(exchange)])
            case _:
                pass

    def _send(self, connection: Connection, topic: str, rows: list[dict[str, Any]]) -> None:
        if topic in connection.topics:
            now_ms = self._server.clock.now_ms()
            frame = {"id": f"local-{topic}-{now_ms}", "topic": topic, "creationTime": now_ms, "data": rows}
            connection.send(frame, topic)
