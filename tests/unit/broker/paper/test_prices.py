"""At what price an order is filled, and how much of it."""

from dataclasses import replace
from decimal import Decimal

from support.paper_market import (
    EXACT,
    LINEAR,
    D,
    bar,
    book,
    engine_of,
    fills,
    order,
    quote,
    refusal,
    steps,
    taken,
    trade,
)

from metaexpert.broker.broker import BrokerEvent
from metaexpert.broker.paper import PaperEngine, PaperOptions


def market(**options: object) -> PaperEngine:
    """A contract that last traded at 100."""
    engine = engine_of(LINEAR, options=EXACT.model_copy(update=options), leverage=10, USDT=100_000)
    engine.market(trade(100))
    return engine


def prices(events: list[BrokerEvent]) -> list[tuple[Decimal, Decimal]]:
    """Quantity and price of each fill."""
    return [(each.quantity, each.price) for each in fills(events)]


def test_a_market_order_takes_the_quote():
    engine = market()
    engine.market(quote(99.5, 100.5))
    assert taken(engine.submit(order("buy 1"), 1)).average_price == D("100.5")
    assert taken(engine.submit(order("sell 1", "b"), 1)).average_price == D("99.5")


def test_without_a_quote_half_the_spread_is_paid():
    engine = market(spread_pct=D(1))
    assert taken(engine.submit(order("buy 1"), 1)).average_price == D("100.5")
    assert taken(engine.submit(order("sell 1", "b"), 1)).average_price == D("99.5")


def test_slippage_is_drawn_up_to_its_worst_and_never_helps():
    engine = market(slippage_pct=D(2))
    found = {taken(engine.submit(order("buy 1", str(n)), 1)).average_price or D(0) for n in range(30)}
    assert len(found) > 5
    assert 100 < max(found) <= 102
    assert min(found) >= 100


def test_slippage_is_not_worse_than_the_limit():
    engine = market(slippage_pct=D(50))
    for n in range(10):
        assert D(100) <= (taken(engine.submit(order("buy 1 limit 101", str(n)), 1)).average_price or D(0)) <= 101


def test_the_book_is_walked_level_by_level_and_what_is_taken_is_gone():
    engine = market()
    engine.market(book("99:5", "101:1 102:2 103:4"))
    _, events = engine.submit(order("buy 2"), 1)
    assert prices(events) == [(1, 101), (1, 102)]
    _, events = engine.submit(order("buy 2", "b"), 1)
    assert prices(events) == [(1, 102), (1, 103)]
    engine.market(book("99:5", "101:1 102:2 103:4"))
    assert taken(engine.submit(order("buy 1", "c"), 1)).average_price == 101


def test_a_market_order_ends_with_the_book():
    engine = market()
    engine.market(book("99:5", "101:1 102:2"))
    result, events = engine.submit(order("buy 5"), 1)
    assert taken((result, events)).status == "expired"
    assert taken((result, events)).filled_quantity == 3
    assert steps(events)[-1] == "expired"


def test_a_limit_order_takes_what_its_limit_allows_and_rests_with_the_remainder():
    engine = market()
    engine.market(book("99:5", "101:1 102:2"))
    result, events = engine.submit(order("buy 5 limit 101"), 1)
    assert taken((result, events)).status == "partially_filled"
    assert prices(events) == [(1, 101)]
    assert [each.remaining_quantity for each in engine.standing(1).open_orders] == [4]


def test_ioc_ends_and_fok_is_filled_whole_or_not_at_all():
    engine = market()
    engine.market(book("99:5", "101:1 102:2"))
    assert taken(engine.submit(order("buy 5 limit 101 FOK"), 1)).filled_quantity == 0
    ioc = taken(engine.submit(order("buy 5 limit 101 IOC", "b"), 1))
    assert (ioc.status, ioc.filled_quantity) == ("expired", 1)
    assert taken(engine.submit(order("buy 2 limit 102 FOK", "c"), 1)).status == "filled"


