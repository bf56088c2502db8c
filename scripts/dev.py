#!/usr/bin/env python3
"""Everything one does with a checkout of MetaExpert: `python3 scripts/dev.py <command>`.

Runs on any Python from 3.8 on, with the standard library alone: it finds a fitting CPython, makes `.venv` with the
pinned versions of constraints.txt, and runs the command in it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, List, NamedTuple, Sequence

from devtools.environment import Environment
from devtools.errors import DevError
from devtools.interpreters import find, find_or_fetch
from devtools.processes import Beside, run, say
from devtools.real_servers import FOLDER, install_all

ROOT = Path(__file__).resolve().parent.parent
NEWER_MINOR = 13
"""`check` repeats the quick tests on this Python, where the machine has it."""

RUNTIME = Environment(ROOT, ".venv")
NEWER = Environment(ROOT, f".venv-3.{NEWER_MINOR}")
NO_EXTRAS: Sequence[str] = ()
DEVELOPMENT = ("dev",)
TESTING = ("test", "uvloop")

USAGE_STATUS = 2
"""Exit status of a command line that says nothing we know, and of an environment that can't be had."""

INTERRUPTED_STATUS = 130
"""As shells report a command that a keyboard interrupt ended."""

QUICK_TESTS: Sequence[Sequence[str]] = (
    ("tests/unit", "tests/contract", "--ignore=tests/unit/logger"),
    ("tests/unit/logger",),
)
"""In two halves, for two cores; the longer one first, since it runs beside the other steps of `check`."""

# A shared CI machine may stop a process for a second at any point, and thousands of tests run real processes, sockets
# and signals there: one that fails is repeated once. The summary lists it; it is a fault to be mended all the same.
REPEATED_IN_CI = ("--reruns=1", "--reruns-delay=1", "-r", "sxXEfR")

Action = Callable[[List[str]], int]


def demo(arguments: list[str]) -> int:
    """Run the demo on loopback (options: see `demo --help`)."""
    RUNTIME.prepare(NO_EXTRAS, find_or_fetch)
    return run([str(RUNTIME.python), "-m", "metaexpert", "demo", *arguments], cwd=ROOT)


def test(arguments: list[str]) -> int:
    """Run every test, or what the given pytest arguments select."""
    return _in_development("pytest", *_repeated(), *arguments)


def soak(arguments: list[str]) -> int:
    """Kills and an outage at full size, minutes to hours (options: see `soak --help`)."""
    RUNTIME.prepare(DEVELOPMENT, find_or_fetch)
    return run([str(RUNTIME.python), str(ROOT / "scripts" / "soak" / "__main__.py"), *arguments], cwd=ROOT)


def servers(_arguments: list[str]) -> int:
    """Install the real servers that tests run against; what can't be had is said, and its tests skip."""
    for found in install_all(ROOT):
        say(f"{found.name} {found.version}: {f'not installed: {found.reason}' if found.reason else 'installed'}")
    return 0


def lint(_arguments: list[str]) -> int:
    """Check format and lint rules."""
    # Both, so that one run tells all there is to mend.
    return max(_in_development("ruff", "format", "--check"), _in_development("ruff", "check"))


def format_(_arguments: list[str]) -> int:
    """Format the code and sort its imports."""
    return _in_development("ruff", "check", "--select", "I", "--fix") or _in_development("ruff", "format")


def types(_arguments: list[str]) -> int:
    """Check types (pyright, strict)."""
    return _in_development("pyright")


def docs(_arguments: list[str]) -> int:
    """Build the documentation into site/; a broken link or reference fails."""
    return _in_development("properdocs", "build", "--quiet", "--strict", "--config-file", "mkdocs.yml")


def bench(arguments: list[str]) -> int:
    """Measure the logger beside its peers (options: see `bench --help`)."""
    RUNTIME.prepare(DEVELOPMENT, find_or_fetch)
    return run([str(RUNTIME.python), str(ROOT / "scripts" / "bench" / "__main__.py"), *arguments], cwd=ROOT)


