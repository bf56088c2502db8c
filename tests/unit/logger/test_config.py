"""LoggerConfig: what it makes of good values, and what it says to wrong ones."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from metaexpert.exceptions import ConfigError, MetaExpertError
from metaexpert.logger import (
    ConsoleOptions,
    DispatcherOptions,
    ElasticsearchOptions,
    FileOptions,
    LoggerConfig,
    LokiOptions,
    MemoryOptions,
    Overflow,
    QueueOptions,
    RedactionOptions,
)

URL = "http://127.0.0.1:3100"
SECRET = "hunter2-s3cret"
ONE_CREDENTIAL = "only one of username, bearer_token, bearer_token_file, api_key, api_key_file may be given"
LEVELS = "CRITICAL, FATAL, ERROR, WARN, WARNING, INFO, DEBUG, NOTSET"


def config(**values: Any) -> LoggerConfig:
    return LoggerConfig(**values)


def refusal(make: Callable[[], object]) -> str:
    with pytest.raises(ConfigError) as caught:
        make()
    return str(caught.value)


class TestDefaults:
    def test_files_and_console_of_the_existing_interface(self):
        default = LoggerConfig()
        assert (default.log_dir, default.log_file) == (Path("logs"), Path("expert.log"))
        assert (default.log_trade_file, default.log_error_file) == (Path("trades.log"), Path("errors.log"))
        assert (default.log_to_console, default.log_to_file, default.json_logging) == (True, True, False)
        assert default.shutdown_timeout == 5.0
        assert (default.queue.max_entries, default.queue.max_bytes) == (100_000, 32 * 1024 * 1024)
        assert default.queue.overflow is Overflow.DROP_LOWEST

    def test_flat_fields_make_sinks(self):
        sinks = {one.name: one for one in LoggerConfig(json_logging=True, max_bytes=5, backup_count=2).all_sinks()}
        assert list(sinks) == ["console", "file", "trade", "error"]
        trade, error, everything = sinks["trade"], sinks["error"], sinks["file"]
        assert isinstance(trade, FileOptions)
        assert isinstance(error, FileOptions)
        assert isinstance(everything, FileOptions)
        assert (everything.path, everything.level, everything.log_types) == (Path("expert.log"), "DEBUG", None)
        assert set(trade.log_types or ()) == {"trade", "audit"}
        assert error.level == "ERROR"
        assert (trade.json_logging, trade.max_bytes, trade.backup_count) == (True, 5, 2)

    def test_they_can_be_switched_off(self):
        assert LoggerConfig(log_to_console=False, log_to_file=False).all_sinks() == ()

    def test_a_sink_without_a_name_has_its_types(self):
        names = [
            one.name for one in config(log_to_file=False, sinks=[MemoryOptions(), LokiOptions(url=URL)]).all_sinks()
        ]
        assert names == ["console", "memory", "loki"]


class TestValues:
    @pytest.mark.parametrize(
        ("given", "level"),
        [("debug", "DEBUG"), ("Warning", "WARNING"), (logging.ERROR, "ERROR"), (10, "DEBUG"), ("CRITICAL", "CRITICAL")],
    )
    def test_levels_come_by_name_and_number(self, given: Any, level: str):
        assert config(log_level=given).log_level == level
        assert MemoryOptions(level=given).level == level

    def test_tables_become_options(self):
        made = config(
            queue={"max_entries": 50, "overflow": "drop_oldest"},
            dispatcher={"linger": 0.01},
            redaction={"keys": ["account"]},
            sinks=[
                {"type": "loki", "url": URL, "labels": {"env": "prod"}, "queue": {"overflow": "block"}},
                {"type": "elasticsearch", "url": URL, "index": "bots"},
                {"type": "console", "name": "errors", "level": "error", "stream": "stdout"},
                {"type": "file", "name": "more", "path": "more.log"},
                {"type": "memory"},
            ],
        )
        assert made.queue == QueueOptions(max_entries=50, overflow=Overflow.DROP_OLDEST)
        assert made.dispatcher == DispatcherOptions(linger=0.01)
        assert made.redaction == RedactionOptions(keys=("account",))
        assert made.sinks == (
            LokiOptions(url=URL, labels={"env": "prod"}, queue=QueueOptions(overflow=Overflow.BLOCK)),
            ElasticsearchOptions(url=URL, index="bots"),
            ConsoleOptions(name="errors", level="ERROR", stream="stdout"),
            FileOptions(name="more", path=Path("more.log")),
            MemoryOptions(),
        )

    def test_options_are_frozen_and_values(self):
        made = LoggerConfig()
        assert made == LoggerConfig()
        with pytest.raises(ValidationError):
            made.log_level = "DEBUG"  # pyright: ignore[reportAttributeAccessIssue]

    def test_options_come_by_keyword_alone(self):
        make: Callable[..., object] = LoggerConfig
        with pytest.raises(TypeError):
            make("DEBUG")

    def test_secrets_do_not_show(self):
        made = config(
            sinks=[
                {"type": "loki", "url": URL, "bearer_token": SECRET},
                {"type": "loki", "name": "two", "url": URL, "username": "u", "password": SECRET},
                {"type": "elasticsearch", "url": URL, "api_key": SECRET},
            ]
        )
        for shown in (repr(made), str(made), str(made.model_dump()), made.model_dump_json()):
            assert SECRET not in shown

    def test_headers_do_not_show_and_are_kept(self):
        made = LokiOptions(url=URL, headers={"Authorization": f"Bearer {SECRET}"})  # type: ignore[dict-item]
        whole = config(sinks=[made])
        for shown in (made, made.headers, whole, whole.sinks, made.model_dump(), made.model_dump_json()):
            assert SECRET not in repr(shown)
        assert made.headers["Authorization"].get_secret_value() == f"Bearer {SECRET}"

    @pytest.mark.parametrize("field", ["password", "bearer_token", "api_key"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", " \n"])
    def test_the_newline_at_the_end_of_a_secrets_file_is_not_part_of_it(self, field: str, end: str):
        for given in (f"{SECRET}{end}", SecretStr(f"{SECRET}{end}")):
            user = {"username": "u"} if field == "password" else {}
            made = LokiOptions(**{"url": URL, field: given, **user})  # type: ignore[arg-type]
            assert getattr(made, field).get_secret_value() == SECRET

    def test_that_of_a_header_and_a_tenant_neither(self):
        made = LokiOptions(url=URL, headers={"X-Key": f"{SECRET}\n"}, tenant="desk-7\n")  # type: ignore[dict-item]
        assert made.headers["X-Key"].get_secret_value() == SECRET
        assert made.tenant == "desk-7"


WRONG: list[tuple[str, Callable[[], object], str]] = [
    (
        "unknown key",
        lambda: config(log_lvel="INFO"),
        "LoggerConfig.log_lvel: there is no such option; did you mean log_level?",
    ),
    (
        "unknown level",
        lambda: config(log_level="VERBOSE"),
        f"LoggerConfig.log_level = 'VERBOSE': must be a level: {LEVELS}",
    ),
    (
        "not a number",
        lambda: config(max_bytes="ten"),
        "LoggerConfig.max_bytes = 'ten': should be a valid integer, unable to parse string as an integer",
    ),
    (
        "too small",
        lambda: config(max_bytes=-1),
        "LoggerConfig.max_bytes = -1: should be greater than or equal to 0",
    ),
    (
        "too large",
        lambda: config(backup_count=20_000),
        "LoggerConfig.backup_count = 20000: should be less than or equal to 10000",
    ),
    (
        "not a choice",
        lambda: QueueOptions(overflow="drop"),  # pyright: ignore[reportArgumentType]
        (
            "QueueOptions.overflow = 'drop': should be 'drop_lowest', 'drop_oldest', 'drop_newest', "
            "'block', 'grow' or 'spill'"
        ),
    ),
    (
        "watermarks out of order",
        lambda: QueueOptions(high_watermark=0.4),
        "QueueOptions: low_watermark (0.5) must be below high_watermark (0.4)",
    ),
    (
        "a cap below the bound it is to be above",
        lambda: QueueOptions(overflow=Overflow.GROW, grow_max_bytes=1024 * 1024),
        (
            "QueueOptions: grow_max_bytes (1048576) must be at least max_bytes (33554432), from where on the room "
            "grows; raise it, or lower max_bytes"
        ),
    ),
    (
        "not an address",
        lambda: LokiOptions(url="ftp://x"),
        """LokiOptions.url = 'ftp://x': must be an address such as "https://loki.example:3100\"""",
    ),
    ("missing", lambda: LokiOptions(), "LokiOptions.url: is required"),  # pyright: ignore[reportCallIssue]  # noqa: PLW0108
    (
        "two credentials",
        lambda: LokiOptions(url=URL, username="u", bearer_token=SECRET),  # pyright: ignore[reportArgumentType]
        f"LokiOptions: {ONE_CREDENTIAL}, not username and bearer_token",
    ),
    (
        "a password and its file",
        lambda: LokiOptions(url=URL, username="u", password=SECRET, password_file=Path("x")),  # pyright: ignore[reportArgumentType]
        "LokiOptions: only one of password, password_file may be given, not password and password_file",
    ),
    (
        "a token and its file",
        lambda: LokiOptions(url=URL, bearer_token=SECRET, bearer_token_file=Path("x")),  # pyright: ignore[reportArgumentType]
        f"LokiOptions: {ONE_CREDENTIAL}, not bearer_token and bearer_token_file",
    ),
    (
        "a password of nobody",
        lambda: LokiOptions(url=URL, password_file=Path("x")),
        "LokiOptions: a password needs a username",
    ),
    (
        "a header twice",
        lambda: LokiOptions(url=URL, headers={"X-Key": SECRET}, header_files={"x-key": Path("x")}),  # type: ignore[dict-item]
        "LokiOptions: header x-key may stand in headers or in header_files, not in both",
    ),
    (
        "a key without its certificate",
        lambda: LokiOptions(url=URL, client_key_file=Path("x")),
        "LokiOptions: client_key_file needs the certificate it belongs to in client_cert_file",
    ),
    (
        "two faults that only the whole shows",
        lambda: config(log_error_file="expert.log", sinks=[MemoryOptions(name="file")]),
        """LoggerConfig: sinks: the name 'file' is used twice; give each sink a name of its own
LoggerConfig: the file 'expert.log' is written by two sinks; give each a file of its own""",
    ),
    (
        "a name twice",
        lambda: config(sinks=[MemoryOptions(), MemoryOptions()]),
        "LoggerConfig: sinks: the name 'memory' is used twice; give each sink a name of its own",
    ),
    (
        "a flat field's name",
        lambda: config(sinks=[MemoryOptions(name="file")]),
        "LoggerConfig: sinks: the name 'file' is used twice; give each sink a name of its own",
    ),
    (
        "two at once",
        lambda: config(max_bytes=-1, log_lvel="x"),
        """LoggerConfig.max_bytes = -1: should be greater than or equal to 0
LoggerConfig.log_lvel: there is no such option; did you mean log_level?""",
    ),
    (
        "a file twice",
        lambda: config(log_error_file="expert.log"),
        "LoggerConfig: the file 'expert.log' is written by two sinks; give each a file of its own",
    ),
    (
        "a flat field's file",
        lambda: config(sinks=[FileOptions(name="mine", path=Path("./trades.log"))]),
        "LoggerConfig: the file 'trades.log' is written by two sinks; give each a file of its own",
    ),
    (
        "unknown log type",
        lambda: MemoryOptions(log_types=("trades",)),  # pyright: ignore[reportArgumentType]
        """MemoryOptions.log_types.0 = 'trades': should be 'general', 'trade', 'audit', 'gap', 'recovery', 'error', \
'performance', 'clock' or 'alert'""",
    ),
    (
        "of no kind that is allowed",
        lambda: config(sinks=[{"type": "memory", "filter": {"include_fields": [{"name": "x", "equals": [1]}]}}]),
        """LoggerConfig.sinks.0.filter.include_fields.0.equals = [1]: should be a valid string or a valid integer \
or a valid number or true or false""",
    ),
    (
        "a label's name",
        lambda: LokiOptions(url=URL, labels={"a-b": "x"}),
        "LokiOptions.labels.a-b = 'a-b': must be a label name: letters, digits and _, not beginning with a digit",
    ),
    (
        "a key that is nothing",
        lambda: RedactionOptions(keys=("password", "-_-")),
        "RedactionOptions.keys.1 = '-_-': must contain a letter or digit",
    ),
    (
        "an allowed key that is nothing",
        lambda: RedactionOptions(allow=("",)),
        "RedactionOptions.allow.0 = '': must contain a letter or digit",
    ),
    (
        "unknown key in a table",
        lambda: config(queue={"max_entrie": 100}),
        "LoggerConfig.queue.max_entrie: there is no such option; did you mean max_entries?",
    ),
    (
        "wrong value in a table",
        lambda: config(queue={"max_entries": 1}),
        "LoggerConfig.queue.max_entries = 1: should be greater than or equal to 16",
    ),
]


