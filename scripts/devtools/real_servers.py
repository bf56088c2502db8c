"""Installs the real servers that tests run against, by package name, where this machine can have them.

Nothing here fails a run: what can't be had is said in words, which the tests give as their reason to skip. A status
file beside each server's folder says what was installed from which file, or why nothing was.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Callable, NamedTuple, Sequence

from devtools.errors import DevError
from devtools.interpreters import find
from devtools.processes import say

FOLDER = ".servers"
OPENSEARCH_POM = "tests/integration/real/opensearch/pom.xml"
ROTEL_VERSION = "0.0.1a15"
RSYSLOG_PACKAGES = ("rsyslog", "rsyslog-openssl", "libestr0", "libfastjson4")
COMMAND = "python3 scripts/dev.py servers"

MAVEN_SECONDS = 180
PIP_SECONDS = 120
APT_SECONDS = 120
"""Longest installations; they take about ten seconds where the registries answer."""


class Installed(NamedTuple):
    """A server that tests may start, or why they can't.

    Attributes:
        name: as its makers write it.
        version: which one is wanted.
        folder: where it is, if it is.
        reason: why it is not there; empty when it is.
    """

    name: str
    version: str
    folder: Path
    reason: str


class _Recipe(NamedTuple):
    name: str
    version: Callable[[Path], str]
    install: Callable[[Path, Path], None]


def installed(root: Path, key: str) -> Installed:
    """What the last installation into the checkout at `root` came to, "opensearch" or "rotel" as `key`."""
    recipe = _RECIPES[key]
    version = recipe.version(root)
    found = Installed(recipe.name, version, root / FOLDER / key, f"not installed; {COMMAND} does it")
    try:
        status = json.loads(_status_file(found.folder).read_text(encoding="utf-8"))
        known = (status["version"], status["digest"]) == (version, _digest(root))
    except (OSError, ValueError, KeyError, TypeError):
        return found
    return found._replace(reason=str(status["reason"])) if known else found


def install_all(root: Path) -> list[Installed]:
    """Have every server that is not there yet; what failed before is tried again."""
    return [_installed_now(root, key) for key in _RECIPES]


def _installed_now(root: Path, key: str) -> Installed:
    found = installed(root, key)
    return _install(root, key, found) if found.reason else found


def _install(root: Path, key: str, wanted: Installed) -> Installed:
    say(f"installing {wanted.name} {wanted.version} for the tests")
    shutil.rmtree(str(wanted.folder), ignore_errors=True)
    wanted.folder.mkdir(parents=True)
    reason = ""
    try:
        _RECIPES[key].install(root, wanted.folder)
    except DevError as error:
        reason = str(error)
        shutil.rmtree(str(wanted.folder), ignore_errors=True)
    status = {"version": wanted.version, "digest": _digest(root), "reason": reason}
    _status_file(wanted.folder).write_text(json.dumps(status), encoding="utf-8")
    return wanted._replace(reason=reason)


def _status_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.json")


def _digest(root: Path) -> str:
    return hashlib.sha256((root / OPENSEARCH_POM).read_bytes() + Path(__file__).read_bytes()).hexdigest()


# ---- OpenSearch ----------------------------------------------------------------------------------------------------


def _opensearch_version(root: Path) -> str:
    found = re.search(r"<opensearch.version>([^<]+)<", (root / OPENSEARCH_POM).read_text(encoding="utf-8"))
    return found.group(1) if found else "?"


def _install_opensearch(root: Path, folder: Path) -> None:
    for tool in ("java", "javac", "mvn"):  # the node is a source file, which java compiles when it starts
        if shutil.which(tool) is None:
            raise DevError(f"no {tool} on PATH")
    command = [
        "mvn", "--batch-mode", "--quiet", "--no-transfer-progress", "--file", str(root / OPENSEARCH_POM),
        "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}",
    ]  # fmt: skip
    _run([shutil.which("mvn") or "mvn", *command[1:]], MAVEN_SECONDS)
    if not any(folder.glob("opensearch-*.jar")):
        raise DevError("Maven copied no artifacts")


# ---- rotel, an OpenTelemetry collector -----------------------------------------------------------------------------


def rotel_executable(folder: Path) -> Path:
    """The collector's program within the folder it was installed to."""
    return folder / "rotel"


def _rotel_version(_root: Path) -> str:
    return ROTEL_VERSION


