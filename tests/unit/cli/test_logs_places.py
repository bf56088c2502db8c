"""Where the reading commands look when no place is named: what the configuration says, found without making it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from metaexpert.cli.logs_places import configured_places


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("METAEXPERT_LOG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_without_a_configuration_it_is_logs():
    assert configured_places(None) == [Path("logs")]


@pytest.mark.parametrize(
    ("file", "head"),
    [("metaexpert.toml", "[logger]"), ("metaexpert.toml", ""), ("pyproject.toml", "[tool.metaexpert.logger]")],
)
def test_a_file_names_the_folder(folder: Path, file: str, head: str):
    (folder / file).write_text(f'{head}\nlog_dir = "kept"\n')
    assert configured_places(None) == [Path("kept")]


def test_a_named_file_is_read_instead_of_the_usual_ones(folder: Path):
    (folder / "metaexpert.toml").write_text('log_dir = "usual"\n')
    (folder / "other.toml").write_text('log_dir = "other"\n')
    assert configured_places(Path("other.toml")) == [Path("other")]


def test_a_variable_wins_over_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "metaexpert.toml").write_text('log_dir = "usual"\n')
    monkeypatch.setenv("METAEXPERT_LOG_DIR", "elsewhere")
    assert configured_places(None) == [Path("elsewhere")]


def test_archives_and_folders_of_file_sinks_are_read_too_where_there_are_such(folder: Path):
    (folder / "metaexpert.toml").write_text(
        'log_dir = "kept"\nlog_trade_file = "trades/trades.log"\n[archive]\nfolder = "old"\n'
        '[[sinks]]\ntype = "file"\npath = "../audit/audit.log"\n[sinks.archive]\nfolder = "gone"\n'
    )
    for name in ("kept/old", "kept/trades", "audit"):
        (folder / name).mkdir(parents=True)
    assert configured_places(None) == [Path("kept"), Path("kept/trades"), Path("kept/old"), Path("kept/../audit")]


def test_a_mistake_elsewhere_in_the_file_keeps_nobody_from_reading_logs(folder: Path):
    (folder / "metaexpert.toml").write_text('log_dir = "kept"\nlog_levle = "INFO"\n')
    assert configured_places(None) == [Path("kept")]


@pytest.mark.parametrize("text", ["log_dir = [", "log_dir = 3\n", 'sinks = "none"\n'])
def test_what_cannot_be_read_is_told_by_the_configuration(folder: Path, text: str, capsys: pytest.CaptureFixture[str]):
    (folder / "metaexpert.toml").write_text(text)
    with pytest.raises(SystemExit) as caught:
        configured_places(None)
    assert caught.value.code == 1
    assert "error: " in capsys.readouterr().err


def test_options_of_sinks_in_variables_are_left_to_the_configuration(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "metaexpert.toml").write_text('[[sinks]]\ntype = "file"\nname = "audit"\npath = "a/audit.log"\n')
    for name in ("logs", "b"):
        (folder / name).mkdir()
    monkeypatch.setenv("METAEXPERT_LOG_SINKS__AUDIT__PATH", "../b/audit.log")
    assert configured_places(None) == [Path("logs"), Path("logs/../b")]


def test_neither_the_configuration_nor_pydantic_is_imported_to_find_the_folder(folder: Path):
    (folder / "metaexpert.toml").write_text('log_dir = "kept"\n')
    code = (
        "import sys\n"
        "from metaexpert.cli.logs_places import configured_places\n"
        "print(configured_places(None)[0], 'metaexpert.logger.config' in sys.modules, 'pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder)
    assert done.stdout.split() == ["kept", "False", "False"]
