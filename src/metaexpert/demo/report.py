"""The end of the demo: each sink's ledger beside what its destination holds, and the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from metaexpert.demo.audit import Finding, SinkEvidence
from metaexpert.logger import LedgerSnapshot


@dataclass(frozen=True, slots=True)
class Report:
    """What the demo found.

    Attributes:
        headline: What was run, in one line.
        evidence: The sinks.
        findings: Every check.
    """

    headline: str
    evidence: Sequence[SinkEvidence]
    findings: Sequence[Finding]

    @property
    def failures(self) -> list[Finding]:
        """The checks that failed."""
        return [finding for finding in self.findings if not finding.passed]


def print_report(report: Report, console: Console) -> None:
    """Print the ledgers, then the checks that failed or how many passed."""
    console.print(report.headline, highlight=False)
    console.print(_ledger_table(report.evidence))
    for finding in report.failures:
        console.print(f"FAILED {finding.sink}: {finding.check}: {finding.detail}", style="red", highlight=False)
    passed = len(report.findings) - len(report.failures)
    verdict = "demo failed" if report.failures else "demo passed"
    console.print(f"{verdict}: {passed} of {len(report.findings)} checks, compared by entry id", highlight=False)


def _ledger_table(evidence: Sequence[SinkEvidence]) -> Table:
    table = Table(title="Ledger of each sink, and what its destination holds", title_justify="left")
    table.add_column("sink")
    for name in ("routed", "delivered", "duplicate", "rejected", "dropped", "in flight", "gaps", "destination holds"):
        table.add_column(name, justify="right")
    for sink in evidence:
        table.add_row(*_row(sink))
    return table


def _row(sink: SinkEvidence) -> tuple[str, ...]:
    ledger = sink.ledger
    return (
        sink.name,
        f"{ledger.routed:,}",
        f"{ledger.delivered:,}",
        f"{ledger.duplicate:,}",
        f"{ledger.rejected:,}",
        _dropped(ledger),
        f"{ledger.in_flight:,}",
        f"{ledger.gaps:,}",
        "not read back" if sink.holding is None else f"{len(sink.holding.kinds):,}",
    )


def _dropped(ledger: LedgerSnapshot) -> str:
    if not ledger.dropped:
        return "0"
    return ", ".join(f"{count:,} {level} ({reason})" for (level, reason), count in sorted(ledger.dropped.items()))