def test_post_only_is_refused_where_it_would_take():
    engine = market()
    engine.market(quote(99, 101))
    refused = refusal(engine.submit(order("buy 1 limit 101 post_only"), 1))
    assert (refused.rule, refused.value, refused.limit) == ("post_only", D(101), D(101))
    assert taken(engine.submit(order("buy 1 limit 100.9 post_only", "b"), 1)).status == "open"


def test_a_resting_order_is_filled_at_its_own_price_as_maker():
    engine = market()
    engine.submit(order("buy 1 limit 95"), 1)
    assert engine.market(trade("95.1")) == []
    (fill,) = fills(engine.market(trade(90)))
    assert (fill.price, fill.is_maker, fill.fee) == (95, True, D("0.019"))


def test_a_trade_fills_no_more_than_its_share():
    engine = market(fill_share=D("0.5"))
    engine.submit(order("buy 4 limit 95"), 1)
    assert prices(engine.market(trade(95, 4))) == [(2, 95)]
    assert prices(engine.market(trade(94, 2))) == [(1, 95)]


def test_better_prices_and_earlier_orders_come_first():
    engine = market()
    for words, name in (("buy 1 limit 95", "late"), ("buy 1 limit 95", "later"), ("buy 1 limit 96", "best")):
        engine.submit(order(words, name), 1)
    assert [each.order_id for each in fills(engine.market(trade(94, 2)))] == ["best", "late"]


def test_the_queue_that_the_book_showed_is_served_first_at_the_price_itself():
    engine = market()
    engine.market(book("99:5 98:3", "101:1"))
    engine.submit(order("buy 2 limit 99"), 1)
    assert fills(engine.market(trade(99, 4, side="SELL"))) == []
    assert prices(engine.market(trade(99, 2, side="SELL"))) == [(1, 99)]
    assert prices(engine.market(trade(98, 9, side="SELL"))) == [(1, 99)]


def test_a_buyers_trade_at_the_price_of_a_bid_does_not_fill_it():
    engine = market()
    engine.submit(order("buy 1 limit 95"), 1)
    assert fills(engine.market(trade(95, side="BUY"))) == []
    assert len(fills(engine.market(trade(95, side="SELL")))) == 1


def test_a_quote_or_a_book_that_crosses_fills_resting_orders():
    engine = market()
    engine.submit(order("buy 1 limit 95"), 1)
    assert prices(engine.market(quote(94, 95))) == [(1, 95)]
    engine.submit(order("buy 3 limit 93", "b"), 1)
    assert prices(engine.market(book("91:1", "92:2 93.5:9"))) == [(2, 93)]


def test_a_stop_is_triggered_by_the_last_price_and_takes_the_market():
    engine = market()
    engine.submit(order("buy 2"), 1)
    engine.submit(order("sell 2 stop 95 reduce_only", "stop"), 1)
    assert engine.market(trade("95.1")) == []
    events = engine.market(trade(94))
    assert steps(events)[:2] == ["triggered", "filled"]
    assert prices(events) == [(2, 94)]


def test_a_stop_limit_rests_where_its_limit_is_out_of_reach():
    engine = market()
    engine.submit(order("buy 1 stop_limit 105 104"), 1)
    assert steps(engine.market(trade(106))) == ["triggered"]
    assert prices(engine.market(trade(104))) == [(1, 104)]


def test_in_a_bar_the_extreme_that_is_worse_for_the_position_comes_first():
    for side, opposite, stop, target in (("buy", "sell", 95, 105), ("sell", "buy", 105, 95)):
        engine = engine_of(LINEAR, leverage=10, USDT=100_000)
        engine.market(bar(100, 100, 100, 100))
        engine.submit(order(f"{side} 1"), 10)
        engine.submit(order(f"{opposite} 1 stop {stop} reduce_only", "stop"), 10)
        engine.submit(order(f"{opposite} 1 limit {target} reduce_only", "target"), 10)
        events = engine.market(bar(100, 110, 90, 100, minute=1))
        assert [(each.order_id, each.price) for each in fills(events)] == [("stop", stop)]


