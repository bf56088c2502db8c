"""Finds the CPython that MetaExpert runs on.

A candidate counts only when it starts and says what it is: pyenv's shims and the Windows store's aliases exist without
an interpreter behind them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterable, Iterator, NamedTuple, Sequence

from devtools.errors import DevError
from devtools.processes import say

OLDEST_MINOR = 12
PREFERRED_MINOR = 12
"""Default runs use the oldest supported Python, so that nothing newer slips in; `check` adds a newer one."""

NEWEST_MINOR_SEARCHED = 15
PROBE_SECONDS = 30

_PROBE = """
import json, platform, sys, sysconfig
usable = (
    platform.python_implementation() == "CPython"
    and sys.version_info.releaselevel == "final"
    and not sysconfig.get_config_var("Py_GIL_DISABLED")
)
executable = getattr(sys, "_base_executable", None) or sys.executable
print(json.dumps({"usable": usable, "executable": executable, "version": list(sys.version_info[:3])}))
"""


class Interpreter(NamedTuple):
    """A usable CPython: its executable (outside of any virtual environment) and its version."""

    executable: str
    version: tuple[int, int, int]

    @property
    def version_text(self) -> str:
        """The version as people write it."""
        return ".".join(map(str, self.version))


def probe(command: Sequence[str]) -> Interpreter | None:
    """Ask a command what Python it is; None when it doesn't start, or is a pre-release or no CPython."""
    try:
        answer = subprocess.run(
            [*command, "-c", _PROBE], capture_output=True, text=True, timeout=PROBE_SECONDS, check=False
        )
        facts: Any = json.loads(answer.stdout or "null")
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    if facts is None or not facts["usable"]:
        return None
    major, minor, micro = facts["version"]
    return Interpreter(facts["executable"], (major, minor, micro))


def candidates() -> Iterator[list[str]]:
    """Commands that may start a Python, the likeliest first."""
    yield [sys.executable]
    for minor in range(PREFERRED_MINOR, NEWEST_MINOR_SEARCHED + 1):
        yield from _on_path(f"python3.{minor}")
        if os.name == "nt":
            yield ["py", f"-3.{minor}"]
    yield from _on_path("python3")
    yield from _on_path("python")
    yield from _of_pyenv()


def choose(commands: Iterable[Sequence[str]], minor: int | None = None) -> Interpreter | None:
    """The first interpreter of 3.`minor`; without one the first preferred, else the oldest that is supported."""
    best: Interpreter | None = None
    for command in commands:
        found = probe(command)
        if found is None or found.version < (3, OLDEST_MINOR):
            continue
        if found.version[1] == (PREFERRED_MINOR if minor is None else minor):
            return found
        if minor is None and (best is None or found.version[:2] < best.version[:2]):
            best = found
    return best


def find(minor: int | None = None) -> Interpreter | None:
    """Look on this machine for Python 3.`minor`, or without one for the best that MetaExpert supports."""
    return choose(candidates(), minor)


def find_or_fetch() -> Interpreter:
    """As `find`, and where the machine has none, have uv install one.

    Raises:
        DevError: there is no Python and none could be fetched.
    """
    found = find()
    if found is not None:
        return found
    say(f"no Python 3.{OLDEST_MINOR} or newer found here; asking uv for one")
    with tempfile.TemporaryDirectory(prefix="metaexpert-uv-") as folder:
        fetched = _fetch(shutil.which("uv") or _uv_from_package_index(Path(folder)))
    if fetched is None:
        raise DevError(
            f"No CPython 3.{OLDEST_MINOR} or newer on this machine, and uv could not fetch one (its answer is above).\n"
            f"Install Python 3.{PREFERRED_MINOR} (the system's packages, pyenv, or Python's own installer),\n"
            "have it on PATH and run this command again. Without a network that is the only way."
        )
    return fetched


def _on_path(name: str) -> Iterator[list[str]]:
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        found = shutil.which(name, path=folder) if folder else None
        if found:
            yield [found]


def _of_pyenv() -> Iterator[list[str]]:
    home = Path.home() / (".pyenv/pyenv-win" if os.name == "nt" else ".pyenv")
    versions = Path(os.environ.get("PYENV_ROOT") or home) / "versions"
    if not versions.is_dir():
        return
    releases = [folder for folder in versions.iterdir() if re.fullmatch(r"3\.\d+\.\d+", folder.name)]
    for folder in sorted(releases, key=lambda folder: [int(part) for part in folder.name.split(".")], reverse=True):
        executable = folder / ("python.exe" if os.name == "nt" else "bin/python3")
        if int(folder.name.split(".")[1]) >= OLDEST_MINOR and executable.exists():
            yield [str(executable)]


def _uv_from_package_index(folder: Path) -> str | None:
    """Install uv into a throw-away environment; its path, or None when that failed."""
    executable = folder / ("Scripts/uv.exe" if os.name == "nt" else "bin/uv")
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(executable.parent / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv"],
    ):
        if subprocess.run(command, check=False).returncode != 0:
            return None
    return str(executable)


def _fetch(uv: str | None) -> Interpreter | None:
    if uv is None:
        return None
    wanted = f"3.{PREFERRED_MINOR}"
    if subprocess.run([uv, "python", "install", wanted], check=False).returncode != 0:
        return None
    answer = subprocess.run([uv, "python", "find", wanted], stdout=subprocess.PIPE, text=True, check=False)
    return probe([answer.stdout.strip()]) if answer.returncode == 0 else None
