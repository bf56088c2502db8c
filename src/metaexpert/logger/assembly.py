"""From options to sinks and deliveries: the one place that knows every sink there is."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from metaexpert.logger.batch import BatchLimits
from metaexpert.logger.config import AnySink, LoggerConfig
from metaexpert.logger.delivery import Delivery
from metaexpert.logger.entry import Capture
from metaexpert.logger.files.writer import AppendFile, SizeRotation
from metaexpert.logger.filters import Admission
from metaexpert.logger.formats.ecs import EcsDocuments
from metaexpert.logger.formats.json_lines import JsonLines, SharedLines
from metaexpert.logger.formats.text import TextLines
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Jobs, Worker
from metaexpert.logger.lanes import Lanes
from metaexpert.logger.ledger import Ledger
from metaexpert.logger.notices import Notices
from metaexpert.logger.options.custom import CustomOptions
from metaexpert.logger.options.filters import FilterOptions
from metaexpert.logger.options.http import ElasticsearchOptions, HttpOptions, LokiOptions, NdjsonOptions
from metaexpert.logger.options.sink import ConsoleOptions, FileOptions, MemoryOptions, SinkOptions
from metaexpert.logger.retry import Backoff
from metaexpert.logger.sinks.base import Sink, SinkParts
from metaexpert.logger.sinks.console import ConsoleSink
from metaexpert.logger.sinks.elasticsearch import ElasticsearchSink
from metaexpert.logger.sinks.file import FileSink
from metaexpert.logger.sinks.http import HttpClient
from metaexpert.logger.sinks.loki import LokiSink
from metaexpert.logger.sinks.memory import MemorySink
from metaexpert.logger.sinks.ndjson import NdjsonSink

_LOCAL_BACKOFF = Backoff(first_seconds=0.05, max_seconds=2.0)
"""Files and streams are asked again soon: a full disk or a stalled terminal harms nobody by being asked."""


@final
@dataclass(frozen=True, slots=True)
class SinkAssembly:
    """What the sinks of one runtime share."""

    log_dir: Path
    identity: Identity
    jobs: Jobs
    json_lines: Callable[[Capture], bytes]

    def sink(self, options: AnySink) -> Sink:
        """The sink these options describe; it does no I/O yet."""
        match options:
            case ConsoleOptions():
                return ConsoleSink(options.stream, self._worker(options), use_colors=options.use_colors)
            case FileOptions():
                return self._file_sink(options)
            case HttpOptions():
                return self._collector_sink(options)
            case MemoryOptions():
                return MemorySink(self.json_lines, options.max_entries)
            case CustomOptions():
                return options.new_sink(
                    SinkParts(name=options.name, identity=self.identity, json_line=self.json_lines, jobs=self.jobs)
                )

    def _collector_sink(self, options: LokiOptions | ElasticsearchOptions | NdjsonOptions) -> Sink:
        client = HttpClient(options, self._worker(options))
        match options:
            case LokiOptions():
                return LokiSink(options, client, self.json_lines, self.identity)
            case ElasticsearchOptions():
                documents = EcsDocuments(self.identity, options.environment)
                return ElasticsearchSink(options, client, documents, self.identity)
            case NdjsonOptions():
                ecs = options.format == "ecs"
                lines = EcsDocuments(self.identity, options.environment) if ecs else self.json_lines
                return NdjsonSink(options, client, lines, self.identity)

    def _file_sink(self, options: FileOptions) -> FileSink:
        worker = self._worker(options)
        rotation = SizeRotation(max_bytes=options.max_bytes, backup_count=options.backup_count)
        lines = self.json_lines if options.json_logging else TextLines(use_colors=False)
        return FileSink(AppendFile(self.log_dir / options.path, rotation, worker), lines, worker)

    def _worker(self, options: SinkOptions) -> Worker:
        return Worker(self.jobs, options.name)


def json_lines_for(options: Sequence[AnySink], identity: Identity) -> Callable[[Capture], bytes]:
    """The encoder of JSON lines, shared where more than one sink writes most entries."""
    lines = JsonLines(identity)
    writers = [each for each in options if not isinstance(each, ConsoleOptions | ElasticsearchOptions)]
    common = [each for each in writers if each.log_types is None and each.level not in {"ERROR", "CRITICAL"}]
    return SharedLines(lines) if len(common) > 1 else lines


def new_delivery(
    options: AnySink, sink: Sink, config: LoggerConfig, notices: Notices, wake: Callable[[], None]
) -> Delivery:
    """The delivery that drives `sink` as its options say."""
    ledger = Ledger()
    queue = options.queue or config.queue
    lanes = Lanes(
        ledger,
        max_entries=queue.max_entries,
        max_bytes=queue.max_bytes,
        overflow=queue.overflow,
        high_watermark=queue.high_watermark,
        low_watermark=queue.low_watermark,
    )
    limits = BatchLimits(
        max_entries=options.batch_max_entries,
        max_bytes=options.batch_max_bytes,
        max_age_seconds=options.batch_max_age,
    )
    remote = isinstance(options, HttpOptions | CustomOptions)
    backoff = Backoff(options.backoff_first, options.backoff_max) if remote else _LOCAL_BACKOFF
    return Delivery(options.name, sink, lanes, ledger, limits, backoff=backoff, notices=notices, wake=wake)


def accepts(options: SinkOptions) -> Admission:
    """Which entries a sink takes by their level, log type and logger."""
    numbers = logging.getLevelNamesMapping()
    chosen = options.filter or FilterOptions()
    return Admission(
        numbers[options.level],
        options.log_types,
        include=chosen.include_loggers,
        exclude=chosen.exclude_loggers,
        levels={name: numbers[level] for name, level in chosen.levels.items()},
    )