class TestWrong:
    @pytest.mark.parametrize(("make", "text"), [pytest.param(make, text, id=name) for name, make, text in WRONG])
    def test_the_error_says_what_is_wrong(self, make: Callable[[], object], text: str):
        assert refusal(make) == text

    @pytest.mark.parametrize(
        ("values", "parts"),
        [
            ({"sinks": [{"type": "loki", "url": URL, "labls": {}}]}, ["sinks", "0", "labls", "did you mean labels?"]),
            ({"sinks": [{"type": "loki"}]}, ["sinks", "0", "url", "required"]),
            (
                {"sinks": [{"type": "loki", "url": URL, "queue": {"max_entrys": 1}}]},
                ["sinks", "0", "queue", "max_entrys", "did you mean max_entries?"],
            ),
            ({"sinks": [{"type": "lokii", "url": URL}]}, ["sinks.0", "lokii", "'loki'", "'elasticsearch'"]),
            ({"sinks": [{"url": URL}]}, ["sinks.0", "type", "'loki'", "'elasticsearch'"]),
            ({"sinks": [{"type": "loki", "url": URL, "labels": {"a-b": "x"}}]}, ["labels", "a-b", "letters, digits"]),
            ({"sinks": "loki"}, ["sinks", "'loki'"]),
            ({"log_to_console": "perhaps"}, ["log_to_console", "'perhaps'", "must be true or false"]),
            ({"log_to_console": []}, ["log_to_console", "[]", "must be true or false"]),
            ({"queue": 5}, ["LoggerConfig.queue = 5: must be a table"]),
            ({"sinks": [5]}, ["LoggerConfig.sinks.0 = 5: must be a table"]),
            (
                {"sinks": f'[{{"type": "loki", "password": "{SECRET}"}}]'},
                ["LoggerConfig.sinks = [REDACTED]: must be a list"],
            ),
            ({"sinks": [["password", SECRET]]}, ["LoggerConfig.sinks.0 = [REDACTED]: must be a table"]),
            ({"redaction": {"keys": 5}}, ["LoggerConfig.redaction.keys = 5: must be a list"]),
            ({"shutdown_timeout": -1}, ["shutdown_timeout", "-1", "greater than or equal to 0"]),
            ({"dispatcher": {"slice": 5}}, ["dispatcher", "slice", "5", "less than or equal to 0.05"]),
            ({"log_name": ""}, ["log_name", "''", "at least 1 character"]),
            ({"log_level": ["x"]}, ["log_level", "DEBUG"]),
            ({"log_level": {}}, ["log_level", "DEBUG"]),
            ({"log_level": None}, ["log_level", "None", "DEBUG"]),
            ({"log_level": True}, ["log_level", "True", "DEBUG"]),
            ({"log_level": 15}, ["log_level", "15", "DEBUG"]),
            ({"zzzz": 1}, ["zzzz", "known are", "log_level", "sinks"]),
        ],
    )
    def test_key_value_and_what_is_allowed_are_named(self, values: dict[str, Any], parts: list[str]):
        text = refusal(lambda: config(**values))
        for part in parts:
            assert part in text

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            (f"http://user:{SECRET}@host:3100", "must not carry credentials"),
            (f"http://user:{SECRET}/x@host:3100", "must not carry credentials"),
            (f"http://user@x:{SECRET}@host", "must not carry credentials"),
            (f"ftp://user:{SECRET}/x@host", "must not carry credentials"),
            (f"http://host/#{SECRET}", "must be an address"),
            ("http://host:99999", "must be an address"),
            ("http://host:0", "must be an address"),
            ("http://host:port", "must be an address"),
            ("http://host/?tenant=7", "must be an address"),
            ("http://host/#place", "must be an address"),
            ("http://", "must be an address"),
            ("host:3100", "must be an address"),
        ],
    )
    def test_addresses_that_cannot_work_are_refused_without_what_they_hide(self, url: str, said: str):
        for text in (refusal(lambda: LokiOptions(url=url)), refusal(lambda: ElasticsearchOptions(url=url))):
            assert said in text
            assert SECRET not in text

    @pytest.mark.parametrize(
        "url", ["http://host", "https://host:3100/", "http://127.0.0.1:1/loki/a", "http://[::1]:3100"]
    )
    def test_addresses_that_can_are_not(self, url: str):
        assert LokiOptions(url=url).url == url

    def test_the_scheme_is_kept_in_lower_case_so_that_tls_options_hold(self):
        assert LokiOptions(url="HTTPS://Host:3100/Loki").url == "https://Host:3100/Loki"

    @pytest.mark.parametrize("field", ["password", "bearer_token", "api_key", "tenant", "username"])
    @pytest.mark.parametrize("inside", ["\n", "\r", "\x00", "\x7f"])
    def test_control_characters_within_what_becomes_a_header_are_refused(self, field: str, inside: str):
        text = refusal(lambda: LokiOptions(**{"url": URL, field: f"a{inside}b"}))  # type: ignore[arg-type]
        assert f"LokiOptions.{field}" in text
        assert "must not contain control characters" in text

    def test_within_a_header_too(self):
        text = refusal(lambda: LokiOptions(url=URL, headers={"X-Key": "a\nb"}))  # type: ignore[dict-item]
        assert "LokiOptions.headers.X-Key" in text
        assert "must not contain control characters" in text

    def test_it_is_both_ours_and_a_value_error(self):
        assert issubclass(ConfigError, MetaExpertError)
        assert issubclass(ConfigError, ValueError)

    def test_a_long_value_is_shown_in_part(self):
        text = refusal(lambda: config(max_bytes="9" * 5_000 + "x"))
        assert len(text) < 300
        assert "…" in text

    @pytest.mark.parametrize(
        "make",
        [
            lambda: LokiOptions(url=URL, password=[SECRET]),  # type: ignore[arg-type]
            lambda: LokiOptions(url=URL, passwrd=SECRET),  # type: ignore[call-arg]
            lambda: LokiOptions(url=URL, headers={"Authorization": [SECRET]}),  # type: ignore[dict-item]
            lambda: LokiOptions(url=URL, headers=[f"Authorization: {SECRET}"]),  # type: ignore[arg-type]
            lambda: LokiOptions(url=URL, headers=f"Authorization: {SECRET}"),  # type: ignore[arg-type]
            lambda: LokiOptions(url=f"http://user:{SECRET}@host"),
            lambda: config(sinks=[{"type": "loki", "url": f"http://user:{SECRET}@host"}]),
            lambda: config(sinks=[{"type": "lokii", "url": URL, "password": SECRET}]),
            lambda: config(sinks=[{"url": URL, "password": SECRET}]),
            lambda: config(sinks=[{"type": "loki", "url": URL, "bearer_token": SECRET, "labls": {}}]),
            lambda: config(sinks=[{"type": "loki", "url": URL, "username": "u", "bearer_token": SECRET}]),
            lambda: config(sinks=[{"type": "loki", "url": "x", "headers": {"X-Api-Key": SECRET}}]),
            lambda: config(sinks={"type": "loki", "url": URL, "password": SECRET}),
            lambda: config(queue={"password": SECRET}),
            lambda: config(log_dir={"api_key": SECRET}),
            lambda: config(api_key=SECRET),
        ],
    )
    def test_secrets_are_never_shown(self, make: Callable[[], object]):
        assert SECRET not in refusal(make)


