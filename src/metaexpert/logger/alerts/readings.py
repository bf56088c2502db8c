"""Figures of the runtime's snapshot by a dotted name, such as `sinks.loki.queued_entries`; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Final

from metaexpert.logger.alerts.alert import Group
from metaexpert.logger.ledger import LedgerSnapshot
from metaexpert.logger.stats import (
    DispatcherStats,
    HousekeepingStats,
    IngressStats,
    JournalStats,
    RuntimeStats,
    SinkStats,
)

EVERY: Final = "*"
INGRESS: Final = "ingress"
"""In place of a sink's name: what is lost on the way in."""

_NUMBERS: Final = frozenset({"int", "float", int, float})


def _figures(kind: type[Any]) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind) if each.type in _NUMBERS)


_OF_SINKS: Final = frozenset(
    (*_figures(SinkStats), *(f"ledger.{name}" for name in (*_figures(LedgerSnapshot), "dropped_total")))
)
_OF_PARTS: Final = frozenset(
    f"{part}.{name}"
    for part, kind in (
        ("ingress", IngressStats),
        ("dispatcher", DispatcherStats),
        ("journal", JournalStats),
        ("housekeeping", HousekeepingStats),
    )
    for name in _figures(kind)
)
KNOWN: Final = frozenset((*_OF_PARTS, *(f"sinks.{EVERY}.{name}" for name in _OF_SINKS)))
"""All figures there are, those of sinks for every sink."""


def is_known(name: str) -> bool:
    """Whether there is such a figure; a sink of any name counts as there."""
    part, _, rest = name.partition(".")
    return rest.partition(".")[2] in _OF_SINKS if part == "sinks" else name in _OF_PARTS


def figures(stats: RuntimeStats, name: str) -> Mapping[Group, float]:
    """The figures of that name, those of sinks by sink."""
    return dict(_found(stats, name))


def lost_entries(stats: RuntimeStats) -> Mapping[Group, float]:
    """What was dropped on the way in, and what each sink dropped or rejected."""
    lost: dict[Group, float] = {(("sink", INGRESS),): float(sum(stats.ingress.dropped.values()))}
    return lost | {
        (("sink", name),): float(sink.ledger.dropped_total + sink.ledger.rejected) for name, sink in stats.sinks.items()
    }


def _found(stats: RuntimeStats, name: str) -> Iterator[tuple[Group, float]]:
    part, _, rest = name.partition(".")
    if part == "sinks":
        wanted, _, figure = rest.partition(".")
        for sink_name, sink in stats.sinks.items():
            if wanted in (EVERY, sink_name):
                yield (("sink", sink_name),), float(_below(sink, figure))
    elif (of := getattr(stats, part)) is not None:
        yield (), float(_below(of, rest))


def _below(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = getattr(value, name)
    return value
