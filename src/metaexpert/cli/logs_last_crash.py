"""`metaexpert logs last-crash`: when and how a run ended that did not stop, what was recovered, its last entries."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metaexpert.cli.declared import Option
from metaexpert.cli.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from metaexpert.logger.entry import Capture
    from metaexpert.logger.faults.fault_log import Fault
    from metaexpert.logger.journal.crash_reports import CrashReport

NOTHING_FOUND = 1
"""Exit status where no run is known to have crashed."""


def last_crash(
    *,
    folder: Annotated[
        Path | None, Option(("--folder",), "The journal's folder, instead of the configuration's.")
    ] = None,
    file: ConfigFile = None,
    number: Annotated[int, Option(("--number",), "1 for the last crash, 2 for the one before it …", least=1)] = 1,
    entries: Annotated[int, Option(("--entries",), "How many of its last entries to print.", least=0)] = 50,
    as_json: AsJson = False,
) -> None:
    """Show how the last run ended that did not stop, what was recovered of it, and its last entries.

    Status 1 where none is known. A run is known once the next one has started in the same folder.
    """
    journal, logs = (folder, folder.parent) if folder is not None else _configured(file)
    found = _crashes(journal, logs)
    if len(found) < number:
        typer.echo(f"no such crash: {len(found)} known in {journal}", err=True)
        raise typer.Exit(NOTHING_FOUND)
    report, fault = found[-number]
    last = [] if report is None else _last_entries(journal, report, entries)
    if as_json:
        _print_json(report, fault, last)
    else:
        _print_lines(report, fault, last)


def _crashes(journal: Path, logs: Path) -> "list[tuple[CrashReport | None, Fault | None]]":
    """What the journal says of each crash and what `faulthandler` does, the oldest first."""
    from metaexpert.logger.faults.fault_log import faults_in  # noqa: PLC0415 - as in logs.py
    from metaexpert.logger.journal.crash_reports import reports  # noqa: PLC0415 - as in logs.py

    faults = {fault.run: fault for fault in faults_in(logs)}
    both: list[tuple[int, CrashReport | None, Fault | None]] = []
    for report in reports(journal):
        fault = faults.pop(report.run, None)
        both.append((report.last_entry_ns or report.started_ns if fault is None else fault.at_ns, report, fault))
    both += [(fault.at_ns, None, fault) for fault in faults.values()]
    return [(report, fault) for _, report, fault in sorted(both, key=lambda each: each[0])]


def _configured(file: Path | None) -> tuple[Path, Path]:
    from metaexpert.exceptions import ConfigError  # noqa: PLC0415 - as in logs.py
    from metaexpert.logger import LoggerConfig  # noqa: PLC0415 - as in logs.py

    try:
        config = LoggerConfig.load(file)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    return config.journal_folder, config.log_dir


def _last_entries(folder: Path, report: "CrashReport", most: int) -> "list[Capture]":
    from metaexpert.logger.journal.crash_reports import recorder_of  # noqa: PLC0415 - as in logs.py
    from metaexpert.logger.journal.recorder import recorded  # noqa: PLC0415 - as in logs.py
    from metaexpert.logger.segment import SegmentError  # noqa: PLC0415 - as in logs.py

    try:
        captures = recorded(recorder_of(folder, report))[1]
    except FileNotFoundError:
        return []
    except (OSError, SegmentError) as error:
        typer.echo(f"its flight recorder cannot be read: {error}", err=True)
        return []
    return captures[-most:] if most else []


def _print_json(report: "CrashReport | None", fault: "Fault | None", captures: "Iterable[Capture]") -> None:
    told: dict[str, Any] = {} if report is None else _told(report, captures)
    if fault is not None:
        told = {"run": fault.run, "pid": fault.pid, **told, "fault": asdict(fault)}
    typer.echo(json.dumps(told))


def _told(report: "CrashReport", captures: "Iterable[Capture]") -> dict[str, Any]:
    from metaexpert.logger.formats.json_lines import JsonLines  # noqa: PLC0415 - as in logs.py
    from metaexpert.logger.identity import Identity  # noqa: PLC0415 - as in logs.py

    boot_id = report.run.rpartition("-")[0]
    encode = JsonLines(Identity(service=report.service, boot_id=boot_id, pid=report.pid, host=report.host))
    return {**asdict(report), "entries": [json.loads(encode(capture)) for capture in captures]}


def _print_lines(report: "CrashReport | None", fault: "Fault | None", captures: "Iterable[Capture]") -> None:
    from metaexpert.logger.formats.text import TextLines  # noqa: PLC0415 - as in logs.py

    if report is not None:
        _print_report(report)
    if fault is not None:
        _print_fault(fault)
    if report is None:
        return
    encode = TextLines(use_colors=sys.stdout.isatty())
    lines = [encode(capture).decode("utf-8", "replace") for capture in captures]
    typer.echo(f"\nits last {len(lines)} entries:" if lines else "\nits last entries are not known")
    for line in lines:
        typer.echo(line)


def _print_fault(fault: "Fault") -> None:
    from metaexpert.cli.entry_text import neutralised  # noqa: PLC0415 - as in logs.py
    from metaexpert.logger.journal.markers import moment  # noqa: PLC0415 - as in logs.py

    rows = {"process": f"{fault.pid}, run {fault.run}", "fault": fault.what, "crashed": moment(fault.at_ns)}
    for name, value in rows.items():
        typer.echo(f"{name:<11} {neutralised(value)}")
    typer.echo("")
    for line in fault.stacks.splitlines():
        typer.echo(f"  {neutralised(line)}")


def _print_report(report: "CrashReport") -> None:
    from metaexpert.logger.journal.markers import moment  # noqa: PLC0415 - as in logs.py

    rows = {
        "run": f"{report.run} of {report.service}, process {report.pid} on {report.host}",
        "started": moment(report.started_ns),
        "last entry": moment(report.last_entry_ns) if report.last_entry_ns else "none",
        "ended": report.how,
        "found": moment(report.found_ns),
        "recovered": ", ".join(f"{count} for {sink}" for sink, count in report.recovered.items()) or "nothing was left",
        "numbers": report.seqs or "none",
        "damaged": f"{report.damaged} places",
    }
    for name, value in rows.items():
        typer.echo(f"{name:<11} {value}")
    for text in report.unreadable:
        typer.echo(f"{'unreadable':<11} {text}")
