"""Immutable snapshots of the runtime: depths, counts, states."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from metaexpert.logger.alerts.figures import AlertStats
from metaexpert.logger.breaker import BreakerState
from metaexpert.logger.endpoints import EndpointStats
from metaexpert.logger.held_back.rings import HeldBackStats
from metaexpert.logger.ledger import LedgerSnapshot
from metaexpert.logger.measuring.durations import NO_DURATIONS, Durations
from metaexpert.logger.retry import SinkState


@dataclass(frozen=True, slots=True)
class IngressStats:
    """The way in.

    Attributes:
        queued_entries: entries waiting for the dispatcher.
        queued_bytes: their memory, bytes.
        accepted: entries taken in since the start.
        dropped: entries refused, by (level name, reason); a gap entry in every sink names them.
        self_logged: calls from inside the pipeline, counted and not queued.
    """

    queued_entries: int
    queued_bytes: int
    accepted: int
    dropped: Mapping[tuple[str, str], int]
    self_logged: int


@dataclass(frozen=True, slots=True)
class DispatcherStats:
    """The dispatcher task; times in seconds.

    Attributes:
        slices: stretches of work between two yields.
        entries: entries routed.
        busy_seconds: time worked in all.
        slice_max_seconds: the longest slice.
        faults: errors of our own it survived; 0 unless there is a bug.
        wait_max_seconds: longest time an entry waited on its way in until the dispatcher came to it.
        long_waits: how often the oldest entry had waited for more than 0.1 s: others kept the loop, or entries come
            faster than it can work. Latency figures of such a run tell of that, not of logging.
    """

    slices: int
    entries: int
    busy_seconds: float
    slice_max_seconds: float
    faults: int
    wait_max_seconds: float
    long_waits: int


@dataclass(frozen=True, slots=True)
class SinkStats:
    """One sink.

    Attributes:
        name: its name.
        type: its type in the configuration.
        state: how it is doing.
        queued_entries: entries not settled yet.
        queued_bytes: their memory, bytes.
        batches: batches written or tried.
        retries: failed attempts.
        bytes_written: encoded bytes of whole delivered batches, before compression.
        last_error: the latest trouble, None when there was none.
        ledger: what became of every entry.
        spooled_entries: entries in its disk queue, not read back.
        spooled_bytes: what they take there, bytes.
        spool_failures: writes and reads the disk refused, or the queue's cap.
        spool_damaged: damaged places found in its files.
        dead_letters: rejected entries kept on disk since the start.
        dead_letter_bytes: what they took there, bytes.
        dead_letters_lost: rejected entries the disk did not take, or that gave way to newer ones.
        breaker: `closed` while its destination is asked as usual; `open` while it is left alone, `half-open` while a
            probe of a few entries is under way.
        endpoints: its collector's addresses, the preferred first; empty where it has none.
        writes: how long writes took, failed ones too.
    """

    name: str
    type: str
    state: SinkState
    queued_entries: int
    queued_bytes: int
    batches: int
    retries: int
    bytes_written: int
    last_error: str | None
    ledger: LedgerSnapshot
    spooled_entries: int = 0
    spooled_bytes: int = 0
    spool_failures: int = 0
    spool_damaged: int = 0
    dead_letters: int = 0
    dead_letter_bytes: int = 0
    dead_letters_lost: int = 0
    breaker: BreakerState = BreakerState.CLOSED
    endpoints: tuple[EndpointStats, ...] = ()
    writes: Durations = NO_DURATIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalStats:
    """The journal of protected entries.

    Attributes:
        state: active, or degraded while something is wrong with its disk.
        entries: entries written to it.
        kept_entries: those among them that a sink has still to settle.
        recovered: entries of former runs that this one delivers.
        failures: entries that could not be made safe; `on_audit_failure` was told of each.
        syncs: group syncs that have ended well.
        sync_failures: syncs the disk refused.
        segments_made_in_calls: files that a log call had to make, since no spare one was ready.
        disk_bytes: what its files take, bytes.
        last_error: what is wrong now; None while all is well.
    """

    state: SinkState
    entries: int
    kept_entries: int
    recovered: int
    failures: int
    syncs: int
    sync_failures: int
    segments_made_in_calls: int
    disk_bytes: int
    last_error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HousekeepingStats:
    """What became of finished log files since the start, in this process.

    Attributes:
        state: active, or degraded while something could not be done.
        passes: how often all files were looked at.
        packed: files compressed.
        archived: files moved to an archive.
        purged: files deleted.
        purged_bytes: what they took, bytes.
        failures: what could not be done, each time it was tried.
        last_error: what was wrong at the latest pass; None when all went well.
        conflicts: the bounds that are exceeded by files which nothing may delete, and why.
        clock_leaps: how often the clock was found to have leapt ahead; the state is degraded while it stands there.
        clock_doubt: why no term is over by the clock's word now; None when it is believed.
    """

    state: SinkState
    passes: int
    packed: int
    archived: int
    purged: int
    purged_bytes: int
    failures: int
    last_error: str | None
    conflicts: tuple[str, ...]
    clock_leaps: int
    clock_doubt: str | None


@dataclass(frozen=True, slots=True)
class RuntimeStats:
    """The whole runtime at one moment.

    Attributes:
        ingress: the way in.
        dispatcher: the task beside your coroutines.
        sinks: by name; those that a reload removed keep their last figures.
        journal: None where there is none.
        housekeeping: None before the start.
        held_back: what waits in memory for something to fail; None where nothing does.
        companions: of what runs beside the dispatcher, by name.
    """

    ingress: IngressStats
    dispatcher: DispatcherStats
    sinks: Mapping[str, SinkStats]
    journal: JournalStats | None = None
    housekeeping: HousekeepingStats | None = None
    held_back: HeldBackStats | None = None
    companions: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def alerts(self) -> AlertStats | None:
        """Rules and targets of alerts; None where there are no rules."""
        found = self.companions.get("alerts")
        return found if isinstance(found, AlertStats) else None


NO_STATS: Final = RuntimeStats(
    ingress=IngressStats(0, 0, 0, MappingProxyType({}), 0),
    dispatcher=DispatcherStats(0, 0, 0.0, 0.0, 0, 0.0, 0),
    sinks=MappingProxyType({}),
)
"""Of a runtime that has not started."""
