"""When to try again and how a sink is doing; pure, the clock and the random source are given.

Backoff is exponential with full jitter: a uniform wait between zero and the doubled ceiling
(https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). Retry-After: RFC 9110, section 10.2.3.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final, final

MAX_RETRY_AFTER_SECONDS: Final = 300.0
"""A destination may ask for silence this long and no longer."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits between attempts, seconds."""

    first_seconds: float = 0.5
    max_seconds: float = 30.0

    def wait_seconds(
        self, attempt: int, after_seconds: float | None, uniform: Callable[[float, float], float]
    ) -> float:
        """Wait before attempt number `attempt` + 1.

        Args:
            attempt: failed attempts so far, from 1.
            after_seconds: the destination's Retry-After, honoured as the least wait.
            uniform: random source, as `random.uniform`.
        """
        ceiling = min(self.max_seconds, self.first_seconds * 2.0 ** min(attempt - 1, 32))
        if after_seconds is None:
            return uniform(0.0, ceiling)
        # jitter on top, so that many clients told the same do not come back in the same instant
        return min(after_seconds, MAX_RETRY_AFTER_SECONDS) + uniform(0.0, min(ceiling, 1.0))


def parse_retry_after(value: str | None, now: Callable[[], float], date: str | None = None) -> float | None:
    """Seconds to wait from a Retry-After header: a number of seconds or an HTTP date; None when absent or unreadable.

    Args:
        value: the header's value.
        now: seconds since the epoch, as `time.time`; for answers that do not carry their own time.
        date: the answer's Date header. Both dates are the sender's, so a wrong clock here does not come into it.
    """
    if not value:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    moment = _http_date(text)
    if moment is None:
        return None
    sent = _http_date(date) or datetime.fromtimestamp(now(), UTC)
    return max(0.0, (moment - sent).total_seconds())


def _http_date(text: str | None) -> datetime | None:
    """An HTTP date (RFC 9110, section 5.6.7); None when absent or unreadable."""
    try:
        moment = parsedate_to_datetime(text) if text else None
    except (TypeError, ValueError):
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


class SinkState(StrEnum):
    """How a sink is doing."""

    ACTIVE = "active"
    DEGRADED = "degraded"
    FAILED = "failed"
    RECOVERING = "recovering"
    STOPPED = "stopped"


@final
class Health:
    """State of one sink from the results of its writes.

    active → degraded at the first failure → failed after `failures_until_failed` in a row, or at once when an operator
    has to act → recovering at the first success → active when the backlog is worked off.
    """

    def __init__(self, failures_until_failed: int = 5) -> None:
        self._failures_until_failed = failures_until_failed
        self.state = SinkState.ACTIVE
        self.failures = 0
        self.last_error: str | None = None

    def succeeded(self, *, backlog: bool) -> None:
        """A write went through; `backlog` says whether entries still wait above the low watermark."""
        was_failing = self.failures > 0
        self.failures = 0
        if was_failing:
            self.state = SinkState.RECOVERING
        if not backlog and self.state is not SinkState.STOPPED:
            self.state = SinkState.ACTIVE

    def failed(self, reason: str, *, pause: bool = False) -> None:
        """A write did not go through."""
        self.failures += 1
        self.last_error = reason
        grave = pause or self.failures >= self._failures_until_failed
        self.state = SinkState.FAILED if grave else SinkState.DEGRADED

    def limps(self) -> None:
        """A write went through, and something beside it did not."""
        if self.state is SinkState.ACTIVE:
            self.state = SinkState.DEGRADED

    def stopped(self) -> None:
        """The sink is closed."""
        self.state = SinkState.STOPPED
