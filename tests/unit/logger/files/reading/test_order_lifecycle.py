"""Orders put together from their events: exact amounts, what cannot have been, and which event is whose."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger.files.reading.order_lifecycle import Order, Orders
from metaexpert.logger.files.reading.trade_events import EXACT, TradeEvent

SECOND_NS = 1_000_000_000


def event(name: str, second: float = 0.0, run: str = "9f3a01", **fields: Any) -> TradeEvent:
    return TradeEvent(name, int(second * SECOND_NS), run, {"order_id": "A-1", **fields})


def placed(second: float = 0.0, **fields: Any) -> TradeEvent:
    given_fields = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "10", "price": "100"}
    return event("order_placed", second, **(given_fields | fields))


def orders_of(events: Iterable[TradeEvent], kept_closed: int = 100) -> list[Order]:
    closed: list[Order] = []
    orders = Orders(closed.append, kept_closed)
    for each in events:
        assert orders.add(each)
    return [*closed, *orders.rest()]


def order_of(*events: TradeEvent) -> Order:
    (order,) = orders_of(events)
    return order


class TestStages:
    def test_an_order_goes_through_its_stages(self):
        order = order_of(
            placed(0),
            event("order_accepted", 0.25, exchange="binance"),
            event("order_partially_filled", 1, executed_quantity="4", executed_price="99.5", remaining_quantity="6"),
            event("order_filled", 3, side="BUY", quantity="6", price="100"),
        )
        assert (order.state, order.remarks) == ("filled", [])
        assert [stage.name for stage in order.stages] == ["placed", "accepted", "partially filled", "filled"]
        assert order.duration_ns("accepted") == SECOND_NS // 4
        assert order.duration_ns("partially filled", "filled") == SECOND_NS
        assert order.lifetime_ns == 3 * SECOND_NS
        assert (order.exchange, order.symbol, order.side) == ("binance", "BTCUSDT", "BUY")

    @pytest.mark.parametrize(
        ("name", "state"),
        [
            ("order_cancelled", "cancelled"),
            ("order_canceled", "cancelled"),
            ("order_rejected", "rejected"),
            ("order_expired", "expired"),
        ],
    )
    def test_other_ends(self, name: str, state: str):
        order = order_of(placed(), event(name, 2, reason="no liquidity"))
        assert (order.state, order.is_done, order.reason) == (state, True, "no liquidity")
        assert (order.filled, order.average_price, order.remarks) == (Decimal(0), None, [])

    def test_a_modification_changes_what_was_ordered_and_not_the_state(self):
        order = order_of(placed(), event("order_modified", 1, quantity="12", price="101"))
        assert (order.state, order.quantity, order.price) == ("placed", Decimal(12), Decimal(101))

    def test_an_event_nobody_knows_is_a_stage_that_changes_nothing(self):
        order = order_of(placed(), event("order_amend_pending", 1), event("", 2))
        assert (order.state, order.events, order.remarks) == ("placed", 3, [])
        assert [stage.name for stage in order.stages] == ["placed", "amend pending", "note"]

    def test_an_event_without_an_order_is_none_of_them(self):
        assert not Orders(lambda _: None).add(TradeEvent("balance_changed", 0, "", {"asset": "USDT"}))

    def test_a_thousand_fills_take_no_more_room_than_twenty(self):
        fills = [event("order_partially_filled", n, executed_quantity="0.001", executed_price="1") for n in range(1000)]
        order = order_of(placed(quantity="1"), *fills)
        assert (order.events, order.fills, order.filled, len(order.stages)) == (1001, 1000, Decimal("1.000"), 20)


class TestAmounts:
    def test_a_single_fill_keeps_its_price_as_it_was_written(self):
        order = order_of(placed(), event("order_filled", 1, quantity="10", price="149.47000000"))
        assert str(order.average_price) == "149.47000000"
        assert str(order.notional) == "1494.70000000"

    def test_an_average_is_exact_where_it_has_an_end(self):
        order = order_of(
            placed(quantity="0.3"),
            event("order_partially_filled", 1, executed_quantity="0.1", executed_price="0.1"),
            event("order_filled", 2, executed_quantity="0.2", executed_price="0.25"),
        )
        assert (order.filled, order.average_price) == (Decimal("0.3"), Decimal("0.2"))

    def test_an_average_without_an_end_has_28_digits(self):
        order = order_of(
            placed(quantity="3"),
            event("order_partially_filled", 1, executed_quantity="2", executed_price="1"),
            event("order_filled", 2, executed_quantity="1", executed_price="2"),
        )
        assert str(order.average_price) == "1.333333333333333333333333333"

    def test_a_fill_in_whole_after_parts_may_state_the_whole_and_its_average(self):
        order = order_of(
            placed(),
            event("order_partially_filled", 1, executed_quantity="4", executed_price="90", remaining_quantity="6"),
            event("order_filled", 2, quantity="10", price="96"),
        )
        assert (order.filled, order.average_price, order.remarks) == (Decimal(10), Decimal(96), [])

    def test_parts_that_state_running_totals_count_once(self):
        order = order_of(
            placed(),
            event("order_partially_filled", 1, executed_quantity="4", executed_price="90", remaining_quantity="6"),
            event("order_partially_filled", 2, executed_quantity="7", executed_price="91", remaining_quantity="3"),
        )
        assert order.filled == Decimal(7)

    def test_a_fill_without_a_price_leaves_the_average_open(self):
        order = order_of(placed(), event("order_filled", 1, quantity="10"))
        assert (order.filled, order.notional, order.average_price) == (Decimal(10), None, None)

    def test_fees_add_up_by_asset(self):
        order = order_of(
            placed(),
            event("order_partially_filled", 1, executed_quantity="4", executed_price="90", fee="0.1", fee_asset="BNB"),
            event("order_filled", 2, quantity="6", price="90", fee="0.2", fee_asset="BNB"),
            event("fee_charged", 3, fee="-0.05", fee_asset="USDT"),
        )
        assert order.fees == {"BNB": Decimal("0.3"), "USDT": Decimal("-0.05")}

    @given(
        st.lists(
            st.tuples(
                st.decimals("1e-18", "1e18", places=18, allow_nan=False),
                st.decimals("1e-18", "1e18", places=18, allow_nan=False),
            ),
            min_size=1,
            max_size=8,
        )
    )
    def test_sums_are_those_of_whole_numbers(self, fills: list[tuple[Decimal, Decimal]]):
        order = order_of(
            event("order_placed"),
            *(
                event("order_partially_filled", executed_quantity=str(quantity), executed_price=str(price))
                for quantity, price in fills
            ),
        )
        whole = [(int(quantity.scaleb(18, EXACT)), int(price.scaleb(18, EXACT))) for quantity, price in fills]
        assert int(order.filled.scaleb(18, EXACT)) == sum(quantity for quantity, _ in whole)
        assert order.notional is not None
        assert int(order.notional.scaleb(36, EXACT)) == sum(quantity * price for quantity, price in whole)

    @pytest.mark.parametrize("value", ["abc", "", "NaN", "1e99999", True, "9" * 200, [1]])
    def test_what_is_no_amount_is_remarked_upon(self, value: object):
        order = order_of(placed(quantity=value))
        assert order.quantity is None
        (remark,) = order.remarks
        assert remark.startswith("quantity ")


class TestWhatCannotHaveBeen:
    @pytest.mark.parametrize(
        ("events", "remark"),
        [
            ([event("order_filled", 1, quantity="1", price="1")], "its placing is not among the entries read"),
            (
                [placed(), event("order_cancelled", 1), event("order_filled", 2, quantity="10", price="1")],
                "filled after it was cancelled",
            ),
            (
                [placed(), event("order_filled", 1, quantity="10", price="1"), event("order_cancelled", 2)],
                "cancelled after it was filled",
            ),
            ([placed(0), placed(1)], "placed after it was placed"),
            (
                [
                    placed(),
                    event("order_partially_filled", 1, executed_quantity="1", executed_price="1"),
                    event("order_accepted", 2),
                ],
                "accepted after it was partially filled",
            ),
            (
                [placed(), event("order_filled", 1, quantity="12", price="1")],
                "order_filled, yet 12 of 10 are filled",
            ),
            ([placed(), event("order_filled", 1, quantity="4", price="1")], "order_filled, yet 4 of 10 are filled"),
            ([placed(), event("order_cancelled", 1, side="SELL")], "order_cancelled says SELL, not BUY"),
            ([placed(), event("order_filled", 1, price="1")], "order_filled without a quantity"),
        ],
    )
    def test_it_is_remarked_upon(self, events: list[TradeEvent], remark: str):
        assert order_of(*events).remarks == [remark]

    def test_what_was_wrong_when_it_was_logged_is_repeated(self):
        order = order_of(placed(problems=["side: is missing"]))
        assert order.remarks == ["order_placed: side: is missing"]


class TestWhoseEvent:
    def test_a_correction_is_that_orders_whose_entry_it_names(self):
        events = [
            TradeEvent("order_placed", 0, "r", {"order_id": "A"}, "b-1"),
            TradeEvent("order_placed", 1, "r", {"order_id": "B"}, "b-2"),
            TradeEvent("correction", 2, "r", {"original": "b-1", "actor": "ann", "reason": "typo"}, "b-3"),
        ]
        first, second = orders_of(events)
        assert (first.remarks, first.state, second.remarks) == (["corrected by ann: typo"], "placed", [])

    def test_a_correction_of_another_entry_is_none_of_them(self):
        assert not Orders(lambda _: None).add(TradeEvent("correction", 2, "r", {"original": "b-1"}, "b-3"))

    def test_an_id_of_an_order_that_is_done_may_be_used_again(self):
        first, second = orders_of(
            [placed(0), event("order_cancelled", 1), placed(2), event("order_filled", 3, quantity="10", price="5")]
        )
        assert (first.state, second.state, second.begun_ns) == ("cancelled", "filled", 2 * SECOND_NS)

    def test_two_runs_that_number_alike_have_orders_of_their_own(self):
        orders = orders_of(
            [
                placed(0, run="aaaaaa"),
                placed(1, run="bbbbbb"),
                event("order_cancelled", 2, run="aaaaaa"),
                event("order_filled", 3, run="bbbbbb", quantity="10", price="5"),
            ]
        )
        assert [order.state for order in orders] == ["cancelled", "filled"]
        assert all(order.remarks == [] for order in orders)

    def test_a_later_run_goes_on_with_an_earlier_ones_order(self):
        order = order_of(placed(0, run="aaaaaa"), event("order_cancelled", 9, run="bbbbbb"))
        assert (order.state, order.remarks) == ("cancelled", [])

    def test_ids_are_unique_per_symbol_and_exchange_only(self):
        orders = orders_of(
            [
                placed(0, exchange="binance"),
                placed(1, exchange="bybit"),
                placed(2, exchange="binance", symbol="ETHUSDT"),
                event("order_cancelled", 3, exchange="bybit"),
            ]
        )
        assert [order.state for order in orders] == ["placed", "cancelled", "placed"]

    def test_an_order_known_by_the_clients_id_gets_its_own_later(self):
        order = order_of(
            TradeEvent("order_placed", 0, "r", {"client_order_id": "mine", "quantity": "1"}),
            TradeEvent("order_accepted", 1, "r", {"client_order_id": "mine", "order_id": 77}),
            TradeEvent("order_filled", 2, "r", {"order_id": 77, "quantity": "1", "price": "2"}),
        )
        assert (order.name, order.client_order_id, order.state, order.events) == ("77", "mine", "filled", 3)

    def test_only_so_many_closed_orders_are_held_back(self):
        closed: list[Order] = []
        orders = Orders(closed.append, kept_closed=2)
        for number in range(5):
            orders.add(placed(number, order_id=number))
            orders.add(event("order_cancelled", number + 0.5, order_id=number))
        assert [order.name for order in closed] == ["0", "1", "2"]
        assert [order.name for order in orders.rest()] == ["3", "4"]


class TestFillsToldTwice:
    FILL: ClassVar[dict[str, Any]] = {
        "executed_quantity": "1", "executed_price": "100", "fee": "0.1", "fee_asset": "BNB", "trade_id": 7,
    }  # fmt: skip

    def test_count_once_and_cost_their_fee_once(self):
        fill = event("order_partially_filled", 1, **self.FILL)
        order = order_of(placed(), fill, fill)
        assert (order.filled, order.fees, order.fills) == (Decimal(1), {"BNB": Decimal("0.1")}, 1)
        assert order.remarks == ["trade_id 7 was told before"]

    def test_others_of_the_same_number_count(self):
        fills = [event("order_partially_filled", 1, **self.FILL | {"executed_quantity": each}) for each in ("1", "2")]
        order = order_of(placed(), *fills)
        assert (order.filled, order.remarks) == (Decimal(3), [])
