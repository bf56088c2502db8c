"""What a trade event is given arrives, wrong or not; what is wrong with it is told beside it."""

from decimal import Context, Decimal, FloatOperation, Inexact, Rounded, localcontext
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger.receipts import NO_RECEIPT
from metaexpert.logger.trade.checks import checked
from metaexpert.logger.trade.events import REQUIRED

RIGHT: dict[str, Any] = {"order_id": "A-1", "side": "BUY", "quantity": "1", "price": "2"}


class Side(StrEnum):
    SELL = "sell"


def problems(event: str = "order_filled", **fields: Any) -> list[str]:
    return checked(event, {**RIGHT, **fields}).get("problems", [])


def test_what_is_right_has_no_problems():
    assert checked("order_filled", RIGHT) == {"event": "order_filled", **RIGHT}


@pytest.mark.parametrize("event", REQUIRED)
def test_each_field_an_event_must_have_is_missed(event: str):
    assert checked(event, {})["problems"] == [f"{name}: is missing" for name in REQUIRED[event]]


def test_none_is_not_given():
    assert "price" not in checked("order_placed", {**RIGHT, "price": None})
    assert problems("order_filled", price=None) == ["price: is missing"]


@pytest.mark.parametrize(("value", "written"), [("BUY", "BUY"), ("buy", "BUY"), ("sell", "SELL"), (Side.SELL, "SELL")])
def test_sides_are_written_in_capitals(value: Any, written: str):
    assert (checked("order_placed", {**RIGHT, "side": value})["side"], problems(side=value)) == (written, [])


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"side": "LONG"}, "side: 'LONG' is neither BUY nor SELL"),
        ({"side": 1}, "side: '1' is neither BUY nor SELL"),
        ({"quantity": "1,5"}, "quantity: '1,5' is no decimal number"),
        ({"quantity": "0"}, "quantity: '0' is not above zero"),
        ({"quantity": Decimal(-1)}, "quantity: '-1' is not above zero"),
        ({"price": float("nan")}, "price: 'nan' is no finite number"),
        ({"price": "Infinity"}, "price: 'Infinity' is no finite number"),
        ({"executed_price": "0"}, "executed_price: '0' is not above zero"),
        ({"remaining_quantity": "-0.1"}, "remaining_quantity: '-0.1' is below zero"),
        ({"fee": "free"}, "fee: 'free' is no decimal number"),
        ({"order_id": ""}, "order_id: '' is no id; ids are text or whole numbers"),
        ({"order_id": True}, "order_id: 'True' is no id; ids are text or whole numbers"),
        ({"client_order_id": 1.5}, "client_order_id: '1.5' is no id; ids are text or whole numbers"),
        ({"price": "9" * 50 + "x"}, f"price: '{'9' * 40}…' is no decimal number"),
    ],
)
def test_what_is_wrong_is_told_and_stays(fields: dict[str, Any], told: str):
    assert problems(**fields) == [told]
    (name,) = fields
    assert name in checked("order_filled", {**RIGHT, **fields})


def test_a_short_position_and_a_rebate_are_right():
    assert "problems" not in checked("position_changed", {"symbol": "BTC", "quantity": "-1"})
    assert "problems" not in checked("fee_charged", {"fee": "-0.01", "fee_asset": "USDT"})


def test_an_events_own_amounts_are_decimal_strings_there_alone():
    data = checked("risk_limit", {"rule": "drawdown", "value": Decimal("0.12"), "limit": 0.1})
    assert (data["value"], data["limit"]) == ("0.12", "0.1")
    assert checked("order_cancelled", {"order_id": 1, "value": 5})["value"] == 5


def test_the_events_name_is_not_to_be_taken():
    assert checked("order_cancelled", {"order_id": 1, "event": "other"})["event"] == "order_cancelled"


def test_a_correction_of_an_entry_that_has_no_id_says_so():
    data = checked("correction", {"original": NO_RECEIPT, "reason": "r", "actor": "a", "values": {}})
    assert data["problems"] == ["original: the receipt names no entry, since that was not journalled; give its id"]


@given(st.sampled_from(sorted(REQUIRED)), st.dictionaries(st.sampled_from(["side", "quantity", "order_id"]), st.text()))
def test_whatever_is_given_it_never_raises(event: str, fields: dict[str, str]):
    assert checked(event, fields)["event"] == event


@pytest.mark.parametrize("original", ["0199f0a1b2c3d4e5f-17", "boot-1", "", None])
def test_a_correction_names_an_entry(original: Any):
    told = checked("correction", {"original": original, "reason": "r", "actor": "a", "values": {}}).get("problems", [])
    assert told == (["original: is missing"] if original is None else [])


@pytest.mark.parametrize(
    ("name", "value"), [("original", "A-x"), ("original", 7), ("values", "price"), ("values", [1])]
)
def test_a_correction_that_says_nothing_of_use_says_so(name: str, value: Any):
    fields: dict[str, Any] = {"original": "0199f0a1b2c3d4e5f-17", "reason": "r", "actor": "a", "values": {}} | {
        name: value
    }
    (problem,) = checked("correction", fields)["problems"]
    assert problem.startswith(f"{name}: ")


def test_an_original_of_another_event_is_anything():
    assert "problems" not in checked("order_cancelled", {"order_id": 1, "original": "A-1 as it was"})


def test_the_programs_decimal_context_hides_nothing():
    with localcontext(Context(prec=1, traps=[])):
        assert problems(price="cheap") == ["price: 'cheap' is no decimal number"]
    with localcontext(Context(prec=1, traps=[Inexact, Rounded, FloatOperation])):
        assert problems(price="1.23456", quantity=0.1) == []
