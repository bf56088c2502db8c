"""An entry is a tuple the collector can forget; `LogEntry` reads it by name and changes nothing."""

import gc
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger import Logger, get_logger, log_context
from metaexpert.logger.entry import (
    DETAILS,
    LEVEL,
    LOG_TYPE,
    PROTECTED_LOG_TYPES,
    SEQ,
    SIZE,
    TIME_NS,
    TRADE_DATA,
    Capture,
    Lane,
    LogEntry,
    extra_json,
    lane_of,
)
from metaexpert.logger.typed_logger import error_logger

type Written = Callable[[Callable[[Logger], object]], Capture]


class TestByName:
    def test_everything_a_call_captured(self, written: Written, name: str):
        before = time.time_ns()
        capture = written(lambda log: log.warning("hello %s", "you", symbol="BTC"))
        entry = LogEntry(capture)
        assert (entry.level, entry.level_name, entry.lane) == (logging.WARNING, "WARNING", Lane.WARNING)
        assert (entry.logger, entry.message, entry.log_type) == (name, "hello you", "general")
        assert before <= entry.time_ns <= time.time_ns()
        assert entry.seq < LogEntry(written(lambda log: log.info("next"))).seq
        assert entry.size > len("hello you")
        assert entry.capture is capture

    def test_names_and_positions_are_of_the_same_things(self, written: Written):
        capture = written(lambda log: log.trade.order_cancelled(order_id=1))
        entry = LogEntry(capture)
        assert (entry.seq, entry.time_ns, entry.level) == (capture[SEQ], capture[TIME_NS], capture[LEVEL])
        assert (entry.log_type, entry.size) == (capture[LOG_TYPE], capture[SIZE])
        details = capture[DETAILS]
        assert details is not None
        assert details[TRADE_DATA]

    @pytest.mark.parametrize("level", [-5, 0, 5, 25, 99])
    def test_a_level_without_a_name_is_called_as_stdlib_calls_it(self, make_entry: Callable[..., Capture], level: int):
        capture = make_entry(1)
        assert LogEntry((*capture[:LEVEL], level, *capture[LEVEL + 1 :])).level_name == logging.getLevelName(level)


class TestMemoryCharged:
    @pytest.mark.parametrize("letter", ["a", "é", "я", "中", "😀"])
    @pytest.mark.parametrize(
        "call",
        [
            lambda log, text: log.info(text),
            lambda log, text: log.info("%s", text),
            lambda log, text: log.info(text, n=1),
        ],
        ids=["message", "argument", "with a field"],
    )
    def test_a_message_is_charged_what_it_takes_whatever_its_alphabet(
        self, written: Written, letter: str, call: Callable[[Logger, str], object]
    ):
        message = letter * 2_000
        capture = written(lambda log: call(log, message))
        # a text takes one, two or four bytes a letter, whichever its widest needs, beside its head
        assert sys.getsizeof(message) - 100 <= capture[SIZE] <= sys.getsizeof(message) + 2_000

    @pytest.mark.parametrize("letter", ["a", "я", "😀"])
    def test_so_is_a_field(self, written: Written, letter: str):
        capture = written(lambda log: log.info("x", text=letter * 2_000))
        assert 2_000 * len(letter.encode()) <= capture[SIZE] <= 2_000 * len(letter.encode()) + 2_000


class TestFields:
    def test_the_calls_the_contexts_and_the_bound_ones(self, written: Written):
        def call(log: Logger) -> None:
            with log_context(strategy=1):
                log.bind(symbol="BTC").info("x", depth={"bids": [1, 2]})

        assert LogEntry(written(call)).extra() == {"strategy": 1, "symbol": "BTC", "depth": {"bids": [1, 2]}}

    def test_none_is_an_empty_object(self, written: Written):
        entry = LogEntry(written(lambda log: log.info("x")))
        assert (entry.extra(), entry.trade_data()) == ({}, {})

    def test_an_exception_is_no_trade_data(self, written: Written):
        assert LogEntry(written(lambda log: log.error("x", exc_info=ValueError("y")))).trade_data() == {}

    def test_an_errors_context_is_no_trade_data(self, written: Written, name: str):
        entry = LogEntry(written(lambda _: error_logger(get_logger(name)).error("x", error_code=7)))
        assert (entry.log_type, entry.error_context(), entry.trade_data()) == ("error", {"error_code": 7}, {})

    def test_trade_data_is_apart_from_the_fields(self, written: Written):
        entry = LogEntry(written(lambda log: log.bind(strategy=1).trade.order_cancelled(order_id="7")))
        assert entry.trade_data() == {"event": "order_cancelled", "order_id": "7"}
        assert entry.extra() == {"strategy": 1}

    def test_what_a_reader_does_to_them_stays_with_the_reader(self, written: Written):
        entry = LogEntry(written(lambda log: log.info("x", a=[1])))
        entry.extra()["a"].append(2)
        assert entry.extra() == {"a": [1]}

    @pytest.mark.parametrize(
        ("fields", "context", "object_"),
        [
            (b"", b"", b"{}"),
            (b'"a":1', b"", b'{"a":1}'),
            (b"", b'"b":2', b'{"b":2}'),
            (b'"a":1', b'"b":2', b'{"b":2,"a":1}'),
        ],
    )
    def test_members_make_one_object_context_first(self, fields: bytes, context: bytes, object_: bytes):
        assert extra_json(fields, context) == object_


class TestLaneOf:
    @given(level=st.integers(-(10**6), 10**6), log_type=st.sampled_from(["general", "trade", "audit", "gap", "other"]))
    def test_protected_types_first_then_the_level(self, level: int, log_type: str):
        lane = lane_of(level, log_type)
        if log_type in PROTECTED_LOG_TYPES:
            assert lane is Lane.PROTECTED
        else:
            floors = {Lane.DEBUG: float("-inf"), Lane.INFO: 20, Lane.WARNING: 30, Lane.ERROR: 40}
            assert lane is max(known for known, floor in floors.items() if level >= floor)


class Thing:
    """Something of the user's that has a text."""


class TestForTheCollector:
    @pytest.mark.parametrize(
        "call",
        [
            lambda log: log.info("hello %s", "you", symbol="BTC", n=1, deep={"a": [1]}, thing=Thing()),
            lambda log: log.bind(a=[1]).info("x", b=Thing()),
            lambda log: log.error("x", exc_info=ValueError("y"), stack_info=True),
            lambda log: log.trade.order_filled(order_id=1, side="BUY", quantity=1, price=2),
        ],
        ids=["fields", "bound", "error", "trade"],
    )
    def test_a_capture_is_let_go_within_two_collections(self, written: Written, call: Callable[[Logger], Any]):
        """Else each of thousands in a queue would cost time in every full collection."""
        capture = written(call)
        gc.collect()
        gc.collect()  # a tuple within the tuple may be let go only after it was asked about
        assert not gc.is_tracked(capture)
