"""Where an expert's events come from."""

from collections.abc import AsyncGenerator
from typing import Protocol

from metaexpert.core.events import MarketEvent


class Feed(Protocol):
    """A source of market events; its generator owns its connection and closes it when it is closed."""

    def events(self) -> AsyncGenerator[MarketEvent]:
        """Yield events until the source ends; the expert closes the generator when it stops earlier."""
        ...
