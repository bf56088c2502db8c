"""Binance's user data streams: spot by a signed request on the websocket API, futures by a listen key.

https://developers.binance.com/docs/binance-spot-api-docs/user-data-stream and
https://developers.binance.com/docs/derivatives/usds-margined-futures/user-data-streams
"""

from typing import Any

import orjson
from support.exchanges.accounts import Position
from support.exchanges.amounts import padded, text
from support.exchanges.connection import Connection
from support.exchanges.events import AccountChanged, Event, OrderChanged
from support.exchanges.instruments import Kind
from support.exchanges.orders import Change, Fill, Order, Status
from support.exchanges.server import AnswerError, Call, ExchangeServer

from .order_texts import STATUS, lasting, order_type, plain_type
from .signing import check_key, check_socket_request

_LISTEN_KEY = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"
_SUBSCRIBE = "userDataStream.subscribe.signature"
_EXECUTION = {
    Change.NEW: "NEW",
    Change.FILLED: "TRADE",
    Change.CANCELED: "CANCELED",
    Change.EXPIRED: "EXPIRED",
    Change.AMENDED: "AMENDMENT",
    Change.TRIGGERED: "NEW",
}


class PrivateStreams:
    """Lets the client in and sends what happens to its orders and its account."""

    def __init__(self, server: ExchangeServer) -> None:
        self._server = server
        self._key_valid = False
        server.serve("POST /fapi/v1/listenKey", self._give_key)
        server.serve("PUT /fapi/v1/listenKey", self._prolong_key)
        server.serve("DELETE /fapi/v1/listenKey", self._take_key)

    def opened(self, connection: Connection) -> None:
        """Know a futures client by the listen key in the address."""
        given = connection.query.get("listenKey") or connection.path.rpartition("/")[2]
        if given == _LISTEN_KEY and self._key_valid:
            connection.user = True
            connection.topics.append("user:linear")

    def told(self, connection: Connection, text_frame: str) -> None:
        """Answer a request on the spot websocket API."""
        frame = orjson.loads(text_frame)
        number = frame.get("id")
        if frame.get("method") != _SUBSCRIBE:
            error = {"code": -1000, "msg": f"Unknown method '{frame.get('method')}'."}
            connection.send({"id": number, "status": 400, "error": error})
            return
        try:
            check_socket_request(frame["params"], self._server.credentials, self._server.clock.now_ms())
        except AnswerError as answer:
            connection.send({"id": number, "status": answer.status, "error": answer.body})
            return
        connection.user = True
        connection.topics.append("user:spot")
        connection.send({"id": number, "status": 200, "result": {"subscriptionId": 0}})

    def heard(self, connection: Connection, event: Event) -> None:
        """Send what an event means for the client."""
        match event:
            case OrderChanged():
                self._order_changed(connection, event)
            case AccountChanged():
                self._account_changed(connection, event)
            case _:
                pass

    def expire(self) -> None:
        """Let the listen key run out, as Binance does after an hour without renewal."""
        self._key_valid = False
        for connection in self._server.connections:
            if "user:linear" in connection.topics:
                connection.send({"e": "listenKeyExpired", "E": self._now(), "listenKey": _LISTEN_KEY}, "user:linear")
                connection.topics.remove("user:linear")

    # ---- listen keys ------------------------------------------------------------------------------------------

    def _give_key(self, call: Call) -> object:
        check_key(call.headers, self._server.credentials)
        self._key_valid = True
        return {"listenKey": _LISTEN_KEY}

    def _prolong_key(self, call: Call) -> object:
        check_key(call.headers, self._server.credentials)
        if not self._key_valid:
            raise AnswerError(400, {"code": -1125, "msg": "This listenKey does not exist."})
        return {"listenKey": _LISTEN_KEY}

    def _take_key(self, call: Call) -> object:
        check_key(call.headers, self._server.credentials)
        self._key_valid = False
        return {}

    # ---- frames -----------------------------------------------------------------------------------------------

    def _now(self) -> int:
        return self._server.clock.now_ms()

    def _order_changed(self, connection: Connection, event: OrderChanged) -> None:
        order, now_ms = event.order, self._now()
        if order.instrument.kind is Kind.SPOT and "user:spot" in connection.topics:
            frame = _execution_report(order, event.change, event.fill, now_ms)
            connection.send({"subscriptionId": 0, "event": frame}, "user:spot:executionReport")
        elif order.instrument.kind is Kind.LINEAR and "user:linear" in connection.topics:
            if order.trigger is not None:
                connection.send(_algo_update(order, now_ms), "user:linear:ALGO_UPDATE")
            else:
                frame = _trade_update(order, event.change, event.fill, now_ms)
                connection.send(frame, "user:linear:ORDER_TRADE_UPDATE")

    def _account_changed(self, connection: Connection, event: AccountChanged) -> None:
        now_ms = self._now()
        if event.wallet == "spot" and "user:spot" in connection.topics:
            balances = [self._spot_balance(asset) for asset in event.assets]
            frame = {"e": "outboundAccountPosition", "E": now_ms, "u": now_ms, "B": balances}
            connection.send({"subscriptionId": 0, "event": frame}, "user:spot:outboundAccountPosition")
        elif event.wallet == "linear" and "user:linear" in connection.topics:
            update = {
                "m": "ORDER",
                "B": [self._futures_balance(asset) for asset in event.assets],
                "P": [self._position(position) for position in event.positions],
            }
            frame = {"e": "ACCOUNT_UPDATE", "E": now_ms, "T": now_ms, "a": update}
            connection.send(frame, "user:linear:ACCOUNT_UPDATE")

    def _spot_balance(self, asset: str) -> dict[str, str]:
        exchange = self._server.exchange
        locked = exchange.locked("spot", asset)
        return {"a": asset, "f": padded(exchange.account.total("spot", asset) - locked), "l": padded(locked)}

    def _futures_balance(self, asset: str) -> dict[str, str]:
        total = text(self._server.exchange.account.total("linear", asset))
        return {"a": asset, "wb": total, "cw": total, "bc": "0"}

    def _position(self, position: Position) -> dict[str, str]:
        exchange, instrument = self._server.exchange, position.instrument
        settings = exchange.account.settings(instrument)
        margin = exchange.account.margin(instrument, position.quantity, position.entry) if position.quantity else 0
        return {
            "s": instrument.id, "pa": text(position.quantity), "ep": text(position.entry),
            "bep": text(position.entry), "cr": text(position.realised),
            "up": text(position.profit(exchange.listing(instrument).price)),
            "mt": "isolated" if settings.isolated else "cross",
            "iw": text(margin) if settings.isolated and margin else "0", "ps": position.leg.upper(),
        }  # fmt: skip


