"""From options to sinks and deliveries: the one place that knows every sink there is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, final

from metaexpert.logger.batch import BatchLimits
from metaexpert.logger.config import AnySink, LoggerConfig
from metaexpert.logger.dead_letters.dead_letters import DeadLetters
from metaexpert.logger.delivery import Delivery
from metaexpert.logger.encoders import Encoders
from metaexpert.logger.entry import Capture
from metaexpert.logger.files.evidence.chain import Anchor, Chain
from metaexpert.logger.files.evidence.chain_keys import read_chain_secret
from metaexpert.logger.files.names import LogFile
from metaexpert.logger.files.retiring import nobody
from metaexpert.logger.files.rotation import Rotation
from metaexpert.logger.files.writer import AppendFile
from metaexpert.logger.filter_assembly import admission_for, selection_for, sieve_for, taking_for
from metaexpert.logger.filters import Admission, Takes
from metaexpert.logger.formats.json_lines import JsonLines, SharedLines
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Jobs, Worker
from metaexpert.logger.journal.journal import Journal
from metaexpert.logger.lanes import Lanes, Overflow
from metaexpert.logger.ledger import Ledger
from metaexpert.logger.notices import Notices
from metaexpert.logger.options.custom import CustomOptions
from metaexpert.logger.options.evidence import EvidenceOptions
from metaexpert.logger.options.http import ElasticsearchOptions, HttpOptions, NdjsonOptions
from metaexpert.logger.options.otlp import OtlpOptions
from metaexpert.logger.options.queue import QueueOptions
from metaexpert.logger.options.remote import RemoteOptions
from metaexpert.logger.options.sink import ConsoleOptions, FileOptions, MemoryOptions, SinkOptions
from metaexpert.logger.options.splunk import SplunkOptions
from metaexpert.logger.options.syslog import SyslogOptions
from metaexpert.logger.retry import Backoff
from metaexpert.logger.sinks.base import Sink, SinkParts
from metaexpert.logger.sinks.console import ConsoleSink
from metaexpert.logger.sinks.file import FileSink, Syncing
from metaexpert.logger.sinks.memory import MemorySink
from metaexpert.logger.spool.assembly import spool_folder, spool_options, spools
from metaexpert.logger.spool.queue import SegmentSpool
from metaexpert.logger.spool.spilling import Spilling
from metaexpert.logger.spool.spool import SpoolLimits

_SPILLING_BATCHES: Final = 5

_INGRESS_SHARE: Final = 2
"""Ingress holds this many times what a sink may hold, so that a burst waits there while the loop is busy elsewhere."""

_LOCAL_BACKOFF = Backoff(first_seconds=0.05, max_seconds=2.0)
"""Files and streams are asked again soon: a full disk or a stalled terminal harms nobody by being asked."""


def unheard(_anchor: Anchor) -> None:
    """No other sink is to hold it."""


@final
@dataclass(frozen=True, slots=True)
class SinkAssembly:
    """What the sinks of one runtime share."""

    log_dir: Path
    identity: Identity
    jobs: Jobs
    json_lines: Callable[[Capture], bytes]
    rotated: Callable[[LogFile], None] = nobody
    anchored: Callable[[Anchor], None] = unheard

    def sink(self, options: AnySink) -> Sink:
        """The sink these options describe; it does no I/O yet."""
        match options:
            case ConsoleOptions():
                lines = None if options.format == "text" else self._encoders.lines(options, options.format)
                colors = options.use_colors
                return ConsoleSink(options.stream, self._worker(options), use_colors=colors, encode_line=lines)
            case FileOptions():
                return self._file_sink(options)
            case HttpOptions():
                from metaexpert.logger.collectors import collector_sink  # noqa: PLC0415 - aiohttp, only where it is used

                return collector_sink(options, self._worker(options), self._encoders)
            case SyslogOptions():
                from metaexpert.logger.sinks.syslog import SyslogSink  # noqa: PLC0415 - ssl, only where it is used

                return SyslogSink(options, self._encoders.messages(options), self._worker(options))
            case MemoryOptions():
                return MemorySink(self._encoders.json_lines(options), options.max_entries)
            case CustomOptions():
                json_line = self._encoders.json_lines(options)
                return options.new_sink(
                    SinkParts(name=options.name, identity=self.identity, json_line=json_line, jobs=self.jobs)
                )

    def _file_sink(self, options: FileOptions) -> FileSink:
        worker = self._worker(options)
        size = options.max_bytes if options.backup_count else 0
        rotation = Rotation(max_bytes=size, schedule=options.rotation.schedule())
        lines = self._encoders.lines(options, options.line_format)
        chain = self._chain(options.tamper_evidence)
        path = self.log_dir / options.path
        file = AppendFile(path, rotation, worker, self.identity, rotated=self.rotated, chain=chain)
        syncing = Syncing(options.fsync, options.fsync_interval)
        fault = str if chain is None else chain.take_fault
        return FileSink(file, lines, worker, fault, syncing)

    def _chain(self, options: EvidenceOptions | None) -> Chain | None:
        """The tamper evidence of a log, where it is to have some; it does no I/O yet."""
        if options is None:
            return None
        secret = None if options.key_file is None else partial(read_chain_secret, options.key_file)
        return Chain(secret, self.anchored if options.anchor else None)

    def spilling(self, options: AnySink, config: LoggerConfig, notices: Notices) -> Spilling | None:
        """The sink's disk queue, where it has one; it does no I/O yet."""
        queue = options.queue or config.queue
        if not spools(options, queue):
            return None
        wanted = spool_options(options)
        spills = queue.overflow is Overflow.SPILL
        limits = SpoolLimits(
            max_bytes=queue.spill_max_bytes if spills else wanted.max_bytes,
            min_free_bytes=wanted.min_free_bytes,
            segment_bytes=wanted.segment_bytes,
            fsync=wanted.fsync,
        )
        folder = self.log_dir / spool_folder(options)
        spool = SegmentSpool(folder, self.identity.boot_id, self.identity.pid, limits)
        return Spilling(
            options.name,
            spool,
            Worker(self.jobs, f"{options.name}-spool"),
            notices,
            kind=options.type,
            high_watermark=queue.high_watermark,
            sync_seconds=wanted.fsync_interval if wanted.fsync == "interval" else None,
        )

    def dead_letters(self, options: AnySink, notices: Notices) -> DeadLetters | None:
        """What keeps the entries the sink's destination refuses for good; it does no I/O yet."""
        if not isinstance(options, RemoteOptions | CustomOptions) or not options.dead_letters.enabled:
            return None
        worker = Worker(self.jobs, f"{options.name}-dead-letters")
        return DeadLetters(
            options.name,
            options.type,
            self.log_dir,
            options.dead_letters,
            identity=self.identity,
            worker=worker,
            notices=notices,
        )

    @property
    def _encoders(self) -> Encoders:
        return Encoders(self.identity, self.json_lines)

    def _worker(self, options: SinkOptions) -> Worker:
        return Worker(self.jobs, options.name)


