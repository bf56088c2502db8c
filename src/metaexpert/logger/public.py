"""The public names of `metaexpert.logger`, gathered; the package itself hands them out when they are asked for."""

from metaexpert.logger.alerts.figures import AlertStats, RuleStats, TargetStats
from metaexpert.logger.async_handler import AsyncHandler
from metaexpert.logger.batch import Batch
from metaexpert.logger.breaker import BreakerState
from metaexpert.logger.config import LoggerConfig
from metaexpert.logger.endpoints import EndpointStats
from metaexpert.logger.entry import Capture, LogEntry
from metaexpert.logger.formatter import ErrorFormatter, MainFormatter, TradeFormatter
from metaexpert.logger.held_back.rings import HeldBackStats
from metaexpert.logger.lanes import Overflow
from metaexpert.logger.ledger import LedgerSnapshot
from metaexpert.logger.legacy_context import (
    LogContext,
    TradeContext,
    bind_contextvars,
    clear_contextvars,
    unbind_contextvars,
)
from metaexpert.logger.logger import BoundLogger, Logger, get_logger, log_context
from metaexpert.logger.meta_logger import MetaLogger
from metaexpert.logger.options.alert_rules import (
    AuditFailureRuleOptions,
    DropsRuleOptions,
    EntryRuleOptions,
    ErrorRateRuleOptions,
    RateRuleOptions,
    SilenceRuleOptions,
    SinkDownRuleOptions,
    ThresholdRuleOptions,
)
from metaexpert.logger.options.alert_targets import (
    AppriseTargetOptions,
    ConsoleTargetOptions,
    EmailTargetOptions,
    WebhookTargetOptions,
)
from metaexpert.logger.options.alerts import AlertsOptions
from metaexpert.logger.options.capture import CaptureOptions
from metaexpert.logger.options.clock import ClockOptions
from metaexpert.logger.options.custom import CustomOptions
from metaexpert.logger.options.dead_letters import DeadLetterOptions
from metaexpert.logger.options.errors import ErrorOptions
from metaexpert.logger.options.evidence import EvidenceOptions
from metaexpert.logger.options.filters import (
    FieldConditionOptions,
    FilterOptions,
    KeysOptions,
    RateLimitOptions,
    RepeatsOptions,
    SamplingOptions,
)
from metaexpert.logger.options.held_back import HeldBackOptions
from metaexpert.logger.options.http import ElasticsearchOptions, HttpOptions, LokiOptions, NdjsonOptions
from metaexpert.logger.options.journal import JournalOptions
from metaexpert.logger.options.keeping import ArchiveOptions, RetentionOptions
from metaexpert.logger.options.otlp import OtlpOptions
from metaexpert.logger.options.performance import PerformanceOptions, ThresholdOptions
from metaexpert.logger.options.queue import DispatcherOptions, QueueOptions
from metaexpert.logger.options.redaction import RedactionOptions
from metaexpert.logger.options.rotation import RotationOptions
from metaexpert.logger.options.sink import ConsoleOptions, FileOptions, MemoryOptions
from metaexpert.logger.options.splunk import SplunkOptions
from metaexpert.logger.options.spool import SpoolOptions
from metaexpert.logger.options.syslog import SyslogOptions
from metaexpert.logger.options.tracing import TracingOptions
from metaexpert.logger.outcome import Delivered, Outcome, Partial, Rejected, Rejection, Retry
from metaexpert.logger.receipts import Receipt
from metaexpert.logger.retry import SinkState
from metaexpert.logger.runtime import LoggingRuntime, setup_logging
from metaexpert.logger.sinks.base import Sink, SinkParts
from metaexpert.logger.sinks.memory import MemorySink
from metaexpert.logger.stats import (
    DispatcherStats,
    HousekeepingStats,
    IngressStats,
    JournalStats,
    RuntimeStats,
    SinkStats,
)
from metaexpert.logger.tracing.current import current_trace, trace
from metaexpert.logger.tracing.middleware import trace_middleware
from metaexpert.logger.tracing.requests import request_tracing
from metaexpert.logger.tracing.traceparent import TraceContext
from metaexpert.logger.typed_logger import get_trade_logger
from metaexpert.logger.values import lazy

__all__ = [
    "AlertStats",
    "AlertsOptions",
    "AppriseTargetOptions",
    "ArchiveOptions",
    "AsyncHandler",
    "AuditFailureRuleOptions",
    "Batch",
    "BoundLogger",
    "BreakerState",
    "Capture",
    "CaptureOptions",
    "ClockOptions",
    "ConsoleOptions",
    "ConsoleTargetOptions",
    "CustomOptions",
    "DeadLetterOptions",
    "Delivered",
    "DispatcherOptions",
    "DispatcherStats",
    "DropsRuleOptions",
    "ElasticsearchOptions",
    "EmailTargetOptions",
    "EndpointStats",
    "EntryRuleOptions",
    "ErrorFormatter",
    "ErrorOptions",
    "ErrorRateRuleOptions",
    "EvidenceOptions",
    "FieldConditionOptions",
    "FileOptions",
    "FilterOptions",
    "HeldBackOptions",
    "HeldBackStats",
    "HousekeepingStats",
    "HttpOptions",
    "IngressStats",
    "JournalOptions",
    "JournalStats",
    "KeysOptions",
    "LedgerSnapshot",
    "LogContext",
    "LogEntry",
    "Logger",
    "LoggerConfig",
    "LoggingRuntime",
    "LokiOptions",
    "MainFormatter",
    "MemoryOptions",
    "MemorySink",
    "MetaLogger",
    "NdjsonOptions",
    "OtlpOptions",
    "Outcome",
    "Overflow",
    "Partial",
    "PerformanceOptions",
    "QueueOptions",
    "RateLimitOptions",
    "RateRuleOptions",
    "Receipt",
    "RedactionOptions",
    "Rejected",
    "Rejection",
    "RepeatsOptions",
    "RetentionOptions",
    "Retry",
    "RotationOptions",
    "RuleStats",
    "RuntimeStats",
    "SamplingOptions",
    "SilenceRuleOptions",
    "Sink",
    "SinkDownRuleOptions",
    "SinkParts",
    "SinkState",
    "SinkStats",
    "SplunkOptions",
    "SpoolOptions",
    "SyslogOptions",
    "TargetStats",
    "ThresholdOptions",
    "ThresholdRuleOptions",
    "TraceContext",
    "TracingOptions",
    "TradeContext",
    "TradeFormatter",
    "WebhookTargetOptions",
    "bind_contextvars",
    "clear_contextvars",
    "current_trace",
    "get_logger",
    "get_trade_logger",
    "lazy",
    "log_context",
    "request_tracing",
    "setup_logging",
    "trace",
    "trace_middleware",
    "unbind_contextvars",
]
