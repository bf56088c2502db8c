"""AsyncHandler: any stdlib handler behind a bounded queue, so that it delays nobody who logs.

`emit` appends and returns; one daemon thread, started at the first record, hands them on in order. What finds the queue
full is counted and reported by a record in the stream itself. The thread ends with `close`; `logging.shutdown` calls
that at exit. A forked child begins with an empty queue and a thread of its own.
"""

import copy
import logging
import os
import threading
import time
from _thread import get_ident
from collections import Counter, deque
from functools import cache
from typing import Final, final, override
from weakref import WeakSet

from metaexpert.exceptions import ConfigError
from metaexpert.logger.notices import Notices
from metaexpert.logger.values import described

FLUSH_SECONDS: Final = 5.0
"""How long `flush` and `close` wait for the wrapped handler."""

_HOLD_SECONDS: Final = 1.0
"""How long a fork, and the end of the thread, is waited for."""

_GAP_LOGGER: Final = "metaexpert.logger"

_notices: Final = Notices()


class AsyncHandler(logging.Handler):
    """Hands records to `handler` in a thread of its own; logging through it never waits for that handler.

    The message is formatted in the call. Arguments given as `extra=` are read later: log values that do not change.

    Args:
        handler: the handler that does the work; closing this one closes it too.
        max_queue_size: records that may wait; what comes while the queue is full is dropped, counted and reported.

    Attributes:
        handler: the wrapped handler.
        dropped: records not handed on, by level number: the queue was full, or the handler closed.
        failed: records the wrapped handler raised for.
        self_logged: records the wrapped handler logged itself while it worked; handing them on would never end.

    Raises:
        ConfigError: `max_queue_size` is below 1.
    """

    def __init__(self, handler: logging.Handler, max_queue_size: int = 10000) -> None:
        super().__init__()
        if max_queue_size < 1:
            raise ConfigError(
                f"max_queue_size: {max_queue_size} is not allowed; give the queue room for 1 record or more"
            )
        self.handler = handler
        self._max_queue_size = max_queue_size
        self._closed = False
        self.begin_empty()
        _heed_forks()
        _handlers.add(self)

    def begin_empty(self) -> None:
        """As new; a forked child begins so, since what waits is the parent's to hand on."""
        self._queue: deque[logging.LogRecord] = deque()
        self._changed = threading.Condition()  # over an RLock: a signal handler may log while its own thread holds it
        self._busy = False
        self._thread: threading.Thread | None = None
        self._handing_thread = 0
        self._gap = _Gap()
        self.dropped: Counter[int] = Counter()
        self.failed = 0
        self.self_logged = 0

    # ---- any thread -------------------------------------------------------------------------------------------

    @override
    def handle(self, record: logging.LogRecord) -> bool:
        """Filter and queue the record, without the lock that `logging.shutdown` holds while it waits for `flush`."""
        kept = self.filter(record)
        if kept:
            self.emit(kept if isinstance(kept, logging.LogRecord) else record)
        return bool(kept)

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record; it never waits and never raises."""
        if get_ident() == self._handing_thread:
            self.self_logged += 1
            return
        prepared = _prepared(record)
        with self._changed:
            if self._closed or len(self._queue) >= self._max_queue_size:
                self._drop(record)
                return
            if self._gap.by_level:
                self._queue.append(self._gap.record())
            self._queue.append(prepared)
            self._changed.notify_all()
        self._start()

    def _drop(self, record: logging.LogRecord) -> None:
        self.dropped[record.levelno] += 1
        if self._closed:
            _notices.say(self._title, "closed: what is logged through it is dropped")
        else:
            self._gap.add(record)

    def _start(self) -> None:
        with self._changed:
            if self._thread is not None and self._thread.is_alive():
                return
            thread = threading.Thread(target=self._run, name=self._title, daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return  # no thread can be had, as at the interpreter's end: flush hands on what waits
            self._thread = thread

    @property
    def _title(self) -> str:
        return f"metaexpert-async-{self.handler.name or type(self.handler).__name__}"

    @override
    def flush(self) -> None:
        """Wait, at most `FLUSH_SECONDS`, until what was queued is handed on; then flush the wrapped handler."""
        if self._settled():
            self._guarded_flush()

    def _settled(self) -> bool:
        """Let what is queued be handed on; False when the time ran out, or when it is the wrapped handler that asks."""
        with self._changed:
            if get_ident() == self._handing_thread:
                return False
            if self._thread is not None and self._thread.is_alive():
                return self._changed.wait_for(self._idle, FLUSH_SECONDS)
        self._hand_on_waiting()
        return True

    def _idle(self) -> bool:
        return not self._queue and not self._busy and not self._gap.by_level

    @override
    def close(self) -> None:
        """Flush, end the thread and close the wrapped handler; a second call does nothing."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
        if self._settled():
            self._guarded_flush()
        with self._changed:
            self._give_up()
            self._changed.notify_all()
        if self._thread is not None and get_ident() != self._thread.ident:
            self._thread.join(_HOLD_SECONDS)
        self.handler.close()
        super().close()

    def _give_up(self) -> None:
        """Count what the wrapped handler was too slow for."""
        if self._queue:
            _notices.say(self._title, f"{len(self._queue)} records could not be handed on in {FLUSH_SECONDS:g} s")
        self.dropped.update(record.levelno for record in self._queue)
        self._queue.clear()

    @override
    def setFormatter(self, fmt: logging.Formatter | None) -> None:
        """Set the wrapped handler's formatter: it is the one that formats."""
        super().setFormatter(fmt)
        self.handler.setFormatter(fmt)

    def set_formatter(self, fmt: logging.Formatter | None) -> None:
        """`setFormatter` under its earlier name."""
        self.setFormatter(fmt)

    # ---- the thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._wait_for_work():
            self._hand_on_waiting()

    def _wait_for_work(self) -> bool:
        """Whether there is something to hand on; False when the handler is closed and nothing waits."""
        with self._changed:
            while self._idle():
                self._changed.notify_all()
                if self._closed:
                    return False
                self._changed.wait()
            return True

    def _hand_on_waiting(self) -> None:
        while (record := self._next()) is not None:
            self._handing_thread = get_ident()
            try:
                self._hand_on(record)
            finally:
                self._handing_thread = 0
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()

    def _next(self) -> logging.LogRecord | None:
        with self._changed:
            record = self._queue.popleft() if self._queue else None
            if record is None and self._gap.by_level:
                record = self._gap.record()
            self._busy = record is not None
            return record

    def hold(self) -> None:
        """Before a fork: wait until no record is in the wrapped handler, whose locks the child could never open."""
        self._changed.acquire()
        if get_ident() != self._handing_thread:
            self._changed.wait_for(lambda: not self._busy, _HOLD_SECONDS)

    def let_go(self) -> None:
        """After the fork, in the parent."""
        self._changed.release()

    def _hand_on(self, record: logging.LogRecord) -> None:
        try:
            if record.levelno >= self.handler.level:
                self.handler.handle(record)
        except Exception as failure:  # noqa: BLE001 - the handler is somebody else's; the next record may succeed
            self.failed += 1
            _notices.say(self._title, f"the wrapped handler raised {_told(failure)}")

    def _guarded_flush(self) -> None:
        try:
            self.handler.flush()
        except Exception as failure:  # noqa: BLE001 - as in _hand_on
            _notices.say(self._title, f"the wrapped handler's flush raised {_told(failure)}")


