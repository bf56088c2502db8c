"""How amounts are rounded: to twelve decimals, and never in the trader's favour.

What is traded is worth its settled value to the nearest step; a change of a balance is rounded towards less. Sums of
such amounts are exact, so a ledger adds up to the last digit.
"""

from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Final

ZERO: Final = Decimal(0)
MONEY_STEP: Final = Decimal("1E-12")
GREATEST: Final = Decimal("1E+15")
"""Amounts below it, with twelve decimals, fit the 28 digits that decimals are added with."""

_DECIMALS: Final = 12


def nearest(amount: Decimal) -> Decimal:
    """`amount` to the nearest step, half to even."""
    return amount if _fits(amount) else amount.quantize(MONEY_STEP, ROUND_HALF_EVEN)


def credited(amount: Decimal) -> Decimal:
    """What of `amount` reaches a balance: less of a gain, more of a loss (a negative one)."""
    return amount if _fits(amount) else amount.quantize(MONEY_STEP, ROUND_FLOOR)


def charged(amount: Decimal) -> Decimal:
    """What is paid for `amount`: more of a fee, less of a rebate (a negative one)."""
    return -credited(-amount)


def _fits(amount: Decimal) -> bool:
    exponent = amount.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -_DECIMALS
