"""What a performance entry tells: made of two readings, one interval apart. Pure.

A figure that is unknown is null in the entry's fields, "unknown" in its message, and crosses no threshold.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from metaexpert.logger.measuring.durations import Durations
from metaexpert.logger.measuring.process import ProcessReading

MOST_TIMERS: Final = 50
"""Of timers and of counters, how many one entry tells of; those that counted most."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What held the event loop longest.

    Attributes:
        seconds: for how long.
        callback: the function the loop had called.
        at: where it was.
        task: the task's name; None where it was none.
    """

    seconds: float
    callback: str
    at: str
    task: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One interval.

    Attributes:
        interval_seconds: how long it was.
        cpu_cores: CPU time used in it, in cores: 1.0 is one core all the time.
        cpu_share: the same as a share of the cores this process may use.
        memory_rss_bytes: memory in RAM at its end.
        open_files: file descriptors, or handles, at its end.
        threads: threads at its end.
        network_received_bytes_per_second: what the machine received, loopback left out.
        network_sent_bytes_per_second: what it sent.
        gc: pauses of the garbage collector.
        gc_full: how many of them were collections of the oldest generation.
        lag: how late the event loop that logging lives on came.
        held: what held the loop longest; None when nothing did, or nobody looked.
        queues: entries waiting at its end, on the way in and by sink.
        sinks: how long writes took, by sink.
        timers: durations recorded in it.
        gauges: what they stand at.
        counters: how often things happened in it.
    """

    interval_seconds: float
    cpu_cores: float
    cpu_share: float
    memory_rss_bytes: int | None
    open_files: int | None
    threads: int
    network_received_bytes_per_second: float | None
    network_sent_bytes_per_second: float | None
    gc: Durations
    gc_full: int
    lag: Durations
    held: Holding | None
    queues: Mapping[str, int] = field(default_factory=dict[str, int])
    sinks: Mapping[str, Durations] = field(default_factory=dict[str, Durations])
    timers: Mapping[str, Durations] = field(default_factory=dict[str, Durations])
    gauges: Mapping[str, float] = field(default_factory=dict[str, float])
    counters: Mapping[str, int] = field(default_factory=dict[str, int])


def rates(before: ProcessReading, now: ProcessReading, cores: int) -> dict[str, Any]:
    """What two readings of the process tell of the time between them, as `Sample` names it."""
    seconds = max(1e-9, now.at_seconds - before.at_seconds)
    cpu_cores = max(0.0, now.cpu_seconds - before.cpu_seconds) / seconds
    return {
        "interval_seconds": seconds,
        "cpu_cores": cpu_cores,
        "cpu_share": cpu_cores / cores,
        "memory_rss_bytes": now.rss_bytes,
        "open_files": now.open_files,
        "threads": now.threads,
        "network_received_bytes_per_second": _rate(before.received_bytes, now.received_bytes, seconds),
        "network_sent_bytes_per_second": _rate(before.sent_bytes, now.sent_bytes, seconds),
    }


def _rate(before: int | None, now: int | None, seconds: float) -> float | None:
    """None, too, where an interface went away and took its counts along."""
    return None if before is None or now is None or now < before else (now - before) / seconds


FIGURES: Final = (
    "cpu_cores",
    "cpu_share",
    "memory_rss_bytes",
    "open_files",
    "threads",
    "network_received_bytes_per_second",
    "network_sent_bytes_per_second",
    "gc_pause_max_seconds",
    "gc_share",
    "loop_lag_p99_seconds",
    "loop_lag_max_seconds",
    "queue_entries",
    "sink_p99_seconds",
)
"""The figures that can have thresholds; of queues and sinks that of the worst."""

_TIMER: Final = "timer:"
_GAUGE: Final = "gauge:"
NAMED_FIGURES: Final = (_TIMER, _GAUGE)
"""Beginnings of further ones: a timer's 99th percentile, seconds, and a gauge."""

_P99: Final = 0.99


def figure(sample: Sample, name: str) -> float | None:
    """One of `FIGURES`, or of a timer or gauge; None where it is unknown, or nothing was recorded."""
    if name.startswith(_TIMER):
        return _p99(sample.timers.get(name.removeprefix(_TIMER)))
    if name.startswith(_GAUGE):
        return sample.gauges.get(name.removeprefix(_GAUGE))
    reckoned = _RECKONED.get(name)
    return getattr(sample, name) if reckoned is None else reckoned(sample)


