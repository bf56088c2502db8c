"""The fixture is there wherever the package is installed, costs nothing at pytest's start and clashes with nobody."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

ASYNCIO = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")

TESTS = """
import logging, threading
from metaexpert.logger import LoggerConfig, MemoryOptions, get_logger, setup_logging

log = get_logger("tested")

def test_sync(log_entries, caplog):
    log.info("one", symbol="BTCUSDT")
    log.warning("two")
    assert log_entries.messages == ["one", "two"]
    assert log_entries.only(symbol="BTCUSDT")["level"] == "INFO"
    assert [record.message for record in caplog.records] == ["two"]

async def test_async(log_entries):
    config = LoggerConfig(log_to_console=False, log_to_file=False, sinks=(MemoryOptions(),))
    async with setup_logging(config) as runtime:
        log.info("three")
        thread = threading.Thread(target=log.info, args=("four",))
        thread.start()
        thread.join()
    assert log_entries.messages == ["three", "four"]

def test_nothing_is_left_of_other_tests(log_entries):
    assert len(log_entries) == 0
"""

LIGHT = """
import sys

def test_nothing_heavy_was_imported():
    assert "metaexpert.pytest_plugin" in sys.modules
    assert not {"metaexpert.logger", "aiohttp", "orjson", "pydantic"} & sys.modules.keys()

def test_no_fixture_was_made(request):
    assert "log_entries" not in request.fixturenames
"""

OWN_FIXTURE = """
import pytest

pytest_plugins = ["metaexpert.pytest_plugin"]

@pytest.fixture
def log_entries():
    return "mine"
"""


def run_pytest(folder: Path, **files: str) -> "subprocess.CompletedProcess[str]":
    """Run pytest in `folder` as where the package is installed: with the entry point of pyproject.toml."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    (point,) = declared["pytest11"].items()
    installed = folder / "installed" / "metaexpert_here-0.dist-info"
    installed.mkdir(parents=True)
    (installed / "entry_points.txt").write_text("[pytest11]\n{} = {}\n".format(*point))
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: metaexpert-here\nVersion: 0\n")
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    path = os.pathsep.join([str(ROOT / "src"), str(installed.parent)])
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *ASYNCIO, "."],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_it_serves_sync_and_async_tests_without_any_setup(tmp_path: Path):
    done = run_pytest(tmp_path, test_mine=TESTS)
    assert "3 passed" in done.stdout, done.stdout + done.stderr
    assert done.stderr == ""


def test_it_imports_nothing_before_it_is_asked_for(tmp_path: Path):
    done = run_pytest(tmp_path, test_light=LIGHT)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_it_gives_way_to_a_fixture_of_that_name_and_may_be_named_twice(tmp_path: Path):
    done = run_pytest(
        tmp_path, conftest=OWN_FIXTURE, test_own="def test_own(log_entries):\n    assert log_entries == 'mine'\n"
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
