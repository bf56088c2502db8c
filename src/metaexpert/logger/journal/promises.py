"""What receipts wait for: a sync that began after their entry was written, a sink that acknowledges it. Any thread."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import final

from metaexpert.exceptions import ReceiptError


@final
class Promises:
    """Futures given out and not kept yet."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may ask while its own thread holds it
        self._syncs: list[tuple[int, Future[None]]] = []
        self._deliveries: dict[tuple[int, int], list[Future[None]]] = {}
        self._synced = 0
        self._ended = ""

    @property
    def awaits_sync(self) -> bool:
        """Whether somebody waits for a sync."""
        return bool(self._syncs)

    @property
    def awaits_delivery(self) -> bool:
        """Whether somebody waits for a sink."""
        return bool(self._deliveries)

    def sync_after(self, since: int) -> Future[None]:
        """Done once a sync with a higher number than `since` has ended."""
        future: Future[None] = Future()
        with self._lock:
            if self._synced > since:
                future.set_result(None)
            elif self._ended:
                future.set_exception(ReceiptError(self._ended))
            else:
                self._syncs.append((since, future))
        return future

    def delivery(self, seq: int, bit: int) -> Future[None]:
        """Done once the sink with this bit has acknowledged the entry; `answer` says so."""
        future: Future[None] = Future()
        with self._lock:
            if self._ended:
                future.set_exception(ReceiptError(self._ended))
            else:
                self._deliveries.setdefault((seq, bit), []).append(future)
        return future

    def synced(self, number: int) -> None:
        """A sync has ended well."""
        with self._lock:
            self._synced = max(self._synced, number)
            done = [future for since, future in self._syncs if since < number]
            self._syncs = [(since, future) for since, future in self._syncs if since >= number]
        for future in done:
            _tell(future, None)

    def fail_syncs(self, reason: str) -> None:
        """What was written so far cannot be brought to the disk."""
        with self._lock:
            failed, self._syncs = self._syncs, []
        for _, future in failed:
            _tell(future, reason)

    def answer(self, judge: Callable[[int, int], str | None]) -> None:
        """Keep the promises of deliveries that can be kept.

        Args:
            judge: given entry's number and sink's bit: None to wait on, "" when it was delivered, else why not.
        """
        for seq, bit in list(self._deliveries):
            verdict = judge(seq, bit)
            if verdict is not None:
                with self._lock:
                    futures = self._deliveries.pop((seq, bit), [])
                for future in futures:
                    _tell(future, verdict or None)

    def end(self, reason: str) -> None:
        """No promise is kept any more."""
        self._ended = reason
        self.fail_syncs(reason)
        self.answer(lambda _seq, _bit: reason)


def answered(reason: str) -> Future[None]:
    """A promise kept, or one that cannot be for a reason."""
    future: Future[None] = Future()
    _tell(future, reason or None)
    return future


def _tell(future: Future[None], reason: str | None) -> None:
    if not future.set_running_or_notify_cancel():
        return
    if reason is None:
        future.set_result(None)
    else:
        future.set_exception(ReceiptError(reason))
