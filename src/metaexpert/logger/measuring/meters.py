"""Timers, gauges and counters of this process, each under a name of its own.

`meters.timer("api.binance.com").record(0.012)` takes no lock, needs no loop and never raises; any thread may call it.
They live as long as the process, whatever becomes of logging. Names beyond the first `MOST_NAMES` of a kind share one
meter, `OTHERS`, so that names made of ids or addresses cannot fill the memory.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, final

from metaexpert.logger.measuring.histogram import Histogram

MOST_NAMES: Final = 512
"""Of timers, of gauges and of counters alike; a timer takes 20 kB."""

OTHERS: Final = "(others)"
"""The one that all names have in common for which there was no room."""


@final
class Timer:
    """Durations of one thing.

    Attributes:
        name: what lasts.
        histogram: all of them since the process began.
        refused: how many were no number of seconds.
    """

    __slots__ = ("histogram", "name", "refused")

    def __init__(self, name: str) -> None:
        self.name = name
        self.histogram = Histogram()
        self.refused = 0

    def record(self, seconds: float) -> None:
        """Count a duration, seconds; what is no finite number is only counted as `refused`."""
        try:
            value_ns = int(seconds * 1e9)
        except (TypeError, ValueError, OverflowError):
            self.refused += 1
            return
        self.histogram.record(value_ns)

    def record_ns(self, duration_ns: int) -> None:
        """Count a duration, whole nanoseconds."""
        self.histogram.record(duration_ns)


@final
class Gauge:
    """A figure that goes up and down.

    Attributes:
        name: of what.
        value: the latest; None before the first.
    """

    __slots__ = ("name", "value")

    def __init__(self, name: str) -> None:
        self.name = name
        self.value: float | None = None

    def set(self, value: float) -> None:
        """From now on it is this."""
        self.value = value


@final
class Counter:
    """How often something happened.

    Attributes:
        name: what.
        value: so far.
    """

    __slots__ = ("name", "value")

    def __init__(self, name: str) -> None:
        self.name = name
        self.value = 0

    def add(self, count: int = 1) -> None:
        """It happened once more, or `count` times; a negative count is none."""
        if count > 0:
            self.value += count


_timers: Final[dict[str, Timer]] = {}
_gauges: Final[dict[str, Gauge]] = {}
_counters: Final[dict[str, Counter]] = {}


def timer(name: str) -> Timer:
    """The timer of this name, made when it is first asked for."""
    return _timers.get(name) or _new(_timers, Timer, name)


def gauge(name: str) -> Gauge:
    """The gauge of this name, made when it is first asked for."""
    return _gauges.get(name) or _new(_gauges, Gauge, name)


def counter(name: str) -> Counter:
    """The counter of this name, made when it is first asked for."""
    return _counters.get(name) or _new(_counters, Counter, name)


def _new[M](known: dict[str, M], kind: type[M], name: str) -> M:
    if len(known) >= MOST_NAMES:
        name = OTHERS
    return known.setdefault(name, kind(name))  # pyright: ignore[reportCallIssue] - all three are made of their name


def timers() -> Mapping[str, Timer]:
    """All there are now, by name."""
    return MappingProxyType(_timers.copy())


def gauges() -> Mapping[str, Gauge]:
    """All there are now, by name."""
    return MappingProxyType(_gauges.copy())


def counters() -> Mapping[str, Counter]:
    """All there are now, by name."""
    return MappingProxyType(_counters.copy())
