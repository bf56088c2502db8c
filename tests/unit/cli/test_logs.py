"""`metaexpert logs`: what is in force and why, what is wrong with it, and the schema; never a secret."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from metaexpert.cli.app import app
from metaexpert.logger import LoggerConfig
from metaexpert.logger.configuring.schema import json_schema

SECRET = "hunter2-s3cret"
TOML = f"""
[logger]
preset = "production"
log_name = "bot"

[[logger.sinks]]
type = "loki"
url = "https://loki.example:3100"
username = "bot"
password = "{SECRET}"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("METAEXPERT_LOG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, **environ: str) -> Result:
    env = {f"METAEXPERT_LOG_{name}": text for name, text in environ.items()}
    result = CliRunner().invoke(app, ["logs", *arguments], env=env)
    assert SECRET not in result.output
    return result


class TestConfig:
    def test_it_prints_each_value_with_its_source(self, folder: Path):
        (folder / "metaexpert.toml").write_text(TOML)
        result = run("config", LEVEL="DEBUG")
        assert (result.exit_code, result.stderr) == (0, "")
        lines = dict(line.split("  # ", 1) for line in result.stdout.splitlines() if "  # " in line)
        told = {line.strip(): source for line, source in lines.items()}
        assert told['log_level = "DEBUG"'] == "environment variable METAEXPERT_LOG_LEVEL"
        assert told["json_logging = true"] == "preset production"
        assert told['log_name = "bot"'] == "metaexpert.toml: logger.log_name"
        assert told['url = "https://loki.example:3100"'] == "metaexpert.toml: logger.sinks.0.url"
        assert told["# password = (hidden)"] == "metaexpert.toml: logger.sinks.0.password"
        assert told["slice = 0.0001"] == "default"
        assert "# sinks: console, file, trade, error, loki" in result.stdout
        assert "\x1b" not in result.stdout, "piped lines have no colours"

    @pytest.mark.usefixtures("folder")
    def test_what_it_prints_can_be_read_again(self):
        shown = run("config", QUEUE__MAX_ENTRIES="50").stdout
        assert tomllib.loads(shown)["queue"]["max_entries"] == 50
        Path("shown.toml").write_text(shown, encoding="utf-8")
        assert LoggerConfig.load("shown.toml", environ={}).queue.max_entries == 50

    def test_another_file(self, folder: Path):
        (folder / "metaexpert.toml").write_text('log_name = "one"\n')
        (folder / "other.toml").write_text('log_name = "two"\n')
        assert 'log_name = "two"' in run("config", "--file", "other.toml").stdout

    def test_json(self, folder: Path):
        (folder / "metaexpert.toml").write_text(TOML)
        document = json.loads(run("config", "--json", "--check").stdout)
        assert document["sinks"] == ["console", "file", "trade", "error", "loki"]
        assert (document["errors"], document["warnings"]) == ([], [])
        (password,) = [each for each in document["settings"] if each["key"] == "sinks.0.password"]
        assert password == {
            "key": "sinks.0.password",
            "value": None,
            "hidden": True,
            "source": "file",
            "from": "metaexpert.toml: logger.sinks.0.password",
        }

    @pytest.mark.parametrize("options", [(), ("--check",), ("--json",)])
    def test_everything_that_is_wrong_is_told_and_the_status_says_so(self, folder: Path, options: tuple[str, ...]):
        (folder / "metaexpert.toml").write_text(f'{TOML}bearer_token = "{SECRET}"\n[logger.queue]\nmax_entrie = 5\n')
        result = run("config", *options, LEVLE="DEBUG")
        assert result.exit_code == 1
        first, second, third = result.stderr.splitlines()
        assert first.startswith("error: environment variable METAEXPERT_LOG_LEVLE: ")
        assert second.startswith("error: LoggerConfig.queue.max_entrie: ")
        assert third.startswith("error: LoggerConfig.sinks.0: only one of ")
        if "--json" in options:
            assert len(json.loads(result.stdout)["errors"]) == 3
        else:
            assert result.stdout == ""


class TestCheck:
    @pytest.mark.usefixtures("folder")
    def test_what_can_be_used_is_said_to_be(self):
        result = run("config", "--check")
        assert (result.exit_code, result.stderr) == (0, "the configuration can be used\n")
        assert 'log_name = "expert"' in result.stdout

    def test_what_a_start_would_meet_is_an_error(self, folder: Path):
        (folder / "metaexpert.toml").write_text(TOML + 'ca_file = "none.pem"\n')
        (folder / "logs").write_text("a file")
        assert run("config").exit_code == 0, "only --check looks"
        result = run("config", "--check")
        assert result.exit_code == 1
        first, second = result.stderr.splitlines()
        assert first.startswith("error: LoggerConfig.log_dir: no file can be made in 'logs'")
        assert second.startswith("error: LoggerConfig.sinks.0: ca_file 'none.pem' cannot be used: ")

    def test_warnings_leave_the_status(self, folder: Path):
        (folder / "metaexpert.toml").write_text(TOML + "verify_tls = false\n")
        result = run("config", "--check")
        assert result.exit_code == 0
        assert result.stderr.splitlines()[0].startswith("warning: LoggerConfig.sinks.0.verify_tls: is off")


def test_schema_is_printed(folder: Path):
    del folder
    assert json.loads(run("schema").stdout) == json_schema()


def test_a_process_of_its_own_prints_and_checks(folder: Path):
    (folder / "metaexpert.toml").write_text(TOML)
    command = [sys.executable, "-W", "error", "-m", "metaexpert", "logs", "config", "--check"]
    env = os.environ | {"METAEXPERT_LOG_BACKUP_COUNT": "3"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=folder, env=env)
    assert (done.returncode, done.stderr) == (0, "the configuration can be used\n")
    assert "environment variable METAEXPERT_LOG_BACKUP_COUNT" in done.stdout
    assert SECRET not in done.stdout
    bad = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, cwd=folder, env=env | {"METAEXPERT_LOG_X": ""}
    )
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.startswith("error: environment variable METAEXPERT_LOG_X: there is no such option")


def test_what_the_terminal_cannot_show_is_escaped(folder: Path):
    (folder / "metaexpert.toml").write_text('log_name = "эксперт"', encoding="utf-8")
    command = [sys.executable, "-m", "metaexpert", "logs", "config"]
    shown = subprocess.run(
        command, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, text=True, check=True
    ).stdout
    assert tomllib.loads(shown)["log_name"] == "эксперт"