@final
class _Gap:
    """What was dropped since the last report."""

    def __init__(self) -> None:
        self.by_level: Counter[int] = Counter()
        self._since = 0.0

    def add(self, record: logging.LogRecord) -> None:
        if not self.by_level:
            self._since = time.monotonic()
        self.by_level[record.levelno] += 1

    def record(self) -> logging.LogRecord:
        """The record that reports it, and begin anew."""
        by_level = {logging.getLevelName(level): count for level, count in sorted(self.by_level.items(), reverse=True)}
        total, seconds = self.by_level.total(), time.monotonic() - self._since
        self.by_level = Counter()
        told = ", ".join(f"{count:,} {level}" for level, count in by_level.items())
        return logging.makeLogRecord(
            {
                "name": _GAP_LOGGER,
                "levelno": logging.WARNING,
                "levelname": logging.getLevelName(logging.WARNING),
                "msg": f"dropped {total:,} entries: {told}, within {seconds:.1f} s, queue full",
                "log_type": "gap",
                "dropped": total,
                "by_level": by_level,
                "reason": "queue full",
            }
        )


def _prepared(record: logging.LogRecord) -> logging.LogRecord:
    """A copy, for other handlers write into the record, with its message formatted, for arguments may change."""
    prepared = copy.copy(record)
    try:
        prepared.msg, prepared.args = record.getMessage(), None
    except Exception:  # noqa: BLE001 - the wrapped handler reports it where it formats, as any handler of stdlib's
        return prepared
    return prepared


def _told(failure: Exception) -> str:
    return f"{type(failure).__name__}: {described(failure, str)}"


_handlers: Final[WeakSet[AsyncHandler]] = WeakSet()
_held: Final[list[AsyncHandler]] = []


@cache
def _heed_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_hold_all, after_in_parent=_let_go_all, after_in_child=_begin_all)


def _hold_all() -> None:
    _held[:] = _handlers
    for handler in _held:
        handler.hold()


def _let_go_all() -> None:
    for handler in _held:
        handler.let_go()
    _held.clear()


def _begin_all() -> None:
    for handler in _held:
        handler.begin_empty()
    _held.clear()
