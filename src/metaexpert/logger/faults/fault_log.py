"""What `faulthandler` writes when a process crashes, kept in a file beside the logs, and told by the next start.

`<log_dir>/faults/<run>.fault` is this run's, empty while all is well and locked as long as it lives; a stop takes it
away. One that nobody locks and that says something is reported once, then kept as `<run>.reported`.
"""

import faulthandler
import logging
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import orjson

from metaexpert.logger.entry import Capture
from metaexpert.logger.own_entries import own_entry
from metaexpert.logger.owner_lock import OwnerLock
from metaexpert.logger.texts import safe_ends

FOLDER: Final = "faults"
FAULT_LOGGER: Final = "metaexpert.faults"
_NAME: Final = re.compile(r"(?P<boot_id>[0-9a-f]+)-(?P<pid>\d+)\.(?:fault|reported)")
_LIVE: Final = ".fault"
_REPORTED: Final = ".reported"
_MOST_LOOKED_AT: Final = 256
_READ_BYTES: Final = 256 * 1024
_SHOWN_BYTES: Final = 24 * 1024
_WHAT: Final = re.compile(r"^(?:Fatal Python error|Windows fatal exception): (?P<what>.{1,200})", re.MULTILINE)
_CURRENT: Final = "Current thread"
_FRAME: Final = re.compile(r'^  File "(?P<file>[^"\n]*)", line (?P<line>\d+|\?\?\?) in (?P<function>\S+)', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """How a process crashed.

    Attributes:
        run: its name, `boot_id-pid`.
        pid: the process.
        what: the signal or error, such as "Segmentation fault".
        place: file, line and function of the innermost frame of the thread that crashed; empty where none is known.
        at_ns: when it wrote that, nanoseconds since 1970.
        stacks: those of all threads, the innermost call first.
    """

    run: str
    pid: int
    what: str
    place: str
    at_ns: int
    stacks: str


def faults_in(log_dir: Path) -> list[Fault]:
    """The reported crashes that are kept, the oldest first; what cannot be read is passed over."""
    return sorted(filter(None, map(_read, (log_dir / FOLDER).glob(f"*{_REPORTED}"))), key=lambda fault: fault.at_ns)


def fault_entry(fault: Fault, scrub: Callable[[str], str]) -> Capture:
    """The CRITICAL entry that reports a crash.

    Args:
        fault: the crash.
        scrub: takes secrets out of a text.
    """
    where = f" at {scrub(fault.place)}" if fault.place else ""
    message = f"process {fault.pid} crashed: {scrub(fault.what)}{where}"
    told = {"run": fault.run, "pid": fault.pid, "fault": scrub(fault.what), "crashed_ns": fault.at_ns}
    stacks = orjson.dumps(scrub(fault.stacks))
    return own_entry(logging.CRITICAL, message, told, logger=FAULT_LOGGER, details=(b"", stacks, b""))


@final
class FaultLog:
    """Keeps one process's crash, and finds those of others.

    Args:
        log_dir: the folder of the logs.
        run: this run's name, `boot_id-pid`.
        keep: reported crashes to keep at most.
    """

    def __init__(self, log_dir: Path, run: str, keep: int) -> None:
        self._folder = log_dir / FOLDER
        self._path = self._folder / f"{run}{_LIVE}"
        self._keep = keep
        self._lock: OwnerLock | None = None
        self._descriptor = -1

    def begin(self) -> bool:
        """Have `faulthandler` write to this run's file; False where somebody has enabled it already. Blocks shortly.

        Raises:
            OSError: the file cannot be made.
        """
        if self._descriptor >= 0 or faulthandler.is_enabled():
            return False
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = OwnerLock.acquire(self._path)
        if self._lock is None:
            return False
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        faulthandler.enable(file=self._descriptor, all_threads=True)
        return True

    def report_former(self, report: Callable[[Fault], None]) -> None:
        """Report the crashes of runs that live no more, each to one process; blocks for a moment.

        Args:
            report: told of each before its file is put aside, so that none is lost if this process is killed here.
        """
        if self._folder.is_dir():
            for path in sorted(self._folder.glob(f"*{_LIVE}"))[:_MOST_LOOKED_AT]:
                if path != self._path:
                    with suppress(OSError):
                        self._report(path, report)
            self._forget_old()

    def _report(self, path: Path, report: Callable[[Fault], None]) -> None:
        lock = OwnerLock.acquire(path)
        if lock is None:
            return  # it lives
        fault = _read(path)
        if fault is None:
            lock.release(delete=True)
            return
        report(fault)
        try:
            if self._keep:
                path.replace(path.with_suffix(_REPORTED))
        finally:
            lock.release(delete=not self._keep)

    def _forget_old(self) -> None:
        reported = sorted(self._folder.glob(f"*{_REPORTED}"), key=lambda path: path.name)
        for path in reported[: max(0, len(reported) - self._keep)]:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def end(self) -> None:
        """The run ends well: take the file away. Blocks for a moment."""
        if self._descriptor < 0:
            return
        self._disable()
        lock, self._lock = self._lock, None
        if lock is not None:
            with suppress(OSError):
                # what was written stays for the next start: not every error that is fatal elsewhere ends a process
                lock.release(delete=self._path.stat().st_size == 0)
        with suppress(OSError):
            self._folder.rmdir()  # where nothing of anybody's is left in it

    def leave_to_child(self) -> None:
        """In a forked child: a crash of its own is not the parent's."""
        if self._descriptor >= 0:
            self._disable()
        self._lock = None  # let go of by itself

    def _disable(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        faulthandler.disable()
        os.close(descriptor)


def _read(path: Path) -> Fault | None:
    """What a file says; None where it says nothing, or is none of ours."""
    named = _NAME.fullmatch(path.name)
    try:
        with path.open("rb") as file:
            told = os.fstat(file.fileno())
            text = file.read(_READ_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    if named is None or not text.strip():
        return None
    what = _WHAT.search(text)
    frame = _FRAME.search(text, max(0, text.find(_CURRENT)))
    place = f"{frame['file']}:{frame['line']} in {frame['function']}" if frame else ""
    return Fault(
        run=path.stem,
        pid=int(named["pid"]),
        what=what["what"].strip() if what else "crashed",
        place=place,
        at_ns=told.st_mtime_ns,
        stacks=safe_ends(text, _SHOWN_BYTES),
    )
