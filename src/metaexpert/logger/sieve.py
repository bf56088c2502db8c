"""What a sink leaves out of the entries routed to it: filtered, sampled, repeated, over its rate limit, each counted.

Pure, with a monotonic clock given to it. What it keeps, it keeps in order; kept and counted together are what came in.
Trade, audit and gap entries are never thinned out, and gap entries not filtered either.
"""

import logging
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Final, final

from metaexpert.logger.entry import GAP, LEVEL, LOG_TYPE, PROTECTED_LOG_TYPES, SEQ, Capture
from metaexpert.logger.filters import EntryFilter, Prefixes
from metaexpert.logger.gaps import gap_entry, summary_entry
from metaexpert.logger.lanes import Gap
from metaexpert.logger.ledger import Ledger
from metaexpert.logger.rate_limit import RateLimit
from metaexpert.logger.repeats import Repeats, Run

RATE_LIMIT: Final = "rate limit"
HELD_BACK: Final = "held back"

_HASH_SIZE: Final = 2**64


@final
class Scope:
    """Which entries may be held back.

    Args:
        max_level: highest level.
        log_types: log types; None for all but the protected ones.
        loggers: names of loggers, each with all below it; None for all.
    """

    def __init__(
        self, max_level: int, log_types: tuple[str, ...] | None = None, loggers: tuple[str, ...] | None = None
    ) -> None:
        self._max_level = max_level
        self._log_types = log_types
        self._loggers = None if loggers is None else Prefixes(loggers)

    def __contains__(self, entry: Capture) -> bool:
        log_type = entry[LOG_TYPE]
        return (
            entry[LEVEL] <= self._max_level
            and log_type not in PROTECTED_LOG_TYPES
            and (self._log_types is None or log_type in self._log_types)
            and (self._loggers is None or entry[3] in self._loggers)
        )


@final
class Sampling:
    """Takes a share of the entries, by a hash of their number: every sink with the same rate takes the same ones.

    Args:
        rate: the share, 0 to 1; what a lower rate takes, a higher one takes too.
    """

    def __init__(self, rate: float) -> None:
        self._threshold = int(rate * _HASH_SIZE)

    def takes(self, entry: Capture) -> bool:
        """Whether this entry is of the share."""
        return mixed(entry[SEQ]) < self._threshold


def mixed(number: int) -> int:
    """64 bits that look random: the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    mask = _HASH_SIZE - 1
    number = (number * 0x9E3779B97F4A7C15) & mask
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & mask
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & mask
    return number ^ (number >> 31)


@final
class Sieve:
    """The sieve of one sink; each part may be missing.

    Args:
        name: the sink's, for the entries that say what was held back.
        ledger: where all that is left out is counted.
        clock: a monotonic clock, seconds.
        takes: filter by field and message.
        sampling: with its scope.
        repeats: with its scope.
        limit: with its scope.
        report_seconds: how often the rate limit's losses are told.
    """

    def __init__(
        self,
        name: str,
        ledger: Ledger,
        clock: Callable[[], float],
        *,
        takes: EntryFilter | None = None,
        sampling: tuple[Scope, Sampling] | None = None,
        repeats: tuple[Scope, Repeats] | None = None,
        limit: tuple[Scope, RateLimit] | None = None,
        report_seconds: float = 10.0,
    ) -> None:
        self._name = name
        self._ledger = ledger
        self._clock = clock
        self._takes = takes
        self._sampling = sampling
        self._repeats = repeats
        self._limit = limit
        self._report_seconds = report_seconds
        self._offered: list[Capture] = []
        self._held: Gap | None = None
        self._report_at = 0.0

    def offer(self, entries: list[Capture]) -> None:
        """Take entries of any lane in; `kept` decides about them."""
        self._offered += entries

    @property
    def waiting(self) -> list[Capture]:
        """What `kept` has still to decide about."""
        return self._offered

    def kept(self) -> list[Capture]:
        """Those of the entries offered since the last time that the sink is to write, in the order of their calls."""
        if not self._offered:
            return self._offered
        offered, self._offered = sorted(self._offered, key=itemgetter(SEQ)), []
        now = self._clock()
        return [entry for entry in offered if self._keeps(entry, now)]

    def _keeps(self, entry: Capture, now: float) -> bool:
        if self._takes is not None and entry[LOG_TYPE] != GAP and not self._takes(entry):
            self._ledger.filtered += 1
            return False
        if self._sampling is not None and entry in self._sampling[0] and not self._sampling[1].takes(entry):
            self._ledger.sampled += 1
            return False
        return self._is_new(entry, now)

    def _is_new(self, entry: Capture, now: float) -> bool:
        """Past repetitions and the limit; a run begins only with an entry that is written."""
        if self._repeats is None:
            return self._within_limit(entry, now)
        scope, repeats = self._repeats
        covered = entry in scope
        if covered and repeats.holds(entry, now):
            self._ledger.repeated += 1
            return False
        if not self._within_limit(entry, now):
            return False
        repeats.interrupt(entry)
        if covered:
            repeats.begin(entry, now)
        return True

    def _within_limit(self, entry: Capture, now: float) -> bool:
        if self._limit is None or entry not in self._limit[0] or self._limit[1].takes(entry):
            return True
        self._ledger.limited[logging.getLevelName(entry[LEVEL])] += 1
        if self._held is None:
            self._held = Gap()
            self._report_at = now + self._report_seconds
        self._held.add(entry)
        return False

    # ---- what it says -----------------------------------------------------------------------------------------

    def due(self, now: float, *, has_room: bool) -> list[Capture]:
        """Entries to write now: summaries of runs that ended and, where the sink has room, the limit's report."""
        entries = [] if self._repeats is None else _summaries(self._repeats[1].due(now))
        if self._held is not None and has_room and now >= self._report_at:
            entries.append(self._report(self._held))
        return entries

    def due_in(self, now: float, *, has_room: bool) -> float | None:
        """Seconds until `due` has something; None when nothing is held back."""
        waits = [] if self._repeats is None else [self._repeats[1].due_in(now)]
        if self._held is not None and has_room:
            waits.append(max(0.0, self._report_at - now))
        return min((wait for wait in waits if wait is not None), default=None)

    def all_due(self) -> list[Capture]:
        """Everything there is to say, for a flush or a stop; runs end here."""
        entries = [] if self._repeats is None else _summaries(self._repeats[1].close_all())
        if self._held is not None:
            entries.append(self._report(self._held))
        return entries

    def _report(self, held: Gap) -> Capture:
        self._held = None
        seqs, times = (held.first_seq, held.last_seq), (held.first_ns, held.last_ns)
        return gap_entry(self._name, held.by_level, seqs, times, RATE_LIMIT, verb=HELD_BACK)


def _summaries(runs: Iterable[Run]) -> list[Capture]:
    return [summary_entry(run.written, run.count, (run.first_seq, run.last_seq), run.seconds) for run in runs]
