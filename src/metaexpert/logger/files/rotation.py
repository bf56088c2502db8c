"""When a file is done with and the next one begins. Pure."""

import math
from dataclasses import dataclass
from typing import Final, final

from metaexpert.logger.files.schedule import Schedule

_STEP_BACK_SECONDS: Final = 3600.0
"""A clock set back by no more leaves the moment that is due as it is, so that none comes twice."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """Rotate before a write that would make the file larger than `max_bytes`, and at the moments of a schedule.

    Attributes:
        max_bytes: the size, bytes; 0 for any.
        schedule: the moments; None for none.
    """

    max_bytes: int = 0
    schedule: Schedule | None = None


@final
class Term:
    """How long the present file is written, by a clock that may be set: by a jump ahead it ends once, whatever passed.

    Args:
        schedule: when files end; None for never.
    """

    def __init__(self, schedule: Schedule | None) -> None:
        self._schedule = schedule
        self._begun_at: float | None = None
        self._over_at = math.inf

    def end(self) -> None:
        """Another file begins, at its first write."""
        self._begun_at = None
        self._over_at = math.inf

    def begin(self, now: float) -> None:
        """The first write of a file, at `now`; later ones change nothing."""
        if self._schedule is not None and self._begun_at is None:
            self._begun_at = now
            self._over_at = self._schedule.after(now)

    def is_over(self, now: float) -> bool:
        """Whether the file is done with at `now`; times are seconds since the epoch."""
        if self._schedule is None or self._begun_at is None:
            return False
        if now < self._begun_at - _STEP_BACK_SECONDS:
            self._begun_at = now
            self._over_at = self._schedule.after(now)
        return now >= self._over_at

    def would_go_on(self, begun_at: float, written_at: float, now: float) -> bool:
        """Whether a file that was begun and last written at these times is one to write to now."""
        schedule = self._schedule
        return schedule is None or min(schedule.after(begun_at), schedule.after(written_at)) > now
