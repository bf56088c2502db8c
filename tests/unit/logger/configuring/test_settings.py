"""The listing of what is in force: TOML that reads back as the same configuration, and no secret in it."""

import re
from pathlib import Path
from typing import Any

import pytest

from metaexpert.logger import LoggerConfig
from metaexpert.logger.configuring.settings import HIDDEN, Setting, as_lines, settings
from metaexpert.logger.sinks.memory import MemorySink

SECRET = "hunter2-s3cret"
SINKS: list[dict[str, Any]] = [
    {"type": "loki", "url": "http://h", "username": "u", "password": SECRET, "labels": {"env": "live", "b": 'q"\\\t'}},
    {"type": "ndjson", "url": "http://h", "headers": {"X-Key": SECRET}, "query": {"a b": "c"}},
    {
        "type": "memory",
        "queue": {"overflow": "block"},
        "filter": {
            "levels": {"app.db": "ERROR"},
            "include_fields": [{"name": "symbol", "equals": "BTC"}, {"name": "size", "exists": True}],
        },
    },
    {"type": "file", "name": "more", "path": "a\\b\x7f.log", "log_types": ["trade", "audit"]},
    {"type": "elasticsearch", "url": "http://h", "api_key": SECRET},
]


@pytest.fixture
def config() -> LoggerConfig:
    return LoggerConfig(preset="production", sinks=SINKS)  # pyright: ignore[reportArgumentType]


def text_of(config: LoggerConfig) -> str:
    return "".join(f"{line}{comment}\n" for line, comment in as_lines(list(settings(config))))


def without_secrets() -> LoggerConfig:
    hidden = {"password", "headers", "api_key"}
    sinks = [{key: value for key, value in sink.items() if key not in hidden} for sink in SINKS]
    return LoggerConfig(preset="production", sinks=sinks)  # pyright: ignore[reportArgumentType]


def test_the_lines_read_back_as_the_same_but_for_secrets(config: LoggerConfig, tmp_path: Path):
    (tmp_path / "shown.toml").write_text(text_of(config), encoding="utf-8")
    assert LoggerConfig.load(tmp_path / "shown.toml", environ={}) == without_secrets()


def test_those_of_the_defaults_too(tmp_path: Path):
    (tmp_path / "shown.toml").write_text(text_of(LoggerConfig()), encoding="utf-8")
    assert LoggerConfig.load(tmp_path / "shown.toml", environ={}) == LoggerConfig()


def test_no_secret_is_in_it_and_each_is_named(config: LoggerConfig):
    text = text_of(config)
    assert SECRET not in text
    assert SECRET not in repr([each.as_json() for each in settings(config)])
    assert re.findall(rf"^# (\S+) = {re.escape(HIDDEN)}", text, re.MULTILINE) == ["password", "X-Key", "api_key"]


def test_nor_is_one_that_was_made_a_query_parameter():
    made = LoggerConfig(sinks=[{"type": "ndjson", "url": "http://h", "query": {"token": SECRET, "_msg_field": "m"}}])  # pyright: ignore[reportArgumentType]
    assert SECRET not in repr(made)
    assert SECRET not in repr([each.as_json() for each in settings(made)])
    text = text_of(made)
    assert SECRET not in text
    assert f"# token = {HIDDEN}" in text
    assert '_msg_field = "m"' in text


def test_every_option_of_every_table_is_listed_once_with_its_source(config: LoggerConfig):
    found = list(settings(config))
    keys = [each.key for each in found]
    assert len(keys) == len(set(keys))
    assert {key for key in keys if "." not in key} | {
        "alerts",
        "tracing",
        "errors",
        "clock",
        "performance",
        "queue",
        "dispatcher",
        "redaction",
        "sinks",
        "capture",
        "journal",
        "retention",
        "rotation",
    } == set(LoggerConfig.model_fields)
    sources = {each.key: str(each.origin) for each in found}
    assert sources["json_logging"] == "preset production"
    assert sources["log_name"] == "default"
    assert sources["sinks.2.queue.overflow"] == "argument sinks.2.queue.overflow"
    assert sources["sinks.2.filter.levels.app.db"] == "argument sinks.2.filter.levels.app.db"
    assert sources["sinks.2.filter.include_fields.1.name"].startswith("argument ")
    assert sources["sinks.2.level"] == "default"


def test_a_function_is_shown_by_the_name_it_is_found_under():
    custom: Any = {"type": "custom", "new_sink": "metaexpert.logger.sinks.memory:MemorySink"}
    (found,) = [each for each in settings(LoggerConfig(sinks=(custom,))) if each.key == "sinks.0.new_sink"]
    assert (MemorySink.__module__, found.value) == (
        "metaexpert.logger.sinks.memory",
        "metaexpert.logger.sinks.memory:MemorySink",
    )


def test_a_setting_as_json_says_the_same(config: LoggerConfig):
    table: dict[str, Setting] = {each.key: each for each in settings(config)}
    assert table["queue.max_entries"].as_json() == {
        "key": "queue.max_entries",
        "value": 250_000,
        "hidden": False,
        "source": "preset",
        "from": "preset production",
    }
    assert table["sinks.0.password"].as_json()["value"] is None
    assert table["sinks.0.password"].hidden
