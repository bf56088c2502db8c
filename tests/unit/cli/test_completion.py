"""What a shell offers when Tab is pressed: levels, log types, the logs there are; and how it is told."""

import os
from pathlib import Path

import pytest
from support.log_lines import log_line, write_log
from typer.testing import CliRunner

from metaexpert.cli.app import app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("METAEXPERT_LOG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def offered(line: str) -> list[str]:
    """What bash is offered for a line that ends where Tab was pressed."""
    words = line.split(" ")
    env = {
        "_METAEXPERT_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
    }
    result = CliRunner().invoke(app, [], prog_name="metaexpert", env=env)
    assert result.stderr == ""
    return result.stdout.split()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("metaexpert logs tail --level ", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]),
        ("metaexpert logs tail --level er", ["error"]),
        ("metaexpert logs tail --level E", ["ERROR"]),
        ("metaexpert logs grep --log-type g", ["general", "gap"]),
        ("metaexpert logs export --format ", ["ecs", "otel", "splunk", "cef", "csv", "ndjson"]),
        ("metaexpert logs err", ["errors"]),
        ("metaexpert logs tail --log ", []),
    ],
)
def test_tab_offers_what_can_stand_there(line: str, expected: list[str]):
    assert offered(line) == expected


def test_tab_offers_the_logs_there_are(folder: Path):
    write_log(folder / "logs", log_line(1, "x"))
    write_log(folder / "logs", log_line(2, "x"), number=2)
    write_log(folder / "logs", log_line(1, "x"), stem="trades")
    assert offered("metaexpert logs tail --log ") == ["expert.log", "trades.log"]
    assert offered("metaexpert logs tail --log t") == ["trades.log"]


def test_a_configuration_that_is_wrong_offers_nothing_and_says_nothing(folder: Path):
    (folder / "metaexpert.toml").write_text("log_dir = [")
    assert offered("metaexpert logs tail --log ") == []


def test_the_help_tells_how_a_shell_learns_it():
    told = CliRunner().invoke(app, ["--help"]).stdout
    assert "--install-completion" in told
    assert "--show-completion" in told
