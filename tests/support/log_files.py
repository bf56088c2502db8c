"""Log files as a run of a process leaves them, made by hand."""

import os
from pathlib import Path

from metaexpert.logger.files.keeping.clock_record import CLOCK_FILE
from metaexpert.logger.files.keeping.pace import Pace
from metaexpert.logger.files.names import CHAIN, LogFile, Run

RUN = Run("20261123T171542Z", 4711, "9f3a01")
BEGAN_AT = RUN.started_at.timestamp()
QUICK = Pace(rest_seconds=0.0)


def log_file(log: Path, number: int = 1, run: Run = RUN) -> LogFile:
    """The file of that number of a log; nothing is made."""
    return LogFile(run, number, log.parent, log.stem, log.suffix)


def content(number: int, size_bytes: int = 5000) -> bytes:
    """Lines that tell the files apart, `size_bytes` at least."""
    line = b'{"id":"a-%d","message":"entry of file %d"}\n' % (number, number)
    return line * -(-size_bytes // len(line))


def written(
    log: Path,
    number: int = 1,
    *,
    data: bytes | None = None,
    at: float | None = None,
    run: Run = RUN,
    chain: bytes | None = None,
) -> LogFile:
    """A finished file of a log; `at` is its last entry, seconds since 1970, by default `number` seconds in."""
    file = log_file(log, number, run)
    file.folder.mkdir(parents=True, exist_ok=True)
    file.path.write_bytes(content(number) if data is None else data)
    file.path.chmod(0o600)
    modified_at = BEGAN_AT + number if at is None else at
    os.utime(file.path, (modified_at, modified_at))
    if chain is not None:
        file.chain.write_bytes(chain)
    return file


def names(folder: Path) -> list[str]:
    """What a folder holds, in order, the run's part of log files' names left out; what is known of the clock and of
    origins is passed over."""
    there = folder.iterdir() if folder.exists() else ()
    return sorted(
        path.name.replace(f".{RUN}.", ".")
        for path in there
        if path.name != CLOCK_FILE and not path.name.endswith(".origin")
    )


def chain_of(file: LogFile) -> Path:
    """Where a file's chain is, packed or not."""
    return file.folder / f"{file.packed('').path.name}{CHAIN}"


class Told:
    """What is told, by subject and text, kept."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, subject: str, text: str) -> None:
        self.lines.append(f"{subject}: {text}")

    def of(self, text: str) -> list[str]:
        """The lines with `text` in them."""
        return [line for line in self.lines if text in line]
