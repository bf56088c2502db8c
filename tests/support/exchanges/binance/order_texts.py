"""Orders and executions as Binance's REST answers write them."""

from decimal import Decimal
from typing import Any

from support.exchanges.amounts import padded, text
from support.exchanges.instruments import Kind
from support.exchanges.orders import Fill, Lasting, Order, Status

STATUS = {
    Status.UNTRIGGERED: "NEW",
    Status.TRIGGERED: "TRIGGERED",
    Status.NEW: "NEW",
    Status.PARTIALLY_FILLED: "PARTIALLY_FILLED",
    Status.FILLED: "FILLED",
    Status.CANCELED: "CANCELED",
    Status.EXPIRED: "EXPIRED",
}
_ZERO = Decimal(0)


def order_type(order: Order) -> str:
    """The type as it was asked for."""
    return order.request.get("type") or ("LIMIT" if order.limit else "MARKET")


def lasting(order: Order) -> str:
    """The time in force; post-only has a name of its own on futures."""
    if order.lasting is Lasting.POST_ONLY:
        return "GTX" if order.instrument.kind is Kind.LINEAR else "GTC"
    return order.lasting.value


def plain_type(order: Order) -> str:
    """The type that works in the book once a trigger made the order."""
    return order_type(order) if order.made_by is None else ("LIMIT" if order.limit else "MARKET")


def _stop(order: Order) -> Decimal:
    return order.trigger.price if order.trigger else _ZERO


def spot_order(order: Order) -> dict[str, Any]:
    """A spot order that was asked for."""
    return {
        "symbol": order.instrument.id, "orderId": order.id, "orderListId": -1, "clientOrderId": order.client_id,
        "price": padded(order.limit or _ZERO), "origQty": padded(order.quantity),
        "executedQty": padded(order.filled), "cummulativeQuoteQty": padded(order.cost),
        "status": STATUS[order.status], "timeInForce": lasting(order), "type": order_type(order),
        "side": order.side.upper(), "stopPrice": padded(_stop(order)), "icebergQty": padded(_ZERO),
        "time": order.created_ms, "updateTime": order.updated_ms, "isWorking": order.status != Status.UNTRIGGERED,
        "workingTime": order.created_ms, "origQuoteOrderQty": padded(order.quote_quantity or _ZERO),
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }  # fmt: skip


def spot_placed(order: Order) -> dict[str, Any]:
    """A spot order that was just placed, with its executions (newOrderRespType FULL)."""
    kept = spot_order(order)
    for name in ("icebergQty", "time", "updateTime", "isWorking"):
        del kept[name]
    return kept | {"transactTime": order.updated_ms, "fills": [_spot_fill(fill) for fill in order.fills]}


def spot_canceled(order: Order) -> dict[str, Any]:
    """A spot order that was taken back: its own client id is the original one now."""
    return spot_order(order) | {
        "origClientOrderId": order.client_id, "clientOrderId": f"cancel{order.id}", "transactTime": order.updated_ms,
    }  # fmt: skip


def _spot_fill(fill: Fill) -> dict[str, Any]:
    return {
        "price": padded(fill.price), "qty": padded(fill.quantity), "commission": padded(fill.fee),
        "commissionAsset": fill.fee_asset, "tradeId": fill.id,
    }  # fmt: skip


def spot_trade(order: Order, fill: Fill) -> dict[str, Any]:
    """One own execution on spot."""
    return {
        "symbol": order.instrument.id, "id": fill.id, "orderId": order.id, "orderListId": -1,
        "price": padded(fill.price), "qty": padded(fill.quantity), "quoteQty": padded(fill.price * fill.quantity),
        "commission": padded(fill.fee), "commissionAsset": fill.fee_asset, "time": fill.at_ms,
        "isBuyer": order.side == "buy", "isMaker": fill.maker, "isBestMatch": True,
    }  # fmt: skip


def futures_order(order: Order) -> dict[str, Any]:
    """A futures order."""
    return {
        "orderId": order.id, "symbol": order.instrument.id, "status": STATUS[order.status],
        "clientOrderId": order.client_id, "price": text(order.limit or _ZERO), "avgPrice": text(order.average),
        "origQty": text(order.quantity), "executedQty": text(order.filled), "cumQty": text(order.filled),
        "cumQuote": text(order.cost), "timeInForce": lasting(order), "type": plain_type(order),
        "reduceOnly": order.reduce_only, "closePosition": False, "side": order.side.upper(),
        "positionSide": order.leg.upper(), "stopPrice": text(_stop(order)), "workingType": "CONTRACT_PRICE",
        "priceProtect": False, "origType": order_type(order), "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER", "goodTillDate": 0, "time": order.created_ms,
        "updateTime": order.updated_ms,
    }  # fmt: skip


def futures_trade(order: Order, fill: Fill) -> dict[str, Any]:
    """One own execution on futures."""
    return {
        "symbol": order.instrument.id, "id": fill.id, "orderId": order.id, "side": order.side.upper(),
        "price": text(fill.price), "qty": text(fill.quantity), "realizedPnl": text(fill.profit),
        "quoteQty": text(fill.price * fill.quantity), "commission": text(fill.fee),
        "commissionAsset": fill.fee_asset, "time": fill.at_ms, "positionSide": order.leg.upper(),
        "buyer": order.side == "buy", "maker": fill.maker,
    }  # fmt: skip


def algo_order(order: Order) -> dict[str, Any]:
    """A conditional futures order, which has endpoints of its own."""
    status = "FINISHED" if order.status is Status.TRIGGERED and order.made else STATUS[order.status]
    return {
        "algoId": order.id, "clientAlgoId": order.client_id, "algoType": "CONDITIONAL",
        "orderType": order_type(order), "symbol": order.instrument.id, "side": order.side.upper(),
        "positionSide": order.leg.upper(), "timeInForce": lasting(order), "quantity": text(order.quantity),
        "algoStatus": status, "actualOrderId": str(order.made or ""), "actualPrice": "0",
        "triggerPrice": text(_stop(order)), "price": text(order.limit or _ZERO), "icebergQuantity": None,
        "tpTriggerPrice": "0", "tpPrice": "0", "slTriggerPrice": "0", "slPrice": "0", "tpOrderType": "",
        "selfTradePreventionMode": "EXPIRE_MAKER", "workingType": "CONTRACT_PRICE", "priceMatch": "NONE",
        "closePosition": False, "priceProtect": False, "reduceOnly": order.reduce_only,
        "createTime": order.created_ms, "updateTime": order.updated_ms,
        "triggerTime": order.updated_ms if order.made else 0, "goodTillDate": 0,
    }  # fmt: skip
