"""The existing interface: every name is there, with the signature its callers use, and every JSON key stays."""

import _thread
import inspect
import json
import logging
import math
import sys
import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from support.running_logger import logging_to

import metaexpert.logger as interface
from metaexpert.exceptions import ConfigError
from metaexpert.logger import (
    AsyncHandler,
    ErrorFormatter,
    LogContext,
    LoggerConfig,
    MainFormatter,
    MemoryOptions,
    MetaLogger,
    TradeContext,
    TradeFormatter,
    bind_contextvars,
    clear_contextvars,
    get_logger,
    get_trade_logger,
    setup_logging,
    unbind_contextvars,
)
from metaexpert.logger.port import port
from metaexpert.logger.typed_logger import error_logger

type Parameters = list[str]

SIGNATURES: list[tuple[Callable[..., object], Parameters]] = [
    (
        MetaLogger,
        [
            "log_level",
            "log_file",
            "trade_log_file",
            "error_log_file",
            "log_to_console",
            "structured_logging",
            "async_logging",
        ],
    ),
    (MetaLogger.log_trade, ["self", "message", "**kwargs"]),
    (MetaLogger.log_error, ["self", "message", "exception=None", "**kwargs"]),
    (MetaLogger.get_main_logger, ["self"]),
    (MetaLogger.get_trade_logger, ["self"]),
    (MetaLogger.get_error_logger, ["self"]),
    (MetaLogger.get_logger, ["self", "name='main'"]),
    (MetaLogger.configure, ["self"]),
    (MetaLogger.shutdown, ["self"]),
    (AsyncHandler, ["handler", "max_queue_size=10000"]),
    (MainFormatter, ["include_extra=True", "timestamp_format='iso'"]),
    (TradeFormatter, ["include_extra=True", "timestamp_format='iso'"]),
    (ErrorFormatter, ["include_extra=True", "timestamp_format='iso'"]),
    (LogContext, ["**fields"]),
    (TradeContext, ["symbol", "side", "quantity", "**extra"]),
    (bind_contextvars, ["**fields"]),
    (unbind_contextvars, ["*keys"]),
    (clear_contextvars, []),
    (get_trade_logger, ["**initial_values"]),
    (get_logger, ["name='metaexpert'", "**initial_values"]),
    (setup_logging, ["config=None"]),
]

NAMES = """MetaLogger get_logger setup_logging get_trade_logger LogContext TradeContext bind_contextvars
unbind_contextvars clear_contextvars AsyncHandler MainFormatter TradeFormatter ErrorFormatter LoggerConfig"""


def parameters(function: Callable[..., object], *, defaults: bool) -> Parameters:
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [
        stars.get(each.kind, "")
        + each.name
        + (f"={each.default!r}" if defaults and each.default is not each.empty else "")
        for each in inspect.signature(function).parameters.values()
    ]


class TestNames:
    @pytest.mark.parametrize("name", NAMES.split())
    def test_each_is_exported(self, name: str):
        assert name in interface.__all__
        assert hasattr(interface, name)

    def test_the_modules_have_the_names_they_had(self):
        from metaexpert.logger import async_handler, formatter

        assert async_handler.AsyncHandler is AsyncHandler
        assert formatter.MainFormatter is MainFormatter
        assert formatter.TradeFormatter is TradeFormatter
        assert formatter.ErrorFormatter is ErrorFormatter

    @pytest.mark.parametrize(("function", "expected"), SIGNATURES, ids=lambda value: getattr(value, "__qualname__", ""))
    def test_each_is_called_as_before(self, function: Callable[..., object], expected: Parameters):
        # MetaLogger's arguments had no defaults, so that the ones they have now break no call
        assert parameters(function, defaults=function is not MetaLogger) == expected

    def test_what_was_a_stdlib_class_is_one(self):
        assert issubclass(MetaLogger, logging.Logger)
        assert issubclass(AsyncHandler, logging.Handler)
        for kind in (MainFormatter, TradeFormatter, ErrorFormatter):
            assert issubclass(kind, logging.Formatter)

    @pytest.mark.parametrize("preset", ["for_development", "for_production", "for_backtesting"])
    def test_presets_are_configurations(self, preset: str):
        assert isinstance(getattr(LoggerConfig, preset)(), LoggerConfig)


BASE = {"timestamp", "level", "logger", "message", "module", "function", "line", "thread", "process"}


