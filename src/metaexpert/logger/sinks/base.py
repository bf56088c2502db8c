"""What every sink is to the delivery that drives it, and what a sink of somebody else's may be built from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

from metaexpert.logger.batch import Batch
from metaexpert.logger.entry import Capture
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Jobs, Worker
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


@runtime_checkable
class LooksAhead(Protocol):
    """A sink that can use the time in which a destination makes up its mind about a batch."""

    def look_ahead(self, queued: Callable[[], Sequence[Batch]]) -> None:
        """Be told which batches wait behind the one being written; each will be written in its turn nevertheless."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SinkParts:
    """What the runtime gives a sink of your own.

    Attributes:
        name: the sink's name.
        identity: the process that writes; `identity.entry_id(entry[0])` is an entry's id.
        json_line: an entry as one JSON object without newline, the same as in a JSON file; ready to be a sink's
            `encode`.
        jobs: the runtime's count of jobs in threads.
    """

    name: str
    identity: Identity
    json_line: Callable[[Capture], bytes]
    jobs: Jobs

    def worker(self) -> Worker:
        """A thread for what would block the event loop; begun at its first job, to be closed with the sink.

        Use it rather than the loop's default executor: that one is the program's, and may be full.
        """
        return Worker(self.jobs, self.name)
