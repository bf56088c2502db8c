"""Percentiles, medians and ratios of readings. Pure."""

from collections.abc import Sequence
from math import ceil, isfinite
from statistics import median

__all__ = ["median", "percentile", "ratio"]


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that at least ``percent`` of the values do not exceed (nearest rank, never interpolated).

    Args:
        ordered: The values, in ascending order.
        percent: From 0 to 100.

    Raises:
        ValueError: If there are no values, or percent is outside of 0 to 100.
    """
    if not ordered:
        raise ValueError("percentile of no values")
    if not 0 <= percent <= 100:
        raise ValueError(f"percent must be from 0 to 100, not {percent}")
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def ratio(ours: float, theirs: float, *, lower_is_better: bool) -> float | None:
    """How many times better ours is than theirs (below 1: worse); None where one of them makes no quotient."""
    better, worse = (ours, theirs) if lower_is_better else (theirs, ours)
    if better <= 0 or worse < 0 or not (isfinite(better) and isfinite(worse)):
        return None
    return worse / better
