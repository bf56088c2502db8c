"""What trades, funding and liquidations do to balances and positions."""

import pytest
from support.paper_market import (
    EXACT,
    INVERSE,
    LINEAR,
    OTHER,
    SPOT,
    D,
    bar,
    engine_of,
    fills,
    funding,
    only,
    order,
    refusal,
    steps,
    taken,
    total,
    trade,
)

from metaexpert.broker.broker import BalanceChanged, FundingPaid, Liquidated, PositionChanged
from metaexpert.broker.paper import PaperEngine, money
from metaexpert.core.holdings import Position


def linear(leverage: int = 10, *, isolated: bool = True, hedge: bool = False, capital: int = 1000) -> PaperEngine:
    """A linear contract that last traded at 100."""
    engine = engine_of(LINEAR, leverage=leverage, isolated=isolated, hedge=hedge, USDT=capital)
    engine.market(trade(100))
    return engine


def position(engine: PaperEngine) -> Position:
    """The one open position."""
    (found,) = engine.standing(0).account.positions
    return found


def test_a_fill_is_told_as_order_then_position_then_balance():
    _, events = linear().submit(order("buy 1"), 1)
    assert steps(events) == ["accepted", "filled", "PositionChanged", "BalanceChanged"]


def test_spot_takes_the_fee_out_of_what_is_received():
    engine = engine_of(SPOT, USDT=1000)
    engine.market(trade(100))
    bought = taken(engine.submit(order("buy 2"), 1))
    assert bought.fees == {"BTC": D("0.004")}
    assert (total(engine, "BTC"), total(engine, "USDT")) == (D("1.996"), 800)
    engine.market(trade(200))
    sold = taken(engine.submit(order("sell 1.996", "b"), 2))
    assert sold.fees == {"USDT": D("0.7984")}
    assert (total(engine, "BTC"), total(engine, "USDT")) == (0, D("1198.4016"))


def test_spot_counts_what_was_bought_as_a_position_that_gains_after_fees():
    engine = engine_of(SPOT, USDT=1000, BTC=5)
    engine.market(trade(100))
    engine.submit(order("buy 2"), 1)
    held = position(engine)
    assert (held.quantity, held.entry_price) == (D("1.996"), 200 / D("1.996"))
    engine.market(trade(200))
    _, events = engine.submit(order("sell 1.996", "b"), 2)
    change = only(events, PositionChanged)
    assert (change.realized_pnl, change.exit_price, change.position.quantity) == (D("198.4016"), 200, 0)
    assert "PositionChanged" not in steps(engine.submit(order("sell 1", "own"), 3)[1])


def test_spot_ties_up_what_orders_would_give():
    engine = engine_of(SPOT, USDT=1000)
    engine.market(trade(100))
    engine.submit(order("buy 6 limit 90"), 1)
    balance = engine.standing(1).account.balances["USDT"]
    assert (balance.used, balance.free) == (540, 460)
    refused = refusal(engine.submit(order("buy 6 limit 90", "b"), 1))
    assert (refused.rule, refused.value, refused.limit) == ("balance", 540, 460)
    engine.cancel("a", 2)
    assert engine.standing(1).account.balances["USDT"].used == 0


def test_a_linear_contract_gains_in_the_quote():
    engine = linear()
    engine.submit(order("buy 2"), 1)
    assert (position(engine).margin, total(engine, "USDT")) == (20, D("999.9"))
    engine.market(trade(110))
    assert position(engine).unrealized_pnl == 20
    assert engine.standing(1).account.equity == D("1019.9")
    _, events = engine.submit(order("sell 2", "b"), 1)
    assert only(events, PositionChanged).realized_pnl == D("19.89")
    assert only(events, PositionChanged).position.realized_pnl == D("19.79")
    assert total(engine, "USDT") == D("1019.79")


def test_an_inverse_contract_gains_in_the_base():
    engine = engine_of(INVERSE, leverage=10, BTC=1)
    engine.market(trade(100, symbol="BTCUSD"))
    engine.submit(order("buy 10", symbol="BTCUSD"), 1)
    assert position(engine).margin == D("0.1")
    engine.market(trade(125, symbol="BTCUSD"))
    assert position(engine).unrealized_pnl == D("0.2")
    engine.submit(order("sell 10", "b", symbol="BTCUSD"), 1)
    assert total(engine, "BTC") == 1 + D("0.2") - D("0.0005") - D("0.0004")


