"""Bars: built from trades, or taken from the exchange where it sends them."""

from dataclasses import replace
from decimal import Decimal

import pytest

from metaexpert.core.bars import BarBuilder, timeframe_seconds
from metaexpert.core.events import Bar, Tick
from metaexpert.exceptions import MetaExpertError

SECOND_NS = 1_000_000_000


def trade(seconds: float, price: str, quantity: str = "1", symbol: str = "BTCUSDT") -> Tick:
    return Tick(
        exchange="binance",
        symbol=symbol,
        kind="trade",
        time_ns=round(seconds * SECOND_NS),
        price=Decimal(price),
        quantity=Decimal(quantity),
    )


def kline(seconds: int, *, closed: bool = True, timeframe: str = "1s") -> Bar:
    return Bar(
        exchange="binance",
        symbol="BTCUSDT",
        timeframe=timeframe,
        open_time_ns=seconds * SECOND_NS,
        close_time_ns=(seconds + 1) * SECOND_NS,
        open=Decimal(1),
        high=Decimal(4),
        low=Decimal(1),
        close=Decimal(2),
        volume=Decimal(9),
        trades=3,
        closed=closed,
    )


@pytest.mark.parametrize(
    ("timeframe", "seconds"), [("1s", 1), ("5m", 300), ("4h", 14_400), ("1d", 86_400), ("2w", 1_209_600)]
)
def test_a_timeframe_is_a_number_and_a_unit(timeframe: str, seconds: int):
    assert timeframe_seconds(timeframe) == seconds


@pytest.mark.parametrize("timeframe", ["", "m", "0m", "1M", "1 m", "-5m", "1m1s"])
def test_another_timeframe_is_refused_by_name(timeframe: str):
    with pytest.raises(MetaExpertError, match=f"timeframe '{timeframe}'"):
        timeframe_seconds(timeframe)


def test_the_first_trade_of_the_next_interval_closes_the_bar():
    builder = BarBuilder("1s")
    events = [trade(10.1, "5", "2"), trade(10.4, "7"), trade(10.9, "4", "0.5")]
    assert [builder.add(event) for event in events] == [None, None, None]
    assert builder.add(trade(11.0, "6")) == Bar(
        exchange="binance",
        symbol="BTCUSDT",
        timeframe="1s",
        open_time_ns=10 * SECOND_NS,
        close_time_ns=11 * SECOND_NS,
        open=Decimal(5),
        high=Decimal(7),
        low=Decimal(4),
        close=Decimal(4),
        volume=Decimal("3.5"),
        trades=3,
        closed=True,
    )


def test_symbols_do_not_mix():
    builder = BarBuilder("1s")
    builder.add(trade(1, "5"))
    assert builder.add(trade(2, "9", symbol="ETHUSDT")) is None
    closed = builder.add(trade(2, "6"))
    assert closed is not None
    assert (closed.symbol, closed.close) == ("BTCUSDT", Decimal(5))


def test_a_trade_of_a_closed_bar_is_counted_and_changes_nothing():
    builder = BarBuilder("1s")
    builder.add(trade(5, "5"))
    assert builder.add(trade(4.9, "99")) is None
    assert builder.late == 1
    assert [bar.high for bar in builder.flush()] == [Decimal(5)]


def test_quotes_build_no_bars():
    builder = BarBuilder("1s")
    builder.add(replace(trade(1, "5"), kind="quote"))
    assert list(builder.flush()) == []


def test_the_exchanges_bars_win_over_trades():
    builder = BarBuilder("1s")
    builder.add(trade(0.5, "5"))
    assert builder.add(kline(0, closed=False)) is None
    assert builder.add(trade(1.5, "6")) is None
    assert builder.add(kline(0)) == kline(0)
    assert list(builder.flush()) == []


def test_a_repeated_or_older_exchange_bar_is_not_given_twice():
    builder = BarBuilder("1s")
    assert [builder.add(bar) is not None for bar in (kline(5), kline(5), kline(4), kline(6))] == [
        True,
        False,
        False,
        True,
    ]
    assert builder.late == 2


def test_bars_of_another_timeframe_are_not_ours():
    builder = BarBuilder("1s")
    assert builder.add(kline(60, timeframe="1m")) is None
    builder.add(trade(61, "5"))
    assert len(list(builder.flush())) == 1


def test_flush_closes_what_is_forming_once():
    builder = BarBuilder("1m")
    builder.add(trade(61, "5"))
    assert [(bar.open_time_ns, bar.trades) for bar in builder.flush()] == [(60 * SECOND_NS, 1)]
    assert list(builder.flush()) == []
