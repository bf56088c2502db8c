"""Orders' lives: what can be is not flagged, what cannot be is, by the rule's name."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger.trade.lifecycle import Lifecycles

PLACED: dict[str, Any] = {
    "event": "order_placed", "order_id": 1, "symbol": "BTC", "side": "BUY", "quantity": "3", "price": "10",
}  # fmt: skip


def partly(quantity: str, **more: Any) -> dict[str, Any]:
    return {
        "event": "order_partially_filled", "order_id": 1, "executed_quantity": quantity, "executed_price": "10", **more,
    }  # fmt: skip


def event(name: str, **more: Any) -> dict[str, Any]:
    return {"event": f"order_{name}", "order_id": 1, **more}


def rules(*events: dict[str, Any], most_orders: int = 100) -> list[str]:
    lives = Lifecycles(most_orders)
    return [finding.rule for each in events for finding in lives.take(each)]


@pytest.mark.parametrize(
    "events",
    [
        [event("accepted"), partly("1", remaining_quantity="2"), event("filled", quantity="3", price="10", side="BUY")],
        [partly("1"), partly("2", remaining_quantity="0"), event("filled", quantity="3", price="10")],
        [partly("1"), event("filled", quantity="2", price="10", remaining_quantity="0")],
        [partly("1"), event("cancelled", remaining_quantity="2")],
        [event("modified", quantity="5"), partly("4"), event("filled", quantity="5", price="1")],
        [event("rejected", reason="funds")],
        [event("expired")],
        [{"event": "position_changed", "symbol": "BTC", "quantity": "3"}],
        [event("cancelled"), {**PLACED, "order_id": 2}, {**event("cancelled"), "order_id": 2}],
        [event("filled", quantity="3", price="1"), event("accepted")],
        [partly("0.1"), partly("2.9000000000000004"), event("filled", quantity="3.0000000000000004", price="1")],
        [partly("2.9", remaining_quantity="0.10000000000000009")],
        [{**event("cancelled"), "exchange": "okx"}],
        [{**PLACED, "exchange": "okx"}, event("cancelled", exchange="okx"), event("cancelled", exchange="")],
    ],
)
def test_what_can_be(events: list[dict[str, Any]]):
    assert rules(PLACED, *events) == []


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([event("cancelled"), event("filled", quantity="3", price="1")], ["after_end"]),
        ([event("filled", quantity="3", price="1"), event("cancelled")], ["after_end"]),
        ([event("rejected"), event("modified")], ["after_end"]),
        ([event("cancelled"), event("cancelled")], ["after_end"]),
        ([partly("4")], ["over_fill"]),
        ([partly("2"), partly("2")], ["over_fill"]),
        ([event("filled", quantity="3.1", price="1")], ["over_fill"]),
        ([event("filled", quantity="2.9", price="1")], ["under_fill"]),
        ([partly("1", remaining_quantity="1")], ["remaining_quantity"]),
        ([partly("1", side="SELL")], ["side"]),
        ([partly("1", symbol="ETH")], ["symbol"]),
        ([PLACED], ["placed_twice"]),
        ([{**event("cancelled"), "order_id": 7}], ["unknown_order"]),
        ([event("rejected"), event("accepted")], ["after_end"]),
        ([event("cancelled"), PLACED], ["placed_twice"]),
        ([event("cancelled"), PLACED, event("cancelled"), event("cancelled")], ["placed_twice", "after_end"]),
    ],
)
def test_what_cannot_be(events: list[dict[str, Any]], found: list[str]):
    assert rules(PLACED, *events) == found


def test_who_logs_no_placements_is_told_of_no_unknown_order():
    assert rules(event("filled", quantity="3", price="1"), {**event("cancelled"), "order_id": 2}) == []


def test_an_unknown_order_is_told_once():
    unknown = {**partly("1"), "order_id": 9}
    assert rules(PLACED, unknown, unknown) == ["unknown_order"]


def test_an_order_is_known_by_its_client_order_id_as_well():
    placed = {**PLACED, "client_order_id": "c-1"}
    filled = {"event": "order_filled", "order_id": "x-99", "client_order_id": "c-1", "quantity": "4", "price": "1"}
    assert rules(placed, filled) == ["over_fill"]


def test_a_clients_id_may_be_used_again_after_its_orders_end():
    first = {**PLACED, "client_order_id": "c-1"}
    again = {**PLACED, "order_id": 2, "client_order_id": "c-1"}
    ended = [event("filled", quantity="3", price="1", order_id=number) for number in (1, 2)]
    assert rules(first, ended[0], again, ended[1]) == []
    assert rules(first, again) == ["placed_twice"]


def test_an_id_on_two_exchanges_is_two_orders():
    placed = [{**PLACED, "exchange": name} for name in ("okx", "bybit")]
    cancelled = [event("cancelled", exchange=name) for name in ("okx", "bybit")]
    assert rules(*placed, *cancelled) == []
    assert rules(*placed, *cancelled, cancelled[0]) == ["after_end"]
    assert rules(placed[0], cancelled[1], cancelled[0]) == ["unknown_order"]


def test_an_order_placed_under_its_clients_id_is_known_by_it():
    placed = {**PLACED, "order_id": "c-1", "exchange": "okx"}
    filled = event("filled", client_order_id="c-1", quantity="3", price="1", exchange="okx")
    assert rules(placed, event("accepted", client_order_id="c-1"), filled) == []
    assert rules(placed, filled, event("cancelled", exchange="okx")) == ["after_end"]


def test_long_ids_are_told_apart_and_not_kept():
    long = [{**PLACED, "order_id": "x" * 60_000 + end, "symbol": "s" * 60_000 + end} for end in "ab"]
    assert rules(*long) == []
    assert rules(*long, long[0]) == ["placed_twice"]


@pytest.mark.parametrize("absurd", ["9e999999", "1e-999999", "NaN", "-Infinity", "", "x"])
def test_an_absurd_amount_counts_for_nothing(absurd: str):
    placed = {**PLACED, "quantity": absurd}
    assert rules(placed, partly(absurd), partly(absurd), partly("1", remaining_quantity=absurd)) == []
    assert rules(PLACED, partly(absurd), partly(absurd), partly("3"), partly("1")) == ["over_fill"]


def test_what_was_forgotten_is_not_unknown():
    others = [{**PLACED, "order_id": number} for number in range(2, 40)]
    assert rules(PLACED, *others, event("cancelled"), most_orders=10) == []


def test_findings_say_it_for_people():
    lives = Lifecycles()
    for each in (PLACED, partly("2")):
        assert lives.take(each) == []
    (finding,) = lives.take(partly("2"))
    assert finding.text == "4 filled of 3"


@given(st.lists(st.decimals("0.001", "5", places=3), min_size=1, max_size=8), st.booleans())
def test_fills_of_all_that_was_placed_are_right_and_one_more_is_not(parts: list[Decimal], whole: bool):
    placed = {**PLACED, "quantity": str(sum(parts))}
    fills = [partly(str(part)) for part in parts]
    last = event("filled", quantity=str(sum(parts) if whole else parts[-1]), price="1")
    assert rules(placed, *fills[:-1], last) == []
    assert rules(placed, *fills, partly("0.001")) == ["over_fill"]


@given(st.lists(st.sampled_from(["cancelled", "rejected", "expired", "modified"]), max_size=8))
def test_all_that_comes_after_an_end_is_flagged(names: list[str]):
    ends = {"cancelled", "rejected", "expired"}
    first_end = next((at for at, name in enumerate(names) if name in ends), len(names))
    assert rules(PLACED, *map(event, names)) == ["after_end"] * max(0, len(names) - first_end - 1)


@given(st.dictionaries(st.sampled_from(["event", "order_id", "quantity", "executed_quantity"]), st.none() | st.text()))
def test_whatever_it_is_shown_it_never_raises(data: dict[str, Any]):
    lives = Lifecycles()
    lives.take(PLACED)
    lives.take(data)
