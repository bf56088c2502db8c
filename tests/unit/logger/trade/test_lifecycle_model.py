"""Any sequence of events against a model that reckons in fractions, and orders that somebody wants told wrong."""

from dataclasses import dataclass, field
from decimal import Context, Decimal, FloatOperation, Inexact, Rounded, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaexpert.logger.trade.lifecycle import Lifecycles

PLACED: dict[str, Any] = {"event": "order_placed", "order_id": 1, "side": "BUY", "quantity": "3"}
AMOUNTS = ("0.1", "1", "1.5", "2", "3", "1E-18", "1E+20", "0.000000000000000001", "99999999999999999999.9")
HOSTILE: tuple[Any, ...] = (
    None, "", "0", "-1", "NaN", "sNaN", "-Infinity", "1e999999999", "1e-999999999", "9" * 5_000, "x", True, [1], {},
    2**80, 1.5, float("inf"), "0" * 200, "[REDACTED]",
)  # fmt: skip
FIELDS = (
    "order_id", "client_order_id", "quantity", "executed_quantity", "remaining_quantity", "side", "symbol", "exchange",
    "exchange_timestamp", "trade_id", "original", "values",
)  # fmt: skip


@dataclass(slots=True)
class Order:
    quantity: Fraction | None
    executed: Fraction = Fraction(0)
    ended_by: str = ""


@dataclass(slots=True)
class Model:
    """Orders that name no exchange and have an id of their own, each placed with a quantity."""

    orders: dict[int, Order] = field(default_factory=dict[int, Order])

    def take(self, name: str, number: int, amount: Fraction) -> list[str]:
        order = self.orders.get(number)
        if name == "placed":
            return self._placed(number, order, amount)
        if order is None:
            return self._unknown(name, number, amount)
        found: list[str] = []
        if order.ended_by:
            if name != "accepted" or order.ended_by == "rejected":
                found.append("after_end")
        elif name == "modified":
            if order.quantity is not None and amount < order.executed - order.quantity / 10**9:
                found.append("below_filled")
        elif name in {"partially_filled", "filled"}:
            found += self._filled(name, order, amount)
        self._apply(name, order, amount)
        return found

    def _placed(self, number: int, order: Order | None, amount: Fraction) -> list[str]:
        if order is None or order.ended_by:
            self.orders[number] = Order(amount)
        else:
            order.quantity = amount
        return [] if order is None else ["placed_twice"]

    def _unknown(self, name: str, number: int, amount: Fraction) -> list[str]:
        told = ["unknown_order"] if self.orders_placed else []
        self.orders[number] = order = Order(None)
        self._apply(name, order, amount)
        return told

    orders_placed: bool = False

    @staticmethod
    def _filled(name: str, order: Order, amount: Fraction) -> list[str]:
        if order.quantity is None:
            return []
        noise = order.quantity / 10**9
        executed = order.executed + amount
        if name == "filled" and amount >= order.quantity - noise:
            executed = amount
        found = ["under_fill"] if name == "filled" and executed < order.quantity - noise else []
        return found + (["over_fill"] if executed > order.quantity + noise else [])

    @staticmethod
    def _apply(name: str, order: Order, amount: Fraction) -> None:
        if name == "modified":
            order.quantity = amount
        elif name == "partially_filled":
            order.executed += amount
        elif name in {"filled", "cancelled", "rejected", "expired"}:
            order.ended_by = name


NAMES = ("placed", "accepted", "partially_filled", "filled", "cancelled", "rejected", "modified", "expired")


def data(name: str, number: int, amount: str) -> dict[str, Any]:
    key = "executed_quantity" if name == "partially_filled" else "quantity"
    return {"event": f"order_{name}", "order_id": number, key: amount}


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.integers(1, 3), st.sampled_from(AMOUNTS)), max_size=25))
def test_any_sequence_is_judged_as_the_model_judges_it(events: list[tuple[str, int, str]]):
    lives, model = Lifecycles(), Model()
    for name, number, amount in events:
        expected = model.take(name, number, Fraction(amount))
        model.orders_placed = model.orders_placed or name == "placed"
        assert [finding.rule for finding in lives.take(data(name, number, amount))] == expected


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from((*NAMES, "correction")),
            st.dictionaries(
                st.sampled_from(FIELDS),
                st.sampled_from(HOSTILE) | st.just("e-1") | st.just({"quantity": "x", "values": {"side": None}}),
            ),
        ),
        max_size=8,
    )
)  # fmt: skip
def test_nothing_hostile_raises(events: list[tuple[str, dict[str, Any]]]):
    lives = Lifecycles()
    lives.take(PLACED, "e-1")
    for name, fields in events:
        lives.take({"event": name if name == "correction" else f"order_{name}", "order_id": 1, **fields}, "e-2")


def rules(*events: dict[str, Any]) -> list[str]:
    lives = Lifecycles()
    return [found.rule for at, each in enumerate(events) for found in lives.take(each, f"e-{at}")]


def partly(amount: str, **more: Any) -> dict[str, Any]:
    return {**data("partially_filled", 1, amount), **more}


def corrected(original: str, **values: Any) -> dict[str, Any]:
    return {"event": "correction", "original": original, "values": values}


