"""Puts a finished run where it is wanted: terminal, JSON file, documentation."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

import orjson

from bench.environment import environment, versions
from bench.render.chart import svg
from bench.render.markdown import page
from bench.render.report import Report
from bench.render.terminal import console_for_report, show
from bench.runner import Plan, Run
from bench.summary import summarise
from bench.targets import judge_all

CHART_NAME = "benchmarks.svg"


def reported(plan: Plan, runs: Sequence[Run], date: str, loads: str) -> Report:
    """Everything the run came to, on this machine."""
    summary = summarise(runs)
    return Report(
        plan=plan,
        environment={**environment(), "load average": loads},
        versions=versions(),
        date=date,
        runs=runs,
        summary=summary,
        verdicts=judge_all(summary),
    )


def finish(report: Report, *, json_file: Path | None, docs: Path | None) -> None:
    """Print the report, and write what was asked for."""
    show(report, console_for_report())
    data = orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if json_file is not None:
        json_file.write_bytes(data)
    if docs is not None:
        docs.mkdir(parents=True, exist_ok=True)
        (docs / "benchmarks.json").write_bytes(data)
        (docs / CHART_NAME).write_text(svg(report.summary), encoding="utf-8")
        (docs / "benchmarks.md").write_text(page(report, CHART_NAME), encoding="utf-8")


def progress_on(stream: TextIO) -> Callable[[str], None]:
    """Say what runs: on one line that is written over on a terminal, else line by line."""

    def progress(text: str) -> None:
        stream.write(f"\r\x1b[K{text}" if stream.isatty() else f"{text}\n")
        stream.flush()

    return progress