def _install_rotel(_root: Path, folder: Path) -> None:
    interpreter = find()
    if interpreter is None:
        raise DevError("no fitting Python found")
    _run([interpreter.executable, "-m", "venv", str(folder)], PIP_SECONDS)
    python = folder / "bin" / "python"
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input", "--retries", "1", "--timeout", "20")
    wanted = ("--only-binary", ":all:", "--no-deps", f"rotel=={ROTEL_VERSION}")
    _run([str(python), "-m", "pip", "install", *quiet, *wanted], PIP_SECONDS)
    agent = next(iter(folder.glob("lib/python3*/site-packages/rotel/rotel-agent")), None)
    if agent is None:
        raise DevError("the wheel carries no program for this system")
    agent.chmod(0o755)
    executable = rotel_executable(folder)
    executable.write_text(_WRAPPER.format(libraries=_libraries_of(python), agent=agent), encoding="utf-8")
    executable.chmod(0o755)
    _run([str(executable), "--version"], PIP_SECONDS)


_WRAPPER = """\
#!/bin/sh
LD_LIBRARY_PATH="{libraries}" exec "{agent}" "$@"
"""
"""The program needs Python's shared library, which the loader does not find outside of the system's folders."""


def _libraries_of(python: Path) -> str:
    program = "import sysconfig; print(sysconfig.get_config_var('LIBDIR') or '')"
    return subprocess.run([str(python), "-c", program], stdout=subprocess.PIPE, text=True, check=False).stdout.strip()


# ---- rsyslog ---------------------------------------------------------------------------------------------------------


def rsyslog_executable(folder: Path) -> Path:
    """The daemon within the folder it was installed to."""
    return folder / "rsyslogd"


def _rsyslog_version(_root: Path) -> str:
    return "of this system's packages"


def _install_rsyslog(_root: Path, folder: Path) -> None:
    """Unpack the packages beside the system's: no service is set up, and nobody has to be root."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise DevError(f"no {tool} on PATH")
    _download(folder)
    packages = sorted(folder.glob("*.deb"))
    for package in packages:
        _run([shutil.which("dpkg-deb") or "dpkg-deb", "--extract", str(package), str(folder)], APT_SECONDS)
        package.unlink()
    modules = next(iter(folder.glob("usr/lib/**/rsyslog/imtcp.so")), None)
    if modules is None:
        raise DevError("the packages carry no module imtcp")
    executable = rsyslog_executable(folder)
    texts = {"libraries": modules.parents[1], "daemon": folder / "usr/sbin/rsyslogd", "modules": modules.parent}
    executable.write_text(_RSYSLOG_WRAPPER.format(**texts), encoding="utf-8")
    executable.chmod(0o755)
    _run([str(executable), "-v"], APT_SECONDS)


def _download(folder: Path) -> None:
    command = [shutil.which("apt-get") or "apt-get", "-qq", "download", *RSYSLOG_PACKAGES]
    try:
        _run(command, APT_SECONDS, folder)
    except DevError:  # a machine that has no lists yet
        _run([command[0], "-qq", "update"], APT_SECONDS)
        _run(command, APT_SECONDS, folder)


_RSYSLOG_WRAPPER = """\
#!/bin/sh
LD_LIBRARY_PATH="{libraries}" exec "{daemon}" -M "{modules}" "$@"
"""


def _run(command: Sequence[str], seconds: float, folder: Path | None = None) -> None:
    tool = Path(command[0]).name
    try:
        done = subprocess.run(
            list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", timeout=seconds, check=False, cwd=folder,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise DevError(f"{tool} was not done within {seconds:g} s") from None
    except OSError as error:
        raise DevError(f"{tool} did not start: {error}") from None
    if done.returncode != 0:
        raise DevError(f"{tool} failed: {_last_words(done.stdout)}")


def _last_words(output: str) -> str:
    """The line that says most, short enough for a reason."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in output.splitlines()]
    errors = [line for line in lines if "ERROR" in line] or [line for line in lines if line] or ["it said nothing"]
    return errors[0][:300]


_RECIPES = {
    "opensearch": _Recipe("OpenSearch", _opensearch_version, _install_opensearch),
    "rotel": _Recipe("rotel", _rotel_version, _install_rotel),
    "rsyslog": _Recipe("rsyslog", _rsyslog_version, _install_rsyslog),
}
