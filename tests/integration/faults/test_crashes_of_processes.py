"""Processes that crash leave the stacks of their threads, which the next start reports once; with real signals."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from metaexpert.cli.app import app

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")

PROGRAM = """
import asyncio, ctypes, faulthandler, os, sys
from metaexpert.logger import ErrorOptions, LoggerConfig, get_logger, setup_logging

def crash_here(how):
    if how == "segfault":
        ctypes.string_at(0)
    elif how == "abort":
        os.abort()
    elif how == "kill":
        os.kill(os.getpid(), 9)
    elif how == "wait":
        print("ready", flush=True)
        sys.stdin.readline()
    elif how == "fork":
        child = os.fork()
        if child == 0:
            ctypes.string_at(0)
        os.waitpid(child, 0)

async def main(folder, how, options):
    config = LoggerConfig(log_dir=folder, log_to_console=False, json_logging=True, **options)
    async with setup_logging(config) as logging_runtime:
        get_logger("program").info("runs", how=how)
        await logging_runtime.flush()
        crash_here(how)

if sys.argv[2] == "enabled":
    faulthandler.enable(open(sys.argv[1] + ".theirs", "w"))
options = {} if len(sys.argv) < 4 else {"errors": ErrorOptions(**eval(sys.argv[3]))}
asyncio.run(main(sys.argv[1], "segfault" if sys.argv[2] == "enabled" else sys.argv[2], options))
"""

type Run = Callable[..., int]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.fixture
def run(program: Path, folder: Path) -> Run:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONFAULTHANDLER"}

    def run(how: str, options: str = "{}") -> int:
        command = [sys.executable, str(program), str(folder), how, options]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False, env=environment)
        return done.returncode

    return run


@pytest.fixture
def living(program: Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has logged, and lives."""
    command = [sys.executable, str(program), str(folder), "wait"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.communicate("\n", timeout=60)
        assert process.returncode == 0


def reports(folder: Path) -> list[dict[str, Any]]:
    lines = [line for path in folder.glob("expert.2*.log") for line in path.read_text().splitlines()]
    return [entry for entry in map(json.loads, lines) if entry["logger"] == "metaexpert.faults"]


def left(folder: Path) -> list[str]:
    return sorted(path.suffix for path in (folder / "faults").glob("*"))


@pytest.mark.parametrize(("how", "what"), [("segfault", "Segmentation fault"), ("abort", "Aborted")])
def test_the_next_start_reports_a_crash_once(run: Run, folder: Path, how: str, what: str):
    assert run(how) < 0
    assert left(folder) == [".fault"]
    assert run("stop") == 0
    (entry,) = reports(folder)
    assert (entry["level"], entry["extra"]["fault"]) == ("CRITICAL", what)
    assert what in entry["message"]
    assert "in crash_here" in entry["stack_info"]
    assert run("stop") == 0
    assert len(reports(folder)) == 1
    assert left(folder) == [".reported"]
    shown = CliRunner().invoke(app, ["logs", "last-crash", "--folder", str(folder / "journal")])
    assert shown.exit_code == 0
    assert what in shown.output
    assert "in crash_here" in shown.output
    as_json = CliRunner().invoke(app, ["logs", "last-crash", "--json", "--folder", str(folder / "journal")])
    assert json.loads(as_json.output)["fault"]["what"] == what


def test_several_crashes_are_each_reported_and_the_living_left_alone(
    run: Run, folder: Path, living: subprocess.Popen[str]
):
    assert [run("segfault"), run("segfault")] == [-11, -11]
    # the second start reported the first crash; the third one the second's
    assert run("stop") == 0
    assert living.poll() is None
    pids = [entry["extra"]["pid"] for entry in reports(folder)]
    assert len(set(pids)) == len(pids) == 2
    assert living.pid not in pids
    assert left(folder) == [".fault", ".reported", ".reported"]


def test_a_stop_leaves_nothing_and_a_kill_nothing_to_report(run: Run, folder: Path):
    assert run("stop") == 0
    assert not (folder / "faults").exists()
    assert run("kill") == -9
    assert left(folder) == [".fault"]
    assert run("stop") == 0
    assert reports(folder) == []
    assert not (folder / "faults").exists()


def test_a_forked_child_that_crashes_is_not_its_parent(run: Run, folder: Path):
    assert run("fork") == 0
    assert run("stop") == 0
    assert reports(folder) == []


def test_a_faulthandler_of_the_programs_own_is_left_alone(run: Run, folder: Path):
    assert run("enabled") == -11
    assert not (folder / "faults").exists()
    assert "Segmentation fault" in folder.with_name("logs.theirs").read_text()


def test_it_can_be_switched_off_and_bounded(run: Run, folder: Path):
    assert run("segfault", "dict(faulthandler=False)") == -11
    assert not (folder / "faults").exists()
    for _ in range(2):
        assert run("segfault", "dict(faults_kept=1)") == -11
    assert run("stop", "dict(faults_kept=1)") == 0
    assert left(folder) == [".reported"]
    assert len(reports(folder)) == 2
