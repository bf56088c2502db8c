"""A batch: entries and their encoded parts, cut from the lanes, written and answered as one."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import final

from metaexpert.logger.entry import Capture


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """When a batch is complete.

    Attributes:
        max_entries: entries it holds at most.
        max_bytes: encoded size at which it is complete, bytes.
        max_age_seconds: how long its first entry waits for company; an error or protected entry ends the wait.
    """

    max_entries: int
    max_bytes: int
    max_age_seconds: float


@final
class Batch:
    """Entries in order with the bytes a sink made of each."""

    def __init__(self, entries: list[Capture], parts: list[bytes], opened_at: float = 0.0) -> None:
        self.entries = entries
        self.parts = parts
        self.opened_at = opened_at
        self.live = False
        """It went past a backlog of older entries: a collector that wants order gets it as a stream of its own."""
        self.size_bytes = sum(map(len, parts))

    def __len__(self) -> int:
        return len(self.entries)

    def extend(self, entries: list[Capture], parts: list[bytes]) -> None:
        """Add entries; only while the batch is open."""
        self.entries += entries
        self.parts += parts
        self.size_bytes += sum(map(len, parts))

    def subset(self, positions: Iterable[int]) -> "Batch":
        """The entries at `positions`, in that order."""
        wanted = list(positions)
        part = Batch([self.entries[at] for at in wanted], [self.parts[at] for at in wanted], self.opened_at)
        part.live = self.live
        return part

    def halves(self) -> tuple["Batch", "Batch"]:
        """Two batches in order."""
        middle = len(self) // 2
        return self.subset(range(middle)), self.subset(range(middle, len(self)))

    def cut(self, limits: BatchLimits) -> Iterator["Batch"]:
        """Batches in order, each within `limits`."""
        begin, size = 0, 0
        for at, part in enumerate(self.parts):
            if at > begin and (at - begin >= limits.max_entries or size + len(part) > limits.max_bytes):
                yield self.subset(range(begin, at))
                begin, size = at, 0
            size += len(part)
        if begin < len(self):
            yield self.subset(range(begin, len(self)))

    def front(self, max_bytes: int) -> tuple["Batch", "Batch"]:
        """Two batches in order, neither empty, the first of at most `max_bytes` or one entry; of two and more."""
        fitting = bisect_right(list(accumulate(map(len, self.parts))), max_bytes)
        cut = min(max(fitting, 1), len(self) - 1)
        return self.subset(range(cut)), self.subset(range(cut, len(self)))
