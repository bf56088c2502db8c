"""When what was written to a disk queue is brought to the disk, and what the journal need not keep from then on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, final

from metaexpert.logger.entry import LEVEL, LOG_TYPE, Capture, Lane, lane_of

if TYPE_CHECKING:
    from metaexpert.logger.journal.custody import Custody

AGAIN_SECONDS: Final = 1.0
"""Wait before a disk that refused is asked again."""


@final
class Syncing:
    """One disk queue's way to the disk.

    Args:
        seconds: longest time until what was written is brought there; None to leave that to the queue.

    Attributes:
        due_at: when it is to be brought there, on the monotonic clock; 0 for never.
        custody: the journal's side, told what is safe here; None when there is none.
    """

    def __init__(self, seconds: float | None) -> None:
        self.due_at = 0.0
        self.custody: Custody | None = None
        self._seconds = seconds
        self._unsynced: list[Capture] = []

    def written(self, entries: Sequence[Capture], now: float) -> None:
        """These are in the disk queue, which answers for them once they are on the disk itself."""
        self.found(now)
        if self.custody is not None:
            self._unsynced += [entry for entry in entries if lane_of(entry[LEVEL], entry[LOG_TYPE]) >= Lane.ERROR]
            if self._seconds is None:
                self.done()

    def found(self, now: float) -> None:
        """Something is in it that may not be on the disk."""
        if self._seconds is not None and not self.due_at:
            self.due_at = now + self._seconds

    def is_due(self, now: float) -> bool:
        """Whether the time has come."""
        return 0.0 < self.due_at <= now

    def begin(self) -> None:
        """It is being brought there."""
        self.due_at = 0.0

    def done(self) -> None:
        """All that was written is on the disk."""
        parked, self._unsynced = self._unsynced, []
        if self.custody is not None and parked:
            self.custody.parked(parked)

    def failed(self, now: float) -> None:
        """It could not be brought there."""
        if self._seconds is not None:
            self.due_at = now + max(self._seconds, AGAIN_SECONDS)