def test_a_bar_that_opens_beyond_a_stop_or_a_limit_fills_at_its_open():
    engine = engine_of(LINEAR, leverage=2, USDT=100_000)
    engine.market(bar(100, 100, 100, 100))
    engine.submit(order("buy 1"), 10)
    engine.submit(order("sell 1 stop 95 reduce_only", "stop"), 10)
    engine.submit(order("buy 1 limit 93", "bid"), 10)
    events = engine.market(bar(90, 92, 85, 88, minute=1))
    assert [(each.order_id, each.price) for each in fills(events)] == [("stop", 90), ("bid", 90)]


def test_what_happens_within_a_bar_happens_in_order_of_the_prices_reached():
    engine = engine_of(LINEAR, leverage=10, USDT=100_000)
    engine.market(bar(100, 100, 100, 100))
    for price in (96, 98, 97):
        engine.submit(order(f"buy 1 limit {price}", str(price)), 10)
    events = engine.market(bar(100, 101, 96, 100, minute=1))
    assert [each.price for each in fills(events)] == [98, 97, 96]


def test_resting_orders_share_a_bars_volume_and_an_unknown_one_is_no_bound():
    engine = market_of_bars()
    engine.submit(order("buy 5 limit 95"), 10)
    engine.submit(order("buy 5 limit 94", "b"), 10)
    assert prices(engine.market(bar(100, 100, 90, 91, volume=12, minute=1))) == [(5, 95), (1, 94)]
    assert prices(engine.market(bar(95, 95, 90, 91, volume=0, minute=2))) == [(4, 94)]


def market_of_bars() -> PaperEngine:
    """Half of what a bar trades is traded with resting orders."""
    options = PaperOptions(spread_pct=D(0), slippage_pct=D(0), fill_share=D("0.5"))
    engine = engine_of(LINEAR, options=options, leverage=10, USDT=100_000)
    engine.market(bar(100, 100, 100, 100))
    return engine


def test_bars_tell_nothing_that_ticks_told_already_nor_longer_bars_nor_forming_ones():
    engine = market()
    engine.submit(order("buy 1 limit 95"), 1)
    assert engine.market(bar(100, 110, 90, 100, minute=1)) == []
    engine = market_of_bars()
    engine.submit(order("buy 1 limit 95"), 10)
    assert engine.market(bar(100, 110, 90, 100, minute=0)) == []
    assert len(fills(engine.market(bar(100, 110, 90, 100, minute=1)))) == 1


def test_with_a_latency_an_order_meets_the_price_that_is_there_when_it_arrives():
    engine = engine_of(LINEAR, options=EXACT.model_copy(update={"latency_ms": 1}), leverage=10, USDT=100_000)
    engine.market(trade(100))
    assert taken(engine.submit(order("buy 1"), 0)).status == "sent"
    assert fills(engine.market(trade(101, at=999_999))) == []
    (fill,) = fills(engine.market(trade(102, at=1_000_001)))
    assert (fill.price, fill.time_ns) == (101, 1_000_000)


def test_with_a_latency_an_order_after_a_bar_meets_the_next_ones_open():
    engine = engine_of(LINEAR, options=EXACT.model_copy(update={"latency_ms": 1}), leverage=10, USDT=100_000)
    minute = 60_000_000_000
    engine.market(replace(bar(100, 100, 100, 100), close_time_ns=minute))
    engine.submit(order("buy 1"), minute)
    following = replace(bar(103, 110, 90, 100), open_time_ns=minute, close_time_ns=2 * minute)
    assert [each.price for each in fills(engine.market(following))] == [103]


def test_a_rejection_and_a_cancellation_arrive_late_too():
    engine = engine_of(LINEAR, options=EXACT.model_copy(update={"latency_ms": 1}), USDT=100)
    engine.market(trade(100))
    engine.submit(order("buy 50"), 0)
    engine.submit(order("buy 1 limit 90", "b"), 0)
    assert [each.status for each in engine.standing(0).open_orders] == ["sent", "sent"]
    assert taken(engine.cancel("b", 1)).status == "sent"
    assert steps(engine.market(trade(100, at=1_000_000))) == ["rejected", "accepted"]
    assert steps(engine.market(trade(100, at=1_000_001))) == ["cancelled"]
