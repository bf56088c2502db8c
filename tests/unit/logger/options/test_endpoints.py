"""The addresses of a collector: one as `url`, several as `urls`, from code, TOML and the environment."""

from collections.abc import Callable
from pathlib import Path

import pytest

from metaexpert.exceptions import ConfigError
from metaexpert.logger import ElasticsearchOptions, HttpOptions, LoggerConfig, LokiOptions, NdjsonOptions

A, B = "https://a.example:3100", "https://b.example:3100"


def refusal(make: Callable[[], object]) -> str:
    with pytest.raises(ConfigError) as caught:
        make()
    return str(caught.value)


@pytest.mark.parametrize("kind", [LokiOptions, ElasticsearchOptions, NdjsonOptions])
def test_one_or_several(kind: type[HttpOptions]):
    assert kind(url=A).addresses() == (A,)
    assert kind(urls=(B, A)).addresses() == (B, A)


def test_one_of_the_two_is_required_and_not_both():
    assert refusal(LokiOptions) == "LokiOptions.url: is required"
    both = refusal(lambda: LokiOptions(url=A, urls=(B,)))
    assert "only one of url, urls may be given" in both


@pytest.mark.parametrize("again", [A, f"{A}/", A.upper().replace("HTTPS", "https")])
def test_an_address_given_twice_is_a_mistake(again: str):
    assert "twice" in refusal(lambda: LokiOptions(urls=(A, B, again)))


def test_each_has_to_be_one():
    assert "LokiOptions.urls.1" in refusal(lambda: LokiOptions(urls=(A, "ftp://b")))


def test_balance_is_one_of_two():
    assert LokiOptions(urls=(A, B), balance="round_robin").balance == "round_robin"
    assert "failover" in refusal(lambda: LokiOptions(urls=(A, B), balance="fastest"))  # pyright: ignore[reportArgumentType]


def test_from_toml(tmp_path: Path):
    (tmp_path / "metaexpert.toml").write_text(
        f'[[logger.sinks]]\ntype = "loki"\nurls = ["{A}", "{B}"]\nbalance = "round_robin"\n'
    )
    (sink,) = LoggerConfig.load(tmp_path / "metaexpert.toml").sinks
    assert sink == LokiOptions(urls=(A, B), balance="round_robin")


def test_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "metaexpert.toml").write_text(f'[[logger.sinks]]\ntype = "loki"\nurls = ["{A}"]\n')
    monkeypatch.setenv("METAEXPERT_LOG_SINKS__LOKI__URLS", f'["{B}", "{A}"]')
    (sink,) = LoggerConfig.load(tmp_path / "metaexpert.toml").sinks
    assert sink == LokiOptions(urls=(B, A))
