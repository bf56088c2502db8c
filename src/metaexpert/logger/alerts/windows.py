"""What happened within the last so many seconds; pure, bounded, the times are given.

Times that come in disorder count as the latest one seen, so that nothing is ever counted for longer than the window.
"""

from collections import deque
from typing import Final, final

_SLOTS: Final = 20
"""Parts of a window of shares, each of which leaves it as a whole."""


@final
class Window:
    """The last times something happened, as many as matter.

    Args:
        seconds: how far back it looks.
        most: the number above which more makes no difference.
    """

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque(maxlen=most)

    def add(self, at: float) -> int:
        """It happened at `at`; how often it did in the window that ends then, `most` at most."""
        latest = max(at, self._times[-1]) if self._times else at
        self._times.append(latest)
        return self.count(latest)

    def count(self, now: float) -> int:
        """How often it happened in the window that ends at `now`, `most` at most."""
        times, begin = self._times, now - self._seconds
        while times and times[0] <= begin:
            times.popleft()
        return len(times)


@final
class Sums:
    """Amounts over a window, in so many slots.

    Args:
        seconds: how far back it looks; up to a twentieth further.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._slot_seconds = seconds / _SLOTS
        self._slots: deque[tuple[float, int, int]] = deque()

    def add(self, at: float, part: int, whole: int) -> None:
        """Count `part` of `whole` at a time."""
        if self._slots and at < self._slots[-1][0] + self._slot_seconds:
            began, parts, wholes = self._slots[-1]
            self._slots[-1] = (began, parts + part, wholes + whole)
        else:
            self._slots.append((at, part, whole))

    def totals(self, now: float) -> tuple[int, int]:
        """Part and whole in the window that ends at `now`."""
        slots = self._slots
        while slots and slots[0][0] + self._slot_seconds <= now - self._seconds:
            slots.popleft()
        return sum(slot[1] for slot in slots), sum(slot[2] for slot in slots)
