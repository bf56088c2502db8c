"""OKX's signed endpoints: account, positions, settings, orders, algo orders, fills.

https://www.okx.com/docs-v5/en/#order-book-trading-trade
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from support.exchanges.instruments import Kind
from support.exchanges.orders import Order
from support.exchanges.refusals import Reason, RefusedError
from support.exchanges.server import Call, ExchangeServer

from .asked_orders import asked_order
from .errors import body, code_of
from .instruments import listing, type_of
from .texts import account_text, algo_text, fill_text, order_text, position_text

type Row = Mapping[str, Any]


class PrivateRest:
    """Answers the client's own requests."""

    def __init__(self, server: ExchangeServer) -> None:
        self._server = server
        self._exchange = server.exchange
        for path, answer in {
            "asset/currencies": self._currencies,
            "account/balance": lambda _: [account_text(self._exchange, server.clock.now_ms())],
            "account/config": self._config,
            "account/positions": self._positions,
            "trade/order": lambda call: [order_text(self._exchange, self._found(call.parameters, algo=False))],
            "trade/orders-pending": lambda call: self._orders(call, standing=True),
            "trade/orders-history": lambda call: self._orders(call, standing=False),
            "trade/orders-history-archive": lambda call: self._orders(call, standing=False),
            "trade/order-algo": lambda call: [algo_text(self._found(call.parameters, algo=True))],
            "trade/orders-algo-pending": self._algos,
            "trade/fills": self._fills,
            "trade/fills-history": self._fills,
        }.items():
            server.serve(f"GET /api/v5/{path}", self._wrapped(answer), signed=True)
        for path, answer in {
            "account/set-leverage": self._set_leverage,
            "account/set-position-mode": self._set_position_mode,
        }.items():
            server.serve(f"POST /api/v5/{path}", self._wrapped(answer), signed=True)
        for path, act in {
            "order": self._place,
            "batch-orders": self._place,
            "order-algo": self._place,
            "amend-order": self._amend,
            "amend-batch-orders": self._amend,
            "amend-algos": self._amend_algo,
            "cancel-order": self._cancel,
            "cancel-batch-orders": self._cancel,
            "cancel-algos": self._cancel_algo,
        }.items():
            server.serve(f"POST /api/v5/trade/{path}", self._each(act), signed=True)

    def _wrapped(self, answer: Any) -> Any:
        return lambda call: body("0", "", answer(call))

    # ---- what is done to each order of a request --------------------------------------------------------------

    def _each(self, act: Callable[[Row], dict[str, Any]]) -> Callable[[Call], object]:
        def answer(call: Call) -> object:
            rows = call.parameters.get("", [call.parameters])
            done = [self._tried(act, row, call.path) for row in rows]
            failed = sum(row["sCode"] != "0" for row in done)
            if not failed:
                return body("0", "", done)
            whole = failed == len(done)
            return body("1" if whole else "2", "All operations failed" if whole else "Bulk operation", done)

        return answer

    def _tried(self, act: Callable[[Row], dict[str, Any]], row: Row, path: str) -> dict[str, Any]:
        try:
            return act(row) | {"sCode": "0", "sMsg": "Order placed" if "cancel" not in path else ""}
        except RefusedError as error:
            code, words = code_of(error.reason, path)
            names = {"ordId": str(row.get("ordId", "")), "clOrdId": str(row.get("clOrdId", ""))}
            return names | {"tag": str(row.get("tag", "")), "sCode": code, "sMsg": words}

    def _place(self, row: Row) -> dict[str, Any]:
        instrument = listing(self._exchange.market, str(row["instId"])).instrument
        order = self._server.place(asked_order(row, instrument))
        if instrument.kind is not Kind.SPOT:
            self._exchange.account.settings(instrument).isolated = row.get("tdMode") == "isolated"
        return self._named(order) | {"ts": str(order.created_ms), "tag": order.request["tag"]}

    def _amend(self, row: Row) -> dict[str, Any]:
        order = self._found(row, algo=False)
        self._exchange.amend(order, _decimal(row, "newSz"), _decimal(row, "newPx"), None)
        return self._named(order) | {"reqId": "", "ts": str(order.updated_ms)}

    def _amend_algo(self, row: Row) -> dict[str, Any]:
        order = self._found(row, algo=True)
        trigger = next(filter(None, (_decimal(row, f"new{n}TriggerPx") for n in ("", "Sl", "Tp"))), None)
        self._exchange.amend(order, _decimal(row, "newSz"), None, trigger)
        return self._named(order) | {"reqId": ""}

    def _cancel(self, row: Row) -> dict[str, Any]:
        order = self._exchange.cancel(self._found(row, algo=False))
        return self._named(order) | {"ts": str(order.updated_ms)}

    def _cancel_algo(self, row: Row) -> dict[str, Any]:
        return self._named(self._exchange.cancel(self._found(row, algo=True)))

    def _named(self, order: Order) -> dict[str, Any]:
        if order.trigger is not None:
            return {"algoId": str(order.id), "algoClOrdId": order.client_id, "clOrdId": order.client_id}
        return {"ordId": str(order.id), "clOrdId": order.client_id}

    # ---- what is asked for ------------------------------------------------------------------------------------

    def _found(self, row: Row, *, algo: bool) -> Order:
        number, name = ("algoId", "algoClOrdId") if algo else ("ordId", "clOrdId")
        order = self._exchange.find(str(row.get(number) or ""), str(row.get(name) or ""))
        if (order.trigger is not None) != algo or row.get("instId", order.instrument.id) != order.instrument.id:
            raise RefusedError(Reason.UNKNOWN_ORDER)
        return order

    def _mine(self, call: Call, *, algo: bool) -> list[Order]:
        named, kind = call.text("instId"), call.text("instType")
        orders = [o for o in reversed(self._exchange.orders.values()) if (o.trigger is not None) == algo]
        return [o for o in orders if named in {"", o.instrument.id} and kind in {"", type_of(o.instrument)}]

    def _orders(self, call: Call, *, standing: bool) -> object:
        return [order_text(self._exchange, o) for o in self._mine(call, algo=False) if o.open == standing]

    def _algos(self, call: Call) -> object:
        kind = call.text("ordType")
        return [algo_text(o) for o in self._mine(call, algo=True) if o.open and o.request["ordType"] == kind]

    def _fills(self, call: Call) -> object:
        since, order_id = call.integer("begin", 0), call.text("ordId")
        orders = [o for o in self._mine(call, algo=False) if order_id in {"", str(o.id)}]
        fills = [(o, f) for o in orders for f in o.fills if f.at_ms >= since]
        return [fill_text(o, f) for o, f in sorted(fills, key=lambda pair: pair[1].id, reverse=True)]

    def _positions(self, call: Call) -> object:
        asked = call.text("instId").split(",") if call.text("instId") else []
        held = self._exchange.account.held()
        return [position_text(self._exchange, p) for p in held if not asked or p.instrument.id in asked]

    def _currencies(self, _: Call) -> object:
        coins = sorted({x for i in self._exchange.market.instruments for x in (i.base, i.quote)})
        return [
            {
                "ccy": coin, "name": coin, "chain": f"{coin}-Local", "canDep": True, "canWd": True,
                "canInternal": True, "minDep": "0", "minWd": "0", "maxWd": "1000", "minFee": "0", "maxFee": "0",
                "fee": "0", "wdTickSz": "8", "mainNet": True,
            }
            for coin in coins
        ]  # fmt: skip

    # ---- settings ---------------------------------------------------------------------------------------------

    def _config(self, _: Call) -> object:
        mode = "long_short_mode" if self._exchange.account.hedged else "net_mode"
        return [
            {
                "uid": "44705892343619584", "mainUid": "44705892343619584", "acctLv": "2", "posMode": mode,
                "autoLoan": False, "ctIsoMode": "automatic", "mgnIsoMode": "automatic", "level": "Lv1",
                "greeksType": "PA", "perm": "read_only,trade", "roleType": "0", "label": "local",
            }
        ]  # fmt: skip

    def _set_leverage(self, call: Call) -> object:
        instrument = listing(self._exchange.market, call.text("instId")).instrument
        self._exchange.set_leverage(instrument, Decimal(call.text("lever")))
        return [
            {
                "instId": instrument.id, "lever": call.text("lever"), "mgnMode": call.text("mgnMode"),
                "posSide": call.text("posSide"),
            }
        ]  # fmt: skip

    def _set_position_mode(self, call: Call) -> object:
        hedged = call.text("posMode") == "long_short_mode"
        if hedged != self._exchange.account.hedged:
            self._exchange.set_hedged(hedged=hedged)
        return [{"posMode": call.text("posMode")}]


def _decimal(row: Row, name: str) -> Decimal | None:
    value = row.get(name)
    return Decimal(str(value)) if value else None