def journal_for(config: LoggerConfig, identity: Identity) -> Journal | None:
    """The journal, where the configuration wants one; it does no I/O yet."""
    return Journal(config.journal_folder, identity, config.journal) if wants_journal(config) else None


def wants_journal(config: LoggerConfig) -> bool:
    """Whether the configuration wants one."""
    lasting = any(isinstance(options, FileOptions | RemoteOptions) for options in config.all_sinks())
    return lasting if config.journal.enabled is None else config.journal.enabled


def encoder(options: AnySink, sink: Sink) -> Callable[[Capture], bytes]:
    """How a sink encodes entries as its options have them."""
    selection = selection_for(options)
    reshape = selection and selection.reshape
    return sink.encode if reshape is None else lambda entry: sink.encode(reshape(entry))


def json_lines_for(options: Sequence[AnySink], identity: Identity) -> Callable[[Capture], bytes]:
    """The encoder of JSON lines, shared where more than one sink writes most entries."""
    lines = JsonLines(identity)
    writers = [each for each in options if not isinstance(each, ConsoleOptions | ElasticsearchOptions | OtlpOptions)]
    common = [
        each
        for each in writers
        if each.log_types is None and each.level not in {"ERROR", "CRITICAL"} and selection_for(each) is None
    ]
    return SharedLines(lines) if len(common) > 1 else lines


def new_delivery(
    options: AnySink,
    sink: Sink,
    config: LoggerConfig,
    notices: Notices,
    wake: Callable[[], None],
    *,
    spilling: Spilling | None = None,
    dead_letters: DeadLetters | None = None,
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
        grow_max_bytes=queue.grow_max_bytes,
    )
    limits = _limits(options, queue)
    remote = isinstance(options, RemoteOptions | CustomOptions)
    backoff = Backoff(options.backoff_first, options.backoff_max) if remote else _LOCAL_BACKOFF
    selection = selection_for(options)
    return Delivery(
        options.name,
        sink,
        lanes,
        ledger,
        limits,
        backoff=backoff,
        notices=notices,
        wake=wake,
        sieve=sieve_for(options, ledger),
        reshape=selection and selection.reshape,
        spilling=spilling,
        # what names a whole request to whoever stored that already (a key, an id) does not name a part of it
        probes=isinstance(options, RemoteOptions) and not isinstance(options, NdjsonOptions | SplunkOptions),
        dead_letters=dead_letters,
    )


def _limits(options: AnySink, queue: QueueOptions) -> BatchLimits:
    """A sink's batches; with a disk queue, so small a part of its room that those under way are no pressure.

    The worker holds three and a fourth is being filled while the disk takes the rest: together below the low watermark,
    or `wait_ready` would wait for a sink that is down. Encoded, an entry may take half of what it is charged with.
    """
    limits = BatchLimits(
        max_entries=options.batch_max_entries,
        max_bytes=options.batch_max_bytes,
        max_age_seconds=options.batch_max_age,
    )
    if not spools(options, queue):
        return limits
    share = queue.low_watermark / _SPILLING_BATCHES
    return replace(
        limits,
        max_entries=min(limits.max_entries, max(1, int(queue.max_entries * share))),
        max_bytes=min(limits.max_bytes, int(queue.max_bytes * share / 2)),
    )


def taking(options: SinkOptions) -> Takes:
    """Which entries a sink takes, of those that come to it past the dispatcher."""
    return taking_for(options)


def accepts(options: SinkOptions) -> Admission:
    """Which entries a sink takes by their level, log type and logger."""
    return admission_for(options)


def ingress_bounds(config: LoggerConfig) -> tuple[int, int, float]:
    """Entries, bytes and blocking time of an ingress for a configuration's sinks."""
    queues = [options.queue or config.queue for options in config.all_sinks()] or [config.queue]
    return (
        max(max(_INGRESS_SHARE * queue.max_entries, queue.most_entries) for queue in queues),
        max(max(_INGRESS_SHARE * queue.max_bytes, queue.most_bytes) for queue in queues),
        max((queue.block_timeout for queue in queues if queue.overflow is Overflow.BLOCK), default=0.0),
    )
