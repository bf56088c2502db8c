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
    from metaexpert.logger.journal.crash_reports import reports  # noqa: PLC0415 - as in logs.py

    where = folder or _configured(file)
    found = reports(where)
    if len(found) < number:
        typer.echo(f"no such crash: {len(found)} known in {where}", err=True)
        raise typer.Exit(NOTHING_FOUND)
    report = found[-number]
    last = _last_entries(where, report, entries)
    if as_json:
        _print_json(report, last)
    else:
        _print_lines(report, last)


def _configured(file: Path | None) -> Path:
    from metaexpert.exceptions import ConfigError  # noqa: PLC0415 - as in logs.py
    from metaexpert.logger import LoggerConfig  # noqa: PLC0415 - as in logs.py

    try:
        return LoggerConfig.load(file).journal_folder
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


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


def _print_json(report: "CrashReport", captures: "Iterable[Capture]") -> None:
    from metaexpert.logger.formats.json_lines import JsonLines  # noqa: PLC0415 - as in logs.py
    from metaexpert.logger.identity import Identity  # noqa: PLC0415 - as in logs.py

    boot_id = report.run.rpartition("-")[0]
    encode = JsonLines(Identity(service=report.service, boot_id=boot_id, pid=report.pid, host=report.host))
    told: dict[str, Any] = {**asdict(report), "entries": [json.loads(encode(capture)) for capture in captures]}
    typer.echo(json.dumps(told, ensure_ascii=False))


def _print_lines(report: "CrashReport", captures: "Iterable[Capture]") -> None:
    from metaexpert.logger.formats.text import TextLines  # noqa: PLC0415 - as in logs.py
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
    encode = TextLines(use_colors=sys.stdout.isatty())
    lines = [encode(capture).decode("utf-8", "replace") for capture in captures]
    typer.echo(f"\nits last {len(lines)} entries:" if lines else "\nits last entries are not known")
    for line in lines:
        typer.echo(line)
