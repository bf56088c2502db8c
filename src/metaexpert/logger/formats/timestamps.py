"""Timestamps as text, with the part that changes once a second kept.

The nanoseconds are taken off the end of the number's own digits: formatting them anew costs twice as much.
"""

import time
from typing import Final

_FRACTION_DIGITS: Final = 9
_MAX_SECONDS: Final = 64

_seconds: Final[dict[bytes, bytes]] = {}


def utc_parts(time_ns: int) -> tuple[bytes, bytes]:
    """RFC 3339 date and time (UTC, without zone) and the nine digits of its nanoseconds."""
    digits = b"%010d" % time_ns if time_ns < 10**_FRACTION_DIGITS else b"%d" % time_ns
    try:
        return _seconds[digits[:-9]], digits[-9:]
    except KeyError:
        return _new_second(digits[:-9]), digits[-9:]


def _new_second(seconds: bytes) -> bytes:
    if len(_seconds) >= _MAX_SECONDS:
        _seconds.clear()
    # a clock before 1970 is told as 1970: it is wrong whatever we write
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(max(0, int(seconds)))).encode()
    _seconds[seconds] = text
    return text


def rfc3339(time_ns: int) -> str:
    """RFC 3339 UTC timestamp with nanoseconds."""
    second, fraction = utc_parts(time_ns)
    return f"{second.decode()}.{fraction.decode()}Z"
