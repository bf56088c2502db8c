"""Draws a status: a rich table for a terminal, one line for everything else."""

from rich.box import SIMPLE_HEAD
from rich.table import Table

from metaexpert.demo.status import Status
from metaexpert.logger import SinkStats

_STATE_STYLES = {"active": "green", "recovering": "yellow", "degraded": "yellow", "failed": "red", "stopped": "dim"}


def status_table(status: Status) -> Table:
    """The live table; fits 80 columns."""
    table = Table(
        title=_headline(status),
        caption=_caption(status),
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=0,
    )
    table.add_column("sink", min_width=13)
    table.add_column("state", min_width=10)
    for name in ("queued", "on disk", "delivered", "a second", "retries", "dropped"):
        table.add_column(name, justify="right", min_width=7)
    for sink in status.logging.sinks.values():
        table.add_row(*_row(sink, status.delivered_per_second.get(sink.name, 0.0)))
    return table


def status_line(status: Status) -> str:
    """The same on one line."""
    sinks = " | ".join(
        _plain_sink(sink) for sink in status.logging.sinks.values() if sink.name not in {"trade", "error"}
    )
    return f"{_headline(status)} | {_lag(status)} | {sinks}"


def _headline(status: Status) -> str:
    logged = status.logging.ingress.accepted
    return f"{status.elapsed_seconds:5.1f} s {status.phase}: {logged:,} logged, {status.logged_per_second:,.0f}/s"


def _caption(status: Status) -> str:
    expert = status.expert
    return (
        f"{expert.ticks:,} ticks, {expert.bars} bars, {status.orders} orders\n"
        f"{_lag(status)}; ingress {status.logging.ingress.queued_entries:,} queued"
    )


def _lag(status: Status) -> str:
    return f"loop lag p99 {status.lag.p99_seconds * 1000:.1f} ms, max {status.lag.max_seconds * 1000:.1f} ms"


def _row(sink: SinkStats, per_second: float) -> tuple[str, ...]:
    ledger = sink.ledger
    style = _STATE_STYLES.get(sink.state, "")
    return (
        sink.name,
        f"[{style}]{sink.state}[/{style}]",
        f"{sink.queued_entries:,}",
        f"{sink.spooled_entries:,}",
        f"{ledger.delivered:,}",
        f"{per_second:,.0f}",
        f"{sink.retries:,}",
        f"{ledger.dropped_total:,}",
    )


def _plain_sink(sink: SinkStats) -> str:
    ledger = sink.ledger
    text = f"{sink.name} {sink.state} {ledger.delivered:,}+{sink.queued_entries:,}"
    if sink.spooled_entries:
        text += f" on disk {sink.spooled_entries:,}"
    return f"{text} dropped {ledger.dropped_total:,}" if ledger.dropped_total else text
