"""How runs ended that did not stop: one report each, kept beside the flight recorder's last entries.

`<folder>/crashes/<run>.json` says when and how, what was recovered and for whom; `<run>.recorder` is the ring itself.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = "crashes"
_MODE: Final = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashReport:
    """One run that ended without a stop.

    Attributes:
        run: its name, `boot_id-pid`.
        service: name of the expert or service.
        pid: its process.
        host: its machine.
        started_ns: when its journal began, nanoseconds since 1970.
        last_entry_ns: time of the last entry it left, nanoseconds since 1970; 0 when it left none.
        found_ns: when the next start found it, nanoseconds since 1970.
        how: how it ended, as far as can be told.
        recovered: entries delivered again, by sink.
        seqs: their numbers, as ranges.
        damaged: damaged places in its files.
        unreadable: files that could not be read, and why.
    """

    run: str
    service: str
    pid: int
    host: str
    started_ns: int
    last_entry_ns: int
    found_ns: int
    how: str
    recovered: Mapping[str, int]
    seqs: str
    damaged: int
    unreadable: tuple[str, ...]


def write_report(folder: Path, report: CrashReport, keep: int) -> None:
    """Write a report, take the run's recorder beside it, and let the oldest ones go; blocks.

    Args:
        folder: the journal's.
        report: what to say.
        keep: reports to keep at most.

    Raises:
        OSError: it cannot be written.
    """
    crashes = folder / FOLDER
    recorder, running = folder / f"{report.run}.recorder", folder / f"{report.run}.running"
    if keep:
        crashes.mkdir(mode=0o700, exist_ok=True)
        with suppress(FileNotFoundError):
            recorder.replace(crashes / recorder.name)
        text = json.dumps({**asdict(report), "recovered": dict(report.recovered)}, indent=1)
        temporary = crashes / f"{report.run}.tmp"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(crashes / f"{report.run}.json")
        for path in sorted(crashes.glob("*.json"))[:-keep]:
            path.unlink(missing_ok=True)
            path.with_suffix(".recorder").unlink(missing_ok=True)
    recorder.unlink(missing_ok=True)
    running.unlink(missing_ok=True)


def reports(folder: Path) -> list[CrashReport]:
    """The reports there are, the oldest first; one that cannot be read is passed over.

    Args:
        folder: the journal's.
    """
    found: list[CrashReport] = []
    for path in sorted((folder / FOLDER).glob("*.json")):
        with suppress(OSError, ValueError, TypeError, KeyError):
            told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            told["unreadable"] = tuple(told["unreadable"])
            found.append(CrashReport(**told))
    return found


def recorder_of(folder: Path, report: CrashReport) -> Path:
    """Where the flight recorder of a reported run is."""
    return folder / FOLDER / f"{report.run}.recorder"
