"""Bybit's return codes and words; they come with HTTP status 200.

https://bybit-exchange.github.io/docs/v5/error
"""

from support.exchanges.instruments import Kind
from support.exchanges.refusals import Reason, RefusedError

_CONTRACTS = {
    Reason.BAD_CLIENT_ID: (10001, "params error: OrderLinkId invalid"),
    Reason.DUPLICATE_CLIENT_ID: (110072, "OrderLinkedID is duplicate"),
    Reason.FUNDS: (110007, "ab not enough for new order"),
    Reason.LEVERAGE: (110013, "Cannot set leverage due to risk limit level"),
    Reason.LOT_SIZE: (10001, "Qty invalid"),
    Reason.MARGIN_MODE_SET: (110026, "Cross/isolated margin mode is not modified"),
    Reason.MIN_NOTIONAL: (110094, "Order does not meet minimum order value 5USDT"),
    Reason.MIN_QUANTITY: (10001, "The number of contracts below minimum limit allowed"),
    Reason.NOT_OPEN: (110001, "order not exists or too late to cancel"),
    Reason.POSITION_EXISTS: (110024, "You have an existing position, so position mode cannot be switched"),
    Reason.POSITION_MODE_SET: (110025, "Position mode is not modified"),
    Reason.POSITION_SIDE: (10001, "position idx not match position mode"),
    Reason.PRICE_FILTER: (10001, "params error: Price Invalid"),
    Reason.REDUCE_ONLY: (110017, "current position is zero, cannot fix reduce-only order qty"),
    Reason.UNCHANGED: (
        10001,
        "The order remains unchanged as the parameters entered match the existing ones.",
    ),
    Reason.UNKNOWN_ORDER: (110001, "order not exists or too late to cancel"),
    Reason.UNKNOWN_SYMBOL: (10001, "params error: symbol invalid"),
    Reason.WOULD_TRIGGER: (110092, "expect Rising, but trigger_price[XXXXX] <= current[XXXXX]??LastPrice"),
}
_SPOT = {
    Reason.DUPLICATE_CLIENT_ID: (170141, "Duplicate clientOrderId."),
    Reason.FUNDS: (170131, "Insufficient balance."),
    Reason.LOT_SIZE: (170137, "Order volume decimal too long."),
    Reason.MIN_NOTIONAL: (170140, "Order value exceeded lower limit."),
    Reason.MIN_QUANTITY: (170136, "Order quantity exceeded lower limit."),
    Reason.NOT_OPEN: (170213, "Order does not exist."),
    Reason.PRICE_FILTER: (170134, "Order price has too many decimals."),
    Reason.UNKNOWN_ORDER: (170213, "Order does not exist."),
    Reason.UNKNOWN_SYMBOL: (170121, "Invalid symbol."),
}


def code_of(error: RefusedError, kind: Kind) -> tuple[int, str]:
    """The code and words for a refusal."""
    if kind is Kind.SPOT and error.reason in _SPOT:
        return _SPOT[error.reason]
    return _CONTRACTS[error.reason]


def body(code: int, message: str, now_ms: int, result: object = None) -> dict[str, object]:
    """An answer as Bybit wraps it; code 0 is success."""
    return {"retCode": code, "retMsg": message, "result": result or {}, "retExtInfo": {}, "time": now_ms}
