"""What is known of a clock at one moment, and jumps between two looks at it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, final

UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How far the clock may be from UTC, by one source.

    Attributes:
        source: who says so, such as "kernel" or "sntp ntp.example.com"; "unknown" when nobody does.
        offset_ns: what has to be added to the clock's time to have UTC, nanoseconds; None when it is unknown.
        bound_ns: how far that may be off, either way, nanoseconds; None when it is unknown.
        detail: more of it, or why it is unknown.
        refused: who was asked does not want to be.
    """

    source: str
    offset_ns: int | None = None
    bound_ns: int | None = None
    detail: str = ""
    refused: bool = False

    @property
    def worst_ns(self) -> int | None:
        """The farthest the clock may be from UTC, nanoseconds; None when it is unknown."""
        return None if self.offset_ns is None or self.bound_ns is None else abs(self.offset_ns) + self.bound_ns

    def within(self, limit_ns: int) -> bool | None:
        """Whether the clock is surely no farther from UTC than this; None when it is unknown."""
        return None if self.worst_ns is None else self.worst_ns <= limit_ns


def agreed(qualities: Iterable[Quality]) -> Quality:
    """The one with the smallest bound of those that most agree with; unknown where fewer than half of all do.

    Two agree where some time is within both their bounds, as in RFC 5905, 11.2.1: who lies alone is not believed.
    """
    told = list(qualities)
    known = [each for each in told if each.worst_ns is not None]
    if not known:
        return Quality(source=UNKNOWN, detail="; ".join(f"{each.source}: {each.detail}" for each in told))
    votes = [sum(_agree(each, other) for other in known) for each in known]
    most = max(votes)
    if 2 * most <= len(known):
        said = ", ".join(f"{each.source}: {(each.offset_ns or 0) / 1e6:+.3f} ms" for each in known)
        return Quality(source=UNKNOWN, detail=f"they disagree: {said}")
    trusted = [each for each, count in zip(known, votes, strict=True) if count == most]
    return min(trusted, key=lambda each: each.bound_ns or 0)


def _agree(one: Quality, other: Quality) -> bool:
    apart_ns = abs((one.offset_ns or 0) - (other.offset_ns or 0))
    return apart_ns <= (one.bound_ns or 0) + (other.bound_ns or 0)


@dataclass(frozen=True, slots=True)
class Reading:
    """The machine's clocks at one moment, nanoseconds.

    Attributes:
        utc_ns: the clock entries have their times from.
        monotonic_ns: one that nobody sets.
        boot_ns: the same, which goes on while the machine sleeps; None where there is none.
    """

    utc_ns: int
    monotonic_ns: int
    boot_ns: int | None = None

    @property
    def steady_ns(self) -> int:
        """The clock to hold the time against."""
        return self.monotonic_ns if self.boot_ns is None else self.boot_ns


@dataclass(frozen=True, slots=True)
class Jump:
    """The clock was set.

    Attributes:
        size_ns: by how much, nanoseconds; below 0 when it was set back.
        before: the look before it.
        after: the look after it.
    """

    size_ns: int
    before: Reading
    after: Reading


@final
class JumpWatch:
    """Compares each look with the one before.

    A clock that is slewed by 500 ppm, the most kernels do, drifts by half a millisecond a second: that is no jump, and
    neither is the smear of a leap second. What many small steps add up to beyond that is one, from the first of them.

    Args:
        least_ns: the least that counts as a jump, nanoseconds.
        before: a look to begin with.
    """

    def __init__(self, least_ns: int, before: Reading | None = None) -> None:
        self._least_ns = least_ns
        self.before = before
        self._since = before
        self._crept_ns = 0

    def look(self, now: Reading) -> Jump | None:
        """The jump since the look before, if there was one."""
        before, self.before = self.before, now
        if before is None:
            return None
        went_ns = now.steady_ns - before.steady_ns
        size_ns = now.utc_ns - before.utc_ns - went_ns
        slewed_ns = abs(went_ns) // 2000
        if abs(size_ns) >= self._least_ns + slewed_ns:
            self._crept_ns = 0
            return Jump(size_ns, before, now)
        return self._creep(size_ns, slewed_ns, before, now)

    def _creep(self, size_ns: int, slewed_ns: int, before: Reading, now: Reading) -> Jump | None:
        if self._crept_ns == 0:
            self._since = before
        crept_ns = self._crept_ns + size_ns
        beyond_ns = max(0, abs(crept_ns) - slewed_ns)
        self._crept_ns = beyond_ns if crept_ns > 0 else -beyond_ns
        if beyond_ns < self._least_ns:
            return None
        jump = Jump(self._crept_ns, self._since or before, now)
        self._crept_ns = 0
        return jump
