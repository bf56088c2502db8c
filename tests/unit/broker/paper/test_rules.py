"""What is refused, and that each refusal names its rule, what it saw and what it allows."""

from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest
from support.paper_market import EXACT, LINEAR, SPOT, D, engine_of, order, quote, refusal, steps, taken, trade

from metaexpert.broker.paper import PaperEngine, PaperOptions
from metaexpert.core.orders import OrderRequest
from metaexpert.exceptions import ConfigError, MetaExpertError


def market() -> PaperEngine:
    """A contract that last traded at 100, whose notional must be at least 10."""
    engine = engine_of(replace(LINEAR, min_notional=D(10)), leverage=10, USDT=100_000)
    engine.market(trade(100))
    return engine


@pytest.mark.parametrize(
    ("words", "rule", "value", "limit"),
    [
        ("buy 0.0005", "min_quantity", "0.0005", "0.001"),
        ("buy 1.0005", "quantity_step", "1.0005", "0.001"),
        ("buy 1001", "max_quantity", "1001", "1000"),
        ("buy 1 limit 99.95", "price_step", "99.95", "0.1"),
        ("buy 0.05", "min_notional", "5", "10"),
        ("buy 0.1 limit 90", "min_notional", "9", "10"),
        ("buy 0", "quantity", "0", "0"),
        ("buy NaN", "quantity", "NaN", "0"),
        ("buy 1E+40", "quantity", "1E+40", "1E+15"),
        ("buy 1 limit -5", "price", "-5", "0"),
        ("buy 1 stop 100", "stop_price", "100", "100"),
        ("sell 1 stop 101", "stop_price", "101", "100"),
    ],
)
def test_an_order_against_the_rules_is_refused(words: str, rule: str, value: str, limit: str):
    refused = refusal(market().submit(order(words), 1))
    assert (refused.rule, str(refused.limit and D(str(refused.limit)).normalize())) == (rule, str(D(limit).normalize()))
    assert str(refused.value) == value or refused.value == D(value)
    assert refused.reason


@pytest.mark.parametrize(
    ("request_", "rule"),
    [
        (replace(order("buy 1"), type="limit"), "price"),
        (replace(order("buy 1"), price=D(1)), "price"),
        (replace(order("buy 1"), type="stop"), "stop_price"),
        (replace(order("buy 1"), post_only=True), "post_only"),
        (replace(order("buy 1"), symbol="DOGEUSDT"), "symbol"),
    ],
)
def test_an_order_that_does_not_fit_its_type_is_refused(request_: OrderRequest, rule: str):
    assert refusal(market().submit(request_, 1)).rule == rule


def test_an_order_id_stands_for_one_open_order():
    engine = market()
    engine.submit(order("buy 1 limit 90"), 1)
    assert refusal(engine.submit(order("buy 1 limit 90"), 1)).rule == "order_id"


def test_nothing_is_traded_before_the_first_price():
    assert refusal(engine_of(LINEAR, USDT=1000).submit(order("buy 1"), 1)).rule == "market_data"


def test_what_only_reduces_may_be_less_than_the_least_notional():
    engine = market()
    engine.submit(order("buy 0.1"), 1)
    assert taken(engine.submit(order("sell 0.05 reduce_only", "b"), 1)).status == "filled"


def test_cancelling_what_is_not_open_is_refused():
    engine = market()
    assert refusal(engine.cancel("nothing", 1)).code == "unknown_order"
    engine.submit(order("buy 1"), 1)
    assert refusal(engine.cancel("a", 1)).code == "unknown_order"
    assert refusal(engine.modify("a", quantity=D(2), price=None, now_ns=1)).code == "unknown_order"


def test_a_modified_order_has_its_new_terms():
    engine = market()
    engine.submit(order("buy 1 limit 90"), 1)
    changed = taken(engine.modify("a", quantity=D(2), price=D(95), now_ns=2))
    assert (changed.request.quantity, changed.request.price) == (2, 95)
    result, events = engine.modify("a", quantity=None, price=D(100), now_ns=3)
    assert taken((result, events)).status == "filled"
    assert steps(events)[:2] == ["modified", "filled"]


def test_a_stop_is_moved_by_its_price():
    engine = market()
    engine.submit(order("buy 1", "b"), 1)
    engine.submit(order("sell 1 stop 90 reduce_only"), 1)
    assert taken(engine.modify("a", quantity=None, price=D(95), now_ns=2)).request.stop_price == 95
    assert refusal(engine.modify("a", quantity=None, price=D(101), now_ns=2)).rule == "stop_price"


def test_a_refused_modification_leaves_the_order_as_it_was():
    engine = market()
    engine.market(quote(99, 101))
    engine.submit(order("buy 1 limit 90 post_only"), 1)
    for quantity, price, rule in (
        (None, D("90.05"), "price_step"),
        (D(900), None, None),
        (None, D(101), "post_only"),
        (D(0), None, "quantity"),
    ):
        before = engine.snapshot()
        answer = engine.modify("a", quantity=quantity, price=price, now_ns=1)
        if rule is not None:
            assert refusal(answer).rule == rule
            assert engine.snapshot() == before
    engine = engine_of(LINEAR, leverage=1, USDT=100)
    engine.market(trade(100))
    engine.submit(order("buy 1 limit 90"), 1)
    before = engine.snapshot()
    assert refusal(engine.modify("a", quantity=D(2), price=None, now_ns=1)).rule == "margin"
    assert engine.snapshot() == before


def test_an_order_cannot_get_smaller_than_what_is_filled():
    engine = market()
    engine.submit(order("buy 2 limit 90"), 1)
    engine.market(trade(90, 1))
    assert refusal(engine.modify("a", quantity=D(1), price=None, now_ns=1)).limit == 1


@pytest.mark.parametrize("market_type", ["margin", "options"])
def test_markets_that_are_not_traded_on_paper_say_so(market_type: str):
    with pytest.raises(ConfigError, match=rf"'{market_type}'.*'spot' and 'futures'"):
        engine_of(replace(SPOT, market_type=market_type), USDT=1)


@pytest.mark.parametrize("amount", ["-1", "NaN", "1E+20"])
def test_capital_is_an_amount(amount: str):
    with pytest.raises(ConfigError, match="capital of USDT"):
        PaperEngine(EXACT, {}, {"USDT": Decimal(amount)}, random=Random(1))


def test_options_name_what_is_wrong():
    with pytest.raises(ConfigError, match="fill_share"):
        PaperOptions(fill_share=D(0))


def test_leverage_is_within_the_contracts_and_stays_while_something_is_open():
    engine = market()
    with pytest.raises(ConfigError, match="from 1 to 100"):
        engine.set_leverage("BTCUSDT", D(101), isolated=True)
    with pytest.raises(ConfigError, match="no leverage"):
        engine_of(SPOT, USDT=1).set_leverage("BTCUSDT", D(1), isolated=True)
    engine.submit(order("buy 1 limit 90"), 1)
    engine.set_leverage("BTCUSDT", D(10), isolated=True)
    with pytest.raises(MetaExpertError, match="close and cancel them first"):
        engine.set_leverage("BTCUSDT", D(5), isolated=True)
