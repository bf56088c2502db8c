"""What runs that ended left in the journal, delivered by this one first: original bytes, ids, times and order.

Entries are encoded by sinks made for the run they come from, and are kept in its files until each sink of this run has
settled them. One marker entry for each run names them; the entries themselves stay as they were.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Final, final

from metaexpert.logger.batch import Batch
from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.delivery import Delivery
from metaexpert.logger.entry import LEVEL, LOG_TYPE, SEQ, Capture
from metaexpert.logger.filters import Admission
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Worker
from metaexpert.logger.journal.crash_reports import CrashReport, write_report
from metaexpert.logger.journal.journal import Journal
from metaexpert.logger.journal.leftovers import Leftover, LeftSegment, exist, taken
from metaexpert.logger.journal.markers import ranges, recovery_entry
from metaexpert.logger.journal.obligations import ROUTED
from metaexpert.logger.notices import Notices
from metaexpert.logger.outcome import Rejection

KILLED: Final = "ended without a stop: killed, crashed or left by os._exit"
MACHINE_DOWN: Final = "ended with the machine: power loss, reset or reboot"
STOPPED: Final = "stopped before every sink had all of its entries"

_KEYS_FROM: Final = 2**62
"""Numbers of recovered entries within this run, whose own begin at 1; in the bytes they keep their own."""

_breathe: Final = partial(time.sleep, 0.0001)

type Encode = Callable[[Capture], bytes]


@dataclass(slots=True)
class Recipient:
    """A sink that may have something to get.

    Attributes:
        delivery: what drives it.
        admission: what it takes by level, log type and logger.
    """

    delivery: Delivery
    admission: Admission
    entries: list[Capture] = field(default_factory=list[Capture])
    parts: list[bytes] = field(default_factory=list[bytes])


@final
class Recovery:
    """Delivers what is left of former runs.

    Args:
        journal: this run's.
        worker: the thread of its system calls.
        notices: where trouble is told.
        keep_crashes: crash reports to keep.
        encoders: makes the sinks' encoders for a run, by sink.
        report: routes a marker entry.
    """

    def __init__(
        self,
        journal: Journal,
        worker: Worker,
        notices: Notices,
        *,
        keep_crashes: int,
        encoders: Callable[[Identity], Mapping[str, Encode]],
        report: Callable[[Capture], None],
    ) -> None:
        self._journal = journal
        self._worker = worker
        self._notices = notices
        self._keep_crashes = keep_crashes
        self._encoders = encoders
        self._report = report
        self._keys = count(_KEYS_FROM)
        self._found: deque[Leftover] = deque()
        self._has_taken = False
        self._leftovers: list[Leftover] = []
        self.recovered = 0

    @property
    def is_needed(self) -> bool:
        """Whether there is anything of other runs in the folder; quick."""
        return exist(self._journal.folder, self._journal.run)

    async def run(self, recipients: Mapping[str, tuple[Delivery, Admission]]) -> None:
        """Hand over to the deliveries what their sinks have not got; nothing else may be delivered before."""
        current_fields.set(PIPELINE)
        try:
            await self._worker.run(self._take)
        except OSError as error:
            self._notices.say("journal", f"what earlier runs left cannot be read: {error}")
            return
        while self._found:  # cancelled in between, it goes on with the next when it is begun again
            leftover = self._found.popleft()
            self._leftovers.append(leftover)
            for text in leftover.unreadable:
                self._notices.say("journal", f"left where it is: {text}")
            by_sink, seqs = self._hand_over(leftover, recipients)
            await self._tell(leftover, by_sink, seqs)

    def _take(self) -> None:
        """Take over what there is, once; it goes on in its thread when the one who waits is cancelled."""
        if not self._has_taken:
            self._found.extend(taken(self._journal.folder, self._journal.run, _breathe))
            self._has_taken = True

    def _hand_over(
        self, leftover: Leftover, recipients: Mapping[str, tuple[Delivery, Admission]]
    ) -> tuple[dict[str, int], list[int]]:
        encoders = self._encoders(leftover.identity)
        places = {name: bit for bit, name in enumerate(leftover.sinks) if name in recipients}
        waiting = {name: Recipient(*recipients[name]) for name in places}
        seqs: list[int] = []
        for segment in leftover.segments:
            segment.old_bits = {self._journal.obligations.bits[name]: bit for name, bit in places.items()}
            for at, mark, capture in segment.entries:
                wanted = self._wanted(leftover, mark, capture, waiting, places)
                taken_by = [name for name in wanted if self._encoded(capture, waiting[name], encoders[name])]
                if taken_by:
                    seqs.append(capture[SEQ])
                    self._keep(segment, at, capture, [waiting[name] for name in taken_by], taken_by)
            segment.entries.clear()
        for recipient in waiting.values():
            recipient.delivery.recover(Batch(recipient.entries, recipient.parts))
        self.recovered += len(seqs)
        return {name: len(each.entries) for name, each in waiting.items() if each.entries}, seqs

    @staticmethod
    def _wanted(
        leftover: Leftover,
        mark: int,
        capture: Capture,
        waiting: Mapping[str, Recipient],
        places: Mapping[str, int],
    ) -> list[str]:
        if mark & ROUTED and leftover.marks_count:
            return [name for name, bit in places.items() if not mark >> bit & 1]
        level, log_type, logger = capture[LEVEL], capture[LOG_TYPE], capture[3]
        return [name for name in places if waiting[name].admission(level, log_type, logger)]

    @staticmethod
    def _encoded(capture: Capture, recipient: Recipient, encode: Encode) -> bool:
        """Encode an entry for a sink; one that cannot be is refused, as a live one would be."""
        try:
            recipient.parts.append(encode(capture))
        except Exception as error:  # noqa: BLE001 - a sink of somebody else's; the others get the entry
            reason = f"cannot be encoded: {type(error).__name__}: {error}"
            recipient.delivery.refuse_recovered(capture, Rejection(0, 0, reason))
            return False
        return True

    def _keep(
        self, segment: LeftSegment, at: int, capture: Capture, recipients: list[Recipient], names: list[str]
    ) -> None:
        known = (next(self._keys), *capture[1:])
        for recipient in recipients:
            recipient.entries.append(known)
        segment.appended += 1
        self._journal.obligations.owe(known[SEQ], (segment, at), self._journal.obligations.mask(names))

    async def _tell(self, leftover: Leftover, by_sink: Mapping[str, int], seqs: list[int]) -> None:
        how = STOPPED if not leftover.crashed else KILLED if leftover.marks_count else MACHINE_DOWN
        damaged = sum(segment.damaged for segment in leftover.segments)
        identity = leftover.identity
        if leftover.crashed or seqs:
            self._report(recovery_entry(identity.boot_id, identity.pid, seqs, how, leftover.last_ns, damaged))
        if not leftover.crashed:
            return
        report = CrashReport(
            run=leftover.run,
            service=identity.service,
            pid=identity.pid,
            host=identity.host,
            started_ns=leftover.started_ns,
            last_entry_ns=leftover.last_ns,
            found_ns=time.time_ns(),
            how=how,
            recovered=by_sink,
            seqs=ranges(seqs),
            damaged=damaged,
            unreadable=tuple(leftover.unreadable),
        )
        self._notices.say("the run before", f"{how}; metaexpert logs last-crash shows its last entries")
        try:
            await self._worker.run(write_report, self._journal.folder, report, self._keep_crashes)
        except OSError as error:
            self._notices.say("journal", f"the crash report cannot be written: {error}")

    @property
    def has_settled(self) -> bool:
        """Whether every sink has settled some of it."""
        return any(not each.segments or any(part.is_settled for part in each.segments) for each in self._leftovers)

    def discard_settled(self) -> None:
        """Take away what every sink has settled; blocks."""
        for leftover in list(self._leftovers):
            leftover.discard_settled()
            if not leftover.segments:
                self._leftovers.remove(leftover)

    def close(self) -> None:
        """Leave the rest to the next start; blocks."""
        for leftover in (*self._leftovers, *self._found):
            leftover.close()
        self._leftovers.clear()
        self._found.clear()
