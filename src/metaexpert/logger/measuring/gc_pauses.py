"""How long the garbage collector holds the program up.

A collection is no code of anybody's: it begins amid any allocation and lets no other Python code of its interpreter run
until it has ended, the event loop's included.
"""

import gc
from time import perf_counter_ns
from typing import Any, Final, Self, final

from metaexpert.logger.measuring.histogram import Histogram

_OLDEST: Final = 2


@final
class GcPauses:
    """Measures each collection while its block is entered.

    Attributes:
        histogram: how long they took.
        full: how many were of the oldest generation, which are the long ones.
    """

    def __init__(self) -> None:
        self.histogram = Histogram()
        self.full = 0
        self._began_ns = 0

    def __enter__(self) -> Self:
        gc.callbacks.append(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        gc.callbacks.remove(self._called)

    def _called(self, phase: str, about: dict[str, Any]) -> None:
        """See `gc.callbacks`; it allocates nothing that the collector looks at."""
        if phase == "start":
            self._began_ns = perf_counter_ns()
        elif self._began_ns:
            self.histogram.record(perf_counter_ns() - self._began_ns)
            self._began_ns = 0
            self.full += about["generation"] == _OLDEST
