"""What runs that ended left in the journal, delivered by this one first: original bytes, ids, times and order.

Entries are encoded by sinks made for the run they come from, and are kept in its files until each sink of this run has
settled them. One marker entry for each run names them; the entries themselves stay as they were.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Final, final

from metaexpert.logger.batch import Batch
from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.delivery import Delivery
from metaexpert.logger.entry import RECOVERED_FROM, SEQ, TIME_NS, Capture
from metaexpert.logger.files.names import Run
from metaexpert.logger.filters import Takes
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Worker
from metaexpert.logger.journal.crash_reports import CrashReport, write_report
from metaexpert.logger.journal.journal import Journal
from metaexpert.logger.journal.leftovers import Leftover, LeftSegment, exist, taken
from metaexpert.logger.journal.markers import ranges, recovery_entry
from metaexpert.logger.journal.obligations import ROUTED
from metaexpert.logger.journal.recorder import recorded
from metaexpert.logger.notices import Notices
from metaexpert.logger.outcome import Rejection
from metaexpert.logger.segment import SegmentError

KILLED: Final = "ended without a stop: killed, crashed or left by os._exit"
MACHINE_DOWN: Final = "ended with the machine: power loss, reset or reboot"
STOPPED: Final = "stopped before every sink had all of its entries"

_ALL: Final = 2**64 - 1
"""The mark of an entry that all sinks have settled."""

_ENTRIES_A_BREATH: Final = 128

_breathe: Final = partial(time.sleep, 0.0001)

type Encode = Callable[[Capture], bytes]
type SyncFormer = Callable[[Mapping[Run, bool]], None]


def nothing_to_sync(_runs: Mapping[Run, bool]) -> None:
    """There are no log files."""


@dataclass(slots=True)
class Plan:
    """What becomes of the entries of one run.

    Attributes:
        places: that run's bits of the sinks there still are.
        parts: what each sink gets, encoded.
        kept: segment, place, entry and sinks of each entry that somebody gets.
        refused: sink, entry and reason where an entry cannot be encoded.
        unclaimed: entries that sinks which are configured no more have not settled, by sink.
        last_ns: time of the last entry in the run's flight recorder, nanoseconds since 1970; 0 when there is none.
    """

    places: Mapping[str, int]
    parts: dict[str, list[bytes]]
    kept: list[tuple[LeftSegment, int, Capture, list[str]]] = field(
        default_factory=list[tuple[LeftSegment, int, Capture, list[str]]]
    )
    refused: list[tuple[str, Capture, str]] = field(default_factory=list[tuple[str, Capture, str]])
    unclaimed: Counter[str] = field(default_factory=Counter[str])
    last_ns: int = 0

    def encode(self, sink: str, capture: Capture, encode: Encode) -> bool:
        """Encode an entry for a sink; one that cannot be is refused, as a live one would be."""
        try:
            self.parts[sink].append(encode(capture))
        except Exception as error:  # noqa: BLE001 - a sink of somebody else's; the others get the entry
            self.refused.append((sink, capture, f"cannot be encoded: {type(error).__name__}: {error}"))
            return False
        return True


def _unsettled(mark: int, places: Mapping[str, int]) -> list[str]:
    return [name for name, bit in places.items() if not mark >> bit & 1]


def _admitting(capture: Capture, places: Iterable[str], recipients: Mapping[str, tuple[Delivery, Takes]]) -> list[str]:
    return [name for name in places if recipients[name][1](capture)]


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
        sync_former: brings to the disk what runs that ended wrote to log files; told of each whether the disk refused
            it.
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
        sync_former: SyncFormer = nothing_to_sync,
    ) -> None:
        self._journal = journal
        self._worker = worker
        self._notices = notices
        self.keep_crashes = keep_crashes
        self._encoders = encoders
        self._report = report
        self._sync_former = sync_former
        self._keys = count(RECOVERED_FROM)
        self._found: deque[Leftover] = deque()
        self._has_taken = False
        self._leftovers: list[Leftover] = []
        self.recovered = 0

    @property
    def is_needed(self) -> bool:
        """Whether there is anything of other runs in the folder; quick."""
        return exist(self._journal.folder, self._journal.run)

    async def run(self, recipients: Mapping[str, tuple[Delivery, Takes]]) -> None:
        """Hand over to the deliveries what their sinks have not got; nothing else may be delivered before."""
        current_fields.set(PIPELINE)
        recipients = {name: each for name, each in recipients.items() if name in self._journal.obligations.bits}
        try:
            await self._worker.run(self._take)
        except OSError as error:
            self._notices.say("journal", f"what earlier runs left cannot be read: {error}")
            return
        while self._found:  # cancelled in between, it goes on with it when it is begun again
            await self._deliver(self._found[0], recipients)

    async def _deliver(self, leftover: Leftover, recipients: Mapping[str, tuple[Delivery, Takes]]) -> None:
        for text in leftover.unreadable:
            self._notices.say("journal", f"left where it is: {text}")
        try:
            encoders = self._encoders(leftover.identity)
            plan = await self._worker.run(self._planned, leftover, recipients, encoders)
        except Exception as error:  # noqa: BLE001 - live entries wait for this: they must not wait for ever
            text = f"what {leftover.run} left stays for the next start: {type(error).__name__}: {error}"
            self._notices.say("journal", text)
            self._leftovers.append(self._found.popleft())
            return
        # nothing awaits from here to the deliveries: what is handed over is handed over once
        self._leftovers.append(self._found.popleft())
        by_sink, seqs = self._hand_over(leftover, plan, recipients)
        await self._tell(leftover, plan, by_sink, seqs)

    def _take(self) -> None:
        """Take over what there is, once; it goes on in its thread when the one who waits is cancelled."""
        if not self._has_taken:
            self._found.extend(taken(self._journal.folder, self._journal.run, _breathe))
            self._has_taken = True

    def _planned(
        self,
        leftover: Leftover,
        recipients: Mapping[str, tuple[Delivery, Takes]],
        encoders: Mapping[str, Encode],
    ) -> "Plan":
        """Which sink gets what, encoded; in the journal's thread. Changes nothing but marks that were missing."""
        bits = {name: bit for bit, name in enumerate(leftover.sinks)}
        places = {name: bit for name, bit in bits.items() if name in recipients}
        absent = {name: bit for name, bit in bits.items() if name not in recipients}
        plan = Plan(places, {name: [] for name in recipients}, last_ns=_last_recorded(leftover))
        for number, (segment, at, mark, capture) in enumerate(leftover.in_order(), 1):
            is_routed = bool(mark & ROUTED)
            if is_routed and leftover.marks_count:
                wanted = _unsettled(mark, places)
            else:  # never routed it goes the way of a live one
                wanted = _admitting(capture, places if is_routed else recipients, recipients)
            names = [name for name in wanted if plan.encode(name, capture, encoders[name])]
            if names:
                plan.kept.append((segment, at, capture, names))
            if unclaimed := _unsettled(mark, absent) if is_routed or not wanted else []:
                segment.unclaimed += 1
                plan.unclaimed.update(unclaimed)
            if not is_routed and not unclaimed and places.keys() >= set(names):
                # killed as well, this run leaves to the next one what it has not settled, and no more
                segment.mark_routed(at, _ALL & ~sum(1 << places[name] for name in names))
            if number % _ENTRIES_A_BREATH == 0:
                _breathe()
        return plan

    def _hand_over(
        self, leftover: Leftover, plan: "Plan", recipients: Mapping[str, tuple[Delivery, Takes]]
    ) -> tuple[dict[str, int], list[int]]:
        obligations = self._journal.obligations
        entries: dict[str, list[Capture]] = {name: [] for name in plan.parts}
        for segment, at, capture, names in plan.kept:
            known = (next(self._keys), *capture[1:])
            for name in names:
                entries[name].append(known)
            segment.appended += 1
            obligations.owe(known[SEQ], (segment, at), obligations.mask(names))
        for segment in leftover.segments:
            segment.old_bits = {obligations.bits[name]: bit for name, bit in plan.places.items()}
            segment.is_handed_over = True
            segment.entries.clear()
        for name, capture, reason in plan.refused:
            recipients[name][0].refuse_recovered(capture, Rejection(0, 0, reason))
        for name, captures in entries.items():
            recipients[name][0].recover(Batch(captures, plan.parts[name]))
        self.recovered += len(plan.kept)
        by_sink = {name: len(captures) for name, captures in entries.items() if captures}
        return by_sink, [capture[SEQ] for _, _, capture, _ in plan.kept]

    async def _tell(self, leftover: Leftover, plan: "Plan", by_sink: Mapping[str, int], seqs: list[int]) -> None:
        if plan.unclaimed:
            owed = ", ".join(f"{count} for {name}" for name, count in plan.unclaimed.items())
            text = (
                f"{leftover.run} left entries for sinks that are configured no more ({owed}): they are kept aside in "
            )
            self._notices.say("journal", f"{text}{leftover.folder} as {leftover.run}.*.unclaimed")
        leftover.last_ns = max(leftover.last_ns, plan.last_ns)
        how = STOPPED if not leftover.crashed else KILLED if leftover.marks_count else MACHINE_DOWN
        damaged = leftover.damaged
        identity = leftover.identity
        if leftover.crashed or seqs:
            self._report(recovery_entry(identity.boot_id, identity.pid, seqs, how, leftover.last_ns, damaged))
        if not leftover.crashed:
            leftover.is_told = True
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
        await self._worker.run(self._write, leftover, report)

    def _write(self, leftover: Leftover, report: CrashReport) -> None:
        """Write the report; it goes on in its thread when the one who waits is cancelled."""
        try:
            write_report(self._journal.folder, report, self.keep_crashes)
        except OSError as error:
            self._notices.say("journal", f"the crash report cannot be written: {error}")
        leftover.is_told = True

    @property
    def has_settled(self) -> bool:
        """Whether every sink has settled some of it."""
        return any(each.has_settled for each in self._leftovers)

    def discard_settled(self) -> None:
        """Take away what every sink has settled; blocks.

        Raises:
            OSError: what those runs had written to log files cannot be brought to the disk.
        """
        self._make_safe()
        for leftover in list(self._leftovers):
            leftover.discard_settled()
            if not leftover.segments and leftover.is_told:
                self._leftovers.remove(leftover)

    def _make_safe(self) -> None:
        """Bring to the disk what these runs wrote: a machine that goes down now would take it along."""
        unsafe = [each for each in self._leftovers if each.segments and not each.is_safe]
        if unsafe:
            self._sync_former({run: each.is_unsynced for each in unsafe if (run := _run_of(each.identity))})
        for leftover in unsafe:
            leftover.is_safe = True

    def close(self, *, keep_settled: bool = False) -> None:
        """Leave the rest to the next start, `keep_settled` what is settled as well; blocks."""
        if not keep_settled:
            try:
                self._make_safe()
            except OSError as error:
                keep_settled = True
                self._notices.say("journal", f"a log file of a former run cannot be brought to the disk: {error}")
        for leftover in (*self._leftovers, *self._found):
            leftover.close(keep_settled=keep_settled)
        self._leftovers.clear()
        self._found.clear()


def _run_of(identity: Identity) -> Run | None:
    """As it stands in the names of log files; None where its journal does not say."""
    try:
        return Run.of(identity)
    except ValueError:
        return None


def _last_recorded(leftover: Leftover) -> int:
    """Time of the last entry in a run's flight recorder, nanoseconds since 1970; 0 when there is none."""
    try:
        _, captures = recorded(leftover.folder / f"{leftover.run}.recorder")
    except (OSError, SegmentError):
        return 0
    return max((capture[TIME_NS] for capture in captures), default=0)
