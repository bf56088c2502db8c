"""A sink's rate limit: a token bucket for the sink, for each logger, or for each place that logs.

Pure, and by the entries' own times: a burst is what was logged at once, not what the dispatcher happened to take at
once, and the same entries always give the same answers.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Literal, final

from metaexpert.logger.entry import TIME_NS, Capture

_SECOND_NS: Final = 1_000_000_000
_MAX_BUCKETS: Final = 4096
"""Loggers or places told apart; beyond that the one longest unused begins anew."""

type Per = Literal["sink", "logger", "site"]


@final
class TokenBucket:
    """Lets entries through, in any stretch of time as many as the rate allows and one burst more.

    In the form of the generic cell rate algorithm (ITU-T I.371): instead of tokens it keeps the moment at which the
    bucket would be full again, a whole number, so that nothing is lost to rounding.

    Args:
        rate: entries a second.
        burst: entries that may come at once.
    """

    __slots__ = ("_full_at_ns", "_interval_ns", "_patience_ns")

    def __init__(self, rate: float, burst: int) -> None:
        self._interval_ns = max(1, round(_SECOND_NS / rate))
        self._patience_ns = (burst - 1) * self._interval_ns
        self._full_at_ns = 0

    def take(self, time_ns: int) -> bool:
        """Take a token at this time, nanoseconds; False when there is none."""
        full_at_ns = max(self._full_at_ns, time_ns)
        wait_ns = full_at_ns - time_ns - self._patience_ns
        if wait_ns > self._interval_ns + _SECOND_NS:
            full_at_ns, wait_ns = time_ns + self._patience_ns, 0  # the clock was set back: go on from here
        if wait_ns > 0:
            return False
        self._full_at_ns = full_at_ns + self._interval_ns
        return True


@final
class RateLimit:
    """The buckets of one sink.

    Args:
        rate: entries a second, for each bucket.
        burst: entries that may come at once.
        per: what has a bucket of its own.
    """

    def __init__(self, rate: float, burst: int, per: Per) -> None:
        self._rate = rate
        self._burst = burst
        self._per: Per = per
        self._buckets: OrderedDict[Hashable, tuple[TokenBucket, object]] = OrderedDict()

    def takes(self, entry: Capture) -> bool:
        """Whether the limit lets this entry through."""
        key = self._key(entry)
        known = self._buckets.get(key)
        if known is None:
            if len(self._buckets) >= _MAX_BUCKETS:
                self._buckets.popitem(last=False)
            # the code object is kept, so that its id() is not given to another
            known = self._buckets[key] = (TokenBucket(self._rate, self._burst), entry[5])
        elif self._per != "sink":
            self._buckets.move_to_end(key)
        return known[0].take(entry[TIME_NS])

    def _key(self, entry: Capture) -> Hashable:
        match self._per:
            case "sink":
                return None
            case "logger":
                return entry[3]
            case "site":
                return id(entry[5]), entry[6]
