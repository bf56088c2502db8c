"""What the demo shows: statuses as a table and as lines, the report and its verdict."""

import asyncio
from dataclasses import replace
from io import StringIO
from types import MappingProxyType

from rich.console import Console

from metaexpert.core import ExpertStats
from metaexpert.demo.audit import Finding, SinkEvidence
from metaexpert.demo.lag import Lag, LagMeter
from metaexpert.demo.report import Report, print_report
from metaexpert.demo.status import MostOnDisk, Rates, Status
from metaexpert.demo.table import status_line, status_table
from metaexpert.logger import (
    DispatcherStats,
    IngressStats,
    LedgerSnapshot,
    RuntimeStats,
    SinkState,
    SinkStats,
)

LEDGER = LedgerSnapshot(
    routed=1300, delivered=1200, duplicate=0, rejected=0, dropped={("DEBUG", "queue full"): 60}, in_flight=40,
    filtered=0, gaps=1,
)  # fmt: skip
LOKI = SinkStats("loki", "loki", SinkState.DEGRADED, 40, 4000, 3, 2, 99, "HTTP 503", LEDGER, spooled_entries=710)
STATUS = Status(
    elapsed_seconds=7.25,
    phase="collector hangs",
    expert=ExpertStats(ticks=2500, bars=12, late=0, handler_errors=0),
    orders=7,
    logging=RuntimeStats(
        IngressStats(5, 500, 1300, MappingProxyType({}), 0),
        DispatcherStats(1, 1300, 0.1, 0.0001, 0, 0.0, 0),
        MappingProxyType({"loki": LOKI}),
    ),
    logged_per_second=410.4,
    delivered_per_second={"loki": 333.0},
    lag=Lag(0.0012, 0.004),
)


def rendered(width: int = 140) -> tuple[Console, StringIO]:
    text = StringIO()
    return Console(file=text, width=width), text


def test_the_line_says_what_the_table_says():
    assert status_line(STATUS) == (
        "  7.2 s collector hangs: 1,300 logged, 410/s | loop lag p99 1.2 ms, max 4.0 ms"
        " | loki degraded 1,200+40 on disk 710 dropped 60"
    )
    console, text = rendered(width=80)
    console.print(status_table(STATUS))
    for shown in (
        "collector hangs",
        "1,300 logged",
        "degraded",
        "1,200",
        "710",
        "333",
        "60",
        "2,500 ticks",
        "7 orders",
    ):
        assert shown in text.getvalue()


def test_rates_are_growth_over_time():
    rates = Rates()
    assert rates.per_second(2.0, {"loki": 100}) == {"loki": 50.0}
    assert rates.per_second(4.0, {"loki": 100, "file": 10}) == {"loki": 0.0, "file": 5.0}


async def test_lag_is_what_a_blocked_loop_shows_and_a_skipped_beat_does_not():
    import time

    meter = LagMeter()
    beating = asyncio.create_task(meter.run())
    await asyncio.sleep(0.01)
    time.sleep(0.05)  # noqa: ASYNC251  blocking the loop is the point
    await asyncio.sleep(0.01)
    assert meter.take().max_seconds > 0.04
    meter.skip_beat()
    time.sleep(0.05)  # noqa: ASYNC251
    await asyncio.sleep(0.01)
    assert meter.take().max_seconds < 0.04
    beating.cancel()
    await asyncio.wait({beating})


def test_what_was_on_disk_at_most_is_kept():
    disk = MostOnDisk()
    for count in (3, 710, 0):
        disk.look(replace(STATUS.logging, sinks=MappingProxyType({"loki": replace(LOKI, spooled_entries=count)})))
    assert disk.entries == {"loki": 710}


def test_lag_of_no_beats_is_none():
    assert LagMeter().take() == Lag(0.0, 0.0)


def test_the_report_names_each_failed_check():
    console, text = rendered(160)
    evidence = SinkEvidence(
        name="loki", ledger=LEDGER, holding=None, takes=lambda *_: True, may_drop=True, may_repeat=True
    )
    findings = [
        Finding("loki", "ledger balanced", passed=True, detail=""),
        Finding("loki", "gaps", passed=False, detail="1 of 2"),
    ]
    report = Report("a run", {"loki": {"204": 3, "503": 1}}, [evidence], findings, {"loki": 710, "file": 0})
    print_report(report, console)
    assert report.failures == findings[1:]
    assert "FAILED loki: gaps: 1 of 2" in text.getvalue()
    assert "loki answered 3 times 204, 1 times 503" in text.getvalue()
    assert "loki had up to 710 entries on disk" in text.getvalue()
    assert "file had" not in text.getvalue()
    assert "demo failed: 1 of 2 checks" in text.getvalue()
    assert "60 DEBUG (queue full)" in text.getvalue()
