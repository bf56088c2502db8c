"""Receipts: what a protected log call returns, to be awaited by whoever wants to know that its entry is safe.

A receipt holds two numbers and costs nothing unless it is asked; nobody is warned of one that never is.
"""

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any, Final, Protocol, final

from metaexpert.exceptions import ReceiptError
from metaexpert.logger.entry import Capture

_NO_JOURNAL: Final = (
    "the entry was not journalled: logging is not set up, its journal is switched off (journal.enabled), or a level or "
    "filter of its logger held the call back"
)


type Put = Callable[[Capture], "Receipt | None"]
"""The way of an entry from its call; what it returns is for the caller."""


class Keeper(Protocol):
    """Where entries are kept, as a receipt sees it."""

    def entry_id(self, seq: int) -> str:
        """The id of entry number `seq`."""
        ...

    def when_synced(self, since: int) -> Future[None]:
        """Done once a sync that began after sync number `since` has ended."""
        ...

    def must_not_block(self, *, for_ever: bool) -> None:
        """See that a thread which blocks does not wait for itself.

        Args:
            for_ever: it waits without a limit.

        Raises:
            LoggingStateError: it would.
        """
        ...

    def when_delivered(self, seq: int, sink: str) -> Future[None]:
        """Done once `sink` has acknowledged entry number `seq`."""
        ...


@final
class Receipt:
    """Says that an entry is safe, and lets you wait until it is safer.

    When the call has returned, the entry survives the end of the process, kill -9 included. `await receipt` returns
    once it survives a power loss too: it was brought to the disk (fsync), with all that came at about the same time.
    `await receipt.delivered("loki")` returns once that sink has acknowledged it.

    Args:
        keeper: where the entry is kept; None where it is not.
        seq: its number.
        since: syncs that had begun when it was written.
        failure: why it is not kept.
    """

    __slots__ = ("_keeper", "_since", "failure", "seq")

    def __init__(self, keeper: Keeper | None, seq: int, since: int, failure: str = "") -> None:
        self._keeper = keeper
        self._since = since
        self.seq = seq
        self.failure = failure

    @property
    def entry_id(self) -> str | None:
        """The entry's id, the same in every line of it; None where it was not journalled."""
        return None if self._keeper is None else self._keeper.entry_id(self.seq)

    def __await__(self) -> Generator[Any, Any, None]:
        """Wait until the entry is on the disk.

        Raises:
            ReceiptError: it will not be; the message says why.
        """
        return self._waited().__await__()

    async def _waited(self) -> None:
        await asyncio.wrap_future(self._synced())

    async def delivered(self, sink: str) -> None:
        """Wait until a sink has acknowledged the entry.

        Args:
            sink: its name.

        Raises:
            ReceiptError: it will not: there is no such sink, it does not take such entries, it has refused this one, or
                logging has stopped before.
        """
        await asyncio.wrap_future(self._kept().when_delivered(self.seq, sink))

    def wait(self, timeout: float | None = None) -> None:
        """The same as `await receipt`, for a thread without an event loop; it blocks.

        Args:
            timeout: longest wait, seconds.

        Raises:
            ReceiptError: it will not be on the disk.
            TimeoutError: it is not there yet.
            LoggingStateError: called on the loop that logging lives on, which it would block, or without a timeout
                while that loop does not run.
        """
        self._kept().must_not_block(for_ever=timeout is None)
        self._synced().result(timeout)

    def _synced(self) -> Future[None]:
        return self._kept().when_synced(self._since)

    def _kept(self) -> Keeper:
        if self._keeper is None or self.failure:
            raise ReceiptError(self.failure or _NO_JOURNAL)
        return self._keeper


NO_RECEIPT: Final = Receipt(None, 0, 0)
"""Of a call whose entry was not journalled."""
