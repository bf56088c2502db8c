"""OKX's codes and words: of a whole request, or of each order in it.

https://www.okx.com/docs-v5/en/#error-code
"""

from support.exchanges.refusals import Reason

_CODES = {
    Reason.BAD_CLIENT_ID: ("51000", "Parameter clOrdId error"),
    Reason.DUPLICATE_CLIENT_ID: ("51016", "Client order ID already exists."),
    Reason.FUNDS: ("51008", "Order failed. Insufficient USDT balance in account."),
    Reason.LEVERAGE: ("59102", "Leverage exceeds the maximum limit. Please lower the leverage."),
    Reason.LOT_SIZE: ("51121", "Order quantity must be a multiple of the lot size."),
    Reason.MIN_NOTIONAL: ("51020", "Your order should meet or exceed the minimum order amount."),
    Reason.MIN_QUANTITY: ("51020", "Your order should meet or exceed the minimum order amount."),
    Reason.NOT_OPEN: ("51400", "Cancellation failed as the order has been filled, canceled or does not exist."),
    Reason.POSITION_EXISTS: ("59000", "Setting failed. Cancel any open orders, close positions, and stop bots first."),
    Reason.POSITION_SIDE: ("51000", "Parameter posSide error"),
    Reason.PRICE_FILTER: ("51000", "Parameter px error"),
    Reason.REDUCE_ONLY: (
        "51169",
        "Order failed because you don't have any positions in this direction for this contract to reduce or close.",
    ),
    Reason.UNCHANGED: ("51500", "You must enter a price, quantity, or TP/SL."),
    Reason.UNKNOWN_ORDER: ("51603", "Order does not exist"),
    Reason.UNKNOWN_SYMBOL: ("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist."),
    Reason.WOULD_TRIGGER: ("51280", "SL trigger price must be less than the last price."),
}
_CHANGED = {
    Reason.NOT_OPEN: ("51503", "Your order has already been filled or canceled."),
    Reason.UNKNOWN_ORDER: ("51503", "Your order has already been filled or canceled."),
}


def code_of(reason: Reason, path: str) -> tuple[str, str]:
    """The code and words for a refusal; to change, to cancel and to ask for an order have codes of their own."""
    if "amend" in path and reason in _CHANGED:
        return _CHANGED[reason]
    if "cancel" in path and reason is Reason.UNKNOWN_ORDER:
        return _CODES[Reason.NOT_OPEN]
    return _CODES[reason]


def body(code: str, message: str, data: object = None) -> dict[str, object]:
    """An answer as OKX wraps it; code 0 is success."""
    return {"code": code, "msg": message, "data": data if data is not None else []}
