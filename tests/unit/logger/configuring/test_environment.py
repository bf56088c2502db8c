"""Variables: one element of a list by name or index, texts as what their options take, hints at every depth."""

from pathlib import Path
from typing import Any

import pytest

from metaexpert.exceptions import ConfigError
from metaexpert.logger import LoggerConfig, LokiOptions, MemoryOptions, NdjsonOptions, Overflow, QueueOptions

URL = "http://127.0.0.1:3100"
TOML = f"""
[[sinks]]
type = "loki"
url = "{URL}"
username = "bot"

[[sinks]]
type = "ndjson"
name = "log-store.EU"
url = "{URL}"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bot.toml"
    path.write_text(TOML)
    return path


def load(path: Path | None = None, /, sinks: Any = None, **environ: str) -> LoggerConfig:
    variables = {f"METAEXPERT_LOG_{name}": text for name, text in environ.items()}
    return LoggerConfig.load(path, environ=variables, **({} if sinks is None else {"sinks": sinks}))


def refusal(path: Path | None = None, /, sinks: Any = None, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, sinks, **environ)
    return str(caught.value)


class TestOneSink:
    def test_by_its_type_when_it_has_no_name(self, file: Path):
        loki, other = load(file, SINKS__LOKI__PASSWORD="s3cret").sinks
        assert isinstance(loki, LokiOptions)
        assert loki.password is not None
        assert loki.password.get_secret_value() == "s3cret"
        assert other == NdjsonOptions(name="log-store.EU", url=URL)

    def test_by_its_name_with_an_underscore_for_all_but_letters_and_digits(self, file: Path):
        assert load(file, SINKS__LOG_STORE_EU__LEVEL="ERROR").sinks[1].level == "ERROR"

    def test_by_its_index(self, file: Path):
        assert load(file, SINKS__1__URL="http://other").sinks[1] == NdjsonOptions(
            name="log-store.EU", url="http://other"
        )

    def test_tables_and_lists_within_it(self, file: Path):
        loki = load(
            file,
            SINKS__LOKI__LABELS__ENV="live",
            SINKS__LOKI__QUEUE__OVERFLOW="block",
            SINKS__LOKI__METADATA="symbol, order_id",
            SINKS__LOKI__LOG_TYPES='["trade"]',
        ).sinks[0]
        assert isinstance(loki, LokiOptions)
        assert (loki.labels, loki.queue) == ({"env": "live"}, QueueOptions(overflow=Overflow.BLOCK))
        assert (loki.metadata, loki.log_types) == (("symbol", "order_id"), ("trade",))

    def test_of_a_list_that_is_given_by_a_variable_too(self):
        made = load(SINKS='[{"type":"memory"}]', SINKS__MEMORY__MAX_ENTRIES="5")
        assert made.sinks == (MemoryOptions(max_entries=5),)

    def test_one_given_as_an_argument_is_only_filled_in(self):
        given = (LokiOptions(url=URL, username="bot", tenant="desk"), {"type": "memory", "max_entries": 7})
        made = load(
            sinks=given, SINKS__LOKI__PASSWORD="s3cret", SINKS__LOKI__TENANT="x", SINKS__MEMORY__MAX_ENTRIES="9"
        )
        loki, memory = made.sinks
        assert isinstance(loki, LokiOptions)
        assert loki.password is not None
        assert loki.password.get_secret_value() == "s3cret"
        assert loki.tenant == "desk"
        assert memory == MemoryOptions(max_entries=7)
        assert given[0] == LokiOptions(url=URL, username="bot", tenant="desk"), "what was given is not changed"

    def test_a_name_goes_before_an_index(self):
        made = load(sinks=[MemoryOptions(name="1"), MemoryOptions(name="0")], SINKS__0__MAX_ENTRIES="3")
        assert made.sinks == (MemoryOptions(name="1"), MemoryOptions(name="0", max_entries=3))

    def test_elements_of_other_lists_have_an_index(self, tmp_path: Path):
        (tmp_path / "bot.toml").write_text('[redaction]\nkeys = ["account", "iban"]\n')
        assert load(tmp_path / "bot.toml", REDACTION__KEYS__1="bic").redaction.keys == ("account", "bic")


class TestTexts:
    @pytest.mark.parametrize(("text", "value"), [("true", True), ("ON", True), ("0", False), ("no", False)])
    def test_booleans(self, text: str, value: bool):
        assert load(TO_CONSOLE=text).log_to_console is value
        assert load(USE_COLORS=text).use_colors is value

    def test_numbers(self):
        made = load(MAX_BYTES=" 1_000 ", SHUTDOWN_TIMEOUT="2.5", QUEUE__HIGH_WATERMARK="9e-1")
        assert (made.max_bytes, made.shutdown_timeout, made.queue.high_watermark) == (1000, 2.5, 0.9)

    @pytest.mark.parametrize("text", ["account,iban", " account , iban ,", '["account","iban"]'])
    def test_lists_of_plain_values(self, text: str):
        assert load(REDACTION__KEYS=text).redaction.keys == ("account", "iban")

    @pytest.mark.parametrize("secret", ["{brace", "[1]", '"quoted"', "a,b"])
    def test_a_plain_value_is_taken_as_it_is(self, file: Path, secret: str):
        loki = load(file, SINKS__LOKI__PASSWORD=secret).sinks[0]
        assert isinstance(loki, LokiOptions)
        assert loki.password is not None
        assert loki.password.get_secret_value() == secret


class TestMistakes:
    @pytest.mark.parametrize(
        ("variable", "said"),
        [
            ("SINKS__LOKI__PASWORD", "did you mean METAEXPERT_LOG_SINKS__LOKI__PASSWORD?"),
            ("SINKS__LOKI__QUEUE__MAX_ENTRIE", "did you mean METAEXPERT_LOG_SINKS__LOKI__QUEUE__MAX_ENTRIES?"),
            ("SINKS__LOKKI__PASSWORD", "there is no such element; did you mean METAEXPERT_LOG_SINKS__LOKI?"),
            ("SINKS__7__PASSWORD", "known are METAEXPERT_LOG_SINKS__LOG_STORE_EU, METAEXPERT_LOG_SINKS__LOKI"),
            ("SINKS__LOKI__URL__HOST", "METAEXPERT_LOG_SINKS__LOKI__URL takes a plain value, no table"),
            ("SINKS__LOKI__LABLES__ENV", "did you mean METAEXPERT_LOG_SINKS__LOKI__LABELS?"),
            ("DISPATCHER", "must be a table in JSON, or be given in parts, such as METAEXPERT_LOG_DISPATCHER__SLICE"),
            ("ZZZ", "known are METAEXPERT_LOG_"),
            ("QUEUE__", "there is no such option; known are METAEXPERT_LOG_QUEUE__"),
        ],
    )
    def test_the_variable_is_named_with_the_nearest_known_one(self, file: Path, variable: str, said: str):
        text = refusal(file, **{variable: "s3cret"})
        assert text.startswith(f"environment variable METAEXPERT_LOG_{variable}: ")
        assert said in text
        assert "s3cret" not in text

    def test_an_option_of_another_type_of_sink_is_refused(self, file: Path):
        assert "METAEXPERT_LOG_SINKS__LOKI__INDEX" in refusal(file, SINKS__LOKI__INDEX="logs")

    def test_a_name_of_several_asks_for_the_index(self, tmp_path: Path):
        (tmp_path / "bot.toml").write_text('[[sinks]]\ntype = "memory"\n[[sinks]]\ntype = "memory"\n')
        text = refusal(tmp_path / "bot.toml", SINKS__MEMORY__LEVEL="INFO")
        assert "METAEXPERT_LOG_SINKS__0 and METAEXPERT_LOG_SINKS__1" in text

    def test_an_empty_list_has_no_elements(self):
        text = refusal(SINKS__LOKI__PASSWORD="s3cret")
        assert "the list is empty; give the whole as JSON in METAEXPERT_LOG_SINKS, or in a file" in text
        assert "s3cret" not in text

    def test_a_list_that_lost_its_brackets_is_not_shown(self):
        assert "s3cret" not in refusal(SINKS='"type":"loki","password":"s3cret"')

    def test_a_value_that_does_not_fit_names_the_variable(self, file: Path):
        assert refusal(file, SINKS__LOKI__TIMEOUT="soon") == (
            "LoggerConfig.sinks.0.timeout = 'soon': should be a valid number, unable to parse string as a number "
            "(from environment variable METAEXPERT_LOG_SINKS__LOKI__TIMEOUT)"
        )

    def test_every_wrong_variable_is_told(self, file: Path):
        text = refusal(file, LEVLE="INFO", QUEUE__MAX_ENTRIE="1", MAX_BYTES="ten")
        assert [line.split(":")[0] for line in text.splitlines()] == [
            "environment variable METAEXPERT_LOG_LEVLE",
            "environment variable METAEXPERT_LOG_QUEUE__MAX_ENTRIE",
            "LoggerConfig.max_bytes = 'ten'",
        ]
