"""How late the event loop wakes a task that asked for a short sleep."""

import asyncio
import time
from dataclasses import dataclass

_INTERVAL_SECONDS = 0.002
_PERCENTILE = 0.99


@dataclass(frozen=True, slots=True)
class Lag:
    """Lateness over one window, seconds."""

    p99_seconds: float
    max_seconds: float


class LagMeter:
    """A heartbeat; `take` gives the lag since the last time it was asked.

    Attributes:
        worst_seconds: The worst lag so far.
    """

    def __init__(self) -> None:
        self._window: list[float] = []
        self._skip = False
        self.worst_seconds = 0.0

    async def run(self) -> None:
        """Beat until cancelled."""
        clock = time.perf_counter
        while True:
            asked_at = clock()
            await asyncio.sleep(_INTERVAL_SECONDS)
            late = max(0.0, clock() - asked_at - _INTERVAL_SECONDS)
            if self._skip:
                self._skip = False
                continue
            self._window.append(late)
            self.worst_seconds = max(self.worst_seconds, late)

    def take(self) -> Lag:
        """The lag of the window that ends now."""
        window, self._window = sorted(self._window), []
        if not window:
            return Lag(0.0, 0.0)
        return Lag(window[int(_PERCENTILE * (len(window) - 1))], window[-1])

    def skip_beat(self) -> None:
        """Leave the beat in progress out: whoever measures has just kept the loop busy itself."""
        self._skip = True
