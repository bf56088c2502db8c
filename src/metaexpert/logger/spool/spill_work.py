"""What `spilling` hands to its disk queue's thread, and how it reads what comes back; and what it stands between.

Functions of values alone, but for the queue they are given.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, final

from metaexpert.logger.batch import Batch, BatchLimits
from metaexpert.logger.entry import Capture
from metaexpert.logger.lanes import Gap, Lanes
from metaexpert.logger.ledger import Ledger
from metaexpert.logger.spool.spool import Cursor, Found, Spool

_REPORT_SECONDS: Final = 1.0
"""Between two reports of what had to give way on disk."""


class Outlet(Protocol):
    """What the disk queue stands between, lanes and worker, as it sees them."""

    lanes: Lanes
    ledger: Ledger
    limits: BatchLimits
    down: bool

    @property
    def has_room(self) -> bool:
        """Whether the worker's queue takes another batch."""
        ...

    def put(self, batch: Batch) -> None:
        """Queue a batch for the worker."""
        ...

    def moved(self) -> None:
        """Something changed on disk: look again."""
        ...

    def report(self, entry: Capture) -> None:
        """Take an entry that says what was dropped."""
        ...

    def with_worker(self) -> list[Batch]:
        """The worker's batches: those it is at, then the cut ones, in order."""
        ...


@final
class Losses:
    """What had to give way on disk and is not told yet: at most once in a while, however fast it goes on."""

    def __init__(self) -> None:
        self._gap = Gap()
        self._next_at = 0.0

    @property
    def due_at(self) -> float:
        """When there is something to tell, on the monotonic clock; 0 for never."""
        return self._next_at if self._gap.total else 0.0

    def add(self, lost: Gap) -> None:
        """Count more of them."""
        before = self._gap
        self._gap = lost if not before.total else _merged(before, lost)

    def take(self, now: float, *, at_once: bool) -> Gap | None:
        """What is to be told now, if anything."""
        if not self._gap.total or not (at_once or now >= self._next_at):
            return None
        gap, self._gap = self._gap, Gap()
        self._next_at = now + _REPORT_SECONDS
        return gap


def _merged(first: Gap, second: Gap) -> Gap:
    return Gap(
        first.by_level + second.by_level,
        min(first.first_seq, second.first_seq),
        max(first.last_seq, second.last_seq),
        min(first.first_ns, second.first_ns),
        max(first.last_ns, second.last_ns),
    )


def write(spool: Spool, batches: Sequence[Batch]) -> None:
    """Write batches behind all others, all of them or none.

    Raises:
        OSError: the disk refused.
    """
    spool.append(
        [entry for batch in batches for entry in batch.entries], [part for batch in batches for part in batch.parts]
    )


def adopt(spool: Spool, batches: Sequence[Batch]) -> list[Cursor]:
    """Write what the worker holds before all others; latest first, so that the earliest is in front.

    Raises:
        OSError: the disk refused.
    """
    adopted: list[Cursor] = []
    try:
        for batch in reversed(batches):
            adopted.append(spool.adopt(batch.entries, batch.parts))  # noqa: PERF401 - what came before a refusal counts
    except OSError:
        for cursor in adopted:  # all or none: the next attempt would write these a second time
            spool.ack(cursor)
        raise
    return adopted[::-1]


def guarded(work: Callable[[], Any]) -> Any:
    """What a job returns, or what it raised: nothing of a disk's trouble may end the task that waits for it."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - taken in on the loop, counted and told there, as a refusal of the disk
        return error


def told(error: Exception) -> str:
    """An error in words, for people."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{f': {error.filename}' if error.filename else ''}"
    return f"{type(error).__name__}: {error}"


def found_trouble(found: Found) -> list[str]:
    """What a start has to tell of the queues it found."""
    told = [f"left where it is: {text}" for text in found.unreadable]
    if found.torn:
        told.append(f"{found.torn} files of earlier runs end in an incomplete entry, which is lost")
    if found.damaged:
        told.append(f"{found.damaged} damaged places in files of earlier runs were skipped; the files are kept aside")
    return told
