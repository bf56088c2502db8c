"""The companion that measures the program and writes one entry of log type "performance" at each interval.

The system is asked in a thread; what is reckoned with, a part at a time, leaves the loop to others in between. When a
reload changes the options, what is exceeded stays so.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, Protocol, final

from metaexpert.logger.entry import PERFORMANCE, Capture
from metaexpert.logger.jobs import Jobs, Worker
from metaexpert.logger.measuring import meters
from metaexpert.logger.measuring.durations import Durations
from metaexpert.logger.measuring.gc_pauses import GcPauses
from metaexpert.logger.measuring.holding import Held, HoldWatch
from metaexpert.logger.measuring.loop_lag import LoopLag
from metaexpert.logger.measuring.process import ProcessReading, usable_cores
from metaexpert.logger.measuring.process_source import process_reader
from metaexpert.logger.measuring.sample import Holding, Sample, fields_of, figure, message_of, rates
from metaexpert.logger.measuring.thresholds import Crossing, Limit, Thresholds
from metaexpert.logger.options.performance import PerformanceOptions
from metaexpert.logger.own_entries import own_entry
from metaexpert.logger.port import port
from metaexpert.logger.stats import RuntimeStats

PERFORMANCE_LOGGER: Final = "metaexpert.performance"
_AT_ONCE: Final = 8
"""Timers reckoned with until others have their turn."""


class Around(Protocol):
    """What the sampler needs of its surroundings."""

    @property
    def report(self) -> Callable[[Capture], None]:
        """The way into the pipeline."""
        ...

    @property
    def stats(self) -> Callable[[], RuntimeStats]:
        """A snapshot of the runtime."""
        ...

    @property
    def jobs(self) -> Jobs:
        """The executor jobs under way."""
        ...


@dataclass(frozen=True, slots=True)
class PerformanceFigures:
    """Snapshot of the sampler.

    Attributes:
        sample: the latest interval; None before the first has ended.
        exceeded: the figures that are over their limits.
        gc: pauses of the garbage collector since it began.
        lag: how late the event loop came since it began.
    """

    sample: Sample | None
    exceeded: frozenset[str]
    gc: Durations
    lag: Durations


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Everything at the end of an interval, all counted since its own beginning."""

    process: ProcessReading
    gc: Durations
    gc_full: int
    lag: Durations
    sinks: Mapping[str, Durations]
    timers: Mapping[str, Durations]
    counters: Mapping[str, int]
    queues: Mapping[str, int]


