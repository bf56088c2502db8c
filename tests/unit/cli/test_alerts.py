"""`metaexpert alerts test`: each target's answer, and a status a script can go by."""

import asyncio
from pathlib import Path

import orjson
import pytest
from support.scripted_collector import ScriptedCollector, serving, status
from typer.testing import CliRunner, Result

from metaexpert.cli.app import app

RULES = """
[[alerts.rules]]
type = "entry"
name = "errors"
severity = "critical"
targets = ["good"]
note = "call the desk"
"""


def target(name: str, url: str) -> str:
    return f'[[alerts.targets]]\ntype = "webhook"\nname = "{name}"\nurl = "{url}/s3cr3t-path"\ntimeout = 5\n'


async def ran(file: Path, *words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, ["alerts", "test", "--file", str(file), *words])


async def test_each_target_is_told_and_says_what_it_thinks_of_it(tmp_path: Path):
    file = tmp_path / "metaexpert.toml"
    async with serving(ScriptedCollector(status(200))) as good, serving(ScriptedCollector(status(500, "no"))) as bad:
        file.write_text(RULES + target("good", good.url) + target("bad", bad.url))
        result = await ran(file)
        assert (result.stdout, result.exit_code) == ("good: told\nbad: not told: HTTP 500 no\n", 3)
        result = await ran(file, "--rule", "errors")
        assert (result.stdout, result.exit_code) == ("good: told\n", 0)
        result = await ran(file, "--target", "bad")
        assert (result.stdout, result.exit_code) == ("bad: not told: HTTP 500 no\n", 3)
    first, of_rule = [orjson.loads(request.body) for request in good.requests]
    assert first["test"] is of_rule["test"] is True
    (alert,) = of_rule["alerts"]
    assert (alert["rule"], alert["severity"], alert["note"]) == ("errors", "critical", "call the desk")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rule", "x"], "there is no rule 'x'; known are errors"),
        (["--target", "x"], "there is no target 'x'; known are good"),
        (["--rule", "errors", "--target", "x"], "there is no target 'x'; known are good"),
    ],
)
async def test_names_nobody_knows_are_told_with_those_there_are(tmp_path: Path, words: list[str], said: str):
    file = tmp_path / "metaexpert.toml"
    file.write_text(RULES + target("good", "http://localhost:9"))
    result = await ran(file, *words)
    assert said in result.stderr
    assert result.exit_code == 1


async def test_without_targets_nobody_would_be_told(tmp_path: Path):
    file = tmp_path / "metaexpert.toml"
    file.write_text('[[alerts.rules]]\ntype = "entry"\nname = "errors"\n')
    result = await ran(file)
    assert "nobody would be told" in result.stderr
    assert result.exit_code == 1
