"""Handlers that others attach in the hierarchy receive ordinary LogRecords, from the next call on."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any, override

import pytest

from metaexpert.logger import Logger, LoggingRuntime, TradeFormatter, log_context

type Line = dict[str, Any]

SECRET = "hunter2"


class Collecting(logging.Handler):
    """Keeps the records it is given."""

    def __init__(self, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.records: list[logging.LogRecord] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def messages(self) -> list[str]:
        return [record.getMessage() for record in self.records]


@pytest.fixture
def handler(log: Logger) -> Collecting:
    collecting = Collecting()
    log.addHandler(collecting)
    return collecting


@pytest.fixture(autouse=True)
def running(runtime: LoggingRuntime) -> LoggingRuntime:
    return runtime


class TestRecords:
    def test_caplog_sees_what_is_logged(self, log: Logger, caplog: pytest.LogCaptureFixture):
        log.info("filled %s", 1, symbol="BTC")
        assert caplog.record_tuples == [(log.name, logging.INFO, "filled 1")]

    def test_a_record_is_what_stdlib_would_have_made(self, log: Logger, handler: Collecting):
        before = time.time()
        log.warning("filled %s at %s", 1, 2)
        plain = logging.Logger("plain")  # noqa: LOG001 - one that shares nothing with the others
        theirs = Collecting()
        plain.addHandler(theirs)
        plain.warning("filled %s at %s", 1, 2)
        record, expected = handler.records[0], theirs.records[0]
        for attribute in (
            "levelno", "levelname", "pathname", "filename", "module", "funcName", "process", "processName", "thread",
            "threadName", "exc_info", "exc_text", "stack_info",
        ):  # fmt: skip
            assert getattr(record, attribute) == getattr(expected, attribute), attribute
        assert record.name == log.name
        assert record.lineno == expected.lineno - 4
        assert record.getMessage() == expected.getMessage()
        assert before - 1 <= record.created <= expected.created + 1

    def test_a_formatter_writes_it(self, log: Logger, handler: Collecting):
        try:
            int("wrong")
        except ValueError:
            log.exception("oops %d%%", 5)
        text = logging.Formatter("%(levelname)s:%(name)s:%(funcName)s:%(message)s").format(handler.records[0])
        assert text.startswith(
            f"ERROR:{log.name}:test_a_formatter_writes_it:oops 5%\nTraceback (most recent call last)"
        )
        assert text.endswith("ValueError: invalid literal for int() with base 10: 'wrong'")

    def test_exc_info_is_stdlibs_tuple(self, log: Logger, handler: Collecting):
        error = ValueError("wrong")
        log.error("x", exc_info=error)
        log.error("x")
        assert handler.records[0].exc_info == (ValueError, error, None)
        assert handler.records[1].exc_info is None

    def test_stack_info_is_there_when_asked_for(self, log: Logger, handler: Collecting):
        log.info("x", stack_info=True)
        log.info("x")
        stack = handler.records[0].stack_info
        assert stack is not None
        assert stack.startswith("Stack (most recent call last):")
        assert "stack_info=True" in stack.splitlines()[-1]
        assert handler.records[1].stack_info is None

    def test_fields_and_extra_are_attributes(self, log: Logger, handler: Collecting):
        log.info("x", symbol="BTC")
        log.info("x", extra={"request_id": 7})
        assert handler.records[0].__dict__["symbol"] == "BTC"
        assert handler.records[1].__dict__["request_id"] == 7

    @pytest.mark.parametrize("field", ["name", "msg", "args", "levelname", "lineno", "message", "asctime", "exc_info_"])
    def test_a_field_cannot_forge_the_records_own_attributes(self, log: Logger, handler: Collecting, field: str):
        log.info("hello %s", "you", **{field: "forged"})
        record = handler.records[0]
        assert (record.name, record.getMessage(), record.levelname) == (log.name, "hello you", "INFO")
        assert isinstance(record.lineno, int)

    def test_stdlib_keywords_are_no_attributes_of_it(self, log: Logger, handler: Collecting):
        log.info("x", stacklevel=1, extra={"a": 1}, exc_info=None)
        assert handler.records[0].__dict__.keys().isdisjoint({"stacklevel", "extra"})

    def test_trade_events_arrive_too(self, log: Logger, handler: Collecting):
        log.trade.order_filled(order_id="1", symbol="BTC", side="BUY", quantity="2", price="3")
        assert handler.messages == ["order_filled BUY 2 BTC at 3"]

    def test_a_trades_own_fields_are_attributes(self, log: Logger, handler: Collecting):
        log.trade.order_cancelled(order_id=7, symbol="BTCUSDT", api_key=SECRET)
        (record,) = handler.records
        assert (vars(record)["symbol"], vars(record)["api_key"]) == ("BTCUSDT", "[REDACTED]")
        assert json.loads(TradeFormatter().format(record))["trade_data"] == {"symbol": "BTCUSDT", "order_id": 7}

    def test_bound_loggers_and_contexts_reach_it(self, log: Logger, handler: Collecting):
        with log_context(b=1):
            log.bind(a=1).info("x")
        assert handler.messages == ["x"]


class TestRedaction:
    @pytest.mark.parametrize("repeat", [1, 2])
    def test_a_secret_does_not_reach_them_either(self, log: Logger, handler: Collecting, repeat: int):
        for _ in range(repeat):
            log.info("x", api_key=SECRET, symbol="BTC")
            log.info("x", extra={"password": SECRET})
            log.error("x", token=SECRET, stack_info=True)
        for record in handler.records:
            assert SECRET not in str(record.__dict__)
        assert handler.records[-3].__dict__["symbol"] == "BTC"


class TestWhoReceives:
    @pytest.fixture
    def at_root(self) -> Iterator[Collecting]:
        collecting = Collecting()
        logging.getLogger().addHandler(collecting)
        yield collecting
        logging.getLogger().removeHandler(collecting)

    def test_a_handler_added_after_calls_gets_the_next(self, log: Logger):
        log.info("before")
        late = Collecting()
        log.addHandler(late)
        log.info("after")
        log.removeHandler(late)
        log.info("gone")
        assert late.messages == ["after"]

    def test_each_handler_on_the_way_to_the_root_once(self, log: Logger, handler: Collecting, at_root: Collecting):
        log.getChild("a.b").info("x")
        assert handler.messages == at_root.messages == ["x"]

    def test_propagate_is_honoured_from_the_next_call_on(self, log: Logger, handler: Collecting, at_root: Collecting):
        log.info("1")
        log.propagate = False
        log.info("2")
        log.propagate = True
        log.info("3")
        assert handler.messages == ["1", "2", "3"]
        assert at_root.messages == ["1", "3"]

    def test_a_handlers_level_is_honoured(self, log: Logger):
        errors = Collecting(logging.ERROR)
        log.addHandler(errors)
        log.warning("no")
        log.error("yes")
        assert errors.messages == ["yes"]

    def test_a_handlers_filter_is_honoured(self, log: Logger, handler: Collecting):
        handler.addFilter(lambda record: record.getMessage() != "no")
        log.info("no")
        log.info("yes")
        assert handler.messages == ["yes"]

    def test_a_loggers_filter_is_honoured(self, log: Logger, handler: Collecting):
        log.addFilter(lambda record: record.getMessage() != "no")
        log.info("no")
        log.info("yes")
        assert handler.messages == ["yes"]

    def test_a_disabled_level_reaches_none(self, log: Logger, handler: Collecting):
        log.setLevel(logging.ERROR)
        log.info("no")
        assert handler.messages == []


class TestFaults:
    def test_a_handler_that_raises_stops_neither_the_call_nor_the_entry(
        self, log: Logger, lines: Callable[[], list[Line]]
    ):
        class Broken(logging.Handler):
            @override
            def emit(self, record: logging.LogRecord) -> None:
                raise OSError("handler broke")

        log.addHandler(Broken())
        log.info("hello")
        assert [entry["message"] for entry in lines()] == ["hello"]

    def test_a_handler_may_log_itself(self, log: Logger, lines: Callable[[], list[Line]]):
        other = log.getChild("other")
        other.propagate = False

        class Chatty(logging.Handler):
            @override
            def emit(self, record: logging.LogRecord) -> None:
                other.info("got %s", record.getMessage())

        log.addHandler(Chatty())
        log.info("hello")
        assert sorted(entry["message"] for entry in lines()) == ["got hello", "hello"]


class TestBeforeSetup:
    def test_handlers_get_what_stdlibs_levels_let_through(self, runner: Any, running: LoggingRuntime, log: Logger):
        runner.run(running.stop())
        collecting = Collecting()
        log.addHandler(collecting)
        logging.getLogger().setLevel(logging.WARNING)
        log.info("no")
        log.warning("yes")
        assert collecting.messages == ["yes"]


class TestNestedSecrets:
    def test_a_secret_within_a_field_does_not_reach_foreign_handlers(
        self, caplog: pytest.LogCaptureFixture, log: Logger
    ):
        caplog.set_level(logging.INFO)
        log.info("signed in", session={"user": "ann", "password": "hunter2"}, tries=[{"api_key": "hunter2"}])
        record = caplog.records[-1]
        assert "hunter2" not in str(record.__dict__)
        assert record.__dict__["session"] == {"user": "ann", "password": "[REDACTED]"}


def test_one_that_took_the_place_of_the_pipelines_own_on_the_root(log: Logger):
    """As `basicConfig(force=True)` and `dictConfig` leave it: they remove every handler there was."""
    theirs, before = Collecting(), list(logging.root.handlers)
    logging.root.handlers[:] = [theirs]
    try:
        log.warning("heard")
    finally:
        logging.root.handlers[:] = before
    assert theirs.messages == ["heard"]