class TestRefusedWithoutTelling:
    @pytest.mark.parametrize(
        "make",
        [
            lambda: LokiOptions(url="http://h", headers={"X": "a\x00s3cret"}),
            lambda: LokiOptions(url="user:s3cret@host:3100"),
            lambda: LokiOptions(url="http:/user:s3cret@h"),
            lambda: LokiOptions(url="http://h/?token=s3cret"),
        ],
        ids=["header", "no scheme", "one slash", "query"],
    )
    def test_what_is_refused_is_not_shown_where_it_may_be_a_secret(self, make: Callable[[], object]):
        with pytest.raises(ConfigError) as refused:
            make()
        assert "s3cret" not in str(refused.value)

    @pytest.mark.parametrize("url", ["http://h/?", "http://h/#", "http://a b/", "http://h\n"])
    def test_addresses_that_cannot_work_are_refused(self, url: str):
        with pytest.raises(ConfigError, match="must be an address"):
            LokiOptions(url=url)

    def test_a_headers_name_is_a_token(self):
        with pytest.raises(ConfigError, match="name of a header"):
            LokiOptions(url="http://h", headers={"X-A\nB": "v"})

    @pytest.mark.parametrize("path", [Path("logs/expert.log").absolute(), Path("a/../expert.log")])
    def test_one_file_under_two_spellings_is_one_file(self, path: Path):
        with pytest.raises(ConfigError, match="written by two sinks"):
            LoggerConfig(log_dir=Path("logs"), sinks=(FileOptions(name="x", path=path),))
