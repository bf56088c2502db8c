"""Makes and keeps the virtual environments that commands run in.

A stamp inside each environment says what was installed, for which interpreter, pyproject.toml, constraints.txt and
checkout; nothing is installed again until one of them changes or more extras are wanted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Callable, Mapping, NamedTuple, Sequence

from devtools.errors import DevError
from devtools.interpreters import OLDEST_MINOR, Interpreter, probe
from devtools.processes import say

if TYPE_CHECKING:
    from pathlib import Path

STAMP_NAME = "metaexpert-dev-stamp.json"

_OFFLINE_SIGNS = (
    "NewConnectionError",
    "Failed to establish a new connection",
    "Temporary failure in name resolution",
    "Name or service not known",
    "getaddrinfo failed",
    "nodename nor servname",
    "Network is unreachable",
    "ProxyError",
    "ConnectTimeoutError",
    "Cannot connect to proxy",
)


class Stamp(NamedTuple):
    """What an environment holds."""

    digest: str
    python: str
    extras: frozenset[str]

    def satisfies(self, wanted: Stamp) -> bool:
        """Whether nothing needs to be installed for `wanted`."""
        return (self.digest, self.python) == (wanted.digest, wanted.python) and wanted.extras <= self.extras

    def dump(self) -> str:
        """The stamp as JSON."""
        return json.dumps({"digest": self.digest, "python": self.python, "extras": sorted(self.extras)})

    @staticmethod
    def load(text: str) -> Stamp | None:
        """The stamp that `dump` wrote; None when it is something else."""
        try:
            facts: Any = json.loads(text)
            return Stamp(facts["digest"], facts["python"], frozenset(facts["extras"]))
        except (ValueError, KeyError, TypeError):
            return None


class Environment:
    """A virtual environment of the checkout at `root`, in its subfolder `name`."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.folder = root / name
        self.python = self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def prepare(self, extras: Sequence[str], find_interpreter: Callable[[], Interpreter]) -> None:
        """Have the project with `extras` installed, doing only what is not done yet.

        `find_interpreter` is asked only when there is no working environment.

        Raises:
            DevError: the environment could not be made or filled.
        """
        current = self._working_interpreter()
        if current is None:
            current = find_interpreter()
            self._create(current)
        installed = self._read_stamp()
        held: frozenset[str] = installed.extras if installed else frozenset()
        wanted = Stamp(_digest(self.root), current.version_text, frozenset(extras))
        if installed is not None and installed.satisfies(wanted):
            return
        self._install(wanted._replace(extras=wanted.extras | held))

    def _working_interpreter(self) -> Interpreter | None:
        if not self.python.exists():
            return None
        found = probe([str(self.python)])
        usable = found is not None and found.version >= (3, OLDEST_MINOR)
        if usable and (self._read_stamp() is not None or self._has_pip()):
            return found
        say(f"{self.folder.name} is broken or of an unsupported Python; making it anew")
        return None

    def _has_pip(self) -> bool:
        command = [str(self.python), "-m", "pip", "--version"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _create(self, interpreter: Interpreter) -> None:
        say(f"making {self.folder.name} with Python {interpreter.version_text} ({interpreter.executable})")
        command = [interpreter.executable, "-m", "venv", "--clear", str(self.folder)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            shutil.rmtree(str(self.folder), ignore_errors=True)
            raise DevError(
                f"{made.stdout}{made.stderr}\nCould not make a virtual environment in {self.folder}.\n"
                "Some systems package this part of Python apart: on Debian and Ubuntu install "
                f"python{interpreter.version[0]}.{interpreter.version[1]}-venv."
            )

    def _install(self, wanted: Stamp) -> None:
        extras = ",".join(sorted(wanted.extras))
        target = f".[{extras}]" if extras else "."
        say(f"installing metaexpert{target[1:]} into {self.folder.name} (once; a minute or two)")
        with contextlib.suppress(FileNotFoundError):
            self._stamp_path.unlink()
        command = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        done = subprocess.run(
            [*command, "--editable", target],
            cwd=str(self.root),
            env=_pip_environment(os.environ, self.root / "constraints.txt"),
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise DevError(explain_pip_failure(done.stderr))
        self._stamp_path.write_text(wanted.dump(), encoding="utf-8")

    @property
    def _stamp_path(self) -> Path:
        return self.folder / STAMP_NAME

    def _read_stamp(self) -> Stamp | None:
        return Stamp.load(self._stamp_path.read_text(encoding="utf-8")) if self._stamp_path.exists() else None


def explain_pip_failure(output: str) -> str:
    """Pip's own words, and what to do about them."""
    if any(sign in output for sign in _OFFLINE_SIGNS):
        remedy = (
            "This machine reaches no package index. Run this once with a network; or have the wheels in a folder\n"
            "and set PIP_NO_INDEX=1 and PIP_FIND_LINKS=<folder>; or set PIP_INDEX_URL to a mirror that it reaches."
        )
    else:
        remedy = "pip could not install the project; its reason is above. Mended? Run the same command again."
    return f"{output.strip()}\n\n{remedy}"


def _pip_environment(environment: Mapping[str, str], constraints: Path) -> dict[str, str]:
    """Constraints as variables, which pin the project's build backend too: pip hands no option down to a build.

    Newer pips read the second one there. A URI, because pip splits the values at blanks.
    """
    uri = constraints.resolve().as_uri()
    return {**environment, "PIP_CONSTRAINT": uri, "PIP_BUILD_CONSTRAINT": uri}


def _digest(root: Path) -> str:
    digest = hashlib.sha256(str(root).encode())  # an editable install points at its checkout: moved, it is another one
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((root / name).read_bytes())
    return digest.hexdigest()