def test_what_is_bought_in_parts_has_their_average_price_and_adds_up_when_closed():
    engine = linear(capital=10_000)
    for price, name in ((100, "a"), (101, "b"), (103, "c")):
        engine.market(trade(price))
        engine.submit(order("buy 1", name), 1)
    assert position(engine).entry_price == D(304) / 3
    realized = [
        only(engine.submit(order("sell 1", name), 1)[1], PositionChanged).realized_pnl for name in ("d", "e", "f")
    ]
    assert sum(realized) == 3 * 103 - 304 - 3 * D("0.0515")


def test_one_way_an_order_beyond_the_position_closes_it_and_opens_the_other():
    engine = linear()
    engine.submit(order("buy 1"), 1)
    _, events = engine.submit(order("sell 3", "b"), 1)
    closed, opened = (each for each in events if isinstance(each, PositionChanged))
    assert (closed.previous_quantity, closed.position.quantity, closed.exit_price) == (1, 0, 100)
    assert (opened.previous_quantity, opened.position.quantity, opened.exit_price) == (0, -2, None)


def test_hedged_both_sides_stand_beside_each_other():
    engine = linear(hedge=True)
    engine.submit(order("buy 2"), 1)
    engine.submit(order("sell 1", "b"), 1)
    assert {(each.side, each.quantity) for each in engine.standing(1).account.positions} == {("LONG", 2), ("SHORT", -1)}
    engine.submit(order("sell 2 reduce_only", "c"), 1)
    engine.submit(order("buy 1 reduce_only", "d"), 1)
    assert engine.standing(1).account.positions == ()


def test_margin_is_needed_for_what_opens_not_for_what_closes():
    engine = linear(leverage=10, capital=100)
    refused = refusal(engine.submit(order("buy 10"), 1))
    assert (refused.rule, refused.value, refused.limit) == ("margin", D("100.5"), 100)
    engine.submit(order("buy 9"), 1)
    engine.market(trade(99))
    assert taken(engine.submit(order("sell 9 limit 105", "b"), 1)).status == "open"
    assert refusal(engine.submit(order("buy 9 limit 98", "c"), 1)).code == "insufficient_margin"
    assert refusal(engine.submit(order("sell 9", "d"), 1)).code == "insufficient_margin", "b may fill too"
    assert taken(engine.submit(order("sell 9 reduce_only", "d"), 1)).status == "filled"


def test_reduce_only_never_turns_a_position_and_ends_with_it():
    engine = linear()
    assert refusal(engine.submit(order("sell 1 reduce_only"), 1)).rule == "reduce_only"
    engine.submit(order("buy 1", "b"), 1)
    assert refusal(engine.submit(order("buy 1 reduce_only", "c"), 1)).rule == "reduce_only"
    result, _ = engine.submit(order("sell 5 reduce_only", "d"), 1)
    assert (taken((result, [])).status, taken((result, [])).filled_quantity) == ("cancelled", 1)
    engine.submit(order("buy 1", "e"), 1)
    engine.submit(order("sell 1 limit 120 reduce_only", "f"), 1)
    assert steps(engine.submit(order("sell 1", "g"), 1)[1])[-1] == "cancelled"
    assert engine.standing(1).open_orders == ()


def test_resting_orders_that_reduce_share_what_there_is_to_reduce():
    engine = linear()
    engine.submit(order("buy 3"), 1)
    engine.submit(order("sell 2 limit 110 reduce_only", "b"), 1)
    engine.submit(order("sell 2 limit 111 reduce_only", "c"), 1)
    events = engine.market(trade(112))
    assert [(each.order_id, each.quantity) for each in fills(events)] == [("b", 2), ("c", 1)]
    assert steps(events)[-1] == "cancelled"


@pytest.mark.parametrize(
    ("amount", "of_a_balance", "of_a_fee", "of_a_value"),
    [
        ("1.0000000000005", "1.000000000000", "1.000000000001", "1.000000000000"),
        ("-1.0000000000007", "-1.000000000001", "-1.000000000000", "-1.000000000001"),
        ("1.25", "1.25", "1.25", "1.25"),
    ],
)
def test_amounts_have_twelve_decimals_and_are_never_rounded_for_the_trader(
    amount: str, of_a_balance: str, of_a_fee: str, of_a_value: str
):
    rounded = [str(each(D(amount))) for each in (money.credited, money.charged, money.nearest)]
    assert rounded == [of_a_balance, of_a_fee, of_a_value]


def test_funding_is_paid_by_longs_and_received_by_shorts():
    for side, expected in (("buy", -1), ("sell", 1)):
        engine = linear()
        engine.submit(order(f"{side} 1"), 1)
        before = total(engine, "USDT")
        events = engine.market(funding("0.01", 100, at=5))
        assert steps(events) == ["FundingPaid", "PositionChanged", "BalanceChanged"]
        assert only(events, FundingPaid).amount == expected
        assert only(events, BalanceChanged).reason == "funding"
        assert total(engine, "USDT") - before == expected
        assert position(engine).margin == 10 + expected


