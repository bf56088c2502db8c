"""Log files with hash chains, written as the file sink writes them, and looked at as an auditor would."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from metaexpert.logger.files.evidence.chain import Anchor, Chain
from metaexpert.logger.files.evidence.verdict import FileVerdict, Report
from metaexpert.logger.files.evidence.verify import verify
from metaexpert.logger.files.names import LogFile
from metaexpert.logger.identity import Identity

if TYPE_CHECKING:
    from metaexpert.logger.files.series import Seal

SECRET = "5ec2e7" * 8
_boots = itertools.count(1)


def new_run() -> Identity:
    """A process that never was, later than all before it."""
    return Identity(service="tests", boot_id=f"{1_790_000_000_000 + next(_boots) * 1000:011x}{next(_boots):06x}", pid=7)


def entry_line(number: int, text: str = "an entry") -> bytes:
    """A log line of its own."""
    time = f"2026-11-23T10:00:{number // 1000 % 60:02}.{number % 1000:03}Z"
    return orjson.dumps({"timestamp": time, "id": f"run-{number}", "message": f"{text} {number}"})


class ChainedLog:
    """One process's files of a log; what it writes is chained.

    Attributes:
        left: the end of the last file's chain, which the disk refused.
    """

    def __init__(
        self, folder: Path, secret: str | None = None, *, name: str = "expert.log", anchors: list[Anchor] | None = None
    ) -> None:
        self.file = LogFile.first(folder / name, new_run())
        self.chain = Chain(_given(secret), None if anchors is None else anchors.append)
        self.size_bytes = 0
        self.left: Seal | None = None
        self._numbers = itertools.count(1)
        self._has_begun = False

    def write(self, *counts: int) -> "ChainedLog":
        """Batches of so many lines each."""
        for count in counts:
            self.write_lines([entry_line(next(self._numbers)) for _ in range(count)])
        return self

    def write_lines(self, lines: Sequence[bytes], *, chained: bool = True) -> None:
        """One batch; without its place in the chain, as when the process is killed in between."""
        self._begin()
        self.size_bytes += self._append(b"".join(line + b"\n" for line in lines))
        if chained:
            self.chain.add(lines, self.size_bytes)

    def _begin(self) -> None:
        if not self._has_begun:
            self._has_begun = True
            self.file.path.touch()
            self.chain.begin(self.file, 0)

    def _append(self, data: bytes) -> int:
        with self.file.path.open("ab") as file:
            return file.write(data)

    def rotate(self, reason: str = "rotation") -> LogFile:
        """Seal the file and go on in the next one; the sealed one."""
        self._begin()
        sealing = self.chain.seal(reason)
        self.left = None if sealing is None or sealing.bring_to_disk() else sealing
        done, self.file = self.file, self.file.next()
        self.size_bytes, self._has_begun = 0, False
        return done

    def stop(self) -> LogFile:
        """As a process that ends in good order."""
        done = self.rotate("stop")
        self.chain.close()
        return done

    def kill(self) -> LogFile:
        """As a process that is killed: nothing is sealed."""
        self.chain.close()
        return self.file


def _given(secret: str | None) -> Callable[[], str] | None:
    return None if secret is None else lambda: secret


def verified(folder: Path, secret: str | None = None) -> Report:
    """What verifying a folder says, in this process alone."""
    return verify([folder], secret=secret, processes=1)


def verdict_of(report: Report, file: LogFile) -> FileVerdict:
    """What it says of one file."""
    (found,) = [each for each in report.files if each.name == file.packed("").path.name]
    return found


def findings(report: Report) -> list[str]:
    """Everything that is wrong, as text."""
    wrong = [each.finding.text for each in report.files if each.finding is not None]
    return wrong + [finding.text for seals in report.seals for finding in seals.findings]


def contents(folder: Path) -> dict[str, bytes]:
    """What is in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def put(folder: Path, files: dict[str, bytes]) -> None:
    """Make a folder hold exactly these files."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)
