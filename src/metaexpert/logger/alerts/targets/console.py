"""A bell and lines on stderr, by a thread of its own: a reader of stderr who stalls is in nobody's way."""

from functools import partial
from typing import Final, final

from metaexpert.logger.alerts.message import Message, text
from metaexpert.logger.alerts.targets.base import Blocking, Sent
from metaexpert.logger.jobs import Worker
from metaexpert.logger.options.alert_targets import ConsoleTargetOptions
from metaexpert.logger.outcome import Delivered, Retry
from metaexpert.logger.streams import tell

_BELL: Final = "\a"


@final
class ConsoleTarget:
    """The terminal.

    Args:
        options: whether to ring, and how long to wait for a reader.
        worker: the thread.
    """

    def __init__(self, options: ConsoleTargetOptions, worker: Worker) -> None:
        self._options = options
        self._blocking = Blocking(worker)

    async def send(self, message: Message) -> Sent:
        """Write it."""
        bell = _BELL if self._options.bell and not message.is_over else ""
        return await self._blocking.run(message, partial(self._write, f"{bell}ALERT {text(message)}\n"))

    def _write(self, told: str) -> Sent:
        if tell(told, self._options.timeout):
            return Delivered()
        return Retry("stderr takes nothing: it is closed, or nobody reads")

    async def close(self) -> None:
        """Let the thread end."""
        self._blocking.close()
