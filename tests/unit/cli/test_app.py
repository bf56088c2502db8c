"""The command line says what it can do, and imports a command's parts only when it runs."""

import subprocess
import sys
from types import ModuleType

import pytest
from typer.testing import CliRunner

from metaexpert import __version__
from metaexpert.cli.app import app


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "metaexpert", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_module_run_shows_help_with_every_command() -> None:
    done = _run("--help")
    assert done.returncode == 0
    assert "demo" in done.stdout
    assert "--version" in done.stdout


def test_module_run_shows_the_version() -> None:
    done = _run("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"metaexpert {__version__}")


def test_unknown_command_is_a_usage_error() -> None:
    done = _run("dmeo")
    assert done.returncode == 2
    assert "dmeo" in done.stderr


def test_help_imports_neither_logger_nor_demo() -> None:
    code = (
        "import sys\n"
        "import metaexpert.cli\n"
        "heavy = ('metaexpert.logger', 'metaexpert.demo', 'aiohttp')\n"
        "print([name for name in sys.modules if name.startswith(heavy)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_modules_that_read_log_files_import_nothing_of_what_writes_them() -> None:
    code = (
        "import sys\n"
        "import metaexpert.logger.files.names, metaexpert.logger as logger\n"
        "print([name for name in ('metaexpert.logger.public', 'aiohttp', 'pydantic') if name in sys.modules])\n"
        "from metaexpert.logger import *\n"
        "print(get_logger.__module__, hasattr(logger, 'nonsense'), set(logger.__all__) <= set(dir(logger)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "metaexpert.logger.logger False True"]


@pytest.mark.parametrize("status", [0, 3])
def test_demo_hands_its_arguments_over_and_returns_the_status(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    received: list[list[str]] = []

    def fake_main(arguments: list[str]) -> int:
        received.append(arguments)
        return status

    fake = ModuleType("metaexpert.demo")
    fake.__dict__["main"] = fake_main
    monkeypatch.setitem(sys.modules, "metaexpert.demo", fake)
    result = runner.invoke(app, ["demo", "--replay", "some.capture", "--speed", "4", "--help"])
    assert result.exit_code == status
    assert received == [["--replay", "some.capture", "--speed", "4", "--help"]]
