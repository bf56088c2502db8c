"""What a histogram held at one moment, to be read in seconds."""

from collections.abc import Sequence
from typing import Final, Self, final, override

from metaexpert.logger.measuring.histogram import Histogram

SHARES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
"""The percentiles that are told, by the name they are told under."""


@final
class Durations:
    """Durations measured until the moment it was made; nothing changes it.

    Args:
        histogram: what has been measured; the present counts are copied.
    """

    __slots__ = ("_histogram",)

    def __init__(self, histogram: Histogram | None = None) -> None:
        self._histogram = Histogram() if histogram is None else histogram.copy()

    @property
    def count(self) -> int:
        """How many."""
        return self._histogram.count

    @property
    def total_seconds(self) -> float:
        """All together, seconds."""
        return self._histogram.total_ns / 1e9

    @property
    def max_seconds(self) -> float:
        """The longest, seconds; 0 when there is none."""
        return self._histogram.max_ns / 1e9

    def percentiles(self, shares: Sequence[float] = tuple(SHARES.values())) -> list[float]:
        """The durations that these shares of all do not exceed, seconds; p50, p90, p99 and p99.9 when left out."""
        return [value / 1e9 for value in self._histogram.percentiles(shares)]

    def percentile(self, share: float) -> float:
        """The duration that this share of all does not exceed, seconds."""
        return self._histogram.percentile(share) / 1e9

    def counts_up_to(self, bounds_seconds: Sequence[float]) -> list[int]:
        """How many do not exceed each of these bounds, seconds, which rise; then how many there are."""
        return self._histogram.counts_up_to([round(bound * 1e9) for bound in bounds_seconds])

    def since(self, earlier: Self | None) -> "Durations":
        """What came after `earlier`, taken of the same; all when there was none."""
        if earlier is None:
            return self
        made = Durations()
        made._histogram = self._histogram.since(earlier._histogram)  # noqa: SLF001 - of its own kind
        return made

    def figures(self) -> dict[str, float]:
        """Count, percentiles and maximum under the names that entries have them under; seconds."""
        told = zip(SHARES, self.percentiles(), strict=True)
        seconds = {f"{name}_seconds": round(value, 9) for name, value in told}
        return {"count": self.count, **seconds, "max_seconds": round(self.max_seconds, 9)}

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Durations) and self._histogram.counts == other._histogram.counts

    @override
    def __hash__(self) -> int:
        return hash(bytes(self._histogram.counts))

    @override
    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value:.6g}" for name, value in self.figures().items())
        return f"Durations({told})"


NO_DURATIONS: Final = Durations()
"""Where nothing was measured."""
