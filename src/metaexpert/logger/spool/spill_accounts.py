"""What a disk queue's owner tells of it: in the ledger, in the stream, on stderr, and in its own figures."""

import logging
import time
from typing import Final, final

from metaexpert.logger.gaps import gap_entry
from metaexpert.logger.lanes import Gap
from metaexpert.logger.notices import Notices
from metaexpert.logger.spool import spill_work
from metaexpert.logger.spool.spill_work import Outlet
from metaexpert.logger.spool.spool import Block, Found

DAMAGED: Final = "disk queue damaged"
SPOOL_FULL: Final = "spool full"
_UNKNOWN_LEVEL: Final = "NOTSET"


@final
class Accounts:
    """The accounts of one disk queue.

    Args:
        name: the sink's name.
        notices: where trouble with the disk is told.

    Attributes:
        failures: refusals by the disk, its cap among them.
        damaged: damaged places found in files.
        last_error: what is wrong with the disk now; None when it works.
    """

    def __init__(self, name: str, notices: Notices) -> None:
        self.failures = 0
        self.damaged = 0
        self.last_error: str | None = None
        self._name = name
        self._notices = notices
        self._losses = spill_work.Losses()

    @property
    def due_at(self) -> float:
        """When there is something to report, on the monotonic clock; 0 for never."""
        return self._losses.due_at

    def failed(self, error: Exception, what: str = "") -> None:
        """The disk refused."""
        self.failures += 1
        self.last_error = f"{what}{spill_work.told(error)}"
        self._say(self.last_error)

    def found(self, outlet: Outlet, found: Found) -> None:
        """Earlier runs have left something."""
        outlet.ledger.recovered += found.entries
        self.damaged += found.damaged + found.torn
        for text in spill_work.found_trouble(found):
            self._say(text)

    def read(self, outlet: Outlet, block: Block) -> None:
        """Count what reading came across besides entries."""
        self.damaged += block.damaged
        if block.missing:
            outlet.ledger.dropped[_UNKNOWN_LEVEL, DAMAGED] += block.missing
        if block.damaged or block.missing:
            self._say(f"{block.damaged} damaged places skipped, {block.missing} entries lost with them")
        outlet.ledger.duplicate += block.duplicates

    def lost(self, outlet: Outlet, lost: Gap) -> None:
        """Count what had to give way on disk; `report` says so in the stream."""
        for level, count in lost.by_level.items():
            outlet.ledger.dropped[logging.getLevelName(level), SPOOL_FULL] += count
        self._losses.add(lost)

    def report(self, outlet: Outlet, *, at_once: bool = False) -> None:
        """Let an entry tell what had to give way, once in a while."""
        gap = self._losses.take(time.monotonic(), at_once=at_once)
        if gap is None:
            return
        seqs, times_ns = (gap.first_seq, gap.last_seq), (gap.first_ns, gap.last_ns)
        outlet.report(gap_entry(self._name, gap.by_level, seqs, times_ns, SPOOL_FULL))
        outlet.moved()
        self._say(f"{gap.total} entries had to give way: it has reached its cap")

    def _say(self, text: str) -> None:
        self._notices.say(f"disk queue of {self._name}", text)