def test_the_programs_decimal_context_changes_no_sum():
    placed = {**PLACED, "quantity": "100000000000000000000.000000000000000003"}
    fills = [partly("100000000000000000000"), *[partly("0.000000000000000001")] * 3]
    with localcontext(Context(prec=3, traps=[Inexact, Rounded, FloatOperation])):
        assert rules(placed, *fills) == []
        assert rules(PLACED, partly("1.2345678"), partly("1.7654322"), partly("0.1")) == ["over_fill"]
    with localcontext(Context(traps=[])):
        assert rules(PLACED, partly("x"), partly("sNaN"), partly("4")) == ["over_fill"]


@pytest.mark.parametrize("nobody", [None, "", True, "[REDACTED]", "[REDACTED card]"])
def test_what_is_no_id_makes_no_two_orders_one(nobody: Any):
    assert rules({**PLACED, "order_id": nobody}, {**PLACED, "order_id": nobody}) == []
    named = {**PLACED, "client_order_id": nobody}
    assert rules(named, {**named, "order_id": 2}) == []
    assert rules({**PLACED, "exchange": None}, {**data("filled", 1, "3"), "exchange": "okx"}) == []


def test_sides_and_exchanges_are_the_same_in_any_letters():
    assert rules({**PLACED, "exchange": "OKX"}, {**data("filled", 1, "3"), "exchange": "okx", "side": "buy"}) == []


def test_a_fill_that_is_told_twice_counts_once():
    fill = partly("2", trade_id=77)
    assert rules(PLACED, fill, fill, partly("1", trade_id=78)) == ["filled_twice"]
    assert rules(PLACED, *[partly("0.001", trade_id=number) for number in range(200)]) == []


def test_a_number_that_many_fills_have_makes_them_not_one():
    assert rules(PLACED, *[partly(amount, trade_id=7) for amount in ("1", "2")]) == []


def test_an_order_is_not_made_smaller_than_what_is_filled():
    assert rules(PLACED, partly("2"), data("modified", 1, "1")) == ["below_filled"]
    assert rules(PLACED, partly("2"), data("modified", 1, "2")) == []


@pytest.mark.parametrize(
    ("begun", "filled", "found"),
    [
        (1_700_000_000_500, 1_700_000_000_499, ["exchange_time"]),
        ("1700000000500", "1700000000499", ["exchange_time"]),
        ("2026-01-01T00:00:00+00:00", "2025-12-31T23:59:59.999999+00:00", ["exchange_time"]),
        ("2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00.000001+00:00", []),
        ("2026-01-01T02:00:00+02:00", "2026-01-01T00:00:00Z", []),
        (1_700_000_000_500, 1_700_000_000, []),
        (1_700_000_000_500, "2026-01-01T00:00:00Z", []),
        (5, "yesterday", []),
        (True, False, []),
        (None, 5, []),
    ],
)
def test_by_the_exchanges_clock_nothing_is_before_the_beginning(begun: Any, filled: Any, found: list[str]):
    events = ({**data("accepted", 1, "3"), "exchange_timestamp": begun}, partly("1", exchange_timestamp=filled))
    assert rules(PLACED, *events) == found


class TestCorrections:
    def test_of_a_fill_count(self):
        assert rules(PLACED, partly("2.5"), corrected("e-1", executed_quantity="0.5"), partly("2.5")) == []
        assert rules(PLACED, partly("0.5"), corrected("e-1", executed_quantity="2.5"), partly("2.5")) == ["over_fill"]

    def test_that_make_it_impossible_are_told_at_once(self):
        assert rules(PLACED, partly("1"), corrected("e-1", executed_quantity="4")) == ["over_fill"]

    def test_of_an_order_count(self):
        assert rules(PLACED, corrected("e-0", quantity="5", side="SELL"), partly("5", side="SELL")) == []

    def test_of_corrections_take_their_place(self):
        wrong = (PLACED, partly("1"), corrected("e-1", executed_quantity="3"))
        assert rules(*wrong, partly("1")) == ["over_fill"]
        assert rules(*wrong, corrected("e-2", values={"executed_quantity": "2"}), partly("1")) == []
        assert rules(*wrong, corrected("e-2", values={}), partly("2")) == []

    def test_of_what_is_not_known_change_nothing(self):
        assert rules(PLACED, corrected("e-99", quantity="1"), corrected("", quantity="1"), partly("3")) == []


def test_very_many_orders_take_bounded_memory():
    lives = Lifecycles(most_orders=100)
    for number in range(5_000):
        lives.take({**PLACED, "order_id": number, "client_order_id": f"c{number}", "exchange": "okx"}, f"e-{number}")
    kept = [len(getattr(lives, name)) for name in ("_orders", "_said")]
    assert max(kept) <= 400


def test_amounts_are_not_rounded_in_what_is_told():
    lives = Lifecycles()
    lives.take({**PLACED, "quantity": "1." + "0" * 40 + "1"})
    (finding,) = lives.take(partly("1.1"))
    assert finding.text == f"1.1 filled of 1.{'0' * 40}1"
    assert Decimal("1.1") > Decimal(finding.text.rpartition(" ")[2])
