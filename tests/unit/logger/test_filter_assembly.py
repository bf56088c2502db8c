"""Every option of filters and thinning is heeded: with it a sink keeps other entries than without it."""

import logging
import time
from typing import Any

import orjson
import pytest
from support.fake_sinks import capture

from metaexpert.logger import MemoryOptions
from metaexpert.logger.entry import SEQ, Capture
from metaexpert.logger.filter_assembly import admission_for, selection_for, sieve_for
from metaexpert.logger.ledger import Ledger
from metaexpert.logger.sieve import Sieve

NOW_NS = time.time_ns()


def alike(
    seq: int, level: int = logging.INFO, *, logger: str = "app", log_type: str = "general", **fields: Any
) -> Capture:
    """An entry that differs from others in what is given alone."""
    entry = capture(seq, level, log_type, message="same", logger=logger, time_ns=NOW_NS)
    return (*entry[:6], 0, orjson.dumps(fields)[1:-1], *entry[8:])


def sieve(**options: Any) -> Sieve:
    made = sieve_for(MemoryOptions(name="m", **options), Ledger())
    assert made is not None
    return made


def kept(options: dict[str, Any], entries: list[Capture]) -> list[int]:
    made = sieve(**options)
    made.offer(entries)
    return [entry[SEQ] for entry in made.kept()]


NOTHING = {"rate": 0.0}
ONE_A_SECOND = {"rate": 1.0}
LEVELS = [alike(1, logging.DEBUG), alike(2), alike(3, logging.WARNING), alike(4, logging.ERROR)]
LOGGERS = [alike(1, logger="app"), alike(2, logger="app.feed"), alike(3, logger="apple")]
TYPES = [alike(1), alike(2, log_type="error"), alike(3, log_type="trade")]
SYMBOLS = [alike(1, symbol="BTC"), alike(2, symbol="ETH"), alike(3)]
SAME = [alike(1), alike(2), alike(3)]
BETWEEN = [alike(1), alike(2, other=1), alike(3)]


@pytest.mark.parametrize(
    ("options", "entries", "expected"),
    [
        ({"filter": {"include_fields": [{"name": "symbol", "equals": "BTC"}]}}, SYMBOLS, [1]),
        ({"filter": {"include_fields": [{"name": "symbol", "one_of": ["BTC", "ETH"]}]}}, SYMBOLS, [1, 2]),
        ({"filter": {"include_fields": [{"name": "symbol", "exists": False}]}}, SYMBOLS, [3]),
        ({"filter": {"exclude_fields": [{"name": "symbol", "equals": "BTC"}]}}, SYMBOLS, [2, 3]),
        ({"filter": {"include_messages": ["^other"]}}, SAME, []),
        ({"filter": {"exclude_messages": ["^same"]}}, SAME, []),
        ({"sampling": NOTHING}, LEVELS, [3, 4]),
        ({"sampling": {**NOTHING, "max_level": "WARNING"}}, LEVELS, [4]),
        ({"sampling": {**NOTHING, "log_types": ["error"]}}, TYPES, [1, 3]),
        ({"sampling": {**NOTHING, "loggers": ["app"]}}, LOGGERS, [3]),
        ({"sampling": {"rate": 1.0}}, LEVELS, [1, 2, 3, 4]),
        ({"rate_limit": ONE_A_SECOND}, SAME, [1]),
        ({"rate_limit": {**ONE_A_SECOND, "burst": 2}}, SAME, [1, 2]),
        ({"rate_limit": {**ONE_A_SECOND, "per": "logger"}}, LOGGERS, [1, 2, 3]),
        ({"rate_limit": {**ONE_A_SECOND, "per": "site"}}, [*SAME, capture(4)], [1, 4]),
        ({"rate_limit": ONE_A_SECOND}, LEVELS, [1, 4]),
        ({"rate_limit": {**ONE_A_SECOND, "max_level": "DEBUG"}}, LEVELS, [1, 2, 3, 4]),
        ({"rate_limit": {**ONE_A_SECOND, "loggers": ["apple"]}}, LOGGERS, [1, 2, 3]),
        ({"repeats": {}}, BETWEEN, [1, 2]),
        ({"repeats": {"in_a_row": True}}, BETWEEN, [1, 2, 3]),
        ({"repeats": {"max_level": "DEBUG"}}, SAME, [1, 2, 3]),
        ({"repeats": {"log_types": ["error"]}}, SAME, [1, 2, 3]),
    ],
)
def test_entries_kept(options: dict[str, Any], entries: list[Capture], expected: list[int]):
    assert kept(options, entries) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"app", "app.feed", "apple"}),
        ({"level": "WARNING"}, set()),
        ({"log_types": ["trade"]}, set()),
        ({"filter": {"include_loggers": ["app"]}}, {"app", "app.feed"}),
        ({"filter": {"exclude_loggers": ["app"]}}, {"apple"}),
        ({"filter": {"levels": {"app.feed": "WARNING"}}}, {"app", "apple"}),
        ({"level": "ERROR", "filter": {"levels": {"app": "INFO"}}}, {"app", "app.feed"}),
    ],
)
def test_loggers_admitted(options: dict[str, Any], expected: set[str]):
    admits = admission_for(MemoryOptions(**options))
    assert {name for name in ("app", "app.feed", "apple") if admits(logging.INFO, "general", name)} == expected


@pytest.mark.parametrize(
    "options", [{"rate_limit": {**ONE_A_SECOND, "report_every": 600.0}}, {"repeats": {"window": 600.0}}], ids=str
)
def test_what_is_held_back_is_said_when_the_options_say(options: dict[str, Any]):
    made = sieve(**options)
    made.offer(SAME)
    assert len(made.kept()) == 1
    due_in = made.due_in(time.monotonic(), has_room=True)
    assert due_in is not None
    assert 500 < due_in <= 600


@pytest.mark.parametrize("chosen", [{"include": ["extra.symbol"]}, {"exclude": ["extra.other"]}], ids=str)
def test_keys_chosen(chosen: dict[str, Any]):
    selection = selection_for(MemoryOptions(keys=chosen))  # pyright: ignore[reportArgumentType]
    assert selection is not None
    assert orjson.loads(b"{%b}" % selection.reshape(alike(1, symbol="BTC", other=1))[7]) == {"symbol": "BTC"}


def test_without_options_nothing_is_left_out():
    assert sieve_for(MemoryOptions(), Ledger()) is None
    assert selection_for(MemoryOptions()) is None
