"""What is known of a clock at one moment, and jumps between two looks at it. Pure."""

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
    """

    source: str
    offset_ns: int | None = None
    bound_ns: int | None = None
    detail: str = ""

    @property
    def worst_ns(self) -> int | None:
        """The farthest the clock may be from UTC, nanoseconds; None when it is unknown."""
        return None if self.offset_ns is None or self.bound_ns is None else abs(self.offset_ns) + self.bound_ns

    def within(self, limit_ns: int) -> bool | None:
        """Whether the clock is surely no farther from UTC than this; None when it is unknown."""
        return None if self.worst_ns is None else self.worst_ns <= limit_ns


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

    A clock that is slewed by 500 ppm, the most kernels do, drifts by half a millisecond a second: that is no jump.

    Args:
        least_ns: the least that counts as a jump, nanoseconds.
    """

    def __init__(self, least_ns: int) -> None:
        self._least_ns = least_ns
        self._before: Reading | None = None

    def look(self, now: Reading) -> Jump | None:
        """The jump since the look before, if there was one."""
        before, self._before = self._before, now
        if before is None:
            return None
        went_ns = now.steady_ns - before.steady_ns
        size_ns = now.utc_ns - before.utc_ns - went_ns
        slewed_ns = abs(went_ns) // 2000
        return Jump(size_ns, before, now) if abs(size_ns) >= self._least_ns + slewed_ns else None
