"""Presets: each is a configuration, below all else that is given, and says nothing it need not."""

from pathlib import Path
from typing import Any, get_args

import pytest

from metaexpert.exceptions import ConfigError
from metaexpert.logger import ConsoleOptions, LoggerConfig, Overflow, QueueOptions
from metaexpert.logger.configuring.presets import PRESETS, Preset


def test_every_preset_is_a_configuration_and_has_a_constructor():
    assert set(PRESETS) == set(get_args(Preset.__value__))
    assert LoggerConfig.for_development() == LoggerConfig(preset="development")
    assert LoggerConfig.for_production() == LoggerConfig(preset="production")
    assert LoggerConfig.for_backtesting() == LoggerConfig(preset="backtesting")


def test_what_they_are_for():
    development, production = LoggerConfig.for_development(), LoggerConfig.for_production()
    backtesting = LoggerConfig.for_backtesting()
    assert (development.log_level, development.log_to_console, development.json_logging) == ("DEBUG", True, False)
    assert (production.log_level, production.log_console_level, production.json_logging) == ("INFO", "WARNING", True)
    assert production.queue.max_entries > QueueOptions().max_entries
    assert (backtesting.queue.overflow, backtesting.log_console_level) == (Overflow.BLOCK, "WARNING")


def test_the_console_shows_what_its_level_says():
    (console,) = [sink for sink in LoggerConfig.for_production().all_sinks() if isinstance(sink, ConsoleOptions)]
    assert console.level == "WARNING"


def test_arguments_win_table_by_table():
    made = LoggerConfig.for_backtesting(log_level="DEBUG", queue={"max_entries": 500})
    assert (made.log_level, made.queue.max_entries, made.queue.overflow) == ("DEBUG", 500, Overflow.BLOCK)
    assert LoggerConfig.for_production(queue=QueueOptions()).queue == QueueOptions(), "options replace the table"


@pytest.mark.parametrize(
    ("file", "variables", "arguments"),
    [
        ('preset = "production"\n', {}, {}),
        ("", {"METAEXPERT_LOG_PRESET": "production"}, {}),
        ("", {}, {"preset": "production"}),
        ('preset = "development"\n', {"METAEXPERT_LOG_PRESET": "production"}, {}),
    ],
)
def test_it_is_chosen_in_any_source_and_lies_below_them_all(
    tmp_path: Path, file: str, variables: dict[str, str], arguments: dict[str, Any]
):
    (tmp_path / "bot.toml").write_text(f"{file}max_bytes = 5\n[queue]\nmax_bytes = 300_000\n")
    environ = {"METAEXPERT_LOG_BACKUP_COUNT": "2", **variables}
    made = LoggerConfig.load(tmp_path / "bot.toml", environ=environ, **arguments)
    assert (made.preset, made.json_logging, made.queue.max_entries) == ("production", True, 250_000)
    assert (made.max_bytes, made.queue.max_bytes, made.backup_count) == (5, 300_000, 2)


def test_an_unknown_one_is_refused():
    with pytest.raises(ConfigError) as caught:
        LoggerConfig(preset="prodution")  # pyright: ignore[reportArgumentType]
    assert str(caught.value) == (
        "LoggerConfig.preset = 'prodution': should be 'development', 'production' or 'backtesting'"
    )


@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_preset_says_only_known_options_with_values_of_their_own_kind(preset: Preset):
    made = LoggerConfig(preset=preset)
    for key, value in PRESETS[preset].items():
        found: Any = getattr(made, key)
        inner = {name: getattr(found, name) for name in value} if isinstance(value, dict) else found
        assert inner == value
