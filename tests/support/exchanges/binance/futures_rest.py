"""Binance's signed USD-M futures endpoints: account, positions, settings, orders, own trades.

https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api
"""

from decimal import Decimal
from typing import Any

from support.exchanges.accounts import Position
from support.exchanges.amounts import text
from support.exchanges.instruments import Instrument, Kind
from support.exchanges.orders import Order
from support.exchanges.refusals import Reason, RefusedError
from support.exchanges.server import Call, ExchangeServer

from .asked_orders import asked_order
from .order_texts import algo_order, futures_order, futures_trade

_WALLET = "linear"
_DONE = {"code": 200, "msg": "success"}
_ALL_CANCELED = {"code": 200, "msg": "The operation of cancel all open order is done."}
_ONLY_IN_V2 = ("leverage", "maxNotionalValue", "marginType", "isAutoAddMargin")
_MAINTENANCE_RATE = Decimal("0.004")


class FuturesRest:
    """Answers the client's own futures requests."""

    def __init__(self, server: ExchangeServer) -> None:
        self._server = server
        self._exchange = server.exchange
        for endpoint, answer in {
            "GET /fapi/v2/account": self._account,
            "GET /fapi/v3/account": self._account,
            "GET /fapi/v2/balance": lambda _: self._assets(),
            "GET /fapi/v3/balance": lambda _: self._assets(),
            "GET /fapi/v2/positionRisk": self._risks,
            "GET /fapi/v3/positionRisk": self._risks,
            "GET /fapi/v1/leverageBracket": self._brackets,
            "POST /fapi/v1/leverage": self._set_leverage,
            "POST /fapi/v1/marginType": self._set_margin,
            "POST /fapi/v1/positionSide/dual": self._set_dual,
            "GET /fapi/v1/positionSide/dual": lambda _: {"dualSidePosition": self._exchange.account.hedged},
            "POST /fapi/v1/order": lambda call: futures_order(self._placed(call)),
            "PUT /fapi/v1/order": self._amend,
            "GET /fapi/v1/order": lambda call: futures_order(self._found(call, algo=False)),
            "DELETE /fapi/v1/order": lambda call: futures_order(self._exchange.cancel(self._found(call, algo=False))),
            "GET /fapi/v1/openOrders": lambda call: [futures_order(o) for o in self._mine(call, algo=False) if o.open],
            "DELETE /fapi/v1/allOpenOrders": lambda call: self._cancel_all(call, algo=False),
            "GET /fapi/v1/allOrders": lambda call: [futures_order(o) for o in self._mine(call, algo=False)],
            "GET /fapi/v1/userTrades": self._trades,
            "POST /fapi/v1/algoOrder": lambda call: algo_order(self._placed(call)),
            "GET /fapi/v1/algoOrder": lambda call: algo_order(self._found(call, algo=True)),
            "DELETE /fapi/v1/algoOrder": self._cancel_algo,
            "GET /fapi/v1/openAlgoOrders": lambda call: [algo_order(o) for o in self._mine(call, algo=True) if o.open],
            "GET /fapi/v1/allAlgoOrders": lambda call: [algo_order(o) for o in self._mine(call, algo=True)],
            "DELETE /fapi/v1/algoOpenOrders": lambda call: self._cancel_all(call, algo=True),
        }.items():
            server.serve(endpoint, answer, signed=True)

    def _instrument(self, call: Call) -> Instrument:
        for instrument in self._exchange.market.instruments:
            if instrument.kind is Kind.LINEAR and instrument.id == call.text("symbol"):
                return instrument
        raise RefusedError(Reason.UNKNOWN_SYMBOL)

    def _mine(self, call: Call, *, algo: bool) -> list[Order]:
        named = call.text("symbol")
        orders = [o for o in self._exchange.orders.values() if o.instrument.kind is Kind.LINEAR]
        return [o for o in orders if (o.trigger is not None) == algo and named in {"", o.instrument.id}]

    def _found(self, call: Call, *, algo: bool) -> Order:
        order = self._exchange.find(
            call.text("algoId" if algo else "orderId"), call.text("clientAlgoId" if algo else "origClientOrderId")
        )
        if order not in self._mine(call, algo=algo):
            raise RefusedError(Reason.UNKNOWN_ORDER)
        return order

    def _placed(self, call: Call) -> Order:
        new = asked_order(call, self._instrument(call), len(self._exchange.orders))
        return self._server.place(new)

    def _amend(self, call: Call) -> object:
        order = self._found(call, algo=False)
        return futures_order(self._exchange.amend(order, call.decimal("quantity"), call.decimal("price"), None))

    def _cancel_algo(self, call: Call) -> object:
        order = self._exchange.cancel(self._found(call, algo=True))
        return {"algoId": order.id, "clientAlgoId": order.client_id, "code": "200", "msg": "success"}

    def _cancel_all(self, call: Call, *, algo: bool) -> object:
        for order in [o for o in self._mine(call, algo=algo) if o.open]:
            self._exchange.cancel(order)
        return _ALL_CANCELED

    def _trades(self, call: Call) -> object:
        since, order_id = call.integer("startTime", 0), call.text("orderId")
        orders = [o for o in self._mine(call, algo=False) if order_id in {"", str(o.id)}]
        fills = [(o, f) for o in orders for f in o.fills if f.at_ms >= since]
        return [futures_trade(o, f) for o, f in sorted(fills, key=lambda pair: pair[1].id)]

    # ---- account and settings ---------------------------------------------------------------------------------

    def _set_leverage(self, call: Call) -> object:
        instrument, leverage = self._instrument(call), Decimal(call.text("leverage"))
        self._exchange.set_leverage(instrument, leverage)
        return {"leverage": int(leverage), "maxNotionalValue": "1000000", "symbol": instrument.id}

    def _set_margin(self, call: Call) -> object:
        self._exchange.set_isolated(self._instrument(call), isolated=call.text("marginType") == "ISOLATED")
        return _DONE

    def _set_dual(self, call: Call) -> object:
        self._exchange.set_hedged(hedged=call.text("dualSidePosition") == "true")
        return _DONE

    def _brackets(self, call: Call) -> object:
        named = call.text("symbol")
        contracts = [i for i in self._exchange.market.instruments if i.kind is Kind.LINEAR]
        return [_bracket(i) for i in contracts if named in {"", i.id}]

    def _asset(self, asset: str) -> dict[str, Any]:
        account, exchange = self._exchange.account, self._exchange
        total, profit = account.total(_WALLET, asset), exchange.unrealised(_WALLET, asset)
        bound, locked = account.position_margin(exchange.positions_in(_WALLET), asset), exchange.locked(_WALLET, asset)
        available = text(exchange.available(_WALLET, asset))
        return {
            "asset": asset, "walletBalance": text(total), "balance": text(total), "unrealizedProfit": text(profit),
            "marginBalance": text(total + profit), "maintMargin": "0", "initialMargin": text(bound + locked),
            "positionInitialMargin": text(bound), "openOrderInitialMargin": text(locked),
            "crossWalletBalance": text(total), "crossUnPnl": text(profit), "availableBalance": available,
            "maxWithdrawAmount": available, "marginAvailable": True, "updateTime": self._server.clock.now_ms(),
        }  # fmt: skip

    def _assets(self) -> list[dict[str, Any]]:
        return [self._asset(asset) for asset in self._exchange.account.totals.get(_WALLET, {})]

    def _account(self, _: Call) -> object:
        main = self._asset("USDT")
        totals = {
            "totalInitialMargin": main["initialMargin"], "totalMaintMargin": main["maintMargin"],
            "totalWalletBalance": main["walletBalance"], "totalUnrealizedProfit": main["unrealizedProfit"],
            "totalMarginBalance": main["marginBalance"], "totalPositionInitialMargin": main["positionInitialMargin"],
            "totalOpenOrderInitialMargin": main["openOrderInitialMargin"],
            "totalCrossWalletBalance": main["walletBalance"], "totalCrossUnPnl": main["unrealizedProfit"],
            "availableBalance": main["availableBalance"], "maxWithdrawAmount": main["availableBalance"],
        }  # fmt: skip
        positions = [self._risk(p) for p in self._exchange.positions_in(_WALLET)]
        return totals | {"assets": self._assets(), "positions": positions}

    def _risks(self, call: Call) -> object:
        held = [p for p in self._exchange.positions_in(_WALLET) if call.text("symbol") in {"", p.instrument.id}]
        left_out = _ONLY_IN_V2 if "/v3/" in call.path else ()
        return [{name: x for name, x in self._risk(p).items() if name not in left_out} for p in held]

    def _risk(self, position: Position) -> dict[str, Any]:
        instrument, settings = position.instrument, self._exchange.account.settings(position.instrument)
        price = self._exchange.listing(instrument).price
        margin = self._exchange.account.margin(instrument, position.quantity, position.entry)
        isolated, profit = text(margin if settings.isolated else Decimal(0)), position.profit(price)
        side = 1 if position.quantity > 0 else -1
        liquidation = position.entry * (1 - side * (1 / settings.leverage - _MAINTENANCE_RATE))
        return {
            "symbol": instrument.id, "positionSide": position.leg.upper(), "positionAmt": text(position.quantity),
            "entryPrice": text(position.entry), "breakEvenPrice": text(position.entry), "markPrice": text(price),
            "unRealizedProfit": text(profit), "liquidationPrice": text(liquidation), "isolatedMargin": isolated,
            "notional": text(position.quantity * price), "marginAsset": instrument.quote, "isolatedWallet": isolated,
            "initialMargin": text(margin), "maintMargin": text(abs(position.quantity) * price * _MAINTENANCE_RATE),
            "positionInitialMargin": text(margin), "openOrderInitialMargin": "0", "adl": 2, "bidNotional": "0",
            "askNotional": "0", "leverage": text(settings.leverage), "maxNotionalValue": "1000000",
            "marginType": "isolated" if settings.isolated else "cross", "isAutoAddMargin": "false",
            "updateTime": position.updated_ms,
        }  # fmt: skip


def _bracket(instrument: Instrument) -> dict[str, Any]:
    bracket = {
        "bracket": 1, "initialLeverage": instrument.max_leverage, "notionalCap": 1_000_000, "notionalFloor": 0,
        "maintMarginRatio": float(_MAINTENANCE_RATE), "cum": 0.0,
    }  # fmt: skip
    return {"symbol": instrument.id, "notionalCoef": 1.0, "brackets": [bracket]}
