"""Where configuration comes from: keyword arguments over the environment over a TOML file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from metaexpert.exceptions import ConfigError
from metaexpert.logger import LoggerConfig, LokiOptions, MemoryOptions, Overflow, QueueOptions, setup_logging


def refusal(make: Callable[[], object]) -> str:
    with pytest.raises(ConfigError) as caught:
        make()
    return str(caught.value)


def load(**environ: str) -> LoggerConfig:
    return LoggerConfig.load(environ={f"METAEXPERT_LOG_{name}": text for name, text in environ.items()})


@pytest.mark.usefixtures("folder")
class TestEnvironment:
    def test_nothing_given_is_the_default(self):
        assert LoggerConfig.load(environ={}) == LoggerConfig()
        assert LoggerConfig.load() == LoggerConfig()

    def test_names_with_and_without_log(self):
        made = load(
            LEVEL="DEBUG", MAX_BYTES="100", TO_CONSOLE="false", LOG_NAME="bot", JSON_LOGGING="1", DIR="/var/log"
        )
        assert (made.log_level, made.max_bytes, made.log_to_console) == ("DEBUG", 100, False)
        assert (made.log_name, made.json_logging, made.log_dir) == ("bot", True, Path("/var/log"))

    def test_tables_by_double_underscore(self):
        made = load(QUEUE__MAX_ENTRIES="500", QUEUE__OVERFLOW="block", DISPATCHER__SLICE="0.001")
        assert (made.queue.max_entries, made.queue.overflow, made.dispatcher.slice) == (500, Overflow.BLOCK, 0.001)

    def test_lists_and_tables_by_json(self):
        made = load(SINKS='[{"type":"loki","url":"http://h"},{"type":"memory"}]', REDACTION='{"keys":["account"]}')
        assert made.sinks == (LokiOptions(url="http://h"), MemoryOptions())
        assert made.redaction.keys == ("account",)

    @pytest.mark.parametrize("order", [1, -1])
    def test_a_part_wins_over_the_whole_in_whatever_order_they_come(self, order: int):
        variables = {"QUEUE": '{"max_entries":100,"overflow":"drop_newest"}', "QUEUE__OVERFLOW": "block"}
        made = load(**dict(list(variables.items())[::order]))
        assert (made.queue.max_entries, made.queue.overflow) == (100, Overflow.BLOCK)

    def test_the_process_environment_is_read(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("METAEXPERT_LOG_LEVEL", "ERROR")
        monkeypatch.setenv("METAEXPERT_OTHER", "x")
        assert LoggerConfig.load().log_level == "ERROR"
        assert LoggerConfig().log_level == "INFO", "keyword arguments alone do not read it"

    def test_lower_case_variables_count_as_on_windows(self):
        assert LoggerConfig.load(environ={"metaexpert_log_level": "ERROR"}).log_level == "ERROR"

    @pytest.mark.parametrize(
        ("variables", "parts"),
        [
            (
                {"LEVLE": "INFO"},
                ["METAEXPERT_LOG_LEVLE", "there is no such option", "did you mean METAEXPERT_LOG_LEVEL?"],
            ),
            ({"QUEUE__MAX_ENTRIE": "5"}, ["QUEUE__MAX_ENTRIE:", "did you mean QUEUE__MAX_ENTRIES?"]),
            ({"MAX_BYTES": "ten"}, ["max_bytes", "'ten'", "integer", "METAEXPERT_LOG_MAX_BYTES"]),
            ({"SINKS": "[{"}, ["METAEXPERT_LOG_SINKS", "JSON"]),
            ({"SINKS": "loki"}, ["METAEXPERT_LOG_SINKS", "must be a list in JSON"]),
            ({"QUEUE": "abc", "QUEUE__OVERFLOW": "block"}, ["QUEUE"]),
            ({"QUEUE__OVERFLOW": "block", "QUEUE__OVERFLOW__DEEPER": "x"}, ["QUEUE"]),
            ({"LEVEL__DEEPER": "x"}, ["log_level"]),
            ({"": "x"}, ["METAEXPERT_LOG_"]),
        ],
    )
    def test_wrong_variables_are_named(self, variables: dict[str, str], parts: list[str]):
        text = refusal(lambda: load(**variables)).replace("METAEXPERT_LOG_QUEUE", "QUEUE")
        for part in parts:
            assert part.lower() in text.lower()

    def test_a_secret_in_a_variable_is_not_shown(self):
        for text in ('[{"type":"loki","url":"http://h","password":"s3cret","tls":1}]', '{"password":"s3cret"}'):
            assert "s3cret" not in refusal(lambda text=text: load(SINKS=text))


class TestToml:
    def test_metaexpert_toml_of_the_present_folder(self, folder: Path):
        (folder / "metaexpert.toml").write_text('log_level = "ERROR"\n[queue]\nmax_entries = 50\n')
        made = LoggerConfig.load(environ={})
        assert (made.log_level, made.queue.max_entries) == ("ERROR", 50)

    def test_its_logger_table_when_it_has_one(self, folder: Path):
        (folder / "metaexpert.toml").write_text('[expert]\nsymbol = "BTC"\n[logger]\nlog_level = "ERROR"\n')
        assert LoggerConfig.load(environ={}).log_level == "ERROR"

    def test_pyprojects_table(self, folder: Path):
        (folder / "pyproject.toml").write_text(
            '[project]\nname = "bot"\n[tool.metaexpert.logger]\nlog_level = "ERROR"\n'
            '[[tool.metaexpert.logger.sinks]]\ntype = "memory"\n'
        )
        made = LoggerConfig.load(environ={})
        assert (made.log_level, made.sinks) == ("ERROR", (MemoryOptions(),))
        assert LoggerConfig.load(folder / "pyproject.toml", environ={}) == made

    def test_a_pyproject_without_it_says_nothing(self, folder: Path):
        (folder / "pyproject.toml").write_text('[project]\nname = "bot"\n')
        assert LoggerConfig.load(environ={}) == LoggerConfig()

    def test_metaexpert_toml_wins_over_pyproject(self, folder: Path):
        (folder / "pyproject.toml").write_text('[tool.metaexpert.logger]\nlog_level = "ERROR"\nlog_name = "p"\n')
        (folder / "metaexpert.toml").write_text('log_level = "DEBUG"\n')
        made = LoggerConfig.load(environ={})
        assert (made.log_level, made.log_name) == ("DEBUG", "expert")

    def test_a_named_file_alone_counts(self, folder: Path):
        (folder / "metaexpert.toml").write_text('log_level = "DEBUG"\n')
        (folder / "other.toml").write_text('log_name = "other"\n')
        made = LoggerConfig.load(folder / "other.toml", environ={})
        assert (made.log_level, made.log_name) == ("INFO", "other")
        assert LoggerConfig.load("other.toml", environ={}) == made

    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("log_level = ", ["metaexpert.toml"]),
            ('log_lvel = "X"', ["log_lvel", "did you mean log_level?"]),
            ("max_bytes = -1", ["max_bytes", "-1"]),
            ("logger = 5", ["metaexpert.toml", "logger", "table"]),
            ("[queue]\nmax_entrie = 5", ["queue", "max_entrie", "did you mean max_entries?"]),
        ],
    )
    def test_a_wrong_file_is_named_or_its_key(self, folder: Path, text: str, parts: list[str]):
        (folder / "metaexpert.toml").write_text(text)
        told = refusal(lambda: LoggerConfig.load(environ={}))
        for part in parts:
            assert part in told

    def test_a_named_file_that_is_not_there_is_an_error(self, folder: Path):
        assert "nowhere.toml" in refusal(lambda: LoggerConfig.load(folder / "nowhere.toml"))

    def test_a_file_that_is_no_text_is_an_error(self, folder: Path):
        (folder / "metaexpert.toml").write_bytes(b"\xff\xfe\x00")
        assert "metaexpert.toml" in refusal(lambda: LoggerConfig.load(environ={}))

    def test_a_folder_of_that_name_is_an_error_and_no_crash(self, folder: Path):
        (folder / "metaexpert.toml").mkdir()
        assert "metaexpert.toml" in refusal(lambda: LoggerConfig.load(environ={}))


class TestPrecedence:
    def test_keyword_over_environment_over_file_table_by_table(self, folder: Path):
        (folder / "metaexpert.toml").write_text(
            'log_level = "ERROR"\nlog_name = "file"\nlog_dir = "file"\n'
            "[queue]\nmax_entries = 50\nmax_bytes = 400000\nblock_timeout = 2\n"
        )
        environ = {
            "METAEXPERT_LOG_NAME": "environment",
            "METAEXPERT_LOG_DIR": "environment",
            "METAEXPERT_LOG_QUEUE__MAX_ENTRIES": "60",
            "METAEXPERT_LOG_QUEUE__MAX_BYTES": "500000",
        }
        queue: Any = {"max_entries": 70}
        made = LoggerConfig.load(environ=environ, log_dir="keyword", queue=queue)
        assert (made.log_level, made.log_name, made.log_dir) == ("ERROR", "environment", Path("keyword"))
        assert (made.queue.max_entries, made.queue.max_bytes, made.queue.block_timeout) == (70, 500_000, 2.0)

    def test_options_given_as_such_replace_the_table(self, folder: Path):
        (folder / "metaexpert.toml").write_text("[queue]\nmax_bytes = 400000\n")
        made = LoggerConfig.load(environ={}, queue=QueueOptions(max_entries=70))
        assert made.queue == QueueOptions(max_entries=70)

    def test_lists_replace_each_other(self, folder: Path):
        (folder / "metaexpert.toml").write_text('[[sinks]]\ntype = "memory"\nname = "one"\n')
        environ = {"METAEXPERT_LOG_SINKS": '[{"type":"memory","name":"two"}]'}
        assert [one.name for one in LoggerConfig.load(environ=environ).sinks] == ["two"]

    def test_setup_logging_without_a_configuration_loads_it(self, folder: Path):
        (folder / "metaexpert.toml").write_text('log_level = "ERROR"\n')
        with setup_logging() as runtime:
            assert runtime.config.log_level == "ERROR"
        (folder / "metaexpert.toml").write_text('log_lvel = "ERROR"\n')
        with pytest.raises(ConfigError):
            setup_logging()
