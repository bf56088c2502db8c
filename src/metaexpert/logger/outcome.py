"""What became of one write: values that delivery matches, never exceptions.

A sink answers for the whole batch it was given, entry by entry where the collector tells entries apart. Positions are
indexes into that batch. `check` refuses what would settle an entry twice or not at all.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delivered:
    """Every entry is stored.

    Attributes:
        duplicates: entries among them that an earlier attempt had stored.
        warning: what went wrong without harm to the entries, for people; empty when nothing did.
        degraded: why the destination does not all it should do, though every entry is stored; empty when it does.
    """

    duplicates: int = 0
    warning: str = ""
    degraded: str = ""


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


def check(outcome: Outcome, entries: int) -> None:
    """See that an answer makes sense for a batch of so many entries; a sink of somebody else's may answer anything.

    Raises:
        TypeError: it is no outcome at all, as when `write` forgets to return one.
        ValueError: it names entries that the batch doesn't have, or one entry twice, or more duplicates than it stored.
    """
    match outcome:
        case Delivered(duplicates=duplicates):
            stored = entries
        case Partial(duplicates=duplicates):
            named = [*outcome.retry, *(rejection.position for rejection in outcome.rejected)]
            if len({*named}) < len(named) or not all(0 <= position < entries for position in named):
                raise ValueError(f"positions {named} name an entry twice, or one beyond the {entries} there are")
            stored = entries - len(named)
        case Retry() | Rejected():
            return
        case _:
            raise TypeError(f"{type(outcome).__name__} is neither Delivered, Partial, Retry nor Rejected")
    if not 0 <= duplicates <= stored:
        raise ValueError(f"{duplicates} duplicates among {stored} stored entries")
