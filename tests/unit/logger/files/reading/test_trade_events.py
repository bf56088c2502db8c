"""Trade entries read back: from JSON and from text, their amounts exactly as they were written."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.files.reading.position_changes import Positions
from metaexpert.logger.files.reading.trade_events import TradeEvent, as_amount

FILE = Path("trades.20261123T171500Z-4711-0bcd01.0001.log")


def entry(line: bytes | dict[str, Any], source: Path = FILE, time_ns: int = 5) -> LogEntry:
    if isinstance(line, bytes):
        return LogEntry(line, source, time_ns)
    return LogEntry(orjson.dumps(line), source, time_ns, line, line.get("id"))


def trade(name: str, **fields: Any) -> TradeEvent:
    return TradeEvent(name, 5, "", fields)


class TestTradeEvent:
    def test_of_json(self):
        event = TradeEvent.of(
            entry(
                {
                    "log_type": "trade",
                    "id": "1a2097fe9ce0abcdef-7",
                    "extra": {"strategy_id": 7},
                    "trade_data": {"event": "order_placed", "quantity": "0.10"},
                }
            )
        )
        assert event is not None
        assert (event.name, event.time_ns, event.run) == ("order_placed", 5, "abcdef")
        assert (event.text("strategy_id"), event.amount("quantity")) == ("7", Decimal("0.10"))
        assert event.amount("price") is None

    def test_of_text_which_does_not_tell_its_log_type(self):
        line = (
            b"2026-11-23T17:15:01.000000Z INFO     demo: order_placed BUY 0.10 BTCUSDT at 5 "
            b"strategy=ema event=order_placed order_id=7 symbol=BTCUSDT side=BUY quantity=0.10 price=5"
        )
        event = TradeEvent.of(entry(line))
        assert event is not None
        assert (event.name, event.run, event.text("order_id")) == ("order_placed", "0bcd01", "7")
        assert str(event.amount("quantity")) == "0.10"

    @pytest.mark.parametrize(
        "line",
        [
            {"log_type": "general", "extra": {"event": "order_placed"}},
            b"2026-11-23T17:15:01.000000Z INFO     demo: got one event=order_placed order_id=7",
        ],
    )
    def test_other_entries_are_none_whatever_their_fields(self, line: bytes | dict[str, Any]):
        assert TradeEvent.of(entry(line)) is None

    def test_an_entry_of_log_trade_without_an_event_has_no_name(self):
        event = TradeEvent.of(entry({"log_type": "trade", "message": "sold", "trade_data": {"symbol": "BTCUSDT"}}))
        assert event is not None
        assert event.name == ""

    @pytest.mark.parametrize(
        ("value", "digits"), [("0.10", "0.10"), (3, "3"), (0.1, "0.1"), ("-1e3", "-1E+3"), ("1E-8", "1E-8")]
    )
    def test_amounts_keep_their_digits(self, value: object, digits: str):
        assert str(as_amount("price", value)) == digits


class TestPositions:
    def test_each_change_is_told_against_what_was_known(self):
        positions = Positions()
        changes = [
            positions.add(trade("position_opened", symbol="BTCUSDT", quantity="0.5", entry_price="100")),
            positions.add(trade("position_changed", symbol="BTCUSDT", quantity="0.2")),
            positions.add(trade("position_changed", symbol="ETHUSDT", quantity="-1")),
            positions.add(trade("position_closed", symbol="BTCUSDT")),
        ]
        told = [(each.symbol, each.quantity, each.change) for each in changes if each]
        assert told == [
            ("BTCUSDT", Decimal("0.5"), None),
            ("BTCUSDT", Decimal("0.2"), Decimal("-0.3")),
            ("ETHUSDT", Decimal(-1), None),
            ("BTCUSDT", Decimal(0), Decimal("-0.2")),
        ]
        assert [(change.symbol, count) for change, count in positions] == [("BTCUSDT", 3), ("ETHUSDT", 1)]

    def test_what_is_no_amount_is_remarked_upon(self):
        change = Positions().add(trade("position_changed", symbol="BTCUSDT", quantity="much"))
        assert change is not None
        assert (change.quantity, change.remark) == (None, "quantity 'much' is no number")

    def test_other_events_are_none(self):
        assert Positions().add(trade("balance_changed", asset="USDT")) is None
