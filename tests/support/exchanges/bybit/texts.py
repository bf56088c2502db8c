"""Orders, executions, positions and balances as Bybit writes them, alike in REST answers and in frames."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from support.exchanges.accounts import Position
from support.exchanges.amounts import text
from support.exchanges.exchange import Exchange
from support.exchanges.instruments import Instrument, Kind
from support.exchanges.orders import Fill, Lasting, Order, Status

_STATUS = {
    Status.UNTRIGGERED: "Untriggered",
    Status.TRIGGERED: "Triggered",
    Status.NEW: "New",
    Status.PARTIALLY_FILLED: "PartiallyFilled",
    Status.FILLED: "Filled",
    Status.CANCELED: "Cancelled",
    Status.EXPIRED: "Cancelled",
}
_LASTING = {Lasting.GTC: "GTC", Lasting.IOC: "IOC", Lasting.FOK: "FOK", Lasting.POST_ONLY: "PostOnly"}
_REJECTED = {
    "post-only": "EC_PostOnlyWillTakeLiquidity",
    "ioc": "EC_NoImmediateQtyToFill",
    "fok": "EC_NoEnoughQtyToFill",
    "no liquidity": "EC_NoEnoughQtyToFill",
}
_LEG_INDEX = {"both": 0, "long": 1, "short": 2}
_ZERO = Decimal(0)
_MAINTENANCE_RATE = Decimal("0.005")


def order_id(number: int) -> str:
    """The id of an order or execution, as Bybit's look."""
    return str(UUID(int=number))


def order_number(given: str) -> str:
    """The number behind an id; what is no id of ours stays as it is."""
    try:
        return str(UUID(given).int)
    except ValueError:
        return given


def _status(order: Order) -> str:
    if order.status in {Status.CANCELED, Status.EXPIRED} and order.fills and order.instrument.kind is Kind.SPOT:
        return "PartiallyFilledCanceled"
    return _STATUS[order.status]


def order_text(order: Order) -> dict[str, Any]:
    """An order."""
    instrument, trigger = order.instrument, order.trigger
    worth = sum((abs(instrument.notional(f.quantity, f.price)) for f in order.fills), _ZERO)
    body: dict[str, Any] = {
        "category": instrument.kind.value, "symbol": instrument.id, "orderId": order_id(order.id),
        "orderLinkId": order.client_id, "blockTradeId": "", "isLeverage": "0" if instrument.kind is Kind.SPOT else "",
        "side": order.side.capitalize(), "positionIdx": _LEG_INDEX[order.leg], "orderStatus": _status(order),
        "cancelType": "CancelByUser" if order.status is Status.CANCELED else "UNKNOWN",
        "rejectReason": _REJECTED.get(order.why_ended, "EC_NoError"),
        "createType": "CreateByUser", "timeInForce": _LASTING[order.lasting] if order.limit else "IOC",
        "orderType": "Limit" if order.limit else "Market", "price": text(order.limit or _ZERO),
        "qty": text(order.quantity), "avgPrice": text(order.average) if order.fills else "",
        "leavesQty": text(order.remaining) if order.open else "0", "leavesValue": "0",
        "cumExecQty": text(order.filled), "cumExecValue": text(worth), "cumExecFee": text(order.fee),
        "cumFeeDetail": {order.fills[0].fee_asset: text(order.fee)} if order.fills else {},
        "triggerPrice": text(trigger.price) if trigger else "", "triggerDirection": _direction(order),
        "triggerBy": "LastPrice" if trigger else "", "stopOrderType": "Stop" if trigger else "",
        "reduceOnly": order.reduce_only, "closeOnTrigger": False, "takeProfit": "", "stopLoss": "",
        "tpTriggerBy": "", "slTriggerBy": "", "lastPriceOnCreated": "", "marketUnit": "", "orderIv": "",
        "smpType": "None", "smpGroup": 0, "smpOrderId": "", "placeType": "",
        "createdTime": str(order.created_ms), "updatedTime": str(order.updated_ms),
    }  # fmt: skip
    return body if instrument.kind is Kind.SPOT else body | {"tpslMode": ""}


def _direction(order: Order) -> int:
    if order.trigger is None:
        return 0
    return 1 if order.trigger.rising else 2


def execution_text(order: Order, fill: Fill) -> dict[str, Any]:
    """One own execution."""
    instrument = order.instrument
    worth = instrument.notional(fill.quantity, fill.price)
    body: dict[str, Any] = {
        "category": instrument.kind.value, "symbol": instrument.id, "execFee": text(fill.fee),
        "execId": order_id(fill.id), "execPrice": text(fill.price), "execQty": text(fill.quantity),
        "execType": "Trade", "execValue": text(worth), "feeRate": text(fill.fee / worth) if worth else "0",
        "feeCurrency": fill.fee_asset if instrument.kind is Kind.SPOT else "", "isMaker": fill.maker,
        "leavesQty": text(order.remaining), "orderId": order_id(order.id), "orderLinkId": order.client_id,
        "orderPrice": text(order.limit or _ZERO), "orderQty": text(order.quantity),
        "orderType": "Limit" if order.limit else "Market", "side": order.side.capitalize(),
        "execTime": str(fill.at_ms), "execPnl": text(fill.profit), "isLeverage": "0", "closedSize": "0",
        "blockTradeId": "", "markPrice": text(fill.price), "indexPrice": "", "underlyingPrice": "", "tradeIv": "",
        "markIv": "", "stopOrderType": "UNKNOWN", "seq": fill.id,
    }  # fmt: skip
    return body if instrument.kind is Kind.SPOT else body | {"createType": "CreateByUser"}


