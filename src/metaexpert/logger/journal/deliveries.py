"""What became of entries at their sinks, and who waits to hear of it: settlements, and verdicts for receipts.

Settlements come on the loop's thread; a receipt may ask from any.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final, final

from metaexpert.logger.entry import LASTI, OF_ANOTHER_RUN, SEQ, Capture
from metaexpert.logger.journal.obligations import Obligations
from metaexpert.logger.journal.promises import Promises, answered

_MOST_PARKED: Final = 100_000
"""Entries in disk queues of which it is known that a sink has not got them yet; for receipts."""


@final
class Deliveries:
    """Settles what sinks owe.

    Args:
        obligations: what they owe.
        promises: what receipts wait for.
    """

    def __init__(self, obligations: Obligations, promises: Promises) -> None:
        self._obligations = obligations
        self._promises = promises
        self._parked: dict[tuple[int, int], None] = {}

    def settle(self, sink: str, entries: Sequence[Capture], refused: str = "") -> None:
        """A sink needs these entries no longer; `refused` says why it has not got them, when it has not."""
        bit = self._obligations.bits.get(sink)
        if bit is None:
            return
        found = self._obligations.settled(bit, entries, refused)
        if self._parked:
            for entry in entries:
                if entry[LASTI] != OF_ANOTHER_RUN:
                    self._parked.pop((entry[SEQ], bit), None)
        if found or self._parked:
            self.answer()

    def park(self, sink: str, entries: Sequence[Capture]) -> None:
        """A sink's disk queue answers for these from now on; a receipt waits until the sink has them."""
        bit = self._obligations.bits.get(sink)
        if bit is not None:
            for seq in self._obligations.settled(bit, entries):
                self._parked[seq, bit] = None
            while len(self._parked) > _MOST_PARKED:
                del self._parked[next(iter(self._parked))]

    def disown(self, sink: str) -> int:
        """A sink is removed: nothing is kept for it any longer. Returns how many entries it had not settled."""
        bit = self._obligations.bits.get(sink)
        if bit is None:
            return 0
        count = self._obligations.disown(bit, "the sink was removed")
        self.answer()
        return count

    def keeps_for(self, sink: str, entry: Capture) -> bool:
        """Whether an entry of this run is kept for a sink."""
        bit = self._obligations.bits.get(sink)
        return bit is not None and entry[LASTI] != OF_ANOTHER_RUN and self._obligations.is_owed(entry[SEQ], bit)

    def promise(self, seq: int, sink: str, *, is_over: bool) -> Future[None]:
        """Done once `sink` has acknowledged an entry, or never will; when all `is_over` it may be answered at once."""
        bit = self._obligations.bits.get(sink)
        if bit is None:
            return answered(f"no sink {sink!r}; there are {', '.join(sorted(self._obligations.bits))}")
        if is_over and (verdict := self._judge(seq, bit)) is not None:
            return answered(verdict)
        return self._promises.delivery(seq, bit)

    def answer(self) -> None:
        """Answer receipts that wait for a sink; on the loop."""
        if self._promises.awaits_delivery:
            self._promises.answer(self._judge)

    def _judge(self, seq: int, bit: int) -> str | None:
        if not self._obligations.is_settled(seq, bit) or (seq, bit) in self._parked:
            return None
        refusal = self._obligations.refusal(seq, bit)
        return "" if refusal is None else f"{self._name_of(bit)} has not taken the entry: {refusal}"

    def _name_of(self, bit: int) -> str:
        return next(name for name, number in self._obligations.bits.items() if number == bit)
