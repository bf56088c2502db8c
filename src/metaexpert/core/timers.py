"""Timers by the market's time: which handlers are due. In backtests bars move it, otherwise the clock does. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from metaexpert.core.handlers import Handler
from metaexpert.exceptions import MetaExpertError

_NS: Final = 10**9


@dataclass(slots=True)
class Timer:
    """One handler, called every so often.

    Attributes:
        interval_seconds: how often.
        handler: who is called.
        due_ns: when next; None before the first look at the time.
    """

    interval_seconds: float
    handler: Handler
    due_ns: int | None = None

    def __post_init__(self) -> None:
        """Refuse what would never wait.

        Raises:
            MetaExpertError: the interval is not above 0.
        """
        if not self.interval_seconds > 0:
            raise MetaExpertError(f"on_timer({self.interval_seconds}): the interval must be above 0 seconds")

    def is_due(self, now_ns: int) -> bool:
        """Whether it is to be called now; what was missed meanwhile is called once."""
        interval_ns = max(1, round(self.interval_seconds * _NS))
        if self.due_ns is None:
            self.due_ns = now_ns + interval_ns
            return False
        if now_ns < self.due_ns:
            return False
        self.due_ns += interval_ns * (1 + (now_ns - self.due_ns) // interval_ns)
        return True


def due(timers: list[Timer], now_ns: int) -> Iterator[Handler]:
    """The handlers to be called at `now_ns`."""
    return (timer.handler for timer in timers if timer.is_due(now_ns))