def test_an_isolated_position_loses_its_margin_and_no_more():
    engine = linear(leverage=10)
    engine.submit(order("buy 1"), 1)
    assert position(engine).liquidation_price == D("90.4")
    assert engine.market(trade("90.5")) == []
    events = engine.market(trade(50))
    assert steps(events) == ["Liquidated", "PositionChanged", "BalanceChanged"]
    assert only(events, Liquidated).price == 50
    assert total(engine, "USDT") == 1000 - D("0.05") - 10
    assert engine.insured == {"USDT": 40}


def test_liquidation_costs_its_fee_as_far_as_there_is_margin():
    engine = engine_of(
        LINEAR, options=EXACT.model_copy(update={"liquidation_fee_pct": D("0.2")}), leverage=10, USDT=1000
    )
    engine.market(trade(100))
    engine.submit(order("sell 1"), 1)
    liquidated = only(engine.market(trade("109.5")), Liquidated)
    assert (liquidated.side, liquidated.fee) == ("BUY", D("0.219"))
    assert total(engine, "USDT") == 1000 - D("0.05") - D("9.5") - D("0.219")


def test_in_a_bar_liquidation_happens_at_its_price_and_after_a_nearer_stop():
    engine = engine_of(LINEAR, leverage=10, USDT=1000)
    engine.market(bar(100, 100, 100, 100))
    engine.submit(order("buy 1"), 10)
    assert only(engine.market(bar(100, 101, 80, 85, minute=1)), Liquidated).price == D("90.4")
    engine.submit(order("buy 1", "b"), 20)
    engine.submit(order("sell 1 stop 80 reduce_only", "stop"), 20)
    assert [each.price for each in fills(engine.market(bar(85, 86, 50, 60, minute=2)))] == [80]


def test_cross_positions_share_the_balance():
    engine = linear(leverage=10, isolated=False, capital=50)
    engine.submit(order("buy 1"), 1)
    assert position(engine).liquidation_price == D("50.3")
    assert engine.market(trade(60)) == []
    assert only(engine.market(trade(50)), Liquidated).quantity == 1
    assert 0 <= total(engine, "USDT") < 1


def test_of_cross_positions_the_greatest_loss_is_closed_first_until_the_rest_is_covered():
    engine = engine_of(LINEAR, OTHER, leverage=10, isolated=False, USDT=60)
    for symbol in ("BTCUSDT", "ETHUSDT"):
        engine.market(trade(100, symbol=symbol))
        engine.submit(order("buy 1", symbol, symbol=symbol), 1)
    engine.submit(order("buy 1 limit 10", "rest"), 1)
    engine.market(trade("90.2", symbol="ETHUSDT"))
    events = engine.market(trade("50.5"))
    assert [each.symbol for each in events if isinstance(each, Liquidated)] == ["BTCUSDT"]
    assert steps(events)[0] == "cancelled"
    assert position(engine).symbol == "ETHUSDT"


def test_a_stop_that_cannot_be_paid_when_it_triggers_is_rejected():
    engine = linear(leverage=1, capital=100)
    engine.submit(order("buy 2 stop 110"), 1)
    assert steps(engine.market(trade(110))) == ["triggered", "rejected"]


@pytest.mark.parametrize(("words", "leverage"), [("buy 1", 50), ("sell 1", 50), ("buy 1", 100), ("sell 1", 3)])
@pytest.mark.parametrize("isolated", [True, False])
@pytest.mark.parametrize("inverse", [True, False])
def test_the_liquidation_price_is_the_first_price_that_liquidates(
    words: str, leverage: int, isolated: bool, inverse: bool
):
    instrument = INVERSE if inverse else LINEAR
    capital = "0.11" if inverse else "101"
    engine = engine_of(instrument, leverage=leverage, isolated=isolated, BTC=capital, USDT=capital)
    symbol = instrument.symbol
    engine.market(trade(100, symbol=symbol))
    engine.submit(order(words, symbol=symbol), 1)
    price = position(engine).liquidation_price
    if price is None:
        assert words == "buy 1" or inverse
        assert engine.market(trade("0.1" if words == "buy 1" else 100_000, symbol=symbol)) == []
        return
    step = instrument.price_step if words == "buy 1" else -instrument.price_step
    assert engine.market(trade(price + step, symbol=symbol)) == []
    assert only(engine.market(trade(price, symbol=symbol)), Liquidated).price == price
