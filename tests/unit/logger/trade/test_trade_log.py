"""Trade events: their fields under trade_data, amounts as decimal strings, protected, past every level."""

import json
import logging
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metaexpert.logger import Logger, LoggingRuntime, log_context
from metaexpert.logger.entry import Capture, Lane, LogEntry

type Line = dict[str, Any]
type Lines = Callable[[], list[Line]]

AMOUNTS = ("quantity", "price", "executed_price", "executed_quantity", "remaining_quantity", "fee")


class Side(StrEnum):
    """As exchange libraries spell it."""

    BUY = "BUY"


class TestEvents:
    def test_order_placed(self, lines: Lines, log: Logger):
        log.trade.order_placed(order_id="7", symbol="BTCUSDT", side="BUY", quantity=Decimal("0.50"), price="43100.10")
        found = lines()[0]
        assert found["trade_data"] == {
            "event": "order_placed",
            "order_id": "7",
            "symbol": "BTCUSDT",
            "side": "BUY",
            "quantity": "0.50",
            "price": "43100.10",
        }
        assert (found["log_type"], found["level"], found["logger"]) == ("trade", "INFO", log.name)
        assert found["message"] == "order_placed BUY 0.50 BTCUSDT at 43100.10"
        assert "extra" not in found

    def test_a_market_order_has_no_price(self, lines: Lines, log: Logger):
        log.trade.order_placed(order_id=7, symbol="BTC", side="SELL", quantity=1)
        found = lines()[0]
        assert "price" not in found["trade_data"]
        assert found["trade_data"]["quantity"] == "1"
        assert found["message"] == "order_placed SELL 1 BTC"

    def test_order_filled(self, lines: Lines, log: Logger):
        log.trade.order_filled(order_id=7, symbol="BTC", side="BUY", quantity="1", price="2", fee=Decimal("0.001"))
        assert lines()[0]["trade_data"] == {
            "event": "order_filled", "order_id": 7, "symbol": "BTC", "side": "BUY", "quantity": "1", "price": "2",
            "fee": "0.001",
        }  # fmt: skip

    def test_order_cancelled(self, lines: Lines, log: Logger):
        log.trade.order_cancelled(order_id=7, symbol="BTC", reason="expired")
        found = lines()[0]
        assert found["trade_data"] == {"event": "order_cancelled", "order_id": 7, "symbol": "BTC", "reason": "expired"}
        assert found["message"].startswith("order_cancelled")

    def test_position_changed(self, lines: Lines, log: Logger):
        log.trade.position_changed(symbol="BTC", quantity=Decimal("-1.5"), entry_price=Decimal("2.0"))
        assert lines()[0]["trade_data"] == {
            "event": "position_changed", "symbol": "BTC", "quantity": "-1.5", "entry_price": "2.0",
        }  # fmt: skip

    def test_further_fields_join_them(self, lines: Lines, log: Logger):
        log.trade.order_placed(
            order_id=1, symbol="BTC", side="BUY", quantity=1, exchange="binance", strategy_id=5, raw={"a": [1]}, msg="m"
        )
        data = lines()[0]["trade_data"]
        assert (data["exchange"], data["strategy_id"], data["raw"], data["msg"]) == ("binance", 5, {"a": [1]}, "m")

    def test_a_side_of_an_enumeration_is_its_value(self, lines: Lines, log: Logger):
        log.trade.order_placed(order_id=1, symbol="BTC", side=Side.BUY, quantity=1)  # pyright: ignore[reportArgumentType]
        found = lines()[0]
        assert found["trade_data"]["side"] == "BUY"
        assert "BUY" in found["message"]

    def test_bound_and_context_fields_stay_under_extra(self, lines: Lines, log: Logger):
        with log_context(order_id="context", strategy_id=1):
            log.bind(symbol="BTC").trade.order_cancelled(order_id="call")
        found = lines()[0]
        assert found["trade_data"]["order_id"] == "call"
        assert found["extra"] == {"order_id": "context", "strategy_id": 1, "symbol": "BTC"}

    def test_fields_are_by_keyword_alone(self, log: Logger):
        call: Any = log.trade.order_cancelled
        with pytest.raises(TypeError):
            call(7)


class TestAmounts:
    @pytest.mark.parametrize("name", AMOUNTS)
    @pytest.mark.parametrize("value", [Decimal("0.10"), "0.10", 3, 0.1, 1e-8, 123456789.123456789, 10**25])
    def test_are_decimal_strings_with_every_digit(self, lines: Lines, log: Logger, name: str, value: Any):
        fields: dict[str, Any] = {"order_id": 1, "symbol": "B", "side": "BUY", "quantity": 1} | {name: value}
        log.trade.order_placed(**fields)
        shown = lines()[0]["trade_data"][name]
        assert isinstance(shown, str)
        assert Decimal(shown) == Decimal(str(value))
        if isinstance(value, Decimal | str):
            assert shown == str(value)

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        price=st.one_of(st.decimals(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False), st.integers())
    )
    def test_no_digit_of_any_number_is_lost(self, lines: Lines, log: Logger, price: Decimal | float):
        log.trade.order_filled(order_id=1, symbol="B", side="BUY", quantity=1, price=price)
        shown = lines()[0]["trade_data"]["price"]
        assert type(price)(shown) == price


class TestProtection:
    def test_they_travel_protected(self, written: Callable[..., Capture]):
        entry = LogEntry(written(lambda log: log.trade.order_cancelled(order_id=1)))
        assert (entry.lane, entry.log_type) == (Lane.PROTECTED, "trade")
        assert LogEntry(written(lambda log: log.audit("x"))).lane is Lane.PROTECTED
        assert LogEntry(written(lambda log: log.error("x"))).lane is Lane.ERROR

    def test_they_ignore_levels_disable_and_disabled(self, lines: Lines, log: Logger):
        log.setLevel(logging.CRITICAL + 1)
        log.disabled = True
        logging.disable(logging.CRITICAL)
        log.trade.order_cancelled(order_id=1)
        log.trade.position_changed(symbol="B", quantity=1)
        assert len(lines()) == 2

    def test_only_they_and_audit_reach_the_trade_file(
        self, start: Callable[..., LoggingRuntime], runner: Any, log: Logger, tmp_path: Any
    ):
        runtime = start(log_to_file=True, log_dir=tmp_path, json_logging=True, sinks=())
        log.error("general")
        log.audit("changed")
        log.trade.order_cancelled(order_id=1)
        runner.run(runtime.stop())
        found = [json.loads(line) for line in (tmp_path / "trades.log").read_text().splitlines()]
        assert [entry["log_type"] for entry in found] == ["audit", "trade"]
        everything = [json.loads(line) for line in (tmp_path / "expert.log").read_text().splitlines()]
        assert [entry["message"] for entry in everything] == ["general", "changed", "order_cancelled"]
        errors = [json.loads(line) for line in (tmp_path / "errors.log").read_text().splitlines()]
        assert [entry["message"] for entry in errors] == ["general"]