def examples(_arguments: list[str]) -> int:
    """Run every example in a folder of its own; each must end with status 0."""
    RUNTIME.prepare(DEVELOPMENT, find_or_fetch)
    found = sorted((ROOT / "examples").glob("*.py"))
    if not found:
        say("no examples in examples/: nothing was run")
        return 1
    failed: list[str] = []
    for example in found:
        say(f"example {example.name}")
        with tempfile.TemporaryDirectory(prefix="metaexpert-example-") as folder:
            if run([str(RUNTIME.python), str(example)], cwd=Path(folder)) != 0:
                failed.append(example.name)
    if failed:
        say(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def check(_arguments: list[str]) -> int:
    """Lint, types, examples, docs, a quick benchmark, and quick tests on a newer Python; CI runs it before `test`."""
    newer = f"quick tests on Python 3.{NEWER_MINOR}"
    steps: list[tuple[str, Action, list[str]]] = [
        ("lint", lint, []),
        ("types", types, []),
        ("examples", examples, []),
        ("docs", docs, []),
        ("bench --quick", bench, ["--quick"]),
    ]
    results: list[str] = []
    failures = not_run = 0
    started = time.monotonic()
    tests, reason = _tests_on_newer_python()
    # one half has a core of its own, where there are two; the other follows the steps here
    beside = [Beside(command, cwd=ROOT) for command in tests[:1]]
    try:
        for name, action, arguments in steps:
            say(f"{name} ...")
            step_started = time.monotonic()
            status = action(arguments)
            failures += status != 0
            results.append(f"{name}: {_outcome(status)}, {time.monotonic() - step_started:.1f} s")
            say(results[-1])
        beside += [Beside(command, cwd=ROOT) for command in tests[1:]]
        if not beside:
            not_run += 1
            results.append(f"{newer}: not run: {reason}")
        else:
            say(f"{newer} ...")
            status = max([each.finished() for each in beside])
            failures += status != 0
            results.append(f"{newer}: {_outcome(status)}, {time.monotonic() - started:.1f} s beside the others")
        say(results[-1])
    finally:
        for each in beside:
            each.stop()
    say(f"check: {_verdict(len(steps) + 1, failures, not_run)}")
    for result in results:
        say(f"  {result}")
    return 1 if failures else 0


def clean(_arguments: list[str]) -> int:
    """Remove the environments, caches and built files of this checkout."""
    folders = [*ROOT.glob(".venv*"), ROOT / FOLDER, *(ROOT / name for name in ("build", "dist", "site", "htmlcov"))]
    caches = [ROOT / name for name in (".pytest_cache", ".ruff_cache", ".hypothesis", ".cache")]
    for part in ("src", "tests", "scripts", "examples"):
        caches += (ROOT / part).rglob("__pycache__")
    for folder in filter(Path.is_dir, [*folders, *caches]):
        shutil.rmtree(str(folder))
    for file in ROOT.glob(".coverage*"):
        file.unlink()
    return 0


def _in_development(tool: str, *arguments: str) -> int:
    RUNTIME.prepare(DEVELOPMENT, find_or_fetch)
    # Quiet also keeps pyright's wrapper from asking a package index for its newest version on each run.
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    return run([str(RUNTIME.python), "-m", tool, *arguments], cwd=ROOT, env=environment)


def _tests_on_newer_python() -> tuple[list[list[str]], str]:
    """Commands for the quick tests on a newer Python; or why there are none."""
    interpreter = find(NEWER_MINOR)
    if interpreter is None:
        return [], f"no Python 3.{NEWER_MINOR} found"
    NEWER.prepare(TESTING, lambda: interpreter)
    return [[str(NEWER.python), "-m", "pytest", "-q", *_repeated(), *tests] for tests in QUICK_TESTS], ""


def _repeated() -> Sequence[str]:
    return REPEATED_IN_CI if os.environ.get("CI") else ()


def _outcome(status: int) -> str:
    return "passed" if status == 0 else f"FAILED (status {status})"


def _verdict(steps: int, failures: int, not_run: int) -> str:
    verdict = f"{failures} of {steps} steps failed" if failures else f"{steps - not_run} of {steps} steps passed"
    return f"{verdict}, {not_run} not run" if not_run else verdict


class Command(NamedTuple):
    """A command of this script, and whether it hands further arguments to what it runs."""

    action: Action
    takes_arguments: bool = False


COMMANDS = {
    "demo": Command(demo, takes_arguments=True),
    "test": Command(test, takes_arguments=True),
    "check": Command(check),
    "lint": Command(lint),
    "format": Command(format_),
    "types": Command(types),
    "docs": Command(docs),
    "examples": Command(examples),
    "bench": Command(bench, takes_arguments=True),
    "soak": Command(soak, takes_arguments=True),
    "servers": Command(servers),
    "clean": Command(clean),
}


def usage() -> str:
    """What can be asked of this script."""
    lines = ["usage: python3 scripts/dev.py <command> [arguments]", ""]
    for name, command in COMMANDS.items():
        lines.append(f"  {name:<10}{(command.action.__doc__ or '').strip()}")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Run the command that the arguments name; its exit status."""
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(usage())
        return 0 if arguments else USAGE_STATUS
    name, rest = arguments[0], arguments[1:]
    command = COMMANDS.get(name)
    if command is None or (rest and not command.takes_arguments):
        problem = f"unknown command {name!r}" if command is None else f"{name} takes no arguments, got {' '.join(rest)}"
        print(f"dev: {problem}\n\n{usage()}", file=sys.stderr)
        return USAGE_STATUS
    try:
        return command.action(rest)
    except DevError as error:
        print(f"dev: {error}", file=sys.stderr)
        return USAGE_STATUS
    except KeyboardInterrupt:
        return INTERRUPTED_STATUS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
