"""Orders, executions, positions and balances as OKX writes them, alike in REST answers and in frames."""

from decimal import Decimal
from typing import Any

from support.exchanges.accounts import Position
from support.exchanges.amounts import text
from support.exchanges.exchange import Exchange
from support.exchanges.instruments import Kind
from support.exchanges.orders import Fill, Lasting, Order, Status

from .instruments import type_of

WALLET = "trading"
_STATES = {
    Status.NEW: "live",
    Status.PARTIALLY_FILLED: "partially_filled",
    Status.FILLED: "filled",
    Status.CANCELED: "canceled",
    Status.EXPIRED: "canceled",
}
_ALGO_STATES = {
    Status.UNTRIGGERED: "live",
    Status.TRIGGERED: "effective",
    Status.CANCELED: "canceled",
}
_TYPES = {Lasting.GTC: "limit", Lasting.IOC: "ioc", Lasting.FOK: "fok", Lasting.POST_ONLY: "post_only"}
_SOURCES = {
    "post-only": ("31", "The current limit order price would take liquidity in maker orders."),
    "fok": ("13", "Order canceled: FOK order was canceled due to incompletely filled"),
    "ioc": ("14", "Order canceled: IOC order was partially canceled due to incompletely filled"),
    "no liquidity": ("14", "Order canceled: IOC order was partially canceled due to incompletely filled"),
}
_LEGS = {"both": "net", "long": "long", "short": "short"}
_MAINTENANCE_RATE = Decimal("0.004")
_ZERO = Decimal(0)


def order_text(exchange: Exchange, order: Order) -> dict[str, Any]:
    """An order."""
    instrument, last = order.instrument, order.fills[-1] if order.fills else None
    source, reason = _SOURCES.get(order.why_ended, ("1" if order.status is Status.CANCELED else "", ""))
    spot = instrument.kind is Kind.SPOT
    settings = exchange.account.settings(instrument)
    size = order.quote_quantity if order.quote_quantity is not None else order.quantity
    return {
        "instType": type_of(instrument), "instId": instrument.id, "tgtCcy": order.request.get("tgtCcy", ""),
        "ccy": "", "ordId": str(order.id), "clOrdId": order.client_id, "tag": order.request.get("tag", ""),
        "algoId": str(order.made_by or ""), "px": text(order.limit) if order.limit else "", "sz": text(size),
        "ordType": _TYPES[order.lasting] if order.limit else "market", "side": order.side,
        "posSide": "" if spot else _LEGS[order.leg], "tdMode": order.request.get("tdMode", ""),
        "accFillSz": text(order.filled), "fillPx": text(last.price) if last else "",
        "tradeId": str(last.id) if last else "", "fillSz": text(last.quantity) if last else "0",
        "fillTime": str(last.at_ms) if last else "", "avgPx": text(order.average) if last else "",
        "state": _STATES[order.status], "lever": "" if spot else text(settings.leverage),
        "feeCcy": last.fee_asset if last else instrument.quote, "fee": text(-order.fee),
        "rebateCcy": instrument.quote, "rebate": "0", "source": "", "category": "normal",
        "pnl": text(sum((f.profit for f in order.fills), _ZERO)), "reduceOnly": str(order.reduce_only).lower(),
        "cancelSource": source, "cancelSourceReason": reason, "stpMode": "cancel_maker", "attachAlgoOrds": [],
        "slTriggerPx": "", "slOrdPx": "", "tpTriggerPx": "", "tpOrdPx": "", "quickMgnType": "",
        "cTime": str(order.created_ms), "uTime": str(order.updated_ms),
    }  # fmt: skip


def order_frame(exchange: Exchange, order: Order, fill: Fill | None) -> dict[str, Any]:
    """An order in a frame tells of one execution at most, or of none."""
    row = order_text(exchange, order) | {"code": "0", "msg": "", "amendResult": "", "reqId": ""}
    if fill is None:
        return row | {"tradeId": "", "fillSz": "0", "fillPx": "", "fillFee": "0", "fillFeeCcy": "", "execType": ""}
    return row | {
        "tradeId": str(fill.id), "fillSz": text(fill.quantity), "fillPx": text(fill.price),
        "fillTime": str(fill.at_ms), "fillFee": text(-fill.fee), "fillFeeCcy": fill.fee_asset,
        "execType": "M" if fill.maker else "T", "fillPnl": text(fill.profit),
    }  # fmt: skip


