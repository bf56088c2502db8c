"""Timestamps as text, with the part that changes once a second kept."""

import time
from functools import lru_cache
from typing import Final

NANOSECONDS: Final = 1_000_000_000


@lru_cache(maxsize=64)
def utc_second(seconds: int) -> bytes:
    """RFC 3339 date and time of a second since the epoch, UTC, without fraction and zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode()


def rfc3339(time_ns: int) -> str:
    """RFC 3339 UTC timestamp with nanoseconds."""
    seconds, fraction = divmod(time_ns, NANOSECONDS)
    return f"{utc_second(seconds).decode()}.{fraction:09d}Z"
