"""Plain command lines run without typer, and mean what they mean with it."""

import subprocess
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from support.log_lines import log_line, write_log
from typer.testing import CliRunner

from metaexpert.cli.app import app
from metaexpert.cli.commands import COMMANDS
from metaexpert.cli.declared import PARAMETERS, Parameter
from metaexpert.cli.for_typer import for_typer
from metaexpert.cli.quick import parsed

HEAVY = [
    *("typer", "click", "rich", "pydantic", "pydantic_core", "aiohttp", "asyncio", "duckdb", "email", "shutil"),
    *("importlib.metadata", "subprocess", "tempfile", "multiprocessing", "concurrent.futures", "pickle", "socket"),
    *(
        "ssl",
        "http",
        "getpass",
        "logging",
        "metaexpert.logger.entry",
        "metaexpert.logger.public",
        "metaexpert.logger.config",
        "metaexpert.logger.runtime",
    ),
]

READING = ("tail", "grep", "errors", "query")
"""The commands whose parameters are of plain kinds alone."""


def parameters(name: str) -> tuple[Parameter, ...]:
    module, attribute = COMMANDS[name]
    return getattr(getattr(import_module(module), attribute), PARAMETERS)


def as_typer_reads_it(declared: tuple[Parameter, ...], words: Iterable[str]) -> dict[str, Any] | None:
    """What typer hands over; None for a wrong command line."""
    received: list[dict[str, Any]] = []

    def command(**values: Any) -> None:
        received.append(values)

    command.__dict__[PARAMETERS] = declared
    alone = typer.Typer(add_completion=False)
    alone.command()(for_typer(command))
    CliRunner().invoke(alone, list(words))
    return received[0] if received else None


WORDS = st.sampled_from(
    [
        *("--level", "-l", "error", "-n", "3", "--lines=7", "--lines", "x", "0", "--limit", "-f", "--follow", "-i"),
        *("--json", "--no-color", "--color", "--utc", "--where", "a=b", "-w", "price>1", "--fields", "time,level"),
        *("--log-type=trade", "-t", "logs", "logs/expert.log", "--", "-", "", "--no-traceback", "-n3", "-C", "--since"),
        *("--level=", "--nonsense", "-l=x", "--follow=1", "--copies", "--parquet", "a.parquet", "--file", "x.toml"),
    ]
)


@pytest.mark.parametrize("name", READING)
@settings(deadline=None)
@given(words=st.lists(WORDS, max_size=7))
def test_what_is_read_quickly_is_what_typer_reads(name: str, words: list[str]):
    declared = parameters(name)
    found = parsed(declared, words)
    if found is not None:
        assert found == as_typer_reads_it(declared, words)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {"lines": 10, "places": None, "color": None, "following": False, "where": []}),
        (["-n", "3", "logs", "-f", "other"], {"lines": 3, "places": [Path("logs"), Path("other")], "following": True}),
        (["--lines=4", "--no-color", "-w", "a=1", "--where", "b>2"], {"lines": 4, "color": False}),
        (["--level", "error", "--since=2h", "--json"], {"level": "error", "since": "2h", "as_json": True}),
    ],
)
def test_ordinary_command_lines_are_read_quickly(words: list[str], expected: dict[str, Any]):
    found = parsed(parameters("tail"), words)
    assert found is not None
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    "words",
    [
        *(["--help"], ["--nonsense"], ["-n3"], ["-n"], ["-n", "x"], ["-n", "-1"], ["--level", "-x"], ["--level="]),
        *(["--", "logs"], ["-"], [""], ["--follow=1"], ["-l=x"]),
    ],
)
def test_what_is_wrong_or_unusual_is_left_to_typer(words: list[str]):
    assert parsed(parameters("tail"), words) is None


@pytest.mark.parametrize("words", [["[", "-c"], ["x", "logs", "-C", "2"], []])
def test_the_first_word_of_grep_is_its_pattern(words: list[str]):
    found = parsed(parameters("grep"), words)
    assert found == as_typer_reads_it(parameters("grep"), words)
    assert (found is None) is (not words)


def test_tail_of_a_folder_imports_nothing_heavy(tmp_path: Path):
    """Where it took 340 ms to start: typer, pydantic (which typer reads values with), and all other commands."""
    folder = write_log(tmp_path, log_line(1, "begun")).parent
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        f"sys.argv = ['metaexpert', 'logs', 'tail', {str(folder)!r}]\n"
        "from metaexpert.cli import main\n"
        "main()\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules.keys() - before], file=sys.stderr)\n"
        "commands = [each for each in sys.modules if each.startswith('metaexpert.cli.logs_')]\n"
        "print('metaexpert.cli.logs_grep' in commands, 'metaexpert.cli.logs_tail' in commands, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.rstrip().endswith("begun")
    assert done.stderr.splitlines() == ["[]", "False True"]


def test_a_command_that_typer_runs_imports_no_other_one():
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from metaexpert.cli.app import app\n"
        "result = CliRunner().invoke(app, ['logs', 'tail', '--help'])\n"
        "print(result.exit_code, '--follow' in result.stdout)\n"
        "print([each for each in ('grep', 'query', 'spool', 'verify') if f'metaexpert.cli.logs_{each}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == ["0 True", "[]"]


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["logs"], 0, ""),
        (["nowhere"], 1, "error: nowhere"),
        (["logs", "--nonsense"], 2, "Usage: metaexpert logs tail"),
        (["logs", "--level", "LOUD"], 2, "error: level 'LOUD'"),
        (["logs", "-l", "CRITICAL"], 3, ""),
    ],
)
def test_the_process_ends_as_with_typer(tmp_path: Path, words: list[str], status: int, told: str):
    write_log(tmp_path / "logs", log_line(1, "begun"))
    command = [sys.executable, "-m", "metaexpert", "logs", "tail", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    assert (done.returncode, told in done.stderr) == (status, True), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_of_the_table_is_there_and_listed_with_its_help(name: str):
    module, attribute = COMMANDS[name]
    found = getattr(import_module(module), attribute)
    told = found.info.help if isinstance(found, typer.Typer) else found.__doc__
    listed = CliRunner().invoke(app, ["logs", "--help"], env={"COLUMNS": "200"}).stdout
    line = next(line for line in listed.splitlines() if line.split()[1:2] == [name])
    assert str(told).split(".")[0].split("\n")[0][:60] in line


def test_a_mistyped_command_is_answered_with_the_one_that_was_meant():
    result = CliRunner().invoke(app, ["logs", "tial"])
    assert result.exit_code == 2
    assert "tail" in result.stderr
