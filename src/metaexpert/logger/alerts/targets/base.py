"""What every target is to the courier that drives it."""

from collections.abc import Callable
from typing import Protocol, final

from metaexpert.logger.alerts.message import Message
from metaexpert.logger.jobs import Worker
from metaexpert.logger.outcome import Delivered, Rejected, Retry

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
        self._is_busy = False

    async def run(self, call: Callable[[], Sent]) -> Sent:
        """Call it in the thread; says to try later while an earlier call still hangs there."""
        if self._is_busy:
            return Retry("an earlier attempt still hangs")
        return await self._worker.run(self._marked, call)

    def close(self) -> None:
        """Let the thread end."""
        self._worker.close()

    def _marked(self, call: Callable[[], Sent]) -> Sent:
        self._is_busy = True
        try:
            return call()
        finally:
            self._is_busy = False
