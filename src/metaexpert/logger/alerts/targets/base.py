"""What every target is to the courier that drives it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, final

from metaexpert.logger.alerts.message import Message
from metaexpert.logger.jobs import Worker
from metaexpert.logger.outcome import Delivered, Rejected, Retry


@final
@dataclass(frozen=True, slots=True)
class Unsure(Retry):
    """It may have arrived or not: the very same message has to go again, so that a receiver can tell."""


type Sent = Delivered | Retry | Rejected
"""What became of a message: it arrived; it did not, and may be sent again; it will never be taken."""


class Target(Protocol):
    """Takes messages; opens what it needs with the first one, and anew after `close`."""

    async def send(self, message: Message) -> Sent:
        """Send it and say what became of it; expected faults are values, not exceptions."""
        ...

    async def close(self) -> None:
        """Release everything it holds."""
        ...


@final
class Blocking:
    """Calls that block, in a thread of the target's own; never two at a time, so that hanging ones do not pile up.

    Args:
        worker: the thread.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._under_way: Message | None = None
        self._missed: tuple[Message, Sent] | None = None

    async def run(self, message: Message, call: Callable[[], Sent]) -> Sent:
        """Call it in the thread, for a message; says to try later while an earlier call still hangs there.

        Where nobody waited for an earlier call to end, what became of its message is the answer to the same one.
        """
        if self._under_way is not None:
            still = "an earlier attempt still hangs"
            return Unsure(still) if self._under_way is message else Retry(still)
        missed, self._missed = self._missed, None
        if missed is not None and missed[0] is message and not isinstance(missed[1], Retry):
            return missed[1]
        sent = await self._worker.run(self._marked, message, call)
        self._missed = None
        return sent

    def close(self) -> None:
        """Let the thread end."""
        self._worker.close()

    def _marked(self, message: Message, call: Callable[[], Sent]) -> Sent:
        self._under_way = message
        try:
            sent = call()
            self._missed = (message, sent)
        finally:
            self._under_way = None
        return sent
