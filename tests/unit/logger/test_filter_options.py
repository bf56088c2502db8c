"""Options of filters, keys and thinning: what is wrong is said with the key and the remedy."""

from typing import Any

import pytest

from metaexpert.exceptions import ConfigError
from metaexpert.logger import (
    ConsoleOptions,
    ElasticsearchOptions,
    FieldConditionOptions,
    FileOptions,
    FilterOptions,
    LoggerConfig,
    LokiOptions,
    MemoryOptions,
    NdjsonOptions,
    RateLimitOptions,
    RepeatsOptions,
    SamplingOptions,
)
from metaexpert.logger.filter_assembly import selection_for, sieve_for
from metaexpert.logger.ledger import Ledger
from metaexpert.logger.options.sink import SinkOptions

URL = "http://collector.example"


def message(**options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        MemoryOptions(**options)
    return str(caught.value)


class TestWrong:
    @pytest.mark.parametrize(
        ("options", "parts"),
        [
            ({"filter": {"include_messages": ["["]}}, ["filter.include_messages", "not a regular expression"]),
            ({"filter": {"exclude_messages": ["ok", "(?P<x"]}}, ["filter.exclude_messages.1", "not a regular"]),
            ({"filter": {"include_loggers": ["app.*"]}}, ["filter.include_loggers", "stands for all below"]),
            ({"filter": {"levels": {"app": "LOUD"}}}, ["filter.levels.app", "must be a level"]),
            ({"filter": {"include_loggers": []}}, ["filter.include_loggers"]),
            ({"filter": {"include_fields": [{"name": "a"}]}}, ["one of equals, one_of, exists", "none of them"]),
            (
                {"filter": {"include_fields": [{"name": "a", "equals": 1, "exists": True}]}},
                ["equals and exists"],
            ),
            ({"filter": {"include_logger": ["app"]}}, ["did you mean include_loggers?"]),
            ({"sampling": {"rate": 1.5}}, ["sampling.rate = 1.5"]),
            ({"sampling": {}}, ["sampling.rate: is required"]),
            ({"sampling": {"rate": 0.5, "log_types": ["trade"]}}, ["sampling.log_types", "never held back"]),
            ({"rate_limit": {"rate": 0}}, ["rate_limit.rate"]),
            ({"rate_limit": {"rate": 1, "per": "task"}}, ["rate_limit.per"]),
            ({"repeats": {"window": 0}}, ["repeats.window"]),
            ({"keys": {"exclude": ["seq"]}}, ["keys.exclude: 'seq' cannot be left out"]),
            ({"keys": {"exclude": ["thred"]}}, ["there is no key 'thred'", "did you mean thread?"]),
            ({"keys": {"include": ["symbol"]}}, ["keys.include: there is no key 'symbol'", "extra"]),
        ],
        ids=str,
    )
    def test_the_error_names_the_key_and_the_remedy(self, options: dict[str, Any], parts: list[str]):
        text = message(**options)
        assert [part for part in parts if part not in text] == []

    @pytest.mark.parametrize(
        ("options", "key"),
        [
            (lambda keys: ConsoleOptions(keys=keys), "thread"),
            (lambda keys: FileOptions(path="a.log", json_logging=False, keys=keys), "exception.traceback"),
            (lambda keys: ElasticsearchOptions(url=URL, keys=keys), "event.id"),
            (lambda keys: ElasticsearchOptions(url=URL, keys=keys), "log"),
            (lambda keys: ElasticsearchOptions(url=URL, keys=keys), "@timestamp"),
            (lambda keys: NdjsonOptions(url=URL, format="ecs", keys=keys), "thread"),
            (lambda keys: LokiOptions(url=URL, keys=keys), "id"),
        ],
    )
    def test_each_format_refuses_what_it_has_not_or_needs(self, options: Any, key: str):
        with pytest.raises(ConfigError, match=r"keys\.exclude"):
            options({"exclude": [key]})


class TestRight:
    def test_it_can_all_be_written_in_a_file(self, tmp_path: Any):
        path = tmp_path / "metaexpert.toml"
        path.write_text(
            """
            [[sinks]]
            type = "file"
            path = "app.log"
            [sinks.filter]
            include_loggers = ["app"]
            levels = { "app.net" = "warning" }
            include_fields = [{ name = "symbol", one_of = ["BTC", 1, true] }, { name = "order_id", exists = true }]
            exclude_messages = ["^heartbeat"]
            [sinks.keys]
            exclude = ["thread", "extra.depth"]
            [sinks.sampling]
            rate = 0.1
            loggers = ["app.ticks"]
            [sinks.rate_limit]
            rate = 100
            per = "logger"
            [sinks.repeats]
            window = 5
            """
        )
        (sink,) = LoggerConfig.load(path, environ={}, log_to_file=False).sinks
        assert sink.filter == FilterOptions(
            include_loggers=("app",),
            levels={"app.net": "WARNING"},
            include_fields=(
                FieldConditionOptions(name="symbol", one_of=("BTC", 1, True)),
                FieldConditionOptions(name="order_id", exists=True),
            ),
            exclude_messages=("^heartbeat",),
        )
        assert sink.sampling == SamplingOptions(rate=0.1, loggers=("app.ticks",))
        assert sink.rate_limit == RateLimitOptions(rate=100, per="logger")
        assert sink.repeats == RepeatsOptions(window=5)

    def test_by_default_only_what_is_below_warning_is_sampled_and_only_below_error_limited(self):
        assert SamplingOptions(rate=0.5).max_level == "INFO"
        assert RateLimitOptions(rate=1).max_level == "WARNING"
        assert RepeatsOptions().max_level == "CRITICAL"

    @pytest.mark.parametrize(
        "options",
        [
            MemoryOptions(name="m"),
            MemoryOptions(name="m", filter=FilterOptions(include_loggers=("app",))),
            MemoryOptions(name="m", level="ERROR", log_types=("trade",)),
        ],
    )
    def test_what_the_routes_decide_needs_no_sieve(self, options: SinkOptions):
        assert sieve_for(options, Ledger()) is None
        assert selection_for(options) is None
