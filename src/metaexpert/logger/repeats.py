"""Runs of identical entries: the first is written, those that follow are counted, then their number is written.

Pure; moments are readings of a monotonic clock, in seconds. Identical means: the same place, level, logger, log type,
message, fields and details. How many runs are watched is bounded by number and memory; the oldest is closed first.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Final, final

from metaexpert.logger.entry import SEQ, SIZE, TIME_NS, Capture

_MAX_RUNS: Final = 1000
_MAX_BYTES: Final = 1024 * 1024
_SECOND_NS: Final = 1_000_000_000


@dataclass(slots=True)
class Run:
    """An entry that was written, and its repetitions that were not."""

    written: Capture
    closes_at: float
    count: int = 0
    first_seq: int = 0
    last_seq: int = 0
    last_ns: int = 0

    def add(self, entry: Capture) -> None:
        """Count one repetition."""
        self.first_seq = min(self.first_seq or entry[SEQ], entry[SEQ])
        self.last_seq = max(self.last_seq, entry[SEQ])
        self.last_ns = max(self.last_ns, entry[TIME_NS])
        self.count += 1

    @property
    def seconds(self) -> float:
        """Time from the entry that was written to its last repetition, seconds."""
        return max(0, self.last_ns - self.written[TIME_NS]) / _SECOND_NS


@final
class Repeats:
    """The runs of one sink.

    Args:
        window_seconds: how long a run lasts.
        in_a_row: whether any other entry ends a run.
    """

    def __init__(self, window_seconds: float, *, in_a_row: bool = False) -> None:
        self._window_seconds = window_seconds
        self._window_ns = int(window_seconds * _SECOND_NS)
        self._in_a_row = in_a_row
        self._runs: dict[Hashable, Run] = {}
        self._bytes = 0
        self._last: Hashable = None
        self._closed: list[Run] = []
        self._due_at: float | None = None

    def holds(self, entry: Capture, now: float) -> bool:
        """Whether this is a repetition, which is then counted."""
        key = _identity(entry)
        run = self._runs.get(key)
        if run is None:
            return False
        if now >= run.closes_at or entry[TIME_NS] - run.written[TIME_NS] > self._window_ns:
            self._close(key)
            return False
        run.add(entry)
        if self._due_at is None or run.closes_at < self._due_at:
            self._due_at = run.closes_at
        return True

    def begin(self, entry: Capture, now: float) -> None:
        """This entry is written; from now on its repetitions are held back."""
        self._runs[_identity(entry)] = Run(entry, now + self._window_seconds)
        self._bytes += entry[SIZE]
        while len(self._runs) > _MAX_RUNS or self._bytes > _MAX_BYTES:
            self._close(next(iter(self._runs)))

    def interrupt(self, entry: Capture) -> None:
        """This entry is written: a run in a row ends."""
        if self._in_a_row:
            if self._last in self._runs:
                self._close(self._last)
            self._last = _identity(entry)

    def due(self, now: float) -> list[Run]:
        """The runs that have ended and had repetitions."""
        if self._due_at is not None and now >= self._due_at:
            for key in [key for key, run in self._runs.items() if run.closes_at <= now]:
                self._close(key)
            self._due_at = min((run.closes_at for run in self._runs.values() if run.count), default=None)
        closed, self._closed = self._closed, []
        return closed

    def due_in(self, now: float) -> float | None:
        """Seconds until a run with repetitions ends; None when there is none."""
        if self._closed:
            return 0.0
        return None if self._due_at is None else max(0.0, self._due_at - now)

    def close_all(self) -> Iterable[Run]:
        """End every run; those that had repetitions."""
        for key in list(self._runs):
            self._close(key)
        self._due_at = None
        closed, self._closed = self._closed, []
        return closed

    def _close(self, key: Hashable) -> None:
        run = self._runs.pop(key)
        self._bytes -= run.written[SIZE]
        if run.count:
            self._closed.append(run)


def _identity(entry: Capture) -> Hashable:
    # the run keeps the entry, and that its code object: the id() is not given to another meanwhile
    return (id(entry[5]), entry[6], *entry[2:5], *entry[7:9], *entry[11:13])
