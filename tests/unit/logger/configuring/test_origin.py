"""Where values came from, and reading a configuration again: remembered beside the options, no part of them."""

import copy
import os
import pickle
from pathlib import Path

import pytest

from metaexpert.exceptions import ConfigError
from metaexpert.logger import LoggerConfig, LokiOptions, QueueOptions
from metaexpert.logger.configuring.origin import OriginKind

TOML = """
[logger]
preset = "production"
log_name = "file"
log_dir = "file"
log_file = "file.log"

[logger.queue]
max_entries = 500

[[logger.sinks]]
type = "loki"
url = "http://h"
labels = { env = "live" }
"""
ENVIRON = {"METAEXPERT_LOG_DIR": "env", "METAEXPERT_LOG_FILE": "env.log", "METAEXPERT_LOG_SINKS__LOKI__TENANT": "t"}


@pytest.fixture
def loaded(folder: Path) -> LoggerConfig:
    (folder / "metaexpert.toml").write_text(TOML)
    return LoggerConfig.load(environ=ENVIRON, log_file="argument.log", dispatcher={"linger": 0.01})


class TestOrigin:
    @pytest.mark.parametrize(
        ("key", "origin"),
        [
            ("log_level", "preset production"),
            ("queue.max_bytes", "preset production"),
            ("queue.overflow", "default"),
            ("backup_count", "preset production"),
            ("use_colors", "default"),
            ("log_name", "metaexpert.toml: logger.log_name"),
            ("queue.max_entries", "metaexpert.toml: logger.queue.max_entries"),
            ("sinks.0.url", "metaexpert.toml: logger.sinks.0.url"),
            ("sinks.0.labels.env", "metaexpert.toml: logger.sinks.0.labels.env"),
            ("log_dir", "environment variable METAEXPERT_LOG_DIR"),
            ("sinks.0.tenant", "environment variable METAEXPERT_LOG_SINKS__LOKI__TENANT"),
            ("sinks.0.timeout", "default"),
            ("log_file", "argument log_file"),
            ("dispatcher.linger", "argument dispatcher.linger"),
            ("dispatcher.slice", "default"),
        ],
    )
    def test_of_each_layer(self, loaded: LoggerConfig, key: str, origin: str):
        assert str(loaded.origin(key)) == origin

    def test_in_a_pyproject(self, folder: Path):
        (folder / "pyproject.toml").write_text('[tool.metaexpert.logger]\nlog_name = "p"\n')
        origin = LoggerConfig.load(environ={}).origin("log_name")
        assert str(origin) == "pyproject.toml: tool.metaexpert.logger.log_name"
        assert (origin.kind, origin.file) == (OriginKind.FILE, "pyproject.toml")

    def test_a_list_that_was_replaced_leaves_no_origin_behind(self, loaded: LoggerConfig):
        assert loaded.sinks
        made = LoggerConfig.load(environ={}, sinks=(LokiOptions(url="http://other"),))
        assert str(made.origin("sinks.0.url")) == "argument sinks"
        assert str(made.origin("sinks.0.labels")) == "default"

    def test_of_one_made_in_code(self):
        made = LoggerConfig.for_production(log_name="x", queue=QueueOptions(max_entries=50))
        assert str(made.origin("log_name")) == "argument log_name"
        assert str(made.origin("json_logging")) == "preset production"
        assert str(made.origin("queue.max_entries")) == "argument queue.max_entries"
        assert str(made.origin("queue.max_bytes")) == "default"
        assert str(LoggerConfig().origin("log_name")) == "default"

    @pytest.mark.parametrize(
        "key", ["nope", "queue.nope", "log_name.x", "sinks.9.url", "sinks.x", "sinks.0.labels.no", ""]
    )
    def test_of_what_there_is_not_is_an_error(self, loaded: LoggerConfig, key: str):
        with pytest.raises(ConfigError, match=f"there is nothing at '{key}'"):
            loaded.origin(key)

    def test_it_is_no_part_of_equality_and_text(self, loaded: LoggerConfig):
        plain = LoggerConfig(**{name: getattr(loaded, name) for name in LoggerConfig.model_fields})
        assert plain == loaded
        assert repr(plain) == repr(loaded)
        assert LoggerConfig.load(environ={}) != loaded

    def test_copies_keep_it(self, loaded: LoggerConfig):
        for made in (copy.copy(loaded), copy.deepcopy(loaded), pickle.loads(pickle.dumps(loaded))):  # noqa: S301 - ours
            assert made == loaded
            assert str(made.origin("log_dir")) == "environment variable METAEXPERT_LOG_DIR"

    def test_one_loaded_from_the_processs_variables_can_be_pickled(self, folder: Path):
        del folder
        made = LoggerConfig.load(environ=os.environ)
        assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301 - ours


class TestReloaded:
    def test_it_reads_file_variables_and_arguments_again(
        self, folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
    ):
        (folder / "metaexpert.toml").write_text('log_name = "one"\nlog_level = "INFO"\n')
        environ = {"METAEXPERT_LOG_MAX_BYTES": "5"}
        first = LoggerConfig.load(environ=environ, log_level="DEBUG")
        (folder / "metaexpert.toml").write_text('log_name = "two"\nlog_level = "ERROR"\n')
        environ["METAEXPERT_LOG_MAX_BYTES"] = "6"
        monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
        second = first.reloaded()
        assert (second.log_name, second.log_level, second.max_bytes) == ("two", "DEBUG", 6)
        assert (first.log_name, first.max_bytes) == ("one", 5)
        assert second.reloaded() == second

    def test_a_named_file_is_found_from_another_folder(
        self, folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
    ):
        (folder / "bot.toml").write_text('log_name = "one"\n')
        made = LoggerConfig.load("bot.toml", environ={})
        monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
        assert made.reloaded() == made

    def test_the_processs_own_variables_are_read_again(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        del folder
        made = LoggerConfig.load()
        monkeypatch.setenv("METAEXPERT_LOG_LEVEL", "ERROR")
        assert made.reloaded().log_level == "ERROR"

    def test_what_is_wrong_now_is_an_error_and_the_old_one_stays(self, folder: Path):
        (folder / "metaexpert.toml").write_text('log_name = "one"\n')
        made = LoggerConfig.load(environ={})
        before = made.model_dump()
        (folder / "metaexpert.toml").write_text('log_nam = "two"\n')
        with pytest.raises(ConfigError, match="did you mean log_name"):
            made.reloaded()
        assert made.model_dump() == before
        (folder / "metaexpert.toml").write_text('log_name = "three"\n')
        assert made.reloaded().log_name == "three"

    def test_a_list_given_as_an_argument_is_not_changed_by_loading(self, folder: Path):
        del folder
        sinks = [{"type": "memory", "nme": "x"}]
        with pytest.raises(ConfigError):
            LoggerConfig.load(environ={"METAEXPERT_LOG_SINKS__MEMORY__LEVEL": "INFO"}, sinks=sinks)
        assert sinks == [{"type": "memory", "nme": "x"}]

    def test_one_made_in_code_cannot_be_read_again(self):
        with pytest.raises(ConfigError, match="was made in code"):
            LoggerConfig().reloaded()
        with pytest.raises(ConfigError, match="was made in code"):
            LoggerConfig.for_production().reloaded()
