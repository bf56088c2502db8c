"""The schema for editors: complete, with words, accepting what we accept and refusing what we refuse."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from support.json_schema import Validator

import option_tables
from metaexpert.exceptions import ConfigError
from metaexpert.logger import LoggerConfig
from metaexpert.logger.configuring.presets import PRESETS
from metaexpert.logger.configuring.schema import json_schema, schema_text
from metaexpert.logger.configuring.settings import as_lines, settings
from metaexpert.logger.options.base import SINK_TYPES

ROOT = Path(__file__).resolve().parents[4]
SCHEMA: dict[str, Any] = json_schema()
VALIDATOR = Validator(SCHEMA)

GOOD = [
    "",
    'preset = "production"\nlog_level = "debug"\n',
    "log_level = 10\nuse_colors = true\nshutdown_timeout = 5\n",
    '[logger]\nlog_name = "bot"\n[expert]\nsymbol = "BTC"\n',
    '[[sinks]]\ntype = "loki"\nurl = "https://h:3100"\nlabels = { env = "live" }\nbearer_token_file = "x"\n',
    '[[logger.sinks]]\ntype = "memory"\n[logger.sinks.queue]\noverflow = "block"\n',
    '[[sinks]]\ntype = "file"\nname = "more"\npath = "more.log"\nlog_types = ["trade", "audit"]\nlevel = "ERROR"\n',
    '[[sinks]]\ntype = "ndjson"\nurl = "http://h"\napi_key = "x"\nheaders = { X-Key = "y" }\n',
]
BAD = [
    'log_levle = "DEBUG"\n',
    'log_level = "LOUD"\n',
    'preset = "prod"\n',
    "max_bytes = -1\n",
    'max_bytes = "ten"\n',
    "backup_count = 20_000\n",
    '[logger]\nlog_nam = "bot"\n',
    "[queue]\nmax_entrie = 500\n",
    "[queue]\nmax_entries = 1\n",
    '[queue]\noverflow = "drop"\n',
    '[[sinks]]\ntype = "lokki"\nurl = "https://h"\n',
    '[[sinks]]\nurl = "https://h"\n',
    '[[sinks]]\ntype = "loki"\n',
    '[[sinks]]\ntype = "loki"\nurl = "https://user:x@h"\n',
    '[[sinks]]\ntype = "memory"\nurl = "https://h"\n',
]


@pytest.mark.parametrize("toml", GOOD)
def test_what_we_accept_it_accepts(toml: str, tmp_path: Path):
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "bot.toml").write_text(toml.replace('"x"', f"'{tmp_path / 'secret'}'"))
    LoggerConfig.load(tmp_path / "bot.toml", environ={})
    assert VALIDATOR.errors(tomllib.loads(toml)) == []


@pytest.mark.parametrize("toml", BAD)
def test_what_we_refuse_it_refuses(toml: str, tmp_path: Path):
    (tmp_path / "bot.toml").write_text(toml)
    with pytest.raises(ConfigError):
        LoggerConfig.load(tmp_path / "bot.toml", environ={})
    assert VALIDATOR.errors(tomllib.loads(toml)) != []


@pytest.mark.parametrize("preset", [None, *PRESETS])
def test_whatever_is_in_force_is_valid(preset: Any):
    config = LoggerConfig(preset=preset)
    shown = tomllib.loads("".join(f"{line}{comment}\n" for line, comment in as_lines(list(settings(config)))))
    assert VALIDATOR.errors(shown) == []
    assert VALIDATOR.errors({"logger": shown}) == []


def test_it_knows_every_option_of_every_sink():
    definitions = SCHEMA["definitions"]
    assert set(definitions["LoggerConfig"]["properties"]) == set(LoggerConfig.model_fields)
    (sinks,) = [part["oneOf"] for name, part in definitions.items() if name == "AnySink"]
    named = {each["$ref"].removeprefix("#/definitions/") for each in sinks}
    shipped = {model for model in SINK_TYPES.values() if model.__module__.startswith("metaexpert.")}
    assert named == {model.__name__ for model in shipped}
    for model in shipped:
        assert set(definitions[model.__name__]["properties"]) == set(model.model_fields)
        assert "type" in definitions[model.__name__]["required"]


def test_every_option_says_what_it_means():
    silent = [
        f"{name}.{key}"
        for name, part in SCHEMA["definitions"].items()
        for key, option in part.get("properties", {}).items()
        if not option.get("description")
    ]
    assert silent == []


def test_secrets_are_strings_and_nothing_is_null():
    loki = SCHEMA["definitions"]["LokiOptions"]["properties"]
    assert VALIDATOR.errors_of(loki["password"], "s3cret", "$") == []
    assert VALIDATOR.errors_of(loki["password"], 5, "$") != []
    assert "null" not in schema_text()
    assert "discriminator" not in schema_text()


def test_every_reference_leads_somewhere_and_stands_alone():
    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
            assert not own or len(part) == 1, "draft 7 ignores what stands beside a $ref"
            return own + [each for inner in part.values() for each in references(inner)]
        return [each for inner in part for each in references(inner)] if isinstance(part, list) else []

    found = set(references(SCHEMA))
    assert found
    assert found == {f"#/definitions/{name}" for name in SCHEMA["definitions"]}


def test_the_kept_file_is_up_to_date():
    kept = (ROOT / "docs" / "schema" / "metaexpert.json").read_text(encoding="utf-8")
    assert kept == schema_text(), "run .venv/bin/python scripts/option_tables.py"
    assert json.loads(kept) == SCHEMA
    assert option_tables.SCHEMA == ROOT / "docs" / "schema" / "metaexpert.json"