def _p99(durations: Durations | None) -> float | None:
    return durations.percentile(_P99) if durations is not None and durations.count else None


def _worst_sink(sample: Sample) -> float | None:
    return max((told for each in sample.sinks.values() if (told := _p99(each)) is not None), default=None)


_RECKONED: Final[Mapping[str, Callable[[Sample], float | None]]] = {
    "gc_pause_max_seconds": lambda sample: sample.gc.max_seconds,
    "gc_share": lambda sample: sample.gc.total_seconds / sample.interval_seconds,
    "loop_lag_p99_seconds": lambda sample: _p99(sample.lag),
    "loop_lag_max_seconds": lambda sample: sample.lag.max_seconds,
    "queue_entries": lambda sample: max(sample.queues.values(), default=None),
    "sink_p99_seconds": _worst_sink,
}


def fields_of(sample: Sample) -> dict[str, Any]:
    """The entry's fields."""
    timers = _foremost({name: each.count for name, each in sample.timers.items()})
    counters = _foremost(sample.counters)
    told: dict[str, Any] = {
        "interval_seconds": round(sample.interval_seconds, 3),
        "cpu_cores": round(sample.cpu_cores, 4),
        "cpu_share": round(sample.cpu_share, 4),
        "memory_rss_bytes": sample.memory_rss_bytes,
        "open_files": sample.open_files,
        "threads": sample.threads,
        "network": {
            "of": "machine",
            "received_bytes_per_second": _whole(sample.network_received_bytes_per_second),
            "sent_bytes_per_second": _whole(sample.network_sent_bytes_per_second),
        },
        "gc": {
            "pauses": sample.gc.count,
            "full": sample.gc_full,
            "total_seconds": round(sample.gc.total_seconds, 6),
            "max_seconds": round(sample.gc.max_seconds, 6),
        },
        "loop_lag": sample.lag.figures() | _held(sample.held),
        "queues": dict(sample.queues),
        "sinks": {name: each.figures() for name, each in sample.sinks.items() if each.count},
        "timers": {name: sample.timers[name].figures() for name in timers},
        "gauges": dict(sample.gauges),
        "counters": {name: sample.counters[name] for name in counters},
    }
    left_out = len(sample.timers) - len(timers) + len(sample.counters) - len(counters)
    return told | ({"left_out": left_out} if left_out else {})


def _foremost(counts: Mapping[str, int]) -> list[str]:
    return sorted(counts, key=lambda name: counts[name], reverse=True)[:MOST_TIMERS]


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _held(held: Holding | None) -> dict[str, Any]:
    if held is None:
        return {}
    return {
        "held_seconds": round(held.seconds, 6),
        "held_by": held.callback,
        "held_at": held.at,
        "held_task": held.task,
    }


def message_of(sample: Sample) -> str:
    """The entry's message, for people."""
    lag, gc = sample.lag, sample.gc
    received, sent = sample.network_received_bytes_per_second, sample.network_sent_bytes_per_second
    held = "" if sample.held is None else f" by {sample.held.callback}"
    parts = [
        f"cpu {sample.cpu_cores:.0%} of a core",
        f"memory {size_text(sample.memory_rss_bytes)}",
        f"{'unknown' if sample.open_files is None else sample.open_files} open files",
        f"loop lag p99 {seconds_text(lag.percentile(_P99))}, max {seconds_text(lag.max_seconds)}{held}",
        f"gc {gc.count} pauses, longest {seconds_text(gc.max_seconds)}",
        f"machine's network in {size_text(received)}/s, out {size_text(sent)}/s",
        f"{sum(sample.queues.values())} entries queued",
    ]
    return f"performance of {seconds_text(sample.interval_seconds)}: {'; '.join(parts)}"


_THOUSAND: Final = 1000.0


def seconds_text(seconds: float) -> str:
    """A duration for people, three digits."""
    for unit in ("s", "ms"):
        if seconds >= 1.0 or not seconds:
            return f"{seconds:.3g} {unit}"
        seconds *= _THOUSAND
    return f"{seconds:.3g} µs"


def size_text(size_bytes: float | None) -> str:
    """A number of bytes for people; "unknown" where there is none."""
    if size_bytes is None:
        return "unknown"
    for unit in ("B", "kB", "MB"):
        if size_bytes < _THOUSAND:
            return f"{size_bytes:.3g} {unit}"
        size_bytes /= _THOUSAND
    return f"{size_bytes:.3g} GB"
