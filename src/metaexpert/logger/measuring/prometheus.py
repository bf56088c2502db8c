"""What is known of logging and of the program, as Prometheus metrics; needs the extra `metrics` (prometheus-client).

`LoggingCollector(runtime.stats)` in a registry of yours gives the same metrics as the endpoint of
`performance.metrics_port`. Names and units are by https://prometheus.io/docs/practices/naming/: base units, `_total` on
counters. Names of meters are labels, redacted as every text of a user's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, final, override

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from metaexpert.logger.measuring import meters
from metaexpert.logger.measuring.durations import Durations
from metaexpert.logger.measuring.sampler import PerformanceFigures
from metaexpert.logger.port import port
from metaexpert.logger.retry import SinkState
from metaexpert.logger.stats import HousekeepingStats, JournalStats, RuntimeStats, SinkStats

BOUNDS_SECONDS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip
"""Upper bounds of the buckets of every histogram, seconds; the last one has no bound."""

_PREFIX: Final = "metaexpert_"


def _clean(text: str) -> str:
    return port.encoder.scrub(text)


@final
class LoggingCollector(Collector):
    """Everything `stats()` tells, and the process's meters.

    Args:
        stats: takes a snapshot, such as `runtime.stats`.
        clean: hides secrets in names; by the rules in force when left out.
    """

    def __init__(self, stats: Callable[[], RuntimeStats], clean: Callable[[str], str] = _clean) -> None:
        self._stats = stats
        self._clean = clean

    @override
    def collect(self) -> Iterable[Metric]:
        """The metrics now."""
        stats = self._stats()
        yield from _pipeline(stats)
        yield from _sinks(tuple(stats.sinks.values()))
        if stats.journal is not None:
            yield from _journal(stats.journal)
        if stats.housekeeping is not None:
            yield from _housekeeping(stats.housekeeping)
        performance = stats.companions.get("performance")
        if isinstance(performance, PerformanceFigures):
            yield _histogram("gc_pause_seconds", "Pauses of the garbage collector.", (), [((), performance.gc)])
            yield _histogram("event_loop_lag_seconds", "How late the event loop came.", (), [((), performance.lag)])
        yield from self._meters()

    def _meters(self) -> Iterator[Metric]:
        timers = [((self._clean(name),), Durations(each.histogram)) for name, each in meters.timers().items()]
        yield _histogram("timer_seconds", "Durations, by the name they were measured under.", ("name",), timers)
        gauges = [
            ((self._clean(name),), float(each.value))
            for name, each in meters.gauges().items()
            if each.value is not None
        ]
        yield _gauge("meter", "Gauges, by name.", ("name",), gauges)
        counters = [((self._clean(name),), float(each.value)) for name, each in meters.counters().items()]
        yield _counter("events", "Counters, by name.", ("name",), counters)


type _Samples = Sequence[tuple[tuple[str, ...], float]]


def _gauge(name: str, text: str, labels: tuple[str, ...], samples: _Samples) -> Metric:
    family = GaugeMetricFamily(_PREFIX + name, text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _counter(name: str, text: str, labels: tuple[str, ...], samples: _Samples) -> Metric:
    family = CounterMetricFamily(_PREFIX + name, text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _histogram(
    name: str, text: str, labels: tuple[str, ...], samples: Iterable[tuple[tuple[str, ...], Durations]]
) -> Metric:
    family = HistogramMetricFamily(_PREFIX + name, text, labels=labels)
    for values, durations in samples:
        *counts, total = durations.counts_up_to(BOUNDS_SECONDS)
        buckets = [(str(bound), float(count)) for bound, count in zip(BOUNDS_SECONDS, counts, strict=True)]
        family.add_metric(values, [*buckets, ("+Inf", float(total))], durations.total_seconds)
    return family


def _pipeline(stats: RuntimeStats) -> Iterator[Metric]:
    ingress, dispatcher = stats.ingress, stats.dispatcher
    dropped = [(key, float(count)) for key, count in ingress.dropped.items()]
    yield _counter("accepted_entries", "Entries taken in by log calls.", (), [((), ingress.accepted)])
    yield _counter("refused_entries", "Entries refused on the way in.", ("level", "reason"), dropped)
    yield _counter("self_logged_calls", "Log calls from inside the pipeline.", (), [((), ingress.self_logged)])
    yield _gauge("ingress_entries", "Entries waiting for the dispatcher.", (), [((), ingress.queued_entries)])
    yield _gauge("ingress_bytes", "Memory they take.", (), [((), ingress.queued_bytes)])
    yield _counter("dispatcher_busy_seconds", "Time the dispatcher worked.", (), [((), dispatcher.busy_seconds)])
    yield _counter("dispatcher_slices", "Stretches it worked without a pause.", (), [((), dispatcher.slices)])
    yield _counter("dispatcher_faults", "Faults of its own that it survived.", (), [((), dispatcher.faults)])
    yield _gauge(
        "dispatcher_longest_slice_seconds", "The longest of these stretches.", (), [((), dispatcher.slice_max_seconds)]
    )
    yield _gauge(
        "dispatcher_longest_wait_seconds",
        "The longest an entry waited for it.",
        (),
        [((), dispatcher.wait_max_seconds)],
    )


def _sinks(sinks: tuple[SinkStats, ...]) -> Iterator[Metric]:
    def each(value: Callable[[SinkStats], float]) -> _Samples:
        return [((sink.name,), float(value(sink))) for sink in sinks]

    settled = [((sink.name, outcome), float(count)) for sink in sinks for outcome, count in _outcomes(sink).items()]
    dropped = [((sink.name, *key), float(count)) for sink in sinks for key, count in sink.ledger.dropped.items()]
    states = [((sink.name, state.value), float(sink.state is state)) for sink in sinks for state in SinkState]
    writes = [((sink.name,), sink.writes) for sink in sinks]
    yield _counter("sink_routed_entries", "Entries handed to the sink.", ("sink",), each(lambda s: s.ledger.routed))
    yield _counter("sink_settled_entries", "Entries by what became of them.", ("sink", "outcome"), settled)
    yield _counter("sink_dropped_entries", "Entries given up.", ("sink", "level", "reason"), dropped)
    yield _counter("sink_gaps", "Gap entries in its stream.", ("sink",), each(lambda s: s.ledger.gaps))
    yield _gauge("sink_in_flight_entries", "Entries not settled.", ("sink",), each(lambda s: s.queued_entries))
    yield _gauge("sink_queued_bytes", "Memory they take.", ("sink",), each(lambda s: s.queued_bytes))
    yield _gauge("sink_spooled_entries", "Entries in its disk queue.", ("sink",), each(lambda s: s.spooled_entries))
    yield _gauge("sink_spooled_bytes", "What they take on disk.", ("sink",), each(lambda s: s.spooled_bytes))
    yield _counter("sink_spool_failures", "What the disk refused.", ("sink",), each(lambda s: s.spool_failures))
    yield _counter("sink_dead_letters", "Rejected entries kept on disk.", ("sink",), each(lambda s: s.dead_letters))
    yield _counter("sink_batches", "Batches written or tried.", ("sink",), each(lambda s: s.batches))
    yield _counter("sink_retries", "Failed attempts.", ("sink",), each(lambda s: s.retries))
    yield _counter("sink_written_bytes", "Encoded bytes delivered.", ("sink",), each(lambda s: s.bytes_written))
    yield _gauge("sink_state", "1 for the state the sink is in, 0 for the others.", ("sink", "state"), states)
    yield _histogram("sink_write_seconds", "How long writes took, failed ones too.", ("sink",), writes)


def _outcomes(sink: SinkStats) -> Mapping[str, int]:
    ledger = sink.ledger
    return {
        "delivered": ledger.delivered,
        "duplicate": ledger.duplicate,
        "rejected": ledger.rejected,
        "dropped": ledger.dropped_total,
        "filtered": ledger.filtered,
        "sampled": ledger.sampled,
        "limited": ledger.limited_total,
        "repeated": ledger.repeated,
    }


def _journal(journal: JournalStats) -> Iterator[Metric]:
    yield _counter("journal_entries", "Protected entries written to the journal.", (), [((), journal.entries)])
    yield _gauge("journal_kept_entries", "Those a sink has still to settle.", (), [((), journal.kept_entries)])
    yield _counter("journal_failures", "Entries that could not be made safe.", (), [((), journal.failures)])
    yield _counter("journal_syncs", "Group syncs that ended well.", (), [((), journal.syncs)])
    yield _counter("journal_sync_failures", "Syncs the disk refused.", (), [((), journal.sync_failures)])
    yield _gauge("journal_disk_bytes", "What its files take.", (), [((), journal.disk_bytes)])


def _housekeeping(kept: HousekeepingStats) -> Iterator[Metric]:
    yield _counter("files_packed", "Log files compressed.", (), [((), kept.packed)])
    yield _counter("files_archived", "Log files moved to an archive.", (), [((), kept.archived)])
    yield _counter("files_purged", "Log files deleted.", (), [((), kept.purged)])
    yield _counter("housekeeping_failures", "What could not be done with log files.", (), [((), kept.failures)])
