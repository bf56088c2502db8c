"""Everything a server was asked: each request, and each order in it, accepted or not."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """One REST request as it came; `endpoint` is its method and path without the host."""

    endpoint: str
    parameters: Mapping[str, object]
    headers: Mapping[str, str]
    at_ms: int


@dataclass(slots=True)
class ReceivedOrder:
    """One order that was sent, whatever became of it.

    Attributes:
        order_id: the id it was accepted under; None when it was refused.
        answered: whether the answer was sent (a lost one was not).
    """

    client_id: str
    symbol: str
    side: str
    quantity: str
    limit: str
    order_id: int | None = None
    answered: bool = True


@dataclass(slots=True)
class Traffic:
    """What came in, in order."""

    requests: list[Request] = field(default_factory=list[Request])
    orders: list[ReceivedOrder] = field(default_factory=list[ReceivedOrder])
    sockets: list[str] = field(default_factory=list[str])

    @property
    def by_endpoint(self) -> Counter[str]:
        """How many requests each endpoint got."""
        return Counter(request.endpoint for request in self.requests)

    def count(self, part: str) -> int:
        """How many requests went to endpoints whose name contains `part`."""
        return sum(part in request.endpoint for request in self.requests)

    def times_sent(self, client_id: str) -> int:
        """How many orders came with this client id."""
        return sum(order.client_id == client_id for order in self.orders)