def position_text(exchange: Exchange, position: Position) -> dict[str, Any]:
    """A position; its entry has one name in REST answers and another in frames."""
    instrument, price = position.instrument, exchange.listing(position.instrument).price
    settings, size = exchange.account.settings(instrument), abs(position.quantity)
    worth = instrument.notional(size, position.entry) if size else _ZERO
    margin = worth / settings.leverage
    side = 1 if position.quantity > 0 else -1
    liquidation = position.entry * (1 - side * (1 / settings.leverage - _MAINTENANCE_RATE)) if size else _ZERO
    sides = {1: "Buy", -1: "Sell"} if size else {}
    return {
        "category": instrument.kind.value, "symbol": instrument.id, "positionIdx": _LEG_INDEX[position.leg],
        "riskId": 1, "riskLimitValue": "2000000", "side": sides.get(side, ""), "size": text(size),
        "avgPrice": text(position.entry), "entryPrice": text(position.entry), "positionValue": text(worth),
        "tradeMode": int(settings.isolated), "positionStatus": "Normal", "autoAddMargin": 0,
        "adlRankIndicator": 2 if size else 0, "leverage": text(settings.leverage), "positionBalance": text(margin),
        "markPrice": text(price), "liqPrice": text(liquidation) if size else "", "bustPrice": "",
        "positionMM": text(worth * _MAINTENANCE_RATE), "positionIM": text(margin), "tpslMode": "Full",
        "takeProfit": "0", "stopLoss": "0", "trailingStop": "0", "sessionAvgPrice": "",
        "unrealisedPnl": text(position.profit(price)), "curRealisedPnl": text(position.realised),
        "cumRealisedPnl": text(position.realised), "isReduceOnly": False, "seq": position.updated_ms,
        "createdTime": str(position.opened_ms), "updatedTime": str(position.updated_ms),
    }  # fmt: skip


def empty_position(instrument: Instrument, leverage: Decimal, leg: str) -> dict[str, Any]:
    """What Bybit says of a contract that is named and not held."""
    return {
        "category": instrument.kind.value, "symbol": instrument.id, "positionIdx": _LEG_INDEX[leg], "riskId": 1,
        "side": "", "size": "0", "avgPrice": "0", "positionValue": "", "tradeMode": 0, "positionStatus": "Normal",
        "leverage": text(leverage), "markPrice": "0", "liqPrice": "", "positionBalance": "0", "positionMM": "",
        "positionIM": "", "unrealisedPnl": "", "createdTime": "0", "updatedTime": "0", "tpslMode": "Full",
    }  # fmt: skip


def wallet_text(exchange: Exchange) -> dict[str, Any]:
    """The unified account."""
    coins = [_coin(exchange, asset) for asset in exchange.account.totals.get("unified", {})]
    equity = text(exchange.account.total("unified", "USDT") + exchange.unrealised("unified", "USDT"))
    return {
        "accountType": "UNIFIED", "totalEquity": equity, "totalWalletBalance": equity, "totalMarginBalance": equity,
        "totalAvailableBalance": text(exchange.available("unified", "USDT")), "totalPerpUPL": "0",
        "totalInitialMargin": "0", "totalMaintenanceMargin": "0", "accountIMRate": "0", "accountMMRate": "0",
        "accountLTV": "0", "coin": coins,
    }  # fmt: skip


def _coin(exchange: Exchange, asset: str) -> dict[str, Any]:
    account = exchange.account
    total, profit = account.total("unified", asset), exchange.unrealised("unified", asset)
    spot = [o for o in exchange.open_orders() if o.instrument.kind is Kind.SPOT]
    contracts = [o for o in exchange.open_orders() if o.instrument.kind is not Kind.SPOT]
    return {
        "coin": asset, "equity": text(total + profit), "usdValue": text(total), "walletBalance": text(total),
        "free": "", "locked": text(account.order_locks(spot, asset)), "borrowAmount": "0", "accruedInterest": "0",
        "availableToWithdraw": "", "availableToBorrow": "", "bonus": "0", "collateralSwitch": True,
        "marginCollateral": True, "totalOrderIM": text(account.order_locks(contracts, asset)),
        "totalPositionIM": text(account.position_margin(exchange.positions_in("unified"), asset)),
        "totalPositionMM": "0", "unrealisedPnl": text(profit), "cumRealisedPnl": "0", "spotHedgingQty": "0",
    }  # fmt: skip
