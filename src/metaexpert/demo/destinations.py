"""Where the demo logs to: a console, three files, Loki and Elasticsearch."""

from pathlib import Path
from typing import TypedDict

from metaexpert.demo.burst import LOGGER as BURST_LOGGER
from metaexpert.demo.desk.reconcile import LOGGER as RECONCILE_LOGGER
from metaexpert.logger import (
    AlertsOptions,
    ClockOptions,
    ConsoleOptions,
    ConsoleTargetOptions,
    ElasticsearchOptions,
    ErrorOptions,
    FilterOptions,
    HeldBackOptions,
    LoggerConfig,
    LokiOptions,
    PerformanceOptions,
    QueueOptions,
    SinkDownRuleOptions,
)

COLLECTORS = ("loki", "elasticsearch")
DOWN_RULE = "collector down"
ALERT_TARGET = "console"

_FILE_QUEUE = QueueOptions(max_entries=100_000, max_bytes=256 * 1024 * 1024)
_MAX_FILE_BYTES = 8 * 1024 * 1024
_MAX_FILES = 1000
_COLLECTOR_BURSTS = 2
_MIN_COLLECTOR_ENTRIES = 20_000
_SPILLING_SHARE = 0.1
_ENTRY_BYTES = 2048
"""More than any entry of the demo's takes."""
_INDEX = "logs-metaexpert-demo"

_BATCH_AGE_SHARE = 1 / 64
_TIMEOUT_SHARE = 1 / 8
_FIRST_BACKOFF_SHARE = 1 / 32
_MAX_BACKOFF_SHARE = 1 / 16
_DOWN_SHARE = 1 / 16
"""How long a collector has to be down before there is an alert."""
_CHECK_SHARE = 1 / 64
_LEAST_CHECK_SECONDS = 0.05
_PERFORMANCE_SHARE = 1 / 4
_LEAST_PERFORMANCE_SECONDS = 1.0
_STOP_SECONDS = 60.0
"""Generous for a busy machine; it ends as soon as all has arrived."""
_QUIET_LOGGERS = (BURST_LOGGER, RECONCILE_LOGGER, "metaexpert.alerts")
"""What says the same many times, or is said there anyway; files and collectors have it all."""


class _CollectorOptions(TypedDict):
    url: str
    queue: QueueOptions
    batch_max_age: float
    timeout: float
    backoff_first: float
    backoff_max: float


def logger_config(folder: Path, collector_url: str, *, seconds: float, burst_entries: int) -> LoggerConfig:
    """The demo's configuration.

    Args:
        folder: Takes the files; they rotate and none is ever removed, since all are read back.
        collector_url: Of Loki and Elasticsearch.
        seconds: The run's length, which timeouts and waits are shares of.
        burst_entries: From a fifth of them on what a collector does not take goes to its disk queue; in memory there
            is room for all, so that nothing has to give way where the disk is slower than the burst.
    """
    collector = _CollectorOptions(
        url=collector_url,
        queue=_collector_queue(burst_entries),
        batch_max_age=seconds * _BATCH_AGE_SHARE,
        timeout=seconds * _TIMEOUT_SHARE,
        backoff_first=seconds * _FIRST_BACKOFF_SHARE,
        backoff_max=seconds * _MAX_BACKOFF_SHARE,
    )
    return LoggerConfig(
        log_name="demo",
        log_level="DEBUG",
        log_dir=folder,
        json_logging=True,
        log_to_console=False,
        max_bytes=_MAX_FILE_BYTES,
        backup_count=_MAX_FILES,
        queue=_FILE_QUEUE,
        errors=ErrorOptions(locals=True, group_tracebacks=1),
        buffer_until_error=HeldBackOptions(key="order_id"),
        performance=PerformanceOptions(interval=max(seconds * _PERFORMANCE_SHARE, _LEAST_PERFORMANCE_SECONDS)),
        clock=ClockOptions(first_after=0.0),
        alerts=_alerts(seconds),
        shutdown_timeout=_STOP_SECONDS,
        sinks=(
            ConsoleOptions(name="console", level="WARNING", filter=FilterOptions(exclude_loggers=_QUIET_LOGGERS)),
            LokiOptions(name="loki", labels={"env": "demo"}, **collector),
            ElasticsearchOptions(name="elasticsearch", index=_INDEX, **collector),
        ),
    )


def _alerts(seconds: float) -> AlertsOptions:
    down = SinkDownRuleOptions(name=DOWN_RULE, sinks=COLLECTORS, for_at_least=seconds * _DOWN_SHARE)
    return AlertsOptions(
        rules=(down,),
        targets=(ConsoleTargetOptions(name=ALERT_TARGET, bell=False, group_for=0.0),),
        check_every=max(seconds * _CHECK_SHARE, _LEAST_CHECK_SECONDS),
    )


def _collector_queue(burst_entries: int) -> QueueOptions:
    room = max(_MIN_COLLECTOR_ENTRIES, _COLLECTOR_BURSTS * burst_entries)
    return QueueOptions(
        max_entries=room,
        max_bytes=room * _ENTRY_BYTES,
        high_watermark=_SPILLING_SHARE,
        low_watermark=_SPILLING_SHARE / 2,
    )
