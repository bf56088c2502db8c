"""Which of a collector's addresses a request goes to; pure, the clock and the random source are given.

Each address has a breaker of its own that one failure opens: with another address at hand no request has to wait for a
dead one. An address that failed is asked again, by one probe at a time, when its backoff is over; how often it failed
in a row is forgotten only when it answered a request. Where none is left, all are asked, the longest left alone first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, final, runtime_checkable

from metaexpert.logger.breaker import Breaker, BreakerState
from metaexpert.logger.retry import Backoff

type Balance = Literal["failover", "round_robin"]


@dataclass(frozen=True, slots=True)
class EndpointStats:
    """One address of a sink's collector.

    Attributes:
        url: the address.
        state: `closed` while it takes its part, `open` while it is left alone, `half-open` while it is probed.
        requests: requests it was sent; probes are none.
        failures: those it did not answer, or answered with 502, 503 or 504.
        last_error: the latest of these, None when there was none.
    """

    url: str
    state: BreakerState
    requests: int
    failures: int
    last_error: str | None


def left_alone(endpoints: Sequence[EndpointStats]) -> str:
    """Which addresses are left alone while others do their work, and why; empty where that holds of none, or of all."""
    left = [each for each in endpoints if each.state is not BreakerState.CLOSED]
    if len(left) == len(endpoints):
        return ""
    return "; ".join(f"{each.url} is left alone: {each.last_error}" for each in left)


@runtime_checkable
class HasEndpoints(Protocol):
    """A sink that knows several ways to its collector."""

    @property
    def endpoint_stats(self) -> tuple[EndpointStats, ...]:
        """How each address is doing, in the order of preference."""
        ...


@final
class Endpoint:
    """One address, as `Endpoints` keeps it.

    Attributes:
        url: the address, without a slash at its end.
        breaker: whether requests go there.
    """

    def __init__(self, url: str, now: Callable[[], float]) -> None:
        self.url = url.rstrip("/")
        self.breaker = Breaker(1, now)
        self.requests = 0
        self.failures = 0
        self.in_a_row = 0
        self.last_error: str | None = None

    @property
    def stats(self) -> EndpointStats:
        """A snapshot."""
        return EndpointStats(self.url, self.breaker.state, self.requests, self.failures, self.last_error)


@final
class Endpoints:
    """A collector's addresses.

    Args:
        urls: one or more, the preferred first.
        balance: `failover` asks the first that works, `round_robin` all that work in turn.
        backoff: how long one that failed is left alone.
        now: seconds on a clock that never goes back.
        uniform: random source of the jitter.
    """

    def __init__(
        self,
        urls: Sequence[str],
        balance: Balance,
        backoff: Backoff,
        now: Callable[[], float],
        uniform: Callable[[float, float], float],
    ) -> None:
        self._all = [Endpoint(url, now) for url in urls]
        self._in_turn = balance == "round_robin"
        self._backoff = backoff
        self._now = now
        self._uniform = uniform
        self._turn = 0

    @property
    def stats(self) -> tuple[EndpointStats, ...]:
        """A snapshot, in the order of preference."""
        return tuple(endpoint.stats for endpoint in self._all)

    def order(self, only: str | None = None) -> list[Endpoint]:
        """Where the next request goes, and where next for as long as it is not answered there; `only` one, if given."""
        if only is not None:
            return [endpoint for endpoint in self._all if endpoint.url == only] or self.order()
        working = [endpoint for endpoint in self._all if endpoint.breaker.is_closed]
        if self._in_turn and working:
            at = self._turn % len(working)
            working = working[at:] + working[:at]
            self._turn += 1
        left_alone = [endpoint for endpoint in self._all if not endpoint.breaker.is_closed]
        left_alone.sort(key=lambda endpoint: endpoint.breaker.retry_at)
        return working + [endpoint for endpoint in left_alone if not working or endpoint.breaker.is_due]

    def answered(self, endpoint: Endpoint) -> None:
        """It answered a request, whatever it said."""
        endpoint.requests += 1
        endpoint.in_a_row = 0
        endpoint.breaker.succeeded()

    def failed(self, endpoint: Endpoint, reason: str, after_seconds: float | None = None) -> None:
        """It did not answer a request, or only for another one that is gone.

        Args:
            endpoint: which.
            reason: what happened, for people.
            after_seconds: its Retry-After.
        """
        endpoint.requests += 1
        self._leave(endpoint, reason, after_seconds)

    def _leave(self, endpoint: Endpoint, reason: str, after_seconds: float | None) -> None:
        endpoint.failures += 1
        endpoint.in_a_row += 1
        endpoint.last_error = reason
        endpoint.breaker.failed(self._backoff.wait_seconds(endpoint.in_a_row, after_seconds, self._upper_half))

    def _upper_half(self, low: float, high: float) -> float:
        """Another address does the work meanwhile: there is no hurry, as there is where everything waits."""
        return self._uniform((low + high) / 2, high)

    # ---- probes -----------------------------------------------------------------------------------------------

    def probe_in(self) -> float | None:
        """Seconds until an address that is left alone is to be probed; None where none is, or none works anyway.

        Where none works, requests themselves find out.
        """
        waiting = [endpoint.breaker.retry_at for endpoint in self._all if endpoint.breaker.state is BreakerState.OPEN]
        if not waiting or not any(endpoint.breaker.is_closed for endpoint in self._all):
            return None
        return max(0.0, min(waiting) - self._now())

    def to_probe(self) -> Endpoint | None:
        """The address whose probe goes now; to be told of as `found` or `not_found`, or its breaker's `drop_probe`."""
        for endpoint in self._all:
            if endpoint.breaker.is_due:
                endpoint.breaker.begin_probe()
                return endpoint
        return None

    def found(self, endpoint: Endpoint) -> None:
        """The probe was answered: requests may go there."""
        endpoint.breaker.succeeded()

    def not_found(self, endpoint: Endpoint, reason: str, after_seconds: float | None = None) -> None:
        """The probe was not answered; as `failed`."""
        self._leave(endpoint, reason, after_seconds)
