"""The end of the demo: each sink's ledger beside what its destination holds, and the verdict."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from metaexpert.demo.audit import Finding, SinkEvidence
from metaexpert.demo.desk.topic import Topic


@dataclass(frozen=True, slots=True)
class Report:
    """What the demo found.

    Attributes:
        headline: What was run, in one line.
        answers: How often the collector answered with which status, by sink; "none" is no answer at all.
        evidence: The sinks.
        findings: Every check.
        on_disk: How many entries of a sink waited on disk at most, by sink.
        topics: What a desk wants to see, with checks of their own.
    """

    headline: str
    answers: Mapping[str, Mapping[str, int]]
    evidence: Sequence[SinkEvidence]
    findings: Sequence[Finding]
    on_disk: Mapping[str, int]
    topics: Sequence[Topic] = ()

    @property
    def checks(self) -> list[Finding]:
        """Every check, the desk's among them."""
        return [*self.findings, *(finding for topic in self.topics for finding in topic.findings)]

    @property
    def failures(self) -> list[Finding]:
        """The checks that failed."""
        return [finding for finding in self.checks if not finding.passed]


def print_report(report: Report, console: Console) -> None:
    """Print what a desk wants to see, the ledgers, then the checks that failed and how many passed."""
    for topic in report.topics:
        _print_topic(topic, console)
    print_ledgers(report, console)


def _print_topic(topic: Topic, console: Console) -> None:
    console.print()
    console.print(topic.title, style="bold", highlight=False, soft_wrap=True)
    for line in topic.lines:
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)


def print_ledgers(report: Report, console: Console) -> None:
    """Print the ledgers and the verdict."""
    console.print()
    console.print(report.headline, highlight=False)
    for target, statuses in report.answers.items():
        told = ", ".join(f"{count} times {status}" for status, count in sorted(statuses.items()))
        console.print(f"{target} answered {told}", highlight=False)
    for name, count in report.on_disk.items():
        if count:
            console.print(f"{name} had up to {count:,} entries on disk while its collector was down", highlight=False)
    console.print(_ledger_table(report.evidence))
    for loss in _losses(report.evidence):
        console.print(loss, highlight=False)
    for finding in report.failures:
        console.print(f"FAILED {finding.sink}: {finding.check}: {finding.detail}", style="red", highlight=False)
    passed = len(report.checks) - len(report.failures)
    verdict = "demo failed" if report.failures else "demo passed"
    console.print(f"{verdict}: {passed} of {len(report.checks)} checks, compared by entry id", highlight=False)


def _ledger_table(evidence: Sequence[SinkEvidence]) -> Table:
    table = Table(
        title="Ledger of each sink, and what its destination holds",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("sink", min_width=13)
    for name in ("routed", "delivered", "duplicate", "rejected", "dropped", "gaps", "holds"):
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
        f"{ledger.dropped_total:,}",
        f"{ledger.gaps:,}",
        "-" if sink.holding is None else f"{len(sink.holding.kinds):,}",
    )


def _losses(evidence: Sequence[SinkEvidence]) -> Iterator[str]:
    """What was dropped where, by level and reason."""
    for sink in evidence:
        told = [f"{count:,} {level} ({reason})" for (level, reason), count in sorted(sink.ledger.dropped.items())]
        if told:
            yield f"{sink.name} dropped {', '.join(told)}"
