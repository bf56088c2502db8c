"""Runs commands as a shell would: the child decides how to stop, and its exit status is ours."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from typing import TYPE_CHECKING, Any, Generator, Mapping, Sequence

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

SIGNAL_STATUS_BASE = 128
"""A child ended by signal N reports 128 + N, as shells do."""


def say(message: str) -> None:
    """Tell the person what happens now; on stderr, since stdout belongs to the command."""
    print(f"dev: {message}", file=sys.stderr, flush=True)


def run(command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> int:
    """Run a command to its end and return its exit status.

    A keyboard interrupt reaches the child from the terminal as well, so the child's own shutdown is awaited here
    instead of cut short; a SIGTERM, which only this process gets, is passed on.

    Raises:
        SystemExit: with the child's status, once it has ended, when either of them asked to stop: nothing is to follow.
    """
    return _ended(subprocess.Popen(list(command), cwd=str(cwd), env=None if env is None else dict(env)))


class Beside:
    """A command that runs while others do; what it says is kept until it is waited for.

    Args:
        command: what to run.
        cwd: where.
    """

    def __init__(self, command: Sequence[str], *, cwd: Path) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - `stop` closes it
        self._process = subprocess.Popen(
            list(command), cwd=str(cwd), stdin=subprocess.DEVNULL, stdout=self._said, stderr=subprocess.STDOUT
        )

    def finished(self) -> int:
        """Wait until it ends, print what it said and return its exit status; see `run`."""
        try:
            return _ended(self._process)
        finally:
            self._said.seek(0)
            sys.stdout.flush()
            shutil.copyfileobj(self._said, sys.stdout.buffer)
            sys.stdout.flush()

    def stop(self) -> None:
        """End it, if it runs still."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
        self._said.close()


def _ended(process: subprocess.Popen[bytes]) -> int:
    stop_asked = threading.Event()
    with _heeding_signals(process, stop_asked):
        process.wait()
    status = process.returncode if process.returncode >= 0 else SIGNAL_STATUS_BASE - process.returncode
    if stop_asked.is_set():
        sys.exit(status)
    return status


@contextlib.contextmanager
def _heeding_signals(process: subprocess.Popen[bytes], stop_asked: threading.Event) -> Generator[None, None, None]:
    """Pass SIGTERM on and remember SIGINT: raised amid `wait`, a KeyboardInterrupt would lose the child's status."""

    def pass_on(_signal_number: int, _frame: FrameType | None) -> None:
        stop_asked.set()
        process.terminate()

    def remember(_signal_number: int, _frame: FrameType | None) -> None:
        stop_asked.set()

    handlers: dict[int, Any] = {signal.SIGTERM: pass_on}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored, here as in the child
        handlers[signal.SIGINT] = remember
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
