"""A circuit breaker: a destination that keeps failing is left alone, and then asked by one probe at a time; pure.

closed → open after so many failures in a row, or at once where an operator has to act → half-open when its wait is over
and a probe is under way → closed when that went through, else open again. How long to wait is the caller's to say. The
pattern: https://learn.microsoft.com/en-us/azure/architecture/patterns/circuit-breaker.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final, final

FAILURES_UNTIL_OPEN: Final = 5
"""Failed attempts in a row after which a sink is left alone: the same that make its state `failed`."""


class BreakerState(StrEnum):
    """Whether a destination is asked as usual, not at all, or by a probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@final
class Breaker:
    """One destination's breaker.

    Args:
        failures_until_open: failures in a row that open it.
        now: seconds on a clock that never goes back, as `time.monotonic`.

    Attributes:
        state: as it is now.
        failures: failures in a row.
        retry_at: reading of the clock from which a probe may go; of no meaning while it is closed.
    """

    def __init__(self, failures_until_open: int, now: Callable[[], float]) -> None:
        self.state = BreakerState.CLOSED
        self.failures = 0
        self.retry_at = 0.0
        self._failures_until_open = failures_until_open
        self._now = now

    @property
    def is_closed(self) -> bool:
        """Whether the destination is asked as usual."""
        return self.state is BreakerState.CLOSED

    @property
    def is_due(self) -> bool:
        """Whether it is open and its wait is over."""
        return self.state is BreakerState.OPEN and self._now() >= self.retry_at

    def failed(self, wait_seconds: float, *, pause: bool = False) -> None:
        """An attempt failed, a probe or not.

        Args:
            wait_seconds: how long no probe may go, where this leaves it open.
            pause: an operator has to act; it opens at once.
        """
        self.failures += 1
        if pause or self.failures >= self._failures_until_open or not self.is_closed:
            self.state = BreakerState.OPEN
            self.retry_at = self._now() + wait_seconds

    def succeeded(self) -> None:
        """The destination answered as it should."""
        self.state = BreakerState.CLOSED
        self.failures = 0

    def begin_probe(self) -> None:
        """One probe goes now, its wait over or cut short; of no effect unless it is open."""
        if self.state is BreakerState.OPEN:
            self.state = BreakerState.HALF_OPEN

    def drop_probe(self) -> None:
        """The probe was given up before it was answered: the next one may go at once."""
        if self.state is BreakerState.HALF_OPEN:
            self.state = BreakerState.OPEN
            self.retry_at = self._now()
