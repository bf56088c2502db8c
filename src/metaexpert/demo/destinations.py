"""Where the demo logs to: a console, three files, Loki and Elasticsearch."""

from pathlib import Path
from typing import TypedDict

from metaexpert.logger import ConsoleOptions, ElasticsearchOptions, LoggerConfig, LokiOptions, QueueOptions

_FILE_QUEUE = QueueOptions(max_entries=100_000, max_bytes=256 * 1024 * 1024)
_MAX_FILE_BYTES = 8 * 1024 * 1024
_MAX_FILES = 1000
_COLLECTOR_SHARE_OF_BURST = 0.2
_MIN_COLLECTOR_ENTRIES = 1000
_INDEX = "logs-metaexpert-demo"

_BATCH_AGE_SHARE = 1 / 64
_TIMEOUT_SHARE = 1 / 8
_FIRST_BACKOFF_SHARE = 1 / 32
_MAX_BACKOFF_SHARE = 1 / 16


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
        burst_entries: The collectors' queues hold a fifth of them, so that a burst while they are down runs over.
    """
    collector = _CollectorOptions(
        url=collector_url,
        queue=QueueOptions(max_entries=max(_MIN_COLLECTOR_ENTRIES, int(burst_entries * _COLLECTOR_SHARE_OF_BURST))),
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
        sinks=(
            ConsoleOptions(name="console", level="WARNING"),
            LokiOptions(name="loki", labels={"env": "demo"}, **collector),
            ElasticsearchOptions(name="elasticsearch", index=_INDEX, **collector),
        ),
    )
