"""The standard library's logging: FileHandler, or QueueHandler and QueueListener before the same FileHandler.

Fields travel in one ``extra`` key, which spares the formatter a search through the record; the context field is read
from a contextvar by a filter, in the call, as the logging cookbook has it. What the line does not need is switched off.
"""

import asyncio
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from typing import Any, cast

import orjson

from bench.peers.base import Claims, FileTarget, Surface, Target
from bench.workload import LOGGER_NAME, STRATEGY_ID, Log, Style

_context: ContextVar[dict[str, int]] = ContextVar("context")


class JsonFormatter(logging.Formatter):
    """A record as one JSON line without the newline, which the handler adds."""

    def format(self, record: logging.LogRecord) -> str:
        """Encode the record."""
        values: dict[str, Any] = record.__dict__
        return orjson.dumps(
            {
                "timestamp": datetime.fromtimestamp(record.created, UTC),
                "level": record.levelname,
                "logger": record.name,
                "message": record.getMessage(),
                "module": record.module,
                "function": record.funcName,
                "line": record.lineno,
                "thread": record.threadName,
                "process": record.process,
                "extra": {**values["context"], **values["fields"]},
            },
            option=orjson.OPT_UTC_Z,
        ).decode()


def _add_context(record: logging.LogRecord) -> bool:
    record.context = _context.get()
    return True


class StdlibPeer:
    """The logging package; behind a queue and its thread, or writing in the call."""

    def __init__(self, *, queued: bool) -> None:
        """Only remember how to be set up."""
        self._queued = queued
        self._listener: QueueListener | None = None
        self._handlers: list[logging.Handler] = []

    async def open(self, target: Target) -> Surface:
        """Set up one file, line by line; nothing is emitted to the root logger."""
        if not isinstance(target, FileTarget):
            raise TypeError("the standard library's logging has no collector to send to")
        logging.logMultiprocessing = False
        cast("Any", logging).logAsyncioTasks = False
        _context.set({"strategy_id": STRATEGY_ID})
        file_handler = logging.FileHandler(target.folder / "peer.log", encoding="utf-8")
        file_handler.setFormatter(JsonFormatter())
        log = logging.getLogger(LOGGER_NAME)
        log.setLevel(logging.INFO)
        log.propagate = False
        front = self._enqueuing(file_handler) if self._queued else file_handler
        front.addFilter(_add_context)
        log.addHandler(front)
        self._handlers = [front, file_handler]
        return Surface(cast("Log", log), Style.EXTRA_NESTED)

    def _enqueuing(self, file_handler: logging.Handler) -> logging.Handler:
        queue: SimpleQueue[logging.LogRecord] = SimpleQueue()
        self._listener = QueueListener(queue, file_handler)
        self._listener.start()
        return QueueHandler(cast("Any", queue))

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
