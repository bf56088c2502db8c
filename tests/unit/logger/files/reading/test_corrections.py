"""Corrections: figures are those with the right values, and what was logged is told beside them."""

from decimal import Decimal
from typing import Any

import pytest

from metaexpert.logger.files.reading import corrections as module
from metaexpert.logger.files.reading.corrections import Corrections
from metaexpert.logger.files.reading.order_lifecycle import Corrected, Order, Orders
from metaexpert.logger.files.reading.position_changes import Positions
from metaexpert.logger.files.reading.trade_events import TradeEvent


def event(name: str, number: int, **fields: Any) -> TradeEvent:
    return TradeEvent(name, number, "r", {"event": name, **fields}, f"b-{number}")


def correction(number: int, original: str, **values: Any) -> TradeEvent:
    return event("correction", number, original=original, actor="ann", reason=f"typo {number}", values=values)


def orders_of(*events: TradeEvent) -> list[Order]:
    found, orders = Corrections(), Orders(lambda _: None)
    for each in events:
        found.add(each)
    for each in events:
        orders.add(found.applied(each))
    return list(orders.rest())


PLACED = event("order_placed", 1, order_id="A", side="BUY", quantity="0.50", price="43100.5")
FILLED = event("order_filled", 2, order_id="A", side="BUY", quantity="0.50", price="4310.01", fee="1", fee_asset="USDT")


def test_figures_are_those_with_the_right_values_and_what_was_logged_is_told():
    (order,) = orders_of(PLACED, FILLED, correction(3, "b-2", price="43100.10", fee="2"))
    assert (order.average_price, order.notional) == (Decimal("43100.10"), Decimal("21550.0500"))
    assert (order.fees, order.state, order.events) == ({"USDT": Decimal(2)}, "filled", 3)
    assert order.remarks == ["corrected by ann: typo 3 (price 4310.01 is 43100.10, fee 1 is 2)"]
    assert [(each.name, each.logged, each.value) for each in order.corrected] == [
        ("price", "4310.01", "43100.10"),
        ("fee", "1", "2"),
    ]
    assert isinstance(order.corrected[0], Corrected)
    assert [(stage.name, stage.actor, stage.entry_id) for stage in order.stages] == [
        ("placed", None, "b-1"),
        ("filled", None, "b-2"),
        ("correction", "ann", "b-3"),
    ]
    assert order.reason is None


def test_the_later_of_two_counts_and_both_are_told():
    (order,) = orders_of(PLACED, FILLED, correction(3, "b-2", price="1"), correction(4, "b-2", price="2"))
    assert order.average_price == Decimal(2)
    assert order.remarks == [
        "corrected by ann: typo 3 (price 4310.01 is 1)",
        "corrected by ann: typo 4 (price 4310.01 is 2)",
    ]


def test_a_correction_may_be_corrected():
    wrong = correction(3, "b-2", price="1")
    (order,) = orders_of(PLACED, FILLED, wrong, correction(4, "b-3", values={"price": "43100.10"}))
    assert order.average_price == Decimal("43100.10")
    (order,) = orders_of(PLACED, FILLED, wrong, correction(4, "b-3", reason="another reason"))
    assert order.average_price == Decimal(1)


def test_the_event_itself_may_be_corrected():
    (order,) = orders_of(PLACED, FILLED, correction(3, "b-2", event="order_cancelled"))
    assert (order.state, order.filled) == ("cancelled", 0)


def test_a_quantity_that_was_corrected_is_no_overfill():
    filled = event("order_filled", 2, order_id="A", side="BUY", quantity="5", price="1")
    assert "yet 5 of 0.50 are filled" in orders_of(PLACED, filled)[0].remarks[0]
    (order,) = orders_of(PLACED, filled, correction(3, "b-2", quantity="0.50"))
    assert order.remarks == ["corrected by ann: typo 3 (quantity 5 is 0.50)"]


def test_a_correction_of_an_entry_not_read_changes_nothing_and_is_told_of_the_order_it_names():
    (order,) = orders_of(PLACED, event("correction", 3, order_id="A", original="b-9", actor="ann", reason="lost"))
    assert (order.remarks, order.corrected, order.price) == (["corrected by ann: lost"], [], Decimal("43100.5"))


def test_positions_are_corrected_too():
    opened = event("position_opened", 1, symbol="BTCUSDT", quantity="5")
    changed = event("position_changed", 2, symbol="BTCUSDT", quantity="0.7")
    found = Corrections()
    found.add(correction(3, "b-1", quantity="0.5"))
    positions = Positions()
    first, second = positions.add(found.applied(opened)), positions.add(found.applied(changed))
    assert first is not None
    assert second is not None
    assert (first.quantity, first.remark) == (Decimal("0.5"), "corrected by ann: typo 3")
    assert (second.change, second.remark) == (Decimal("0.2"), "")


def test_what_has_no_id_no_original_or_no_values_is_left_alone():
    found = Corrections()
    for each in (event("correction", 3, actor="ann"), event("correction", 4, original="b-2", values="43100"), FILLED):
        found.add(each)
    assert found.applied(PLACED) is PLACED
    nameless = TradeEvent("order_filled", 2, "r", FILLED.fields)
    assert found.applied(nameless) is nameless
    assert found.applied(FILLED).fields == FILLED.fields


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_MOST", 2)
    found = Corrections()
    for number in range(3, 8):
        found.add(correction(number, "b-2", price="1"))
    assert (len(found.of("b-2")), found.others) == (2, 3)