def algo_text(order: Order) -> dict[str, Any]:
    """A trigger or conditional order, which has endpoints and a channel of its own."""
    limit, price = text(order.limit) if order.limit else "-1", text(order.trigger.price) if order.trigger else ""
    row: dict[str, Any] = {
        "instType": type_of(order.instrument), "instId": order.instrument.id, "algoId": str(order.id),
        "algoClOrdId": order.client_id, "clOrdId": order.client_id, "ordId": str(order.made or ""),
        "ordIdList": [str(order.made)] if order.made else [], "ordType": order.request["ordType"],
        "sz": text(order.quantity), "side": order.side, "tdMode": order.request.get("tdMode", ""),
        "posSide": "" if order.instrument.kind is Kind.SPOT else _LEGS[order.leg],
        "state": _ALGO_STATES[order.status], "reduceOnly": str(order.reduce_only).lower(), "lever": "",
        "triggerPx": "", "ordPx": "", "slTriggerPx": "", "slOrdPx": "", "tpTriggerPx": "", "tpOrdPx": "",
        "actualSz": "0", "actualPx": "", "actualSide": "", "tag": order.request.get("tag", ""),
        "triggerTime": str(order.updated_ms) if order.made else "", "cTime": str(order.created_ms),
        "uTime": str(order.updated_ms), "failCode": "0", "closeFraction": "",
    }  # fmt: skip
    match order.request.get("stop", ""):
        case "sl":
            return row | {"slTriggerPx": price, "slOrdPx": limit}
        case "tp":
            return row | {"tpTriggerPx": price, "tpOrdPx": limit}
        case _:
            return row | {"triggerPx": price, "ordPx": limit}


def fill_text(order: Order, fill: Fill) -> dict[str, Any]:
    """One own execution."""
    instrument = order.instrument
    return {
        "instType": type_of(instrument), "instId": instrument.id, "tradeId": str(fill.id), "ordId": str(order.id),
        "clOrdId": order.client_id, "billId": str(fill.id), "tag": "", "fillPx": text(fill.price),
        "fillSz": text(fill.quantity), "fillPnl": text(fill.profit), "side": order.side,
        "posSide": "net" if instrument.kind is Kind.SPOT else _LEGS[order.leg],
        "execType": "M" if fill.maker else "T", "feeCcy": fill.fee_asset, "fee": text(-fill.fee),
        "ts": str(fill.at_ms), "fillTime": str(fill.at_ms), "feeRate": "",
    }  # fmt: skip


def position_text(exchange: Exchange, position: Position) -> dict[str, Any]:
    """A position."""
    instrument, price = position.instrument, exchange.listing(position.instrument).price
    settings, profit = exchange.account.settings(instrument), position.profit(price)
    worth = instrument.notional(abs(position.quantity), price)
    margin = worth / settings.leverage
    side = 1 if position.quantity > 0 else -1
    liquidation = position.entry * (1 - side * (1 / settings.leverage - _MAINTENANCE_RATE))
    quantity = abs(position.quantity) if position.leg != "both" else position.quantity
    inverse = instrument.kind is Kind.INVERSE
    return {
        "instType": "SWAP", "instId": instrument.id, "mgnMode": "isolated" if settings.isolated else "cross",
        "posId": str(position.opened_ms), "posSide": _LEGS[position.leg], "pos": text(quantity),
        "availPos": text(quantity), "posCcy": "", "avgPx": text(position.entry) if position.quantity else "",
        "upl": text(profit), "uplRatio": text(profit / margin) if margin else "", "lever": text(settings.leverage),
        "liqPx": text(liquidation) if position.quantity else "", "markPx": text(price), "last": text(price),
        "imr": "" if settings.isolated else text(margin), "margin": text(margin) if settings.isolated else "",
        "mgnRatio": "10", "mmr": text(worth * _MAINTENANCE_RATE),
        "notionalUsd": text(worth * price if inverse else worth), "ccy": instrument.settle, "adl": "1",
        "realizedPnl": text(position.realised), "fee": "0", "fundingFee": "0", "liab": "", "liabCcy": "",
        "tradeId": "", "optVal": "", "closeOrderAlgo": [], "usdPx": "1", "interest": "0",
        "cTime": str(position.opened_ms), "uTime": str(position.updated_ms),
    }  # fmt: skip


def account_text(exchange: Exchange, now_ms: int) -> dict[str, Any]:
    """The trading account."""
    details = [_detail(exchange, asset, now_ms) for asset in exchange.account.totals.get(WALLET, {})]
    equity = text(exchange.account.total(WALLET, "USDT") + exchange.unrealised(WALLET, "USDT"))
    return {
        "uTime": str(now_ms), "totalEq": equity, "adjEq": equity, "isoEq": "0", "ordFroz": "0", "imr": "0",
        "mmr": "0", "mgnRatio": "", "notionalUsd": "0", "upl": "0", "details": details,
    }  # fmt: skip


def _detail(exchange: Exchange, asset: str, now_ms: int) -> dict[str, Any]:
    total, profit = exchange.account.total(WALLET, asset), exchange.unrealised(WALLET, asset)
    free = exchange.available(WALLET, asset)
    return {
        "ccy": asset, "eq": text(total + profit), "cashBal": text(total), "availEq": text(free),
        "availBal": text(free), "frozenBal": text(total + profit - free),
        "ordFrozen": text(exchange.locked(WALLET, asset)), "upl": text(profit), "uplLiab": "0", "liab": "0",
        "crossLiab": "0", "isoLiab": "0", "interest": "0", "isoEq": "0", "disEq": text(total), "eqUsd": text(total),
        "maxLoan": "0", "notionalLever": "0", "stgyEq": "0", "isoUpl": "0", "twap": "0", "uTime": str(now_ms),
    }  # fmt: skip
