"""When a file is done with and the next one begins."""

from dataclasses import dataclass
from typing import Protocol, final


class Moments(Protocol):
    """Moments at which files end."""

    def after(self, begun_at: float) -> float:
        """When a file whose first entry came at that time is done with; seconds since the epoch, infinite for never."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """Rotate before a write that would make the file larger than `max_bytes`, and at the moments of a schedule.

    Attributes:
        max_bytes: the size, bytes; 0 for any.
        schedule: the moments; None for none.
    """

    max_bytes: int = 0
    schedule: Moments | None = None
