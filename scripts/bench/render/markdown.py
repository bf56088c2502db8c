"""The report as a page of the documentation. Pure."""

from collections.abc import Sequence

from bench.peers.registry import PEERS, STDLIB, PeerInfo
from bench.render.report import Report
from bench.render.sections import SECTIONS, Section, faults
from bench.summary import Summary

COMMAND = "python scripts/bench --write-docs"
_INTRODUCTION = (
    "What a log call costs, what reaches the file or the collector, and what the event loop notices, beside other "
    "loggers in the same run. Every entry is looked for where it had to arrive, each once, before a figure is printed; "
    "what a logger loses is shown beside its figure."
)
_SAME_FOR_ALL = (
    "The same message, four fields, one bound or context field, and the same JSON keys for all; each captures "
    "the caller by its own means. Garbage collection is as by default, after one full collection of the warm process. "
    "Ratios say how many times better metaexpert.logger is by the first column."
)


def page(report: Report, chart: str) -> str:
    """The whole page; ``chart`` is the file name of the picture beside it."""
    parts = [
        "# Benchmarks",
        f"<!-- Written by `{COMMAND}`; edits are lost. -->",
        _INTRODUCTION,
        f"![Medians of metaexpert.logger and its peers]({chart})",
        _machine(report),
        _targets(report),
        *[_section(section, report.summary) for section in SECTIONS if _measured(section, report.summary)],
        _remarks(report.summary),
        _peers(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _machine(report: Report) -> str:
    lines = [f"- {key}: {value}" for key, value in report.environment.items()]
    return "\n".join(
        [
            "## The run",
            "",
            f"{report.date}. {report.method} {_SAME_FOR_ALL}",
            "",
            *lines,
            "",
            f"Again: `{COMMAND}`.",
        ]
    )


def _targets(report: Report) -> str:
    rows = [[v.what, v.target, v.figure, v.state.value] for v in report.verdicts]
    return "## Targets\n\n" + _table(["what", "target", "figure", ""], rows, numbers=False)


def _section(section: Section, summary: Summary) -> str:
    return f"## {section.title}\n\n{section.how}\n\n{_table(section.headers, section.rows(summary))}"


def _measured(section: Section, summary: Summary) -> bool:
    return any(measure == section.measure for measure, _ in summary)


def _remarks(summary: Summary) -> str:
    found = faults(summary)
    return "## What went wrong\n\n" + "\n".join(f"- {text}" for text in found) if found else ""


def _peers(report: Report) -> str:
    rows = [[info.title, _version(info, report), info.remark] for info in PEERS.values()]
    return "## The loggers and their configuration\n\n" + _table(["", "version", "how"], rows, numbers=False)


def _version(info: PeerInfo, report: Report) -> str:
    return STDLIB if info.distribution == STDLIB else report.versions.get(info.distribution, "")


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = True) -> str:
    rule = ["---", *["---:" if numbers else "---" for _ in headers[1:]]]
    return "\n".join(_line(cells) for cells in (headers, rule, *rows))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
