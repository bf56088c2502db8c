"""Snapshots of the running parts, for `stats()`."""

import logging
from collections.abc import Mapping
from types import MappingProxyType

from metaexpert.logger.delivery import Delivery
from metaexpert.logger.ingress import Ingress
from metaexpert.logger.measuring.durations import Durations
from metaexpert.logger.stats import IngressStats, SinkStats


def ingress_stats(ingress: Ingress) -> IngressStats:
    """The way in, now."""
    return IngressStats(
        queued_entries=ingress.queued_entries,
        queued_bytes=ingress.queued_bytes,
        accepted=ingress.accepted,
        dropped=_named(dict(ingress.dropped)),
        self_logged=ingress.self_logged,
    )


def sink_stats(delivery: Delivery, kind: str) -> SinkStats:
    """A sink of the type `kind`, now."""
    lanes = delivery.lanes
    return SinkStats(
        name=delivery.name,
        type=kind,
        state=delivery.health.state,
        queued_entries=delivery.in_flight,
        queued_bytes=lanes.bytes + lanes.held_bytes,
        batches=delivery.counters.batches,
        retries=delivery.counters.retries,
        bytes_written=delivery.counters.bytes_written,
        last_error=delivery.last_error,
        breaker=delivery.breaker.state,
        endpoints=delivery.endpoints,
        writes=Durations(delivery.write_durations),
        ledger=delivery.ledger.snapshot(delivery.in_flight, delivery.spooled),
        **_spool_stats(delivery),
        **_dead_letter_stats(delivery),
    )


def _dead_letter_stats(delivery: Delivery) -> dict[str, int]:
    if delivery.dead_letters is None:
        return {}
    counters = delivery.dead_letters.counters
    return {
        "dead_letters": counters.kept,
        "dead_letter_bytes": counters.kept_bytes,
        "dead_letters_lost": counters.lost,
    }


def _spool_stats(delivery: Delivery) -> dict[str, int]:
    spilling = delivery.spilling
    if spilling is None:
        return {}
    return {
        "spooled_entries": spilling.entries,
        "spooled_bytes": spilling.disk_bytes,
        "spool_failures": spilling.failures,
        "spool_damaged": spilling.damaged,
    }


def _named(dropped: dict[tuple[int, str], int]) -> Mapping[tuple[str, str], int]:
    return MappingProxyType({(logging.getLevelName(level), why): count for (level, why), count in dropped.items()})
