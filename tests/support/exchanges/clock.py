"""The server's clock: wall time, or the test's own, moved by as much as the test says.

A moved clock is how a test gets the exchanges' answers to timestamps that are too old or from the future.
"""

import time
from collections.abc import Callable


def wall_ms() -> int:
    """Milliseconds since 1970 of this machine."""
    return time.time_ns() // 1_000_000


class Clock:
    """Milliseconds since 1970 as the exchange sees them."""

    def __init__(self, now_ms: Callable[[], int] = wall_ms) -> None:
        self._now_ms = now_ms
        self._moved_ms = 0

    def now_ms(self) -> int:
        """The exchange's time."""
        return self._now_ms() + self._moved_ms

    def move(self, milliseconds: int) -> None:
        """Move the exchange's time; a negative number moves it into the past."""
        self._moved_ms += milliseconds
