"""picologging: FileHandler, or its QueueHandler and QueueListener before the same FileHandler.

Version 0.9.3 accepts ``extra`` and ignores it, so the fields travel as the one mapping of ``args``, which its records
keep. Its QueueHandler.prepare() builds a new record without args or attributes; it is overridden, as its documentation
suggests, to enqueue the record itself, which is also the fastest way.
"""

import asyncio
from contextvars import ContextVar
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Any, cast

import orjson
import picologging
from picologging.handlers import QueueHandler, QueueListener

from bench.peers.base import Claims, FileTarget, Surface, Target
from bench.workload import LOGGER_NAME, STRATEGY_ID, Log, Style

_context: ContextVar[dict[str, int]] = ContextVar("context")


class JsonFormatter(picologging.Formatter):
    """A record as one JSON line without the newline, which the handler adds."""

    def format(self, record: picologging.LogRecord) -> str:
        """Encode the record."""
        foreign = cast("Any", record)
        return orjson.dumps(
            {
                "timestamp": datetime.fromtimestamp(record.created, UTC),
                "level": record.levelname,
                "logger": record.name,
                "message": record.msg,
                "module": record.module,
                "function": record.funcName,
                "line": record.lineno,
                "thread": record.thread,
                "process": record.process,
                "extra": {**foreign.context, **foreign.args},
            },
            option=orjson.OPT_UTC_Z,
        ).decode()


class _KeepingQueueHandler(QueueHandler):
    def prepare(self, record: picologging.LogRecord) -> picologging.LogRecord:
        return record


def _add_context(record: picologging.LogRecord) -> bool:
    cast("Any", record).context = _context.get()
    return True


class PicologgingPeer:
    """The C++ logging package; behind a queue and its thread, or writing in the call."""

    def __init__(self, *, queued: bool) -> None:
        """Only remember how to be set up."""
        self._queued = queued
        self._listener: QueueListener | None = None
        self._handlers: list[picologging.Handler] = []

    async def open(self, target: Target) -> Surface:
        """Set up one file, line by line."""
        if not isinstance(target, FileTarget):
            raise TypeError("picologging has no collector to send to")
        _context.set({"strategy_id": STRATEGY_ID})
        file_handler = picologging.FileHandler(target.folder / "peer.log", encoding="utf-8")
        file_handler.setFormatter(JsonFormatter())
        log = picologging.getLogger(LOGGER_NAME)
        log.setLevel(picologging.INFO)
        log.propagate = False
        front = self._enqueuing(file_handler) if self._queued else file_handler
        front.addFilter(cast("Any", _add_context))
        log.addHandler(front)
        self._handlers = [front, file_handler]
        return Surface(cast("Log", log), Style.ARGUMENT)

    def _enqueuing(self, file_handler: picologging.Handler) -> picologging.Handler:
        queue: SimpleQueue[picologging.LogRecord] = SimpleQueue()
        self._listener = QueueListener(queue, file_handler)
        self._listener.start()
        return _KeepingQueueHandler(queue)

    async def ready(self, offered: int) -> None:
        """Let the producer go on: an unbounded queue holds nobody back, and a file handler has written already."""

    async def drain(self) -> None:
        """Stop the listener, which ends when its queue is empty, and start it again."""
        if self._listener is not None:
            await asyncio.to_thread(self._listener.stop)
            self._listener.start()

    def claims(self) -> Claims:
        """Nothing: the package counts nothing."""
        return {}

    async def close(self) -> None:
        """Stop the listener and close the file."""
        if self._listener is not None:
            await asyncio.to_thread(self._listener.stop)
        for handler in self._handlers:
            handler.close()
