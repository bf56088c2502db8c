"""A clock that moves when told to: hand its methods to whatever takes a clock."""

from typing import Final, final

_NS: Final = 1_000_000_000
_SOME_DAY: Final = 1_767_225_600.0
"""2026-01-01T00:00:00Z."""


@final
class FakeClock:
    """Monotonic and wall time, in step until `jump` moves the wall clock alone.

    `clock.monotonic` stands for `time.monotonic` (`AppendFile`'s clock, for instance), `clock.time` for `time.time`
    (`parse_retry_after`), `clock.time_ns` for `time.time_ns`.

    Args:
        wall_seconds: what the wall clock shows at first, seconds since the epoch.
        monotonic_seconds: what the monotonic clock shows at first, seconds.
    """

    def __init__(self, wall_seconds: float = _SOME_DAY, monotonic_seconds: float = 1000.0) -> None:
        # whole nanoseconds, so that a thousand steps of a tenth add up to a hundred
        self._wall_ns = round(wall_seconds * _NS)
        self._monotonic_ns = round(monotonic_seconds * _NS)

    def monotonic(self) -> float:
        """Seconds of the monotonic clock."""
        return self._monotonic_ns / _NS

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._wall_ns / _NS

    def time_ns(self) -> int:
        """Nanoseconds since the epoch."""
        return self._wall_ns

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks.

        Raises:
            ValueError: `seconds` is negative; a monotonic clock never goes back.
        """
        if seconds < 0:
            raise ValueError(f"cannot advance by {seconds:g} s: time only passes; jump() sets the wall clock back")
        self._monotonic_ns += round(seconds * _NS)
        self._wall_ns += round(seconds * _NS)

    def jump(self, seconds: float) -> None:
        """Set the wall clock ahead, or back by a negative number, as an operator or NTP may; no time passes."""
        self._wall_ns += round(seconds * _NS)
