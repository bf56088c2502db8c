"""What must hold after an outage, and what came of one.

Every entry of a process that was stopped, every protected entry whose call had returned, and of a process that was
killed as many ordinary ones as were on its disk are at the collector, by its own count, and in the last process's
ledger; memory and disk stayed under their caps the whole time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from soak.arrivals import Arrivals
from soak.producer import ORDINARY, PROTECTED, QUEUE_BYTES, QUEUE_ENTRIES, End

MEMORY_CAP_BYTES = 96 * 2**20
"""What a process may take beyond its start: queue and ingress (8 and 16 MiB, and their reserve), batches, requests."""

_RESERVE_SHARE = 1.25
_LEFT_IN_MEMORY = 3 * QUEUE_ENTRIES * _RESERVE_SHARE
"""Ordinary entries that a killed process may have had in memory: in the sink's queue, and twice that in its ingress."""


@dataclass(slots=True)
class Run:
    """One process of an outage, after its end.

    Attributes:
        end: how it ended.
        returned: ordinary calls that returned.
        protected: protected calls that returned.
        own_on_disk: its own entries in the disk queue, at the last look before its end.
        spooled: all entries there, at the last look.
        recovered: what it found there.
        delivered: what it delivered, at the last look.
        queued_bytes: most its queue held.
        memory_bytes: most it took beyond its start.
        ledger: the sink's accounts in the end; empty where it was killed.
        seconds: how long it lived.
    """

    end: End
    returned: int
    protected: int
    own_on_disk: int
    spooled: int
    recovered: int
    delivered: int
    queued_bytes: int
    memory_bytes: int
    ledger: dict[str, Any]
    seconds: float

    @property
    def was_killed(self) -> bool:
        """Whether it left no accounts."""
        return not self.ledger


@dataclass(slots=True)
class Verdict:
    """What came of an outage.

    Attributes:
        runs: its processes.
        faults: what must not be, in words.
        lost_in_memory: ordinary entries of killed processes that were not on the disk yet.
        late: protected entries that came behind later ones: those that only the journal held go behind the disk queue.
        distinct: different entries at the collector, by its own count.
        duplicates: entries that came there again.
        most_disk_bytes: most the disk queue took.
        drain_per_second: entries the last process delivered a second.
    """

    runs: list[Run] = field(default_factory=list[Run])
    faults: list[str] = field(default_factory=list[str])
    lost_in_memory: int = 0
    late: int = 0
    distinct: int = 0
    duplicates: int = 0
    most_disk_bytes: int = 0
    drain_per_second: float = 0.0

    def __str__(self) -> str:
        logged = sum(run.returned + run.protected for run in self.runs)
        queued, memory = (max(getattr(run, name) for run in self.runs) for name in ("queued_bytes", "memory_bytes"))
        killed, mebibyte = sum(run.was_killed for run in self.runs), 2**20
        return (
            f"{logged} entries logged by {len(self.runs)} processes, {killed} of which were killed; "
            f"{self.distinct} at the collector, {self.duplicates} came there again, {self.late} late; "
            f"ordinary ones still in memory when their process was killed: {self.lost_in_memory}; "
            f"most queued {queued / mebibyte:.1f} MiB, most memory {memory / mebibyte:.1f} MiB, "
            f"most disk {self.most_disk_bytes / mebibyte:.1f} MiB; "
            f"drained at {self.drain_per_second:.0f}/s; {len(self.faults)} faults"
        )


def judge(verdict: Verdict, arrivals: Arrivals, spool_bytes: int) -> None:
    """Compare what the processes say with what the collector holds; faults go into the verdict."""
    verdict.distinct, verdict.duplicates = arrivals.distinct, arrivals.duplicates
    verdict.faults += [f"collector: {fault}" for fault in arrivals.faults]
    for number, run in enumerate(verdict.runs):
        verdict.lost_in_memory += _missing(arrivals, number, run) if run.was_killed else 0
        verdict.late += arrivals.stream(number, PROTECTED).disordered
        for faults in (_lost(arrivals, number, run), _disordered(arrivals, number), _beyond_bounds(run), _ledger(run)):
            verdict.faults += [f"run {number}: {fault}" for fault in faults]
    verdict.faults += _not_recovered(verdict)
    if verdict.most_disk_bytes > spool_bytes:
        verdict.faults.append(f"the disk queue took {verdict.most_disk_bytes} bytes, its cap is {spool_bytes}")


def _missing(arrivals: Arrivals, number: int, run: Run) -> int:
    return sum(1 for _ in arrivals.stream(number, ORDINARY).missing(run.returned))


def _lost(arrivals: Arrivals, number: int, run: Run) -> Iterator[str]:
    protected, ordinary = arrivals.stream(number, PROTECTED), arrivals.stream(number, ORDINARY)
    lost = list(protected.missing(run.protected))
    if lost:
        yield f"{len(lost)} of {run.protected} protected entries lost, first {lost[:5]}"
    missing, on_disk = _missing(arrivals, number, run), run.own_on_disk - protected.arrived
    if missing and not run.was_killed:
        yield f"was stopped, and {missing} of {run.returned} entries are lost"
    if ordinary.arrived < on_disk:
        yield f"{on_disk} ordinary entries were on the disk, {ordinary.arrived} arrived"
    if missing > _LEFT_IN_MEMORY:
        yield f"{missing} ordinary entries lost, more than memory had room for"


def _disordered(arrivals: Arrivals, number: int) -> Iterator[str]:
    count = arrivals.stream(number, ORDINARY).disordered
    if count:
        yield f"{count} ordinary entries came out of order"


def _beyond_bounds(run: Run) -> Iterator[str]:
    if run.queued_bytes > QUEUE_BYTES * _RESERVE_SHARE:
        yield f"{run.queued_bytes} bytes were queued, the cap is {QUEUE_BYTES} and the reserve"
    if run.memory_bytes > MEMORY_CAP_BYTES:
        yield f"{run.memory_bytes} bytes of memory were taken, the cap is {MEMORY_CAP_BYTES}"


def _ledger(run: Run) -> Iterator[str]:
    ledger = run.ledger
    if ledger and (not ledger["balanced"] or ledger["dropped"] or ledger["rejected"]):
        yield f"its ledger: {ledger}"


def _not_recovered(verdict: Verdict) -> Iterator[str]:
    """What a process left by its own accounts the next one has; of a killed one no less than was on the disk."""
    for number, (run, following) in enumerate(pairwise(verdict.runs)):
        left = run.ledger.get("spooled")
        told = following.recovered > 0 or not following.was_killed
        if left is not None and told and following.recovered != left:
            yield f"run {number} stopped and left {left} entries on the disk, the next found {following.recovered}"
        elif run.was_killed and not run.delivered and not following.was_killed and following.recovered < run.spooled:
            yield f"run {number} left {run.spooled} entries on the disk, the next found {following.recovered}"
