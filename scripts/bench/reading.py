"""What one measurement in one process comes to, and its way through JSON from that process to the report."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from bench.arrival import Counted
from bench.peers.base import Claims


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Figures by name (units in the names) beside what was offered and what arrived.

    ``fault`` tells why there is no figure, or why the figures of this reading are not to be trusted.
    """

    figures: Mapping[str, float] = field(default_factory=dict[str, float])
    offered: int = 0
    arrived: int = 0
    duplicates: int = 0
    caller_right: bool = True
    claims: Claims = field(default_factory=dict[str, float | int | str | bool])
    fault: str = ""

    @property
    def lost(self) -> int:
        """Entries offered that did not arrive."""
        return self.offered - self.arrived

    @classmethod
    def of(cls, figures: Mapping[str, float], arrivals: Counted, claims: Claims) -> Self:
        """A reading of entries that were looked for where they had to arrive; without a figure if none did."""
        return cls(
            figures=figures if arrivals.arrived else {},
            offered=arrivals.offered,
            arrived=arrivals.arrived,
            duplicates=arrivals.duplicates,
            caller_right=arrivals.caller_right,
            claims=claims,
            fault=arrivals.fault,
        )

    def as_json(self) -> dict[str, Any]:
        """As a JSON object, ``lost`` included."""
        return {**asdict(self), "lost": self.lost}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The reverse of ``as_json``."""
        return cls(**{key: part for key, part in value.items() if key != "lost"})
