"""Why an exchange does not do what it was asked, before a dialect puts it into its own code and words."""

from enum import StrEnum


class Reason(StrEnum):
    """What is wrong with a request."""

    BAD_CLIENT_ID = "client id has a wrong form"
    DUPLICATE_CLIENT_ID = "duplicate client id"
    FUNDS = "insufficient funds"
    LEVERAGE = "leverage out of range"
    LOT_SIZE = "quantity is no multiple of the lot"
    MARGIN_MODE_SET = "margin mode is set already"
    MIN_NOTIONAL = "too little worth"
    MIN_QUANTITY = "too small"
    NOT_OPEN = "order is not open"
    POSITION_EXISTS = "a position or order stands in the way"
    POSITION_MODE_SET = "position mode is set already"
    POSITION_SIDE = "side of position does not fit the mode"
    POST_ONLY = "post-only order would take"
    PRICE_FILTER = "price is no multiple of the tick"
    REDUCE_ONLY = "reduce-only order would not reduce"
    UNCHANGED = "nothing to change"
    UNKNOWN_ORDER = "no such order"
    UNKNOWN_SYMBOL = "no such instrument"
    WOULD_TRIGGER = "stop would trigger at once"


class RefusedError(Exception):
    """The exchange refuses."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}{': ' if detail else ''}{detail}")
        self.reason = reason
        self.detail = detail
