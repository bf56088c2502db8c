"""Exact accounting of one sink: what was routed to it and what became of each entry.

The identity, at every quiescent point:
`routed + recovered = delivered + duplicate + rejected + dropped{level, reason} + spooled + in_flight`. `in_flight` and
`spooled` are counted where the entries are, not computed from the other terms, so that an error in any of them shows.

Entries change from run to run through the disk queue alone: what one run leaves as `spooled` the next finds and counts
as `recovered`, all of it at its start. A run's own queue begins empty, so that there is no further term for it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import final


@dataclass(frozen=True, slots=True)
class LedgerSnapshot:
    """A sink's accounts at one moment; counts of entries.

    Attributes:
        routed: handed to the sink's lanes, gap entries included.
        delivered: stored by the destination, by its own word.
        duplicate: already stored by an earlier attempt, by the destination's own word.
        rejected: refused for good, each with status and reason.
        dropped: given up, by (level name, reason).
        in_flight: queued, in a batch, or being written.
        filtered: kept from the sink by its filters; beside the identity.
        gaps: gap entries among the routed ones.
        sampled: left out by the sink's sampling; beside the identity, as the next two.
        limited: held back by its rate limit, by level name.
        repeated: held back as repetitions; each run's summary is a routed entry.
        recovered: taken over from the disk queues of runs that ended, damage left out; counted when they are found.
        spooled: in the disk queue, not read back; what this run leaves there, the next one counts as recovered.
    """

    routed: int
    delivered: int
    duplicate: int
    rejected: int
    dropped: Mapping[tuple[str, str], int]
    in_flight: int
    filtered: int
    gaps: int
    sampled: int = 0
    limited: Mapping[str, int] = MappingProxyType({})
    repeated: int = 0
    recovered: int = 0
    spooled: int = 0

    @property
    def balanced(self) -> bool:
        """Whether the identity holds."""
        settled = self.delivered + self.duplicate + self.rejected + self.dropped_total
        return self.routed + self.recovered == settled + self.spooled + self.in_flight

    @property
    def dropped_total(self) -> int:
        """All dropped entries."""
        return sum(self.dropped.values())

    @property
    def limited_total(self) -> int:
        """All entries held back by the rate limit."""
        return sum(self.limited.values())


@final
class Ledger:
    """The running accounts of one sink; touched only on the dispatcher's thread."""

    __slots__ = (
        "delivered",
        "dropped",
        "duplicate",
        "filtered",
        "gaps",
        "limited",
        "recovered",
        "rejected",
        "repeated",
        "routed",
        "sampled",
        "spooled_apart",
    )

    def __init__(self) -> None:
        self.routed = 0
        self.delivered = 0
        self.duplicate = 0
        self.rejected = 0
        self.filtered = 0
        self.gaps = 0
        self.sampled = 0
        self.limited: Counter[str] = Counter()
        self.repeated = 0
        self.recovered = 0
        self.spooled_apart = 0
        """Left on disk by a queue this run has closed, as after a reload."""
        self.dropped: Counter[tuple[str, str]] = Counter()

    def take_over(self, other: "Ledger") -> None:
        """Go on with the accounts of another."""
        for name in self.__slots__:
            setattr(self, name, getattr(other, name))

    @property
    def lost(self) -> int:
        """Entries that will not arrive: rejected and dropped."""
        return self.rejected + self.dropped.total()

    def snapshot(self, in_flight: int, spooled: int = 0) -> LedgerSnapshot:
        """The accounts now, with `in_flight` and `spooled` as counted by the sink's delivery."""
        return LedgerSnapshot(
            routed=self.routed,
            delivered=self.delivered,
            duplicate=self.duplicate,
            rejected=self.rejected,
            dropped=MappingProxyType(dict(self.dropped)),
            in_flight=in_flight,
            filtered=self.filtered,
            gaps=self.gaps,
            sampled=self.sampled,
            limited=MappingProxyType(dict(self.limited)),
            repeated=self.repeated,
            recovered=self.recovered,
            spooled=spooled + self.spooled_apart,
        )
