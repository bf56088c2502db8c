"""Programs of a test's own: a script in a process of its own, with a deadline, and what it left behind.

`BEGINNING` stands before each: the usual imports, `log`, `config(…)` for files below the folder, `run(main())` on the
loop the test asks for, `logged()` for what the main file holds at this moment.
"""

import json
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
from support.written_logs import in_order

from metaexpert.logger import entry

PATIENCE_SECONDS = 60.0
SOURCE = Path(entry.__file__).parents[2]

LOOPS = pytest.mark.parametrize(
    "loop",
    [
        "asyncio",
        pytest.param("uvloop", marks=pytest.mark.skipif(sys.platform == "win32", reason="uvloop needs POSIX")),
    ],
)
"""On both event loops; hand `loop` to the program."""

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

BEGINNING = """\
import asyncio, json, logging, os, signal, sys, threading, time
from pathlib import Path
from metaexpert.exceptions import LoggingStateError
from metaexpert.logger import FileOptions, LoggerConfig, MemoryOptions, get_logger, setup_logging
from metaexpert.logger.files.names import files_of

log = get_logger("program")
logging.getLogger("asyncio").setLevel("INFO")  # at DEBUG it tells of every loop


def config(**more):
    usual = {"log_level": "DEBUG", "log_dir": "logs", "json_logging": True, "log_to_console": False}
    return LoggerConfig(**{**usual, "shutdown_timeout": 5.0, **more})


def run(main):
    factory = None
    if os.environ.get("TEST_LOOP") == "uvloop":
        import uvloop
        factory = uvloop.new_event_loop
    return asyncio.run(main, loop_factory=factory)


def logged(name="expert.log"):
    files = sorted(files_of(Path("logs", name)), key=lambda file: (file.path.stat().st_mtime_ns, file))
    lines = [line for file in files for line in file.path.read_text(encoding="utf-8").splitlines()]
    return [json.loads(line)["message"] for line in lines]


def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.005)


def say(word):
    print(word, flush=True)


"""


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that has ended."""

    returncode: int
    stdout: str
    stderr: str
    folder: Path

    def well(self) -> "Ended":
        """Itself, where it ended with status 0 and nothing on standard error.

        Raises:
            AssertionError: it didn't; with what it said.
        """
        assert (self.returncode, self.stderr) == (0, ""), f"{self.returncode}\n{self.stdout}\n{self.stderr}"
        return self

    def entries(self, name: str = "expert.log") -> list[dict[str, Any]]:
        """The entries of a log; each line has to be whole."""
        return entries_of(self.folder / "logs" / name)

    def messages(self, name: str = "expert.log") -> list[str]:
        """Their messages."""
        return [each["message"] for each in self.entries(name)]


def entries_of(path: Path) -> list[dict[str, Any]]:
    """The entries of a log, of all runs, or of one file; each line has to be whole."""
    files = in_order(path) or ([path] if path.exists() else [])
    texts = [file.read_text(encoding="utf-8") for file in files]
    assert all(not text or text.endswith("\n") for text in texts), f"{path} ends within a line"
    return [json.loads(line) for text in texts for line in text.splitlines()]


def run_program(
    code: str, folder: Path, *arguments: str, loop: str = "asyncio", warnings: str = "error", beginning: str = BEGINNING
) -> Ended:
    """Run a program to its end.

    Raises:
        subprocess.TimeoutExpired: it did not end; it was killed.
    """
    script = _script(code, folder, beginning)
    done = subprocess.run(
        [sys.executable, "-W", warnings, str(script), *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        cwd=folder,
        env=_environment(loop),
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr, folder)


class Running:
    """A program that runs, and says words on standard output by which a test knows where it is."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self.process = process
        self._folder = folder
        self._said: list[str] = []
        self._errors: list[str] = []
        # read beside the program, or it would wait for room in the pipe
        self._reader = threading.Thread(target=self._read, args=(process.stderr,), daemon=True)
        self._reader.start()

    def _read(self, stream: IO[str]) -> None:
        self._errors.append(stream.read())

    def wait_for(self, word: str) -> None:
        """Read until the program says `word`.

        Raises:
            AssertionError: it ended before.
        """
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said.append(line)
            if line.strip() == word:
                return
        self._reader.join(PATIENCE_SECONDS)
        raise AssertionError(f"ended without {word!r}: {self._said} {self._errors}")

    def send(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def ended(self) -> Ended:
        """Wait until it has ended.

        Raises:
            subprocess.TimeoutExpired: it did not.
        """
        status = self.process.wait(PATIENCE_SECONDS)
        assert self.process.stdout is not None
        self._said.append(self.process.stdout.read())
        self._reader.join(PATIENCE_SECONDS)
        return Ended(status, "".join(self._said), "".join(self._errors), self._folder)


@contextmanager
def running_program(
    code: str, folder: Path, *arguments: str, loop: str = "asyncio", warnings: str = "error", beginning: str = BEGINNING
) -> Generator[Running]:
    """Run a program beside the test; killed at the end of the block, and after `PATIENCE_SECONDS`."""
    script = _script(code, folder, beginning)
    with subprocess.Popen(
        [sys.executable, "-W", warnings, str(script), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=_environment(loop),
    ) as process:
        limit = threading.Timer(PATIENCE_SECONDS, process.kill)
        limit.start()
        try:
            yield Running(process, folder)
        finally:
            limit.cancel()
            process.kill()


def _script(code: str, folder: Path, beginning: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "program.py"
    script.write_text(beginning + textwrap.dedent(code), encoding="utf-8")
    return script


def _environment(loop: str) -> Mapping[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(("METAEXPERT_LOG_", "PYTHON"))  # PYTHONUNBUFFERED would change what is tested
    }
    return {**kept, "TEST_LOOP": loop, "PYTHONPATH": str(SOURCE), "PYTHONFAULTHANDLER": "0", "PYTHONUNBUFFERED": ""}
