"""Bybit's signed endpoints: account, positions, settings, orders, executions.

https://bybit-exchange.github.io/docs/v5/order/create-order
"""

from decimal import Decimal
from typing import Any

from support.exchanges.instruments import Instrument, Kind
from support.exchanges.orders import Lasting, NewOrder, Order, Trigger
from support.exchanges.refusals import Reason, RefusedError
from support.exchanges.server import AnswerError, Call, ExchangeServer

from .errors import body
from .instruments import listing
from .texts import (
    empty_position,
    execution_text,
    order_id,
    order_number,
    order_text,
    position_text,
    wallet_text,
)

_LASTING = {"GTC": Lasting.GTC, "IOC": Lasting.IOC, "FOK": Lasting.FOK, "PostOnly": Lasting.POST_ONLY}
_LEGS = {"0": "both", "1": "long", "2": "short"}
_MARGIN_MODES = {"ISOLATED_MARGIN": True, "REGULAR_MARGIN": False}


class PrivateRest:
    """Answers the client's own requests."""

    def __init__(self, server: ExchangeServer) -> None:
        self._server = server
        self._exchange = server.exchange
        for endpoint, answer in {
            "GET /v5/user/query-api": lambda _: {"id": "13770661", "note": "local", "unified": 0, "uta": 1},
            "GET /v5/account/info": self._info,
            "GET /v5/account/wallet-balance": lambda _: {"list": [wallet_text(self._exchange)]},
            "GET /v5/asset/coin/query-info": self._coins,
            "GET /v5/position/list": self._positions,
            "POST /v5/position/set-leverage": self._set_leverage,
            "POST /v5/account/set-margin-mode": self._set_margin_mode,
            "POST /v5/position/switch-mode": self._switch_mode,
            "POST /v5/order/create": self._create,
            "POST /v5/order/amend": self._amend,
            "POST /v5/order/cancel": self._cancel,
            "POST /v5/order/cancel-all": self._cancel_all,
            "GET /v5/order/realtime": self._realtime,
            "GET /v5/order/history": self._history,
            "GET /v5/execution/list": self._executions,
        }.items():
            server.serve(endpoint, self._wrapped(answer), signed=True)

    def _wrapped(self, answer: Any) -> Any:
        return lambda call: body(0, "OK", self._server.clock.now_ms(), answer(call))

    def _instrument(self, call: Call) -> Instrument:
        return listing(self._exchange.market, call.text("category"), call.text("symbol")).instrument

    def _mine(self, call: Call) -> list[Order]:
        named, settle = call.text("symbol"), call.text("settleCoin")
        orders = [o for o in self._exchange.orders.values() if o.instrument.kind.value == call.text("category")]
        orders = [o for o in orders if named in {"", o.instrument.id} and settle in {"", o.instrument.settle}]
        if call.text("orderFilter") in {"StopOrder", "tpslOrder"}:
            return [o for o in orders if o.trigger is not None]
        return [o for o in orders if o.trigger is None] if call.text("orderFilter") == "Order" else orders

    def _found(self, call: Call) -> Order:
        given = order_number(call.text("orderId"))
        order = self._exchange.find(given, call.text("orderLinkId"))
        if order not in self._mine(call):
            raise RefusedError(Reason.UNKNOWN_ORDER)
        return order

    # ---- orders -----------------------------------------------------------------------------------------------

    def _create(self, call: Call) -> object:
        order = self._server.place(_asked(call, self._instrument(call)))
        return {"orderId": order_id(order.id), "orderLinkId": order.client_id}

    def _amend(self, call: Call) -> object:
        order = self._found(call)
        trigger = call.decimal("triggerPrice")
        self._exchange.amend(order, call.decimal("qty"), call.decimal("price"), trigger)
        return {"orderId": order_id(order.id), "orderLinkId": order.client_id}

    def _cancel(self, call: Call) -> object:
        order = self._exchange.cancel(self._found(call))
        return {"orderId": order_id(order.id), "orderLinkId": order.client_id}

    def _cancel_all(self, call: Call) -> object:
        canceled = [self._exchange.cancel(o) for o in self._mine(call) if o.open]
        return {"list": [{"orderId": order_id(o.id), "orderLinkId": o.client_id} for o in canceled], "success": "1"}

    def _realtime(self, call: Call) -> object:
        if call.text("orderId") or call.text("orderLinkId"):
            return self._listed(call, self._named(call))
        return self._listed(call, [o for o in self._mine(call) if o.open])

    def _history(self, call: Call) -> object:
        named = call.text("orderId") or call.text("orderLinkId")
        return self._listed(call, self._named(call) if named else [o for o in self._mine(call) if not o.open])

    def _named(self, call: Call) -> list[Order]:
        try:
            return [self._found(call)]
        except RefusedError:
            return []

    def _listed(self, call: Call, orders: list[Order]) -> object:
        rows = [order_text(order) for order in reversed(orders)]
        return {"category": call.text("category"), "nextPageCursor": "", "list": rows}

    def _executions(self, call: Call) -> object:
        since, named = call.integer("startTime", 0), bool(call.text("orderId") or call.text("orderLinkId"))
        orders = self._named(call) if named else self._mine(call)
        fills = [(o, f) for o in orders for f in o.fills if f.at_ms >= since]
        rows = [execution_text(o, f) for o, f in sorted(fills, key=lambda pair: pair[1].id, reverse=True)]
        return {"category": call.text("category"), "nextPageCursor": "", "list": rows}

    # ---- account ----------------------------------------------------------------------------------------------

    def _info(self, _: Call) -> object:
        isolated = any(self._exchange.account.settings(i).isolated for i in self._contracts())
        mode = "ISOLATED_MARGIN" if isolated else "REGULAR_MARGIN"
        return {
            "unifiedMarginStatus": 6, "marginMode": mode, "isMasterTrader": False, "spotHedgingStatus": "OFF",
            "updatedTime": "1697078946000",
        }  # fmt: skip

    def _coins(self, _: Call) -> object:
        coins = sorted({x for i in self._exchange.market.instruments for x in (i.base, i.quote)})
        return {"rows": [{"name": c, "coin": c, "remainAmount": "10000000", "chains": []} for c in coins]}

    def _contracts(self) -> list[Instrument]:
        return [i for i in self._exchange.market.instruments if i.kind is not Kind.SPOT]

    def _positions(self, call: Call) -> object:
        held = [p for p in self._exchange.account.held() if p.instrument.kind.value == call.text("category")]
        settle, named = call.text("settleCoin"), call.text("symbol")
        rows = [
            position_text(self._exchange, p)
            for p in held
            if named in {"", p.instrument.id} and settle in {"", p.instrument.settle}
        ]
        if named and not rows:
            instrument = self._instrument(call)
            legs = ("long", "short") if self._exchange.account.hedged else ("both",)
            leverage = self._exchange.account.settings(instrument).leverage
            rows = [empty_position(instrument, leverage, leg) for leg in legs]
        return {"category": call.text("category"), "nextPageCursor": "", "list": rows}

    def _set_leverage(self, call: Call) -> object:
        instrument, leverage = self._instrument(call), Decimal(call.text("buyLeverage"))
        if leverage == self._exchange.account.settings(instrument).leverage:
            raise AnswerError(200, body(110043, "leverage not modified", self._server.clock.now_ms()))
        self._exchange.set_leverage(instrument, leverage)
        return {}

    def _set_margin_mode(self, call: Call) -> object:
        isolated = _MARGIN_MODES[call.text("setMarginMode")]
        for instrument in self._contracts():
            if self._exchange.account.settings(instrument).isolated != isolated:
                self._exchange.set_isolated(instrument, isolated=isolated)
        return {"reasons": []}

    def _switch_mode(self, call: Call) -> object:
        self._exchange.set_hedged(hedged=call.text("mode") == "3")
        return {}


def _asked(call: Call, instrument: Instrument) -> NewOrder:
    market = call.text("orderType") == "Market"
    quantity = call.decimal("qty") or Decimal(0)
    spends = instrument.kind is Kind.SPOT and market and call.text("marketUnit", _default_unit(call)) == "quoteCoin"
    return NewOrder(
        instrument,
        call.text("side").lower(),
        Decimal(0) if spends else quantity,
        None if market else call.decimal("price"),
        call.text("orderLinkId"),
        Lasting.GTC if market else _LASTING[call.text("timeInForce", "GTC")],
        _trigger(call),
        reduce_only=instrument.kind is not Kind.SPOT and call.text("reduceOnly").lower() == "true",
        leg=_LEGS[call.text("positionIdx", "0")],
        quote_quantity=quantity if spends else None,
    )


def _default_unit(call: Call) -> str:
    return "quoteCoin" if call.text("side") == "Buy" else "baseCoin"


def _trigger(call: Call) -> Trigger | None:
    price = call.decimal("triggerPrice")
    if price is None:
        return None
    return Trigger(price, {"1": True, "2": False}.get(call.text("triggerDirection")))
