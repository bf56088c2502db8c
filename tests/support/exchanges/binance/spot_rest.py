"""Binance's signed spot endpoints: account, orders, own trades.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/trading-endpoints
"""

from typing import Any

from support.exchanges.amounts import padded
from support.exchanges.instruments import Instrument, Kind
from support.exchanges.orders import Order
from support.exchanges.refusals import Reason, RefusedError
from support.exchanges.server import AnswerError, Call, ExchangeServer

from .asked_orders import asked_order
from .errors import refusal
from .order_texts import spot_canceled, spot_order, spot_placed, spot_trade

_WALLET = "spot"


class SpotRest:
    """Answers the client's own spot requests."""

    def __init__(self, server: ExchangeServer) -> None:
        self._server = server
        self._exchange = server.exchange
        for endpoint, answer in {
            "GET /api/v3/account": self._account,
            "POST /api/v3/order": self._place,
            "GET /api/v3/order": lambda call: spot_order(self._found(call)),
            "DELETE /api/v3/order": self._cancel,
            "POST /api/v3/order/cancelReplace": self._replace,
            "GET /api/v3/openOrders": lambda call: [spot_order(o) for o in self._mine(call) if o.open],
            "DELETE /api/v3/openOrders": self._cancel_all,
            "GET /api/v3/allOrders": lambda call: [spot_order(o) for o in self._mine(call)],
            "GET /api/v3/myTrades": self._trades,
            "GET /sapi/v1/capital/config/getall": self._coins,
            "GET /sapi/v1/margin/allPairs": self._margin_pairs,
            "GET /sapi/v1/margin/isolated/allPairs": self._margin_pairs,
        }.items():
            server.serve(endpoint, answer, signed=True)

    def _instrument(self, call: Call) -> Instrument:
        for instrument in self._exchange.market.instruments:
            if instrument.kind is Kind.SPOT and instrument.id == call.text("symbol"):
                return instrument
        raise RefusedError(Reason.UNKNOWN_SYMBOL)

    def _mine(self, call: Call) -> list[Order]:
        named = call.text("symbol")
        spot = [o for o in self._exchange.orders.values() if o.instrument.kind is Kind.SPOT]
        return [o for o in spot if named in {"", o.instrument.id}]

    def _found(self, call: Call) -> Order:
        order = self._exchange.find(call.text("orderId"), call.text("origClientOrderId"))
        if order not in self._mine(call):
            raise RefusedError(Reason.UNKNOWN_ORDER)
        return order

    def _account(self, _: Call) -> object:
        assets = self._exchange.account.totals.get(_WALLET, {})
        return {
            "makerCommission": 10, "takerCommission": 10, "buyerCommission": 0, "sellerCommission": 0,
            "commissionRates": {"maker": "0.001", "taker": "0.001", "buyer": "0", "seller": "0"},
            "canTrade": True, "canWithdraw": True, "canDeposit": True, "brokered": False,
            "requireSelfTradePrevention": False, "preventSor": False,
            "updateTime": self._server.clock.now_ms(), "accountType": "SPOT",
            "balances": [self._balance(asset) for asset in assets], "permissions": ["SPOT"], "uid": 354_937_868,
        }  # fmt: skip

    def _balance(self, asset: str) -> dict[str, str]:
        locked = self._exchange.locked(_WALLET, asset)
        free = self._exchange.account.total(_WALLET, asset) - locked
        return {"asset": asset, "free": padded(free), "locked": padded(locked)}

    def _place(self, call: Call) -> object:
        return spot_placed(self._placed(call))

    def _placed(self, call: Call) -> Order:
        new = asked_order(call, self._instrument(call), len(self._exchange.orders))
        return self._server.place(new)

    def _cancel(self, call: Call) -> object:
        return spot_canceled(self._exchange.cancel(self._found(call)))

    def _cancel_all(self, call: Call) -> object:
        open_orders = [o for o in self._mine(call) if o.open]
        if not open_orders:
            raise RefusedError(Reason.NOT_OPEN)
        return [spot_canceled(self._exchange.cancel(order)) for order in open_orders]

    def _replace(self, call: Call) -> object:
        answer: dict[str, Any] = {"cancelResult": "SUCCESS", "newOrderResult": "SUCCESS"}
        try:
            old = self._exchange.find(call.text("cancelOrderId"), call.text("cancelOrigClientOrderId"))
            answer["cancelResponse"] = spot_canceled(self._exchange.cancel(old))
        except RefusedError as error:
            raise _failed("FAILURE", "NOT_ATTEMPTED", error, None) from error
        try:
            answer["newOrderResponse"] = spot_placed(self._placed(call))
        except RefusedError as error:
            raise _failed("SUCCESS", "FAILURE", error, answer["cancelResponse"]) from error
        return answer

    def _trades(self, call: Call) -> object:
        since, order_id = call.integer("startTime", 0), call.text("orderId")
        orders = [o for o in self._mine(call) if order_id in {"", str(o.id)}]
        fills = [(o, f) for o in orders for f in o.fills if f.at_ms >= since]
        return [spot_trade(o, f) for o, f in sorted(fills, key=lambda pair: pair[1].id)]

    def _margin_pairs(self, _: Call) -> object:
        pairs = [i for i in self._exchange.market.instruments if i.kind is Kind.SPOT]
        return [
            {
                "symbol": i.id, "base": i.base, "quote": i.quote, "isMarginTrade": True, "isBuyAllowed": True,
                "isSellAllowed": True,
            }
            for i in pairs
        ]  # fmt: skip

    def _coins(self, _: Call) -> object:
        coins = sorted({x for i in self._exchange.market.instruments for x in (i.base, i.quote)})
        return [
            {
                "coin": coin, "name": coin, "depositAllEnable": True, "withdrawAllEnable": True, "free": "0",
                "locked": "0", "freeze": "0", "withdrawing": "0", "ipoing": "0", "ipoable": "0", "storage": "0",
                "isLegalMoney": False, "trading": True, "networkList": [],
            }
            for coin in coins
        ]  # fmt: skip


def _failed(canceled: str, placed: str, error: RefusedError, cancel_response: object) -> AnswerError:
    detail = refusal(error.reason, futures=False, asking=False).body
    code, words = (-2022, "Order cancel-replace failed.")
    if canceled == "SUCCESS":
        code, words = (-2021, "Order cancel-replace partially failed.")
    responses = (
        {"cancelResponse": cancel_response, "newOrderResponse": detail}
        if cancel_response
        else {"cancelResponse": detail, "newOrderResponse": None}
    )
    data = {"cancelResult": canceled, "newOrderResult": placed, **responses}
    return AnswerError(400 if canceled == "FAILURE" else 409, {"code": code, "msg": words, "data": data})
