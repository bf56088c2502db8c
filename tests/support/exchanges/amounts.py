"""Decimals as exchanges write them: plain digits, no exponent, no more places than they keep."""

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

_PLACES = Decimal("0.00000001")


def text(value: Decimal) -> str:
    """At most eight places, without trailing zeros."""
    rounded = value.quantize(_PLACES, ROUND_HALF_UP)
    plain = f"{rounded:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def padded(value: Decimal) -> str:
    """Exactly eight places."""
    return f"{value.quantize(_PLACES, ROUND_HALF_UP):f}"


def rounded_down(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `value`."""
    return (value / step).to_integral_value(ROUND_DOWN) * step


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether `value` is a whole number of steps."""
    return value % step == 0


def booked(value: Decimal) -> Decimal:
    """An amount as it is booked, to eight places."""
    return value.quantize(_PLACES, ROUND_HALF_UP)
