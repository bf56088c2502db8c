"""Binance's error codes and words.

https://developers.binance.com/docs/binance-spot-api-docs/errors and
https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code
"""

from support.exchanges.refusals import Reason
from support.exchanges.server import AnswerError

_BAD_CLIENT_ID = (
    -1100,
    "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[a-zA-Z0-9-_]{1,36}$'.",
)
_SPOT = {
    Reason.BAD_CLIENT_ID: _BAD_CLIENT_ID,
    Reason.DUPLICATE_CLIENT_ID: (-2010, "Duplicate order sent."),
    Reason.FUNDS: (-2010, "Account has insufficient balance for requested action."),
    Reason.LOT_SIZE: (-1013, "Filter failure: LOT_SIZE"),
    Reason.MIN_NOTIONAL: (-1013, "Filter failure: NOTIONAL"),
    Reason.MIN_QUANTITY: (-1013, "Filter failure: LOT_SIZE"),
    Reason.NOT_OPEN: (-2011, "Unknown order sent."),
    Reason.POST_ONLY: (-2010, "Order would immediately match and take."),
    Reason.PRICE_FILTER: (-1013, "Filter failure: PRICE_FILTER"),
    Reason.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
    Reason.WOULD_TRIGGER: (-2010, "Stop price would trigger immediately."),
}
_FUTURES = {
    Reason.BAD_CLIENT_ID: _BAD_CLIENT_ID,
    Reason.DUPLICATE_CLIENT_ID: (-4116, "ClientOrderId is duplicated."),
    Reason.FUNDS: (-2019, "Margin is insufficient."),
    Reason.LEVERAGE: (-4028, "Leverage is not valid"),
    Reason.LOT_SIZE: (-1111, "Precision is over the maximum defined for this asset."),
    Reason.MARGIN_MODE_SET: (-4046, "No need to change margin type."),
    Reason.MIN_NOTIONAL: (-4164, "Order's notional must be no smaller than 100 (unless you choose reduce only)."),
    Reason.MIN_QUANTITY: (-4003, "Quantity less than or equal to zero."),
    Reason.NOT_OPEN: (-2011, "Unknown order sent."),
    Reason.POSITION_EXISTS: (-4048, "Margin type cannot be changed if there exists position."),
    Reason.POSITION_MODE_SET: (-4059, "No need to change position side."),
    Reason.POSITION_SIDE: (-4061, "Order's position side does not match user's setting."),
    Reason.POST_ONLY: (
        -5022,
        (
            "Due to the order could not be executed as maker, the Post Only order will be rejected. "
            "The order will not be recorded in the order history"
        ),
    ),
    Reason.PRICE_FILTER: (-4014, "Price not increased by tick size."),
    Reason.REDUCE_ONLY: (-2022, "ReduceOnly Order is rejected."),
    Reason.UNCHANGED: (-5027, "No need to modify the order."),
    Reason.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
    Reason.WOULD_TRIGGER: (-2021, "Order would immediately trigger."),
}
_ASKED = (-2013, "Order does not exist.")
_CANCELED = (-2011, "Unknown order sent.")


def body(code: int, message: str) -> dict[str, object]:
    """An error as Binance writes it."""
    return {"code": code, "msg": message}


def refusal(reason: Reason, *, futures: bool, asking: bool) -> AnswerError:
    """The answer for a reason; an unknown order has another code when it is only asked for."""
    if reason is Reason.UNKNOWN_ORDER:
        return AnswerError(400, body(*(_ASKED if asking else _CANCELED)))
    return AnswerError(400, body(*(_FUTURES if futures else _SPOT)[reason]))


def too_many(retry_after_seconds: int, *, banned: bool, now_ms: int) -> AnswerError:
    """429, or 418 once the address is banned."""
    headers = {"Retry-After": str(retry_after_seconds)}
    if banned:
        until = now_ms + retry_after_seconds * 1000
        return AnswerError(418, body(-1003, f"Way too much request weight used; IP banned until {until}."), headers)
    words = "Too much request weight used; current limit is 6000 request weight per 1 MINUTE."
    return AnswerError(429, body(-1003, words), headers)
