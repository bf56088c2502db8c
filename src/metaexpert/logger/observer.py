"""What looks at entries on their way to the sinks and may have something to say about them."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from metaexpert.logger.entry import Capture


@runtime_checkable
class Observer(Protocol):
    """Called by the dispatcher within its slice: it works for microseconds, does no I/O, and never raises.

    What it has to say takes the way of all entries, and is shown to every observer that wants it, itself included.
    """

    def wants(self, level: int, log_type: str) -> bool:
        """Whether it looks at entries of this level and log type; asked once for each, then remembered."""
        ...

    def look(self, entries: Iterable[Capture]) -> None:
        """Look at entries, of one lane in the order of their calls."""
        ...

    def take(self) -> list[Capture]:
        """The entries it has to add since the last time."""
        ...
