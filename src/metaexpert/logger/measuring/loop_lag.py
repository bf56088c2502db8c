"""How late the event loop comes to what is due: a timer of our own that is due every `interval_seconds`.

While one callback holds the loop, further ticks would have been due: they are counted as late as they would have been,
so that a loop that stands still for a second counts as ten late ticks and not as one (the "coordinated omission" of
G. Tene's talks). Nothing is kept of a loop when its block is left.
"""

import asyncio
from collections.abc import Callable
from typing import Final, final

from metaexpert.logger.measuring.histogram import Histogram

_MOST_MISSED: Final = 1_000
"""Ticks made up for after one that came late: 100 s of standing still, at ten times a second."""


@final
class LoopLag:
    """Measures while `run` does.

    Args:
        interval_seconds: how often it looks.
        on_tick: told how late each tick came, seconds.

    Attributes:
        histogram: how late ticks came.
    """

    def __init__(self, interval_seconds: float, on_tick: Callable[[float], None]) -> None:
        self.histogram = Histogram()
        self._interval_seconds = interval_seconds
        self._on_tick = on_tick

    def begin(self, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        """Tick on this loop; what is returned ends that."""
        ticking = True
        timer: asyncio.TimerHandle | None = None

        def wait() -> None:
            nonlocal timer
            due = loop.time() + self._interval_seconds
            timer = loop.call_at(due, tick, due)

        def tick(due: float) -> None:
            if ticking:
                self.count(loop.time() - due)
                wait()

        def end() -> None:
            nonlocal ticking
            ticking = False
            if timer is not None:
                timer.cancel()

        wait()
        return end

    def count(self, late_seconds: float) -> None:
        """A tick came so late, and those that would have been due meanwhile."""
        late_seconds = max(0.0, late_seconds)
        for missed in range(min(_MOST_MISSED, int(late_seconds / self._interval_seconds)) + 1):
            self.histogram.record(int((late_seconds - missed * self._interval_seconds) * 1e9))
        self._on_tick(late_seconds)
