"""A sink's filter: loggers by hierarchy, levels by logger, conditions on fields and messages."""

import logging
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_sinks import capture

from metaexpert.logger.entry import Capture
from metaexpert.logger.filters import Admission, EntryFilter, FieldCondition, Prefixes, values_at


def with_fields(
    fields: dict[str, Any] | None = None,
    context: dict[str, Any] | None = None,
    trade_data: dict[str, Any] | None = None,
    message: str = "hello",
) -> Capture:
    made = list(capture(1, message=message))
    made[7], made[8] = (orjson.dumps(part)[1:-1] if part else b"" for part in (fields, context))
    made[12] = (b"", b"", orjson.dumps(trade_data)) if trade_data else None
    return tuple(made)  # type: ignore[return-value]  # as a log call would have captured it


class TestLoggers:
    @pytest.mark.parametrize(
        ("name", "logger", "named"),
        [
            ("app", "app", True),
            ("app", "app.x", True),
            ("app", "app.x.y", True),
            ("app", "apple", False),
            ("app.x", "app", False),
            ("app.x", "app.xy", False),
            ("", "anything.at.all", True),
        ],
    )
    def test_a_name_stands_for_all_below_it_in_the_hierarchy(self, name: str, logger: str, named: bool):
        assert (logger in Prefixes((name,))) is named

    def test_what_is_not_included_is_left_out_and_what_is_excluded_too(self):
        admits = Admission(include=("app", "lib"), exclude=("app.noisy",))
        loggers = ["app", "app.noisy", "app.noisy.x", "app.noisyx", "lib.a", "other"]
        assert [name for name in loggers if admits(20, "general", name)] == ["app", "app.noisyx", "lib.a"]

    def test_the_longest_name_decides_the_level_in_either_direction(self):
        admits = Admission(logging.INFO, levels={"app": logging.DEBUG, "app.net": logging.ERROR})
        assert admits(logging.DEBUG, "general", "app.x")
        assert not admits(logging.WARNING, "general", "app.net.http")
        assert admits(logging.ERROR, "general", "app.net")
        assert not admits(logging.DEBUG, "general", "other")

    @pytest.mark.parametrize(
        ("more", "asks"),
        [({}, False), ({"include": ("a",)}, True), ({"exclude": ("a",)}, True), ({"levels": {"a": 1}}, True)],
    )
    def test_it_says_whether_the_logger_matters_at_all(self, more: dict[str, Any], asks: bool):
        assert Admission(10, ("general",), **more).by_logger is asks

    def test_level_and_log_type_count_for_trade_entries_as_for_others(self):
        admits = Admission(logging.ERROR, ("trade", "general"))
        assert not admits(logging.INFO, "trade", "app")
        assert not admits(logging.ERROR, "audit", "app")
        assert admits(logging.ERROR, "trade", "app")


class TestFields:
    @pytest.mark.parametrize("place", ["fields", "context", "trade_data"])
    def test_a_field_is_found_wherever_it_comes_from(self, place: str):
        places: dict[str, Any] = {place: {"other": 1, "symbol": "BTCUSDT"}}
        entry = with_fields(**places)
        assert FieldCondition("symbol", ("ETHUSDT", "BTCUSDT"))(entry)
        assert not FieldCondition("symbol", ("ETHUSDT",))(entry)
        assert FieldCondition("symbol")(entry)
        assert not FieldCondition("symbol", exists=False)(entry)

    def test_a_field_that_is_not_there_has_no_value_and_does_not_exist(self):
        entry = with_fields({"note": 'the "symbol": is quoted', "nested": {"symbol": 1}})
        assert not FieldCondition("symbol")(entry)
        assert FieldCondition("symbol", exists=False)(entry)
        assert not FieldCondition("symbol", (1,))(entry)

    def test_null_exists(self):
        assert FieldCondition("reason")(with_fields({"reason": None}))

    def test_true_is_not_one_and_a_string_not_a_number(self):
        assert not FieldCondition("n", (1,))(with_fields({"n": True}))
        assert not FieldCondition("n", (True,))(with_fields({"n": 1}))
        assert not FieldCondition("n", ("1",))(with_fields({"n": 1}))
        assert FieldCondition("n", (1,))(with_fields({"n": 1.0}))

    def test_a_list_is_no_scalar_and_equals_none(self):
        assert not FieldCondition("n", (1,))(with_fields({"n": [1]}))

    def test_dots_reach_into_objects_and_are_parts_of_keys(self):
        assert FieldCondition("http.status", (500,))(with_fields({"http": {"status": 500}}))
        assert FieldCondition("http.status", (500,))(with_fields({"http.status": 500}))
        assert values_at({"a.b": {"c": 1}, "a": {"b.c": 2, "b": {"c": 3}}}, "a.b.c") == [2, 3, 1]

    @given(
        name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
        value=st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-(2**63), 2**63), st.booleans()),
    )
    def test_any_name_and_value_is_found_again(self, name: str, value: str | int | bool):
        assert FieldCondition(name, (value,))(with_fields({"first": 1, name: value}))


class TestMessages:
    def test_one_included_pattern_and_no_excluded_one_must_be_found(self):
        takes = EntryFilter(include_messages=("^order", "fill"), exclude_messages=(r"\btest\b",))
        messages = ["order 1", "refill", "reorder", "order test", "order tested"]
        taken = [text for text in messages if takes(with_fields(message=text))]
        assert taken == ["order 1", "refill", "order tested"]

    def test_all_included_fields_and_no_excluded_one_must_hold(self):
        takes = EntryFilter(
            include_fields=(FieldCondition("a"), FieldCondition("b", (2,))), exclude_fields=(FieldCondition("c"),)
        )
        assert takes(with_fields({"a": 1, "b": 2}))
        assert not takes(with_fields({"b": 2}))
        assert not takes(with_fields({"a": 1, "b": 3}))
        assert not takes(with_fields({"a": 1, "b": 2, "c": 0}))

    def test_patterns_look_at_the_beginning_of_a_huge_message_only(self):
        takes = EntryFilter(include_messages=("needle",))
        assert takes(with_fields(message="x" * 4000 + "needle"))
        assert not takes(with_fields(message="x" * 4096 + "needle"))
