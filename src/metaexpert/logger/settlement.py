"""What the answers of one sink mean for its entries: settled in the ledger, released from its room, told where bad.

Pure but for notices. An entry is settled once; an answer that can't be read settles nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from metaexpert.logger.batch import Batch
from metaexpert.logger.dead_letters.dead_letters import DeadLetters
from metaexpert.logger.entry import LEVEL, LOG_TYPE, RECOVERED_FROM, SEQ, Capture, Lane, lane_of
from metaexpert.logger.lanes import Lanes
from metaexpert.logger.ledger import Ledger
from metaexpert.logger.notices import Notices
from metaexpert.logger.outcome import Delivered, Partial, Rejection, Retry
from metaexpert.logger.retry import Health, SinkState

if TYPE_CHECKING:
    from metaexpert.logger.journal.custody import Custody


@dataclass(slots=True)
class DeliveryCounters:
    """What the worker did."""

    batches: int = 0
    retries: int = 0
    bytes_written: int = 0


@final
class Settlement:
    """The accounts of one sink's writes.

    Args:
        name: the sink's name in notices.
        lanes: its waiting room, which settled entries leave for good.
        ledger: its accounts.
        notices: where it speaks when entries are refused or the sink fails.
        dead_letters: what keeps the refused; None to count them only.

    Attributes:
        health: how the sink is doing.
        counters: what its worker did.
        custody: the journal's side, told what is settled; None when there is none.
    """

    def __init__(
        self, name: str, lanes: Lanes, ledger: Ledger, notices: Notices, dead_letters: DeadLetters | None = None
    ) -> None:
        self.health = Health()
        self.counters = DeliveryCounters()
        self._name = name
        self._lanes = lanes
        self._ledger = ledger
        self._notices = notices
        self._dead_letters = dead_letters
        self.custody: Custody | None = None

    def delivered(self, batch: Batch, outcome: Delivered, spooled: int) -> None:
        """All of a batch is stored; `spooled` entries of this sink still wait on disk."""
        self._stored(batch.entries, outcome.duplicates, spooled)
        self.counters.bytes_written += batch.size_bytes
        if outcome.degraded:
            self.health.limps()
        for text in filter(None, (outcome.warning, outcome.degraded)):
            self.health.last_error = text
            self._notices.say(f"sink {self._name}", text)

    def partly(self, batch: Batch, outcome: Partial, spooled: int) -> None:
        """Settle what an answer entry by entry does not want again; `spooled` as in `delivered`."""
        unsettled = {*outcome.retry, *(rejection.position for rejection in outcome.rejected)}
        stored = [entry for at, entry in enumerate(batch.entries) if at not in unsettled]
        for rejection in outcome.rejected:
            self.rejected(batch.entries[rejection.position], rejection, batch.parts[rejection.position])
        self._stored(stored, outcome.duplicates, spooled)

    def _stored(self, entries: Sequence[Capture], duplicates: int, spooled: int) -> None:
        self._ledger.delivered += len(entries) - duplicates
        self._ledger.duplicate += duplicates
        self._lanes.release(entries)
        if self.custody is not None:
            self.custody.settled(entries)
        if entries:
            self.health.succeeded(backlog=self._lanes.pressed() or spooled > 0)

    def answered(self, spooled: int) -> None:
        """The destination is no longer down, whatever it made of the entries; `spooled` as in `delivered`."""
        if self.health.state is SinkState.FAILED:
            self.health.succeeded(backlog=self._lanes.pressed() or spooled > 0)

    def rejected(self, entry: Capture, rejection: Rejection, part: bytes | None = None) -> None:
        """An entry will never be taken; `part` is what the sink made of it, None where it could not."""
        self._ledger.rejected += 1
        if self._dead_letters is not None:
            self._dead_letters.keep(entry, rejection, part)
        self._lanes.release((entry,))
        if self.custody is not None:
            self._tell(self.custody, entry, f"{rejection.status} {rejection.reason}")
        self.health.last_error = f"{rejection.status} {rejection.reason}"
        self._notices.say(
            f"sink {self._name} refused an entry", f"{_name_of(entry)}, status {rejection.status}: {rejection.reason}"
        )

    def _tell(self, custody: "Custody", entry: Capture, reason: str) -> None:
        custody.refused((entry,), reason)
        if self._dead_letters is None and lane_of(entry[LEVEL], entry[LOG_TYPE]) >= Lane.ERROR:
            custody.unkept(reason, 1)  # dead letters say it themselves where they cannot be kept

    def failed(self, retry: Retry) -> None:
        """A write has to go again, all of it or a part."""
        self.counters.retries += 1
        self.health.failed(retry.reason, pause=retry.pause)
        if self.health.state is SinkState.FAILED:
            self._notices.say(f"sink {self._name} failed", f"{retry.reason}; trying again, entries wait in its queue")


def _name_of(entry: Capture) -> str:
    return f"seq {entry[SEQ]}" if entry[SEQ] < RECOVERED_FROM else "one that an earlier run left"
