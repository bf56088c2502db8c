"""What every sink is to the delivery that drives it."""

from typing import Protocol

from metaexpert.logger.batch import Batch
from metaexpert.logger.entry import Capture
from metaexpert.logger.outcome import Outcome


class Sink(Protocol):
    """A destination: two decisions (encode, and reading the answer within write) around one outer await.

    Constructors do no I/O; resources are opened by the first write and closed by `close`, and a write after that opens
    them again: a runtime that moves to another event loop closes its sinks and goes on.
    """

    def encode(self, entry: Capture, /) -> bytes:
        """The entry's part of a batch; pure, so that a retry sends the same bytes."""
        ...

    async def write(self, batch: Batch) -> Outcome:
        """Write the batch's parts and say what became of its entries; expected faults are outcomes, not exceptions."""
        ...

    async def close(self) -> None:
        """Release everything the sink holds."""
        ...
