"""The report as rich tables."""

from rich.console import Console
from rich.table import Table

from bench.peers.registry import OURS, PEERS
from bench.render.report import Report
from bench.render.sections import SECTIONS, Section, faults
from bench.summary import Summary
from bench.targets import State

_STYLES = {State.REACHED: "green", State.NOT_REACHED: "bold red", State.NOT_MEASURED: "dim", State.VOID: "yellow"}
_NARROWEST = 150


def show(report: Report, console: Console) -> None:
    """Print every table, what went wrong, and the targets."""
    console.print(", ".join(f"{key} {value}" for key, value in {**report.environment, **report.versions}.items()))
    console.print(f"{report.method} Ratio: how many times better {OURS} is by the table's first figure.")
    for section in SECTIONS:
        if any(measure == section.measure for measure, _ in report.summary):
            console.print(_table(section, report.summary))
    for text in faults(report.summary):
        console.print(f"[red]![/red] {text}", highlight=False)
    console.print(_targets(report))


def console_for_report() -> Console:
    """A console wide enough for the tables where the output is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=_NARROWEST)


def _table(section: Section, summary: Summary) -> Table:
    table = Table(title=section.title, title_justify="left")
    for index, header in enumerate(section.headers):
        table.add_column(header, justify="right" if index else "left")
    for row in section.rows(summary):
        table.add_row(*row, style="bold" if row[0] == PEERS[OURS].title else None)
    return table


def _targets(report: Report) -> Table:
    table = Table(title="Targets", title_justify="left")
    for header in ("what", "target", "figure", ""):
        table.add_column(header)
    for verdict in report.verdicts:
        table.add_row(verdict.what, verdict.target, verdict.figure, verdict.state, style=_STYLES[verdict.state])
    return table
