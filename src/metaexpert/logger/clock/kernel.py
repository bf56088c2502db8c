"""What Linux knows of its clock: adjtimex(2), asked without setting anything.

The kernel's `maxerror` is the bound that the program which disciplines the clock (chrony, ntpd, timesyncd) gave it, and
grows by 500 ppm until that program gives another. A clock that is not synchronised says so by STA_UNSYNC.
"""

import ctypes
import sys
from dataclasses import dataclass
from typing import Final

from metaexpert.logger.clock.quality import Quality

KERNEL: Final = "kernel"
_STA_UNSYNC: Final = 0x0040
_STA_NANO: Final = 0x2000
_TIME_ERROR: Final = 5
_MICROSECOND_NS: Final = 1000
_LEAP: Final = {1: "inserted", 2: "deleted", 3: "being inserted", 4: "just over"}
"""What its state tells of a leap second."""


class _Timex(ctypes.Structure):
    """`struct timex` of <sys/timex.h>."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time", ctypes.c_long * 2),
        ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stabil", ctypes.c_long),
        ("jitcnt", ctypes.c_long),
        ("calcnt", ctypes.c_long),
        ("errcnt", ctypes.c_long),
        ("stbcnt", ctypes.c_long),
        ("tai", ctypes.c_int),
        ("reserved", ctypes.c_int * 11),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelClock:
    """An answer of adjtimex(2).

    Attributes:
        state: what it returned; 5 is TIME_ERROR.
        status: its status bits.
        offset: what is still to be slewed, nanoseconds by STA_NANO, else microseconds.
        maxerror: the bound, microseconds.
        esterror: the estimated error, microseconds.
        tai: TAI minus UTC, seconds; 0 when nobody told the kernel.
    """

    state: int
    status: int
    offset: int
    maxerror: int
    esterror: int
    tai: int


def read_kernel() -> KernelClock | None:
    """Ask the kernel; None where there is no adjtimex, or it may not be asked."""
    if sys.platform != "linux":
        return None
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    told = _Timex()
    state = adjtimex(ctypes.byref(told))
    if state < 0:
        return None
    return KernelClock(
        state=state,
        status=told.status,
        offset=told.offset,
        maxerror=told.maxerror,
        esterror=told.esterror,
        tai=told.tai,
    )


def quality_of(clock: KernelClock | None) -> Quality:
    """What an answer says of the clock's quality."""
    if clock is None:
        return Quality(source=KERNEL, detail="the kernel of this system does not tell")
    if clock.status & _STA_UNSYNC or clock.state == _TIME_ERROR or clock.maxerror < 0:
        return Quality(source=KERNEL, detail="not synchronised")
    offset_ns = clock.offset if clock.status & _STA_NANO else clock.offset * _MICROSECOND_NS
    detail = f"estimated error {clock.esterror} µs, TAI-UTC {f'{clock.tai} s' if clock.tai else 'unknown'}"
    if clock.state in _LEAP:
        detail += f", leap second {_LEAP[clock.state]}"
    return Quality(source=KERNEL, offset_ns=offset_ns, bound_ns=clock.maxerror * _MICROSECOND_NS, detail=detail)
