"""One sink's writes, one at a time: timed, with an answer whatever the sink raises, held back while it is replaced."""

import asyncio
import time
from contextlib import suppress
from typing import final

from metaexpert.logger.batch import Batch
from metaexpert.logger.breaker import Breaker
from metaexpert.logger.measuring.histogram import Histogram
from metaexpert.logger.outcome import Outcome, Retry
from metaexpert.logger.sinks.base import Sink


@final
class Writing:
    """The way from a worker to its sink.

    Args:
        sink: the destination.
        breaker: whose probe a write may be.

    Attributes:
        durations: how long writes took, failed ones too.
    """

    def __init__(self, sink: Sink, breaker: Breaker) -> None:
        self.durations = Histogram()
        self._sink = sink
        self._breaker = breaker
        self.rebind()

    async def write(self, batch: Batch) -> Outcome:
        """Write once; cancelled like the worker, everything else is an outcome."""
        if self._held:
            await asyncio.get_running_loop().create_future()  # until this worker is cancelled
        self._under_way = True
        began_ns = time.perf_counter_ns()
        try:
            return await self._sink.write(batch)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                self._breaker.drop_probe()
                raise
            return Retry("the sink cancelled its own write")
        except Exception as error:  # noqa: BLE001 - a fault in a sink's code must not end its worker and drop in silence
            return Retry(f"{type(error).__name__} in sink: {error}")
        finally:
            self.durations.record(time.perf_counter_ns() - began_ns)
            self._under_way = False
            self._ended.set()

    def freeze(self) -> None:
        """Begin no further write."""
        self._held = True

    def thaw(self) -> None:
        """Writes may begin again; a worker that was held has to begin anew."""
        self._held = False

    async def hold(self, seconds: float) -> None:
        """Begin no further write and wait until the one under way has ended, at most `seconds`."""
        self._held = True
        with suppress(TimeoutError):  # it is cancelled then, and what it brought is sent again
            async with asyncio.timeout(seconds):
                while self._under_way:
                    self._ended.clear()
                    await self._ended.wait()

    def rebind(self) -> None:
        """Forget the loop that was."""
        self._ended = asyncio.Event()
        self._held = False
        self._under_way = False
