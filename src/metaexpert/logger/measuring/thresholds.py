"""When a figure is over its limit, and when that is over: with two bounds, so that one that wavers does not chatter.

Pure: figures in, crossings out. A figure that is unknown changes nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import final


@dataclass(frozen=True, slots=True)
class Limit:
    """Two bounds for one figure, `clear` no higher than `warn`.

    Attributes:
        warn: above this it is exceeded.
        clear: at or below this that is over.
    """

    warn: float
    clear: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A figure went over its limit, or came back.

    Attributes:
        name: of the figure.
        value: what it is now.
        limit: its bounds.
        worst: the highest since it was exceeded.
        seconds: for how long it has been exceeded; 0 when it just begins.
        over: whether it is exceeded from now on.
    """

    name: str
    value: float
    limit: Limit
    worst: float
    seconds: float
    over: bool


@dataclass(slots=True)
class _Excess:
    since_seconds: float
    worst: float


@final
class Thresholds:
    """Remembers what is exceeded.

    Args:
        limits: by the figures' names.
    """

    def __init__(self, limits: Mapping[str, Limit]) -> None:
        self._limits = limits
        self._exceeded: dict[str, _Excess] = {}

    @property
    def exceeded(self) -> frozenset[str]:
        """The figures that are over their limits."""
        return frozenset(self._exceeded)

    def look(self, value_of: Callable[[str], float | None], now_seconds: float) -> list[Crossing]:
        """What the present figures cross.

        Args:
            value_of: a figure by its name; None where it is unknown now.
            now_seconds: on a clock that never goes back.
        """
        return list(self._crossings(value_of, now_seconds))

    def _crossings(self, value_of: Callable[[str], float | None], now_seconds: float) -> Iterator[Crossing]:
        for name, limit in self._limits.items():
            value, excess = value_of(name), self._exceeded.get(name)
            if value is None:
                continue
            if excess is None:
                if value > limit.warn:
                    self._exceeded[name] = _Excess(now_seconds, value)
                    yield Crossing(name=name, value=value, limit=limit, worst=value, seconds=0.0, over=True)
                continue
            excess.worst = max(excess.worst, value)
            if value <= limit.clear:
                del self._exceeded[name]
                lasted = now_seconds - excess.since_seconds
                yield Crossing(name=name, value=value, limit=limit, worst=excess.worst, seconds=lasted, over=False)

    def taken_over(self, limits: Mapping[str, Limit]) -> "Thresholds":
        """The same with other limits: what is exceeded stays so where it still has a limit."""
        made = Thresholds(limits)
        made._exceeded = {name: excess for name, excess in self._exceeded.items() if name in limits}
        return made
