"""What the conformance suite has to know of a sink: how to make it, what its destination holds, how that can fail."""

from abc import ABC, abstractmethod
from enum import StrEnum
from types import TracebackType
from typing import Self

from metaexpert.logger.sinks.base import Sink, SinkParts


class Fault(StrEnum):
    """Ways in which a destination fails; nothing of what it is sent meanwhile need be stored."""

    REFUSES = "refuses"
    """It takes nothing, and says so: no connection, status 503, a folder that cannot be written."""
    HANGS = "hangs"
    """It takes nothing, and says nothing until it recovers."""
    GARBLES = "garbles"
    """It answers what makes no sense, whether or not it stores what it is sent."""


class SinkHarness(ABC):
    """One destination, and the sinks that write to it; entered before a check, left after it, on one event loop.

    Attributes:
        faults: the faults `begin` can cause.
        tells_repeats: whether an entry that is sent again after a fault or a cancelled write is stored once, be it that
            the destination tells it from a new one or that the sink goes on where it stopped.
    """

    faults: frozenset[Fault] = frozenset()
    tells_repeats: bool = False

    async def __aenter__(self) -> Self:
        """Start the destination."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the destination."""
        return

    @abstractmethod
    def new_sink(self, parts: SinkParts) -> Sink:
        """A new sink to this destination, made as `CustomOptions.new_sink` makes one."""

    @abstractmethod
    async def stored(self) -> str:
        """Everything the destination holds, oldest first, as text in which each entry's message stands once."""

    async def begin(self, fault: Fault) -> None:
        """Let the destination fail from now on."""
        raise NotImplementedError(f"faults names {fault.value!r}; begin() has to cause it")

    async def recover(self) -> None:
        """End the fault; what hung goes on or breaks."""
        raise NotImplementedError("faults names some; recover() has to end them")
