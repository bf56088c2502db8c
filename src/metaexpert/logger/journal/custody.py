"""What a sink's delivery tells the journal of its entries: settled, refused, parked on disk."""

from collections.abc import Sequence
from typing import final

from metaexpert.logger.entry import Capture
from metaexpert.logger.journal.journal import Journal


@final
class Custody:
    """One sink's side of the journal; used on the loop.

    Args:
        journal: what keeps the entries.
        sink: the sink's name.
    """

    __slots__ = ("_journal", "_sink")

    def __init__(self, journal: Journal, sink: str) -> None:
        self._journal = journal
        self._sink = sink

    def settled(self, entries: Sequence[Capture]) -> None:
        """The sink has stored these, or left them out as it was told to."""
        self._journal.settle(self._sink, entries)

    def refused(self, entries: Sequence[Capture], reason: str) -> None:
        """The sink will never have these."""
        self._journal.settle(self._sink, entries, reason)

    def lost(self, entry: Capture, reason: str) -> None:
        """The sink had no room for this one and will not have it."""
        if self.holds(entry):
            self._journal.settle(self._sink, (entry,), reason)
            self._journal.failed(f"{self._sink} has not got a protected entry: {reason}", 1)

    def unkept(self, reason: str, entries: int) -> None:
        """The sink refused so many protected entries for good, and no dead letters of them are kept; in any thread."""
        self._journal.failed(f"{self._sink} refused protected entries, which are kept nowhere: {reason}", entries)

    def parked(self, entries: Sequence[Capture]) -> None:
        """These wait in the sink's disk queue, which answers for them from now on."""
        self._journal.deliveries.park(self._sink, entries)

    def disowned(self) -> None:
        """The sink is no more; what it has not settled is kept for nobody."""
        self._journal.disown(self._sink)

    def holds(self, entry: Capture) -> bool:
        """Whether the journal keeps the entry for the next start."""
        return self._journal.deliveries.keeps_for(self._sink, entry)
