"""What the market said last: quotes, bars in order, and the volume of a day."""

from decimal import Decimal

from support.market_events import MINUTE, bar, quote, trade

from metaexpert.core.events import Book
from metaexpert.core.market import MarketMemory


def test_quotes_keep_the_last_trade_and_both_sides():
    market = MarketMemory((), 1)
    market.add(trade(1, "100"))
    market.add(quote(2, "99", "102"))
    last = market.quotes["BTCUSDT"]
    assert (last.price, last.bid, last.ask) == (Decimal(100), Decimal(99), Decimal(102))
    assert last.spread_pct is not None
    assert round(last.spread_pct, 4) == Decimal("2.9851")
    market.add(trade(3, "101"))
    assert (market.quotes["BTCUSDT"].price, market.quotes["BTCUSDT"].bid) == (Decimal(101), Decimal(99))


def test_a_book_gives_the_best_prices_and_an_empty_side_none():
    market = MarketMemory((), 1)
    best = ((Decimal(9), Decimal(1)), (Decimal(8), Decimal(1)))
    market.add(Book(exchange="binance", symbol="A", time_ns=1, bids=best, asks=((Decimal(11), Decimal(1)),)))
    assert (market.quotes["A"].bid, market.quotes["A"].ask, market.quotes["A"].price) == (9, 11, 10)
    market.add(Book(exchange="binance", symbol="B", time_ns=1, bids=best, asks=()))
    assert "B" not in market.quotes


def test_bars_are_kept_in_order_up_to_the_lookback_and_no_history_comes_twice():
    market = MarketMemory(("1m",), 3)
    for minute in (0, 1, 2, 3):
        market.remember(bar(minute, str(minute + 1)))
    market.remember(bar(2, "99"))
    assert [each.close for each in market.bars("BTCUSDT", "1m")] == [2, 3, 4]
    assert market.add(bar(4, "5")) == [bar(4, "5")]
    assert [each.close for each in market.bars("BTCUSDT", "1m")] == [3, 4, 5]
    assert market.bars("BTCUSDT", "5m") == ()


def test_the_volume_of_a_day_is_unknown_until_a_day_is_known_and_then_moves_on():
    market = MarketMemory(("1m",), 10)
    for minute in range(1440):
        market.remember(bar(minute, "2", volume="3"))
        assert (market.quote_volume_24h("BTCUSDT") is None) == (minute < 1296)
    assert market.quote_volume_24h("BTCUSDT") == 1440 * 6
    for minute in range(1440, 1540):
        market.remember(bar(minute, "2", volume="0"))
    assert market.quote_volume_24h("BTCUSDT") == 1340 * 6


def test_time_never_runs_backwards():
    market = MarketMemory((), 1)
    market.add(bar(1, "5"))
    market.add(trade(1, "5"))
    assert market.now_ns == 2 * MINUTE