def record(level: int = logging.INFO, msg: object = "told", args: Any = (), **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("orders", level, "/app/module.py", 12, msg, args, None, "place")
    vars(made).update(extra)
    return made


def failed(error: BaseException, **extra: Any) -> logging.LogRecord:
    try:
        raise error  # noqa: TRY301 - for its traceback
    except BaseException as raised:  # noqa: BLE001 - it is the value the test is about
        made = record(logging.ERROR, "failed", **extra)
        made.exc_info = (type(raised), raised, raised.__traceback__)
        return made


def line(formatter: logging.Formatter, of: logging.LogRecord) -> dict[str, Any]:
    text = formatter.format(of)
    assert "\n" not in text
    return json.loads(text, object_pairs_hook=_each_key_once)


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    assert len(found) == len(pairs), f"a key twice in {[key for key, _ in pairs]}"
    return found


class TestFormatters:
    def test_a_plain_record_has_exactly_these_keys(self):
        made = record()
        told = line(MainFormatter(), made)
        assert told.keys() == BASE
        assert (told["level"], told["logger"], told["message"]) == ("INFO", "orders", "told")
        assert (told["module"], told["function"], told["line"]) == ("module", "place", 12)
        assert told["thread"] == {"id": made.thread, "name": made.threadName}
        assert told["process"] == {"id": made.process, "name": made.processName}
        assert datetime.fromisoformat(told["timestamp"]).timestamp() == pytest.approx(made.created, abs=1e-5)

    def test_arguments_are_applied(self):
        assert line(MainFormatter(), record(msg="%s at %d", args=("0.5", 43)))["message"] == "0.5 at 43"
        assert line(MainFormatter(), record(msg="%(side)s", args=({"side": "BUY"},)))["message"] == "BUY"

    def test_an_exception_has_type_message_and_traceback(self):
        told = line(MainFormatter(), failed(ValueError("no room")))["exception"]
        assert told.keys() == {"type", "message", "traceback"}
        assert (told["type"], told["message"]) == ("ValueError", "no room")
        assert told["traceback"].startswith("Traceback (most recent call last):")

    def test_an_exception_that_came_through_a_queue_keeps_its_text(self):
        made = record(exc_text="Traceback …")
        assert line(MainFormatter(), made)["exception"]["traceback"] == "Traceback …"

    def test_exc_info_without_an_exception_adds_nothing(self):
        made = record()
        made.exc_info = (None, None, None)
        assert "exception" not in line(MainFormatter(), made)

    def test_stack_info_is_kept(self):
        made = record()
        made.stack_info = "Stack (most recent call last):\n  here"
        assert line(MainFormatter(), made)["stack_info"] == made.stack_info

    def test_added_fields_stand_under_extra(self):
        assert line(MainFormatter(), record(symbol="BTCUSDT"))["extra"] == {"symbol": "BTCUSDT"}

    def test_extra_can_be_left_out(self):
        assert "extra" not in line(MainFormatter(include_extra=False), record(symbol="BTCUSDT"))

    def test_secrets_are_hidden_everywhere(self):
        made = record(api_key="AKIA-1", nested={"password": "hunter2"}, operation={"token": "t0k"})
        text = ErrorFormatter().format(made)
        assert all(secret not in text for secret in ("AKIA-1", "hunter2", "t0k"))
        assert json.loads(text)["extra"]["api_key"] == "[REDACTED]"

    def test_a_trade_record_has_its_trade_data(self):
        told = line(TradeFormatter(), record(symbol="BTCUSDT", price=Decimal("43100.50"), note="x"))
        assert told["log_type"] == "trade"
        assert told["trade_data"] == {"symbol": "BTCUSDT", "price": "43100.50"}
        assert told["extra"]["note"] == "x"

    def test_trade_data_are_the_six_fields(self):
        fields: dict[str, Any] = {
            "symbol": "B",
            "side": "BUY",
            "quantity": 1,
            "price": 2,
            "order_id": "o",
            "strategy_id": 3,
        }
        assert line(TradeFormatter(), record(**fields, other=4))["trade_data"] == fields

    def test_a_record_without_trade_fields_has_no_trade_data(self):
        assert line(TradeFormatter(), record()).keys() == BASE | {"log_type"}

    @pytest.mark.parametrize(
        ("level", "severity"),
        [
            (logging.CRITICAL, "critical"),
            (logging.ERROR, "high"),
            (logging.WARNING, "medium"),
            (logging.INFO, "low"),
            (logging.DEBUG, "low"),
        ],
    )
    def test_an_error_record_has_its_severity(self, level: int, severity: str):
        told = line(ErrorFormatter(), record(level))
        assert (told["log_type"], told["severity"]) == ("error", severity)
        assert told.keys() == BASE | {"log_type", "severity"}

    def test_error_context_are_the_five_fields(self):
        fields: dict[str, Any] = {
            "error_code": 1,
            "component": "c",
            "operation": "o",
            "user_id": "u",
            "session_id": "s",
        }
        assert line(ErrorFormatter(), record(**fields, other=4))["error_context"] == fields

    def test_timestamps_as_epoch_custom_and_pattern(self):
        made = record()
        assert line(MainFormatter(timestamp_format="epoch"), made)["timestamp"] == str(made.created)
        custom = line(MainFormatter(timestamp_format="custom"), made)["timestamp"]
        assert datetime.strptime(custom, "%Y-%m-%d %H:%M:%S").timestamp() == math.floor(made.created)  # noqa: DTZ007 - local time
        assert line(MainFormatter(timestamp_format="%Y"), made)["timestamp"] == custom[:4]

    def test_a_timestamp_format_that_is_none_is_an_error_that_names_those_there_are(self):
        with pytest.raises(ConfigError, match=r"timestamp_format: 'isoo' .* 'iso', 'epoch', 'custom'"):
            MainFormatter(timestamp_format="isoo")


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


def _cyclic() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


class TestFormattersNeverRaise:
    @pytest.mark.parametrize(
        "value",
        [Hostile(), _cyclic(), float("nan"), 2**80, "\ud800", b"\xff", object(), {1: {2: 3}}, "x" * 10_000_000],
        ids=["raises", "cyclic", "nan", "huge int", "surrogate", "bytes", "object", "keys", "10 MB"],
    )
    @pytest.mark.parametrize("kind", [MainFormatter, TradeFormatter, ErrorFormatter])
    def test_for_any_value(self, kind: type[MainFormatter], value: object):
        told = line(kind(), record(logging.ERROR, value, symbol=value, error_code=value, other=value))
        assert told.keys() >= BASE | {"extra"}
        assert len(json.dumps(told)) < 1_000_000

    def test_for_arguments_that_do_not_fit(self):
        told = line(MainFormatter(), record(msg="%d %d", args=("one",)))
        assert told["message"].startswith("%d %d [not formatted: TypeError")

    def test_for_an_exception_that_cannot_be_shown(self):
        class UnshownError(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        told = line(MainFormatter(), failed(UnshownError()))["exception"]["message"]
        assert told.endswith("not describable: RuntimeError>")

    @pytest.mark.parametrize("name", ["x" * 10_000_000, "\udc80"], ids=["10 MB", "surrogate"])
    def test_for_names_that_are_none(self, name: str):
        names = dict.fromkeys(
            ("name", "levelname", "module", "funcName", "threadName", "processName", "taskName"), name
        )
        told = line(MainFormatter(), record(**names, thread=name, process=name, lineno=name))
        assert told["message"] == "told", "whatever its names are"
        assert len(json.dumps(told)) < 20_000

    def test_for_a_record_whose_own_attributes_are_broken(self):
        told = line(TradeFormatter(), record(created="yesterday", lineno=object(), levelname=None))
        assert told["message"] == "told"
        assert told["extra"] == {"format_failed": "TypeError"}


class TestJsonKeysOfOurOwnLines:
    async def test_every_kept_key_appears(self, tmp_path: Any):
        async with logging_to(MemoryOptions()) as runtime:
            log = get_logger("kept")
            log.error("failed", exc_info=ValueError("no"), stack_info=True, size=1)
            log.trade.order_cancelled(order_id=1)
            MetaLogger(log_file=tmp_path / "a").log_error("failed", error_code=7)
            assert await runtime.flush()
            entries = runtime.sinks["memory"].entries  # pyright: ignore[reportAttributeAccessIssue] - a memory sink's
        general, trade, error = entries
        assert general.keys() >= BASE | {"exception", "stack_info", "extra", "log_type", "severity"}
        assert general["exception"].keys() >= {"type", "message", "traceback"}
        assert trade.keys() >= BASE | {"log_type", "trade_data"}
        assert error.keys() >= BASE | {"log_type", "severity", "error_context"}
        assert (error["log_type"], error["severity"], error["error_context"]) == ("error", "high", {"error_code": 7})


@pytest.mark.parametrize("kind", ["trade", "error"])
def test_a_call_that_c_makes_arrives_as_any_other(kind: str):
    """As at exit, or as the whole work of a thread: there is no frame that called."""
    raised: list[BaseException] = []

    def told(args: Any) -> None:
        raised.append(args.exc_value)

    log = get_trade_logger() if kind == "trade" else error_logger(get_logger("errors"))
    port.ingress.take(1000)
    unraisable, sys.unraisablehook = sys.unraisablehook, told
    try:
        for call in (log.error, log.exception, partial(log.log, logging.ERROR)):
            _thread.start_new_thread(call, ("made by C",))
        deadline = time.monotonic() + 10.0
        while port.ingress.queued_entries < 3 and not raised and time.monotonic() < deadline:
            time.sleep(0.005)
    finally:
        sys.unraisablehook = unraisable
    assert raised == []
    assert [capture[4] for capture in port.ingress.take(10)] == ["made by C"] * 3