_NO_PADDED_FILL = {
    "l": "0.00000000", "L": "0.00000000", "n": "0", "N": None, "t": -1, "Y": "0.00000000", "m": False,
}  # fmt: skip


def _padded_fill(fill: Fill) -> dict[str, Any]:
    return {
        "l": padded(fill.quantity), "L": padded(fill.price), "n": padded(fill.fee), "N": fill.fee_asset,
        "t": fill.id, "Y": padded(fill.price * fill.quantity), "m": fill.maker,
    }  # fmt: skip


def _execution_report(order: Order, change: Change, fill: Fill | None, now_ms: int) -> dict[str, Any]:
    canceled = change is Change.CANCELED
    done = _padded_fill(fill) if fill else _NO_PADDED_FILL
    return {
        "e": "executionReport", "E": now_ms, "s": order.instrument.id,
        "c": f"cancel{order.id}" if canceled else order.client_id, "S": order.side.upper(), "o": order_type(order),
        "f": lasting(order), "q": padded(order.quantity), "p": text(order.limit) if order.limit else "0.00000000",
        "P": text(order.trigger.price) if order.trigger else "0.00000000", "F": "0.00000000", "g": -1,
        "C": order.client_id if canceled else "", "x": _EXECUTION[change], "X": STATUS[order.status], "r": "NONE",
        "i": order.id, "z": padded(order.filled), "T": order.updated_ms, "I": order.id + 1,
        "w": order.status in {Status.NEW, Status.PARTIALLY_FILLED}, "M": False, "O": order.created_ms,
        "Z": padded(order.cost), "Q": "0.00000000", "W": order.created_ms, "V": "EXPIRE_MAKER", **done,
    }  # fmt: skip


def _trade_update(order: Order, change: Change, fill: Fill | None, now_ms: int) -> dict[str, Any]:
    done = {
        "l": text(fill.quantity), "L": text(fill.price), "n": text(fill.fee), "N": fill.fee_asset, "t": fill.id,
        "m": fill.maker, "rp": text(fill.profit),
    } if fill else {"l": "0", "L": "0", "t": 0, "m": False, "rp": "0"}  # fmt: skip
    update: dict[str, Any] = {
        "s": order.instrument.id, "c": order.client_id, "S": order.side.upper(), "o": plain_type(order),
        "f": lasting(order), "q": text(order.quantity), "p": text(order.limit) if order.limit else "0",
        "ap": text(order.average), "sp": "0", "x": _EXECUTION[change], "X": STATUS[order.status], "i": order.id,
        "z": text(order.filled), "T": order.updated_ms, "b": "0", "a": "0", "R": order.reduce_only,
        "wt": "CONTRACT_PRICE", "ot": order_type(order), "ps": order.leg.upper(), "cp": False, "pP": False,
        "si": 0, "ss": 0, "V": "EXPIRE_MAKER", "pm": "NONE", "gtd": 0, **done,
    }  # fmt: skip
    return {"e": "ORDER_TRADE_UPDATE", "E": now_ms, "T": order.updated_ms, "o": update}


def _algo_update(order: Order, now_ms: int) -> dict[str, Any]:
    trigger = order.trigger.price if order.trigger else order.quantity
    update: dict[str, Any] = {
        "caid": order.client_id, "aid": order.id, "at": "CONDITIONAL", "o": order_type(order),
        "s": order.instrument.id, "S": order.side.upper(), "ps": order.leg.upper(), "f": lasting(order),
        "q": text(order.quantity), "X": STATUS[order.status], "ai": str(order.made or ""), "ap": "0.00000",
        "aq": "0.00000", "act": "0", "tp": text(trigger), "p": text(order.limit) if order.limit else "0",
        "V": "EXPIRE_MAKER", "wt": "CONTRACT_PRICE", "pm": "NONE", "cp": False, "pP": False, "R": order.reduce_only,
        "tt": order.updated_ms if order.made else 0, "gtd": 0, "rm": "",
    }  # fmt: skip
    return {"e": "ALGO_UPDATE", "T": order.updated_ms, "E": now_ms, "o": update}
