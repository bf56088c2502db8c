"""OpenTelemetry's SDK: logging's records through LoggingHandler into a BatchLogRecordProcessor.

File rows use an exporter that writes the common JSON line; the HTTP row uses the SDK's OTLP/HTTP exporter. The queue
holds as many entries as ours does by default; the SDK's own 2 048 would lose most of a burst.
"""

import asyncio
import logging
import os
import warnings
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

import orjson
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler, ReadableLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.resources import Resource

from bench.peers.base import Claims, FileTarget, Surface, Target
from bench.workload import LOGGER_NAME, STRATEGY_ID, Log, Style

QUEUE_ENTRIES = 100_000
_CALLSITE = ("code.file.path", "code.function.name", "code.line.number", "thread.name")

_context: ContextVar[dict[str, int]] = ContextVar("context")


class JsonLinesExporter(LogRecordExporter):
    """Appends each batch to a file with one write."""

    def __init__(self, path: Path) -> None:
        """Open the file."""
        self._file = path.open("ab")
        self._process = os.getpid()

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Encode and write a batch."""
        self._file.write(b"".join([self._encode(record) for record in batch]))
        self._file.flush()
        return LogRecordExportResult.SUCCESS

    def _encode(self, readable: ReadableLogRecord) -> bytes:
        record = readable.log_record
        fields: dict[str, Any] = dict(cast("Any", record.attributes))
        path, function, line, thread = [fields.pop(key) for key in _CALLSITE]
        return orjson.dumps(
            {
                "timestamp": datetime.fromtimestamp((record.timestamp or 0) / 1e9, UTC),
                "level": record.severity_text,
                "logger": LOGGER_NAME,
                "message": record.body,
                "module": _module_of(path),
                "function": function,
                "line": line,
                "thread": thread,
                "process": self._process,
                "extra": fields,
            },
            option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE,
        )

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 (the base class names it)
        """Nothing is held back between batches."""
        return True

    def shutdown(self) -> None:
        """Close the file."""
        self._file.close()


@cache
def _module_of(path: str) -> str:
    return Path(path).stem


def _add_context(record: logging.LogRecord) -> bool:
    record.__dict__.update(_context.get())
    record.__dict__["thread.name"] = record.threadName
    return True


class OpenTelemetryPeer:
    """The SDK behind logging's own interface, as its documentation shows it."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._processor: BatchLogRecordProcessor | None = None
        self._provider: LoggerProvider | None = None
        self._handler: logging.Handler | None = None
        self._since_flush = 0

    async def open(self, target: Target) -> Surface:
        """Build provider, processor and exporter, and attach the handler."""
        _context.set({"strategy_id": STRATEGY_ID})
        exporter = (
            JsonLinesExporter(target.folder / "peer.log")
            if isinstance(target, FileTarget)
            else OTLPLogExporter(endpoint=f"{target.url}/v1/logs")
        )
        self._processor = BatchLogRecordProcessor(exporter, max_queue_size=QUEUE_ENTRIES)
        self._provider = LoggerProvider(resource=Resource({"service.name": "bench"}), shutdown_on_exit=False)
        self._provider.add_log_record_processor(self._processor)
        log = logging.getLogger(LOGGER_NAME)
        log.setLevel(logging.INFO)
        log.propagate = False
        self._handler = _handler(self._provider)
        log.addHandler(self._handler)
        return Surface(cast("Log", log), Style.EXTRA_FLAT)

    async def ready(self, offered: int) -> None:
        """Flush whenever half of the queue was offered: the SDK has no other way to hold a producer back."""
        self._since_flush += offered
        if self._since_flush >= QUEUE_ENTRIES // 2:
            await self.drain()

    async def drain(self) -> None:
        """Flush, in a thread, because the SDK's flush blocks."""
        self._since_flush = 0
        if self._processor is not None:
            await asyncio.to_thread(self._processor.force_flush)

    def claims(self) -> Claims:
        """Nothing: the SDK's own metrics are off by default."""
        return {}

    async def close(self) -> None:
        """Shut the provider down, which flushes and joins its thread; a handler left behind would flush at exit."""
        if self._handler is not None:
            logging.getLogger(LOGGER_NAME).removeHandler(self._handler)
            self._handler = None
        if self._provider is not None:
            await asyncio.to_thread(cast("Any", self._provider).shutdown)


def _handler(provider: LoggerProvider) -> logging.Handler:
    with warnings.catch_warnings():
        # Moved to the instrumentation package, line for line; the SDK's copy warns once when it is built.
        warnings.simplefilter("ignore", DeprecationWarning)
        handler = LoggingHandler(logger_provider=provider)
    handler.addFilter(_add_context)
    return handler
