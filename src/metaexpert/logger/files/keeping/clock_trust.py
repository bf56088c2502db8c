"""Whether the clock may say that a file is past its term: it may once it has been plausible for a day; pure.

Two clocks are compared at every pass: the wall clock, which anybody can set, and the time the machine has been up,
which nobody can. A wall clock that gets further ahead of the other than it was has been set, or was wrong before. What
it says of ages is not believed then, until it has said so for a day that really passed, or has come back. While the
machine is off nothing but the wall clock knows what passed: a day off is believed, more is a leap. Where nothing is
recorded of a clock yet, a day has to pass too.
"""

from dataclasses import dataclass, replace
from typing import Final, final

HOLD_SECONDS: Final = 86_400.0
"""How long, of time that really passed, a clock has to be plausible before a term is over by its word."""

TOLERANCE_SECONDS: Final = 3600.0
"""How far a clock may be set ahead, in all, without being doubted."""

MOST_OFF_SECONDS: Final = 86_400.0
"""How long a machine may have been off, by the word of the clock alone."""

_TAKEN_DOWN_SECONDS: Final = 600.0


@final
@dataclass(frozen=True, slots=True)
class ClockReading:
    """Both clocks at one moment.

    Attributes:
        wall: seconds since 1970, as the system's clock says.
        up: seconds that have passed since some moment of this boot.
        boot: which boot; readings of one boot alone can be compared by `up`.
    """

    wall: float
    up: float
    boot: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ClockTrust:
    """What is known of the clock after a look.

    Attributes:
        seen: the reading of that look.
        ahead_seconds: how far the clock is ahead of where it should be; small where it is believed.
        wait_seconds: how long it has still to be plausible until it is believed; 0 when it is.
        wait_before_seconds: the same before it leapt, in force again when it comes back.
        leaps: how often it was found to have leapt ahead.
    """

    seen: ClockReading
    ahead_seconds: float = 0.0
    wait_seconds: float = HOLD_SECONDS
    wait_before_seconds: float = HOLD_SECONDS
    leaps: int = 0

    @property
    def is_believed(self) -> bool:
        """Whether a term may be over by its word."""
        return self.wait_seconds <= 0.0

    @property
    def has_leapt(self) -> bool:
        """Whether it stands further ahead than it should, for all that is known."""
        return self.ahead_seconds > TOLERANCE_SECONDS

    @property
    def doubt(self) -> str:
        """Why it is not believed, for people; empty when it is."""
        if self.is_believed:
            return ""
        rest = f"is believed in {_span(self.wait_seconds)}, when it has been plausible for a day"
        if self.has_leapt:
            return f"the clock leapt {_span(self.ahead_seconds)} ahead; it {rest}, or when it comes back"
        return f"the clock {rest}"


BELIEVED: Final = ClockTrust(seen=ClockReading(0.0, 0.0, ""), wait_seconds=0.0)
"""A clock that nobody doubts."""


def judged(before: ClockTrust | None, reading: ClockReading) -> ClockTrust:
    """What is known of the clock after another look at it.

    Args:
        before: what was known after the look before; None when nothing is.
        reading: what both clocks say now.
    """
    if before is None:
        return ClockTrust(seen=reading)
    passed, step = _passed(before.seen, reading)
    ahead = max(0.0, before.ahead_seconds + step)
    after = replace(before, seen=reading, ahead_seconds=ahead)
    if after.has_leapt and (step > TOLERANCE_SECONDS or not before.has_leapt):
        wait_before = before.wait_before_seconds if before.has_leapt else before.wait_seconds
        return replace(after, wait_seconds=HOLD_SECONDS, wait_before_seconds=wait_before, leaps=before.leaps + 1)
    wait = before.wait_before_seconds if before.has_leapt and not after.has_leapt else before.wait_seconds
    wait = max(0.0, wait - passed)
    return replace(after, wait_seconds=wait, ahead_seconds=0.0 if after.has_leapt and not wait else ahead)


def is_news(before: ClockTrust, after: ClockTrust) -> bool:
    """Whether it has to be taken down; what only time has changed is, every now and then."""
    return (before.leaps, before.has_leapt, before.is_believed, before.seen.boot) != (
        after.leaps,
        after.has_leapt,
        after.is_believed,
        after.seen.boot,
    ) or after.seen.up - before.seen.up >= _TAKEN_DOWN_SECONDS


def _passed(before: ClockReading, now: ClockReading) -> tuple[float, float]:
    """How much time really passed at least, and how far the clock went ahead of that; less than 0 when it went back."""
    by_wall = now.wall - before.wall
    if now.boot == before.boot and now.up >= before.up:
        passed = now.up - before.up
        return passed, by_wall - passed
    off = by_wall - now.up
    return min(now.up, max(0.0, by_wall)), off if off > MOST_OFF_SECONDS else min(0.0, by_wall)


def _span(seconds: float) -> str:
    """A span of time for people."""
    for unit, size in (("days", 86_400.0), ("hours", 3600.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(1.0, seconds / 60):.0f} minutes"
