"""What the pages on configuration show is what happens: every wrong configuration, word for word."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

import option_tables
from metaexpert.cli.app import app
from metaexpert.exceptions import ConfigError
from metaexpert.logger import LoggerConfig

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "guides" / "wrong-configurations.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One section of the page: a file or variables or a command, and what is said to it."""

    title: str
    file: str
    shell: list[str]
    said: str

    def __str__(self) -> str:
        return self.title

    @property
    def environ(self) -> dict[str, str]:
        words = [shlex.split(line)[0] for line in self.shell if line.startswith("METAEXPERT_LOG_")]
        return dict(word.split("=", 1) for word in words)

    @property
    def command(self) -> list[str]:
        given = [shlex.split(line)[1:] for line in self.shell if line.startswith("metaexpert ")]
        return given[0] if given else ["logs", "config"]


def mistakes() -> list[Mistake]:
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return [_mistake(section) for section in sections]


def _mistake(section: str) -> Mistake:
    parts = {match[1]: match[2] for match in FENCE.finditer(section)}
    file = parts.get("toml") or parts.get("ini", "")
    return Mistake(section.splitlines()[0], file, parts.get("sh", "").splitlines(), parts["text"])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("mistake", mistakes(), ids=str)
def test_a_wrong_configuration_is_told_so_in_these_words(mistake: Mistake, folder: Path):
    if mistake.file:
        (folder / "metaexpert.toml").write_text(mistake.file, encoding="utf-8")
    result = CliRunner().invoke(app, mistake.command, env=mistake.environ)
    assert result.exit_code == 1
    assert result.stderr == "".join(f"error: {line}\n" for line in mistake.said.splitlines())
    if "--file" not in mistake.command:
        with pytest.raises(ConfigError) as caught:
            LoggerConfig.load(environ=mistake.environ)
        assert f"{caught.value}\n" == mistake.said


def test_the_page_shows_many_and_no_secret():
    shown = mistakes()
    assert len(shown) >= 20
    assert any("hunter2" in mistake.file for mistake in shown)
    assert not any("hunter2" in mistake.said for mistake in shown)


def test_the_table_of_presets_is_that_of_the_code():
    text = option_tables.PAGE.read_text(encoding="utf-8")
    assert text == option_tables.whole_page(text), "run .venv/bin/python scripts/option_tables.py"


def test_the_guide_shows_how_an_editor_finds_the_schema():
    text = option_tables.PAGE.read_text(encoding="utf-8")
    assert "#:schema " in text
    assert (option_tables.PAGE.parent / "../schema/metaexpert.json").resolve() == option_tables.SCHEMA
