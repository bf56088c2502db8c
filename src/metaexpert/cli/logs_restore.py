"""`metaexpert logs restore`: archived and compressed log files back for review: unpacked, verified, read-only.

Exit status: 0 all that was asked for is there; 1 the configuration, the disk or a damaged file is in the way; 2 wrong
usage; 3 there was nothing to restore.
"""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from metaexpert.cli.declared import Option
from metaexpert.cli.logs_hold import moment
from metaexpert.cli.logs_operations import DONE, FAULT, audit, loaded, safe_output, size_text, tell
from metaexpert.cli.logs_retention import files_text, logs_named
from metaexpert.cli.options import AsJson, ConfigFile, LogDir, LogName, SinceUtc, UntilUtc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metaexpert.logger import LoggerConfig
    from metaexpert.logger.files.keeping.kept_logs import KeptLog
    from metaexpert.logger.files.keeping.restore import Restored
    from metaexpert.logger.files.keeping.retention import KeptFile

_NOTHING: Final = 3


def restore(
    *,
    to: Annotated[Path, Option(("--to",), "The folder for the copies; not one that logs are in.")],
    log: LogName = None,
    since: SinceUtc = None,
    until: UntilUtc = None,
    file: ConfigFile = None,
    log_dir: LogDir = None,
    as_json: AsJson = False,
) -> None:
    """Bring archived and compressed log files back for review; prints the copies. The archive stays as it is.

    Copies are unpacked, verified and read-only, and retention never touches them.
    """
    safe_output()
    config = loaded(file, log_dir)
    logs = logs_named(config, log)
    wanted = _wanted(logs, moment(since, "--since"), moment(until, "--until"))
    if not wanted:
        tell("nothing is archived or compressed of that")
        raise typer.Exit(_NOTHING)
    _prepare(config, to, wanted)
    restored, failures = _restore_all(wanted, to)
    for each in restored:
        typer.echo(json.dumps(_facts(each)) if as_json else str(each.path))
    size = size_text(sum(each.size_bytes for each in restored))
    failed = f", {failures} could not be restored" if failures else ""
    tell(f"{files_text(len(restored))} ({size}) in {to}{failed}")
    raise typer.Exit(FAULT if failures else DONE)


def _wanted(logs: "Sequence[KeptLog]", since: float | None, until: float | None) -> "list[KeptFile]":
    from metaexpert.logger.files.keeping.restore import restorable  # noqa: PLC0415 - only when a command runs

    try:
        return [each for log in logs for each in restorable(log, since, until)]
    except OSError as error:
        tell(f"error: {error}")
        raise typer.Exit(FAULT) from None


def _prepare(config: "LoggerConfig", to: Path, wanted: "Sequence[KeptFile]") -> None:
    from metaexpert.logger.files.keeping.kept_logs import kept_logs  # noqa: PLC0415 - only when a command runs
    from metaexpert.logger.files.keeping.restore import RestoreError, prepare  # noqa: PLC0415 - as above

    try:
        prepare(to, kept_logs(config), time.time())
        audit(config.log_dir, "restore", to=str(to), files=[str(each.file.path) for each in wanted])
    except (RestoreError, OSError) as error:
        tell(f"error: {error}")
        raise typer.Exit(FAULT) from None


def _restore_all(wanted: "Sequence[KeptFile]", to: Path) -> "tuple[list[Restored], int]":
    from rich.console import Console  # noqa: PLC0415 - only when a command runs
    from rich.progress import track  # noqa: PLC0415 - as above

    from metaexpert.exceptions import MetaExpertError  # noqa: PLC0415 - as above
    from metaexpert.logger.files.keeping.pace import Pace  # noqa: PLC0415 - as above
    from metaexpert.logger.files.keeping.restore import restore as restore_file  # noqa: PLC0415 - as above

    console, restored, failures = Console(stderr=True), list["Restored"](), 0
    shown = track(wanted, "restoring", console=console, transient=True, disable=not sys.stderr.isatty())
    for each in shown:
        try:
            restored.append(restore_file(each, to, Pace(rest_seconds=0.0)))
        except (MetaExpertError, OSError) as error:
            tell(f"error: {error}")
            failures += 1
    return restored, failures


def _facts(each: "Restored") -> dict[str, Any]:
    return {
        "source": str(each.source),
        "path": str(each.path),
        "bytes": each.size_bytes,
        "was_there": each.was_there,
    }
