"""Asyncio-native structured logging that never awaits, never blocks the event loop, and always says what it dropped."""

from metaexpert.logger.config import LoggerConfig
from metaexpert.logger.lanes import Overflow
from metaexpert.logger.ledger import LedgerSnapshot
from metaexpert.logger.logger import BoundLogger, Logger, get_logger, log_context
from metaexpert.logger.options.http import ElasticsearchOptions, HttpOptions, LokiOptions
from metaexpert.logger.options.queue import DispatcherOptions, QueueOptions
from metaexpert.logger.options.redaction import RedactionOptions
from metaexpert.logger.options.sink import ConsoleOptions, FileOptions, MemoryOptions
from metaexpert.logger.retry import SinkState
from metaexpert.logger.runtime import LoggingRuntime, setup_logging
from metaexpert.logger.sinks.memory import MemorySink
from metaexpert.logger.stats import DispatcherStats, IngressStats, RuntimeStats, SinkStats
from metaexpert.logger.values import lazy

__all__ = [
    "BoundLogger",
    "ConsoleOptions",
    "DispatcherOptions",
    "DispatcherStats",
    "ElasticsearchOptions",
    "FileOptions",
    "HttpOptions",
    "IngressStats",
    "LedgerSnapshot",
    "Logger",
    "LoggerConfig",
    "LoggingRuntime",
    "LokiOptions",
    "MemoryOptions",
    "MemorySink",
    "Overflow",
    "QueueOptions",
    "RedactionOptions",
    "RuntimeStats",
    "SinkState",
    "SinkStats",
    "get_logger",
    "lazy",
    "log_context",
    "setup_logging",
]