@final
class Sampler:
    """Samples while `run` does.

    Args:
        options: what, how often, which limits.
        around: its surroundings.
        clean: hides secrets in names that users gave; by the rules in force when left out.
        former: the one it follows.
        read: how the process is read; blocks for 0.1 ms.
        cores: how many cores the process may use.
    """

    def __init__(
        self,
        options: PerformanceOptions,
        around: Around,
        *,
        clean: Callable[[str], str] | None = None,
        former: "Sampler | None" = None,
        read: Callable[[], ProcessReading] | None = None,
        cores: int | None = None,
    ) -> None:
        self._options = options
        self._around = around
        self._clean = _clean_by_rules_in_force if clean is None else clean
        self._read = process_reader() if read is None else read
        self._cores = usable_cores() if cores is None else cores
        limits = {name: each.limit for name, each in options.thresholds.items()}
        self._thresholds = Thresholds(limits) if former is None else former.thresholds_with(limits)
        self._gc = GcPauses()
        self._watch = HoldWatch(options.lag_interval)
        self._lag = LoopLag(options.lag_interval, self._watch.ticked)
        self._worker = Worker(around.jobs, "performance")
        self._sample: Sample | None = None

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        with ExitStack() as undo:
            undo.enter_context(self._gc)
            undo.callback(self._worker.close)
            undo.callback(self._lag.begin(loop))
            undo.callback(self._watch.begin(loop))
            before = await self.look()
            while True:
                await asyncio.sleep(self._options.interval)
                before = await self.measure(before)

    def thresholds_with(self, limits: Mapping[str, Limit]) -> Thresholds:
        """Other limits, and what is exceeded now of the figures that have one still."""
        return self._thresholds.taken_over(limits)

    async def finish(self, most_seconds: float) -> None:
        """Nothing: an interval that has not ended is not told of."""

    def figures(self) -> PerformanceFigures:
        """The latest figures."""
        return PerformanceFigures(
            sample=self._sample,
            exceeded=self._thresholds.exceeded,
            gc=Durations(self._gc.histogram),
            lag=Durations(self._lag.histogram),
        )

    # ---- one interval -----------------------------------------------------------------------------------------

    async def look(self) -> Reading:
        """How everything stands now."""
        process = await self._worker.run(self._read)
        stats = self._around.stats()
        return Reading(
            process=process,
            gc=Durations(self._gc.histogram),
            gc_full=self._gc.full,
            lag=Durations(self._lag.histogram),
            sinks={name: sink.writes for name, sink in stats.sinks.items()},
            timers=await self._timers(),
            counters={self._clean(name): each.value for name, each in meters.counters().items()},
            queues={"ingress": stats.ingress.queued_entries}
            | {name: sink.queued_entries for name, sink in stats.sinks.items()},
        )

    async def _timers(self) -> dict[str, Durations]:
        found: dict[str, Durations] = {}
        for number, (name, timer) in enumerate(meters.timers().items(), 1):
            found[self._clean(name)] = Durations(timer.histogram)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return found

    async def measure(self, before: Reading) -> Reading:
        """End an interval that began with `before`: write its entry, and what crossed a threshold."""
        now = await self.look()
        worst = self._watch.take_worst()
        timers: dict[str, Durations] = {}
        for number, (name, since) in enumerate(recorded(before.timers, now.timers), 1):
            timers[name] = since
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        self._sample = sample = Sample(
            **rates(before.process, now.process, self._cores),
            gc=now.gc.since(before.gc),
            gc_full=now.gc_full - before.gc_full,
            lag=now.lag.since(before.lag),
            held=None if worst is None else self._holding(*worst),
            queues=now.queues,
            sinks=dict(recorded(before.sinks, now.sinks)),
            timers=timers,
            gauges={self._clean(name): each.value for name, each in meters.gauges().items() if each.value is not None},
            counters={
                name: more for name, value in now.counters.items() if (more := value - before.counters.get(name, 0))
            },
        )
        self._say(logging.INFO, message_of(sample), fields_of(sample))
        for crossing in self._thresholds.look(lambda name: figure(sample, name), now.process.at_seconds):
            self._tell(crossing)
        return now

    def _holding(self, seconds: float, held: Held) -> Holding:
        task = None if held.task is None else self._clean(held.task)
        return Holding(seconds=seconds, callback=held.callback, at=held.at, task=task)

    def _tell(self, crossing: Crossing) -> None:
        fields = {
            "figure": crossing.name,
            "value": crossing.value,
            "limit": crossing.limit.warn,
            "clear": crossing.limit.clear,
            "worst": crossing.worst,
            "exceeded": crossing.over,
            "exceeded_seconds": round(crossing.seconds, 3),
        }
        name, value, limit = self._clean(crossing.name), crossing.value, crossing.limit
        if crossing.over:
            self._say(logging.WARNING, f"{name} is {value:.6g}, above its limit of {limit.warn:g}", fields)
        else:
            message = f"{name} is {value:.6g}, no longer above {limit.clear:g}; it was for {crossing.seconds:.0f} s"
            self._say(logging.INFO, f"{message}, {crossing.worst:.6g} at worst", fields)

    def _say(self, level: int, message: str, fields: Mapping[str, Any]) -> None:
        self._around.report(own_entry(level, message, fields, logger=PERFORMANCE_LOGGER, log_type=PERFORMANCE))


def _clean_by_rules_in_force(text: str) -> str:
    return port.encoder.scrub(text)


def recorded(before: Mapping[str, Durations], now: Mapping[str, Durations]) -> Iterator[tuple[str, Durations]]:
    """What was measured between two readings, by name; nothing of those that measured nothing."""
    for name, durations in now.items():
        earlier = before.get(name)
        if durations.count != (0 if earlier is None else earlier.count):
            # one that began anew, as a sink does that a reload replaced, has counted all of its own since
            yield name, durations if earlier is None or earlier.count > durations.count else durations.since(earlier)
