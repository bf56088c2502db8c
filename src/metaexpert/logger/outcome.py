"""What became of one write: values that delivery matches, never exceptions.

A sink answers for the whole batch it was given, entry by entry where the collector tells entries apart. Positions are
indexes into that batch.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delivered:
    """Every entry is stored.

    Attributes:
        duplicates: entries among them that an earlier attempt had stored.
        warning: what went wrong without harm to the entries, for people; empty when nothing did.
    """

    duplicates: int = 0
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """One entry the destination will never take."""

    position: int
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Nothing is stored for sure; send all of it again.

    Attributes:
        reason: what happened, for people.
        after_seconds: the destination's own wish (Retry-After), else None for the usual backoff.
        pause: an operator has to mend this (credentials, missing index); try rarely, drop nothing.
    """

    reason: str
    after_seconds: float | None = None
    pause: bool = False


@dataclass(frozen=True, slots=True)
class Partial:
    """Entries fared differently: `retry` again, `rejected` never; all others are stored."""

    retry: tuple[int, ...]
    rejected: tuple[Rejection, ...]
    reason: str
    duplicates: int = 0
    after_seconds: float | None = None
    pause: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """The batch was refused as a whole for something in it, or for its size; cut it until the offender stands alone."""

    status: int
    reason: str


type Outcome = Delivered | Partial | Retry | Rejected
