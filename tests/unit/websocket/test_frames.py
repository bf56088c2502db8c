"""Frames as the exchanges document them become events; anything else is a value that says why not."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.core.events import Bar, MarketEvent, Tick
from metaexpert.websocket.frames import Garbage, parse_frame

RECEIVED_NS = 1_700_000_000_000_000_000
CAPTURES = Path(__file__).resolve().parents[3].parent / "shared" / "market_data"
AGG_TRADE: dict[str, Any] = {
    "e": "aggTrade", "E": 1591261134288, "s": "BTCUSDT", "a": 26129, "p": "9643.50000000", "q": "0.02", "f": 100,
    "l": 105, "T": 1591261134199, "m": True, "M": True,
}  # fmt: skip
FUTURES_QUOTE: dict[str, Any] = {
    "e": "bookTicker", "u": 400900217, "s": "BNBUSDT", "b": "25.35190000", "B": "31.21", "a": "25.36520000",
    "A": "40.66", "T": 1568014460891, "E": 1568014460893,
}  # fmt: skip
SPOT_QUOTE = {name: FUTURES_QUOTE[name] for name in ("u", "s", "b", "B", "a", "A")}
KLINE: dict[str, Any] = {
    "e": "kline", "E": 1638747660000, "s": "BTCUSDT",
    "k": {
        "t": 1638747600000, "T": 1638747659999, "s": "BTCUSDT", "i": "1m", "f": 100, "L": 200, "o": "0.0010",
        "c": "0.0020", "h": "0.0025", "l": "0.0005", "v": "1000", "n": 100, "x": True, "q": "1.0", "V": "500",
        "Q": "0.500", "B": "123456",
    },
}  # fmt: skip
BYBIT_TRADE: dict[str, Any] = {
    "topic": "trade.BTCUSD",
    "data": [
        {
            "trade_time_ms": 1618677786614, "timestamp": "2021-04-17T16:43:06.000Z", "symbol": "BTCUSD", "side": "Sell",
            "size": 4, "price": 60621.5, "tick_direction": "PlusTick", "trade_id": "5ffb8b77", "cross_seq": 5938955347,
        },
        {
            "trade_time_ms": 1618677786618, "timestamp": "2021-04-17T16:43:06.000Z", "symbol": "BTCUSD", "side": "Buy",
            "size": 1, "price": 60621, "tick_direction": "ZeroPlusTick", "trade_id": "bcd64120", "cross_seq": 1,
        },
    ],
}  # fmt: skip
OKX_TRADE: dict[str, Any] = {
    "arg": {"channel": "trades", "instId": "BTC-USDT"},
    "data": [
        {"instId": "BTC-USDT", "tradeId": "7849", "px": "30218.8", "sz": "1", "side": "buy", "ts": "1652459199958"}
    ],
}
OKX_TICKER: dict[str, Any] = {
    "arg": {"channel": "tickers", "instId": "BTC-USDT"},
    "data": [
        {"instType": "SPOT", "instId": "BTC-USDT", "last": "30218.8", "askPx": "30220.1", "bidPx": "30210.4",
         "askSz": "3", "bidSz": "4", "ts": "1652459223003"},
    ],
}  # fmt: skip


def parse(frame: object) -> tuple[MarketEvent, ...] | Garbage:
    return parse_frame(orjson.dumps(frame).decode(), RECEIVED_NS)


def one(frame: object) -> MarketEvent:
    events = parse(frame)
    assert isinstance(events, tuple), events
    assert len(events) == 1
    return events[0]


def test_binance_trades_keep_every_digit():
    tick = one(AGG_TRADE)
    assert tick == Tick(
        exchange="binance",
        symbol="BTCUSDT",
        kind="trade",
        time_ns=1591261134199_000_000,
        price=Decimal("9643.50000000"),
        quantity=Decimal("0.02"),
        side="SELL",
    )
    assert isinstance(tick, Tick)
    assert str(tick.price) == "9643.50000000"


def test_binance_raw_trades_are_the_same():
    trade = {"e": "trade", "E": 1, "s": "BNBBTC", "t": 12345, "p": "0.001", "q": "100", "T": 5, "m": False, "M": True}
    assert isinstance(one(trade), Tick)
    assert one(trade).symbol == "BNBBTC"


def test_the_combined_streams_envelope_is_taken_off():
    assert one({"stream": "btcusdt@aggTrade", "data": AGG_TRADE}) == one(AGG_TRADE)


def test_a_quotes_price_is_the_middle():
    tick = one(FUTURES_QUOTE)
    assert isinstance(tick, Tick)
    assert (tick.kind, tick.bid, tick.ask, tick.price) == (
        "quote",
        Decimal("25.3519"),
        Decimal("25.3652"),
        Decimal("25.35855"),
    )
    assert tick.time_ns == 1568014460891_000_000


def test_the_spot_quote_has_no_time_and_gets_that_of_receipt():
    tick = one(SPOT_QUOTE)
    assert isinstance(tick, Tick)
    assert tick.time_ns == RECEIVED_NS


def test_klines_become_bars_that_end_where_the_next_begins():
    assert one(KLINE) == Bar(
        exchange="binance",
        symbol="BTCUSDT",
        timeframe="1m",
        open_time_ns=1638747600000_000_000,
        close_time_ns=1638747660000_000_000,
        open=Decimal("0.0010"),
        high=Decimal("0.0025"),
        low=Decimal("0.0005"),
        close=Decimal("0.0020"),
        volume=Decimal(1000),
        trades=100,
        closed=True,
    )


def test_bybit_numbers_become_the_decimals_that_were_written():
    events = parse(BYBIT_TRADE)
    assert isinstance(events, tuple)
    assert [(str(tick.price), str(tick.quantity), tick.side) for tick in events if isinstance(tick, Tick)] == [
        ("60621.5", "4", "SELL"),
        ("60621", "1", "BUY"),
    ]
    assert {(tick.exchange, tick.symbol) for tick in events} == {("bybit", "BTCUSD")}


def test_okx_trades_and_tickers():
    trade, quote = one(OKX_TRADE), one(OKX_TICKER)
    assert isinstance(trade, Tick)
    assert isinstance(quote, Tick)
    assert (trade.exchange, trade.side, trade.time_ns) == ("okx", "BUY", 1652459199958_000_000)
    assert (quote.kind, quote.bid, quote.ask) == ("quote", Decimal("30210.4"), Decimal("30220.1"))


def test_an_okx_ticker_that_nobody_quotes_gives_no_event():
    ticker = {**OKX_TICKER, "data": [{**OKX_TICKER["data"][0], "askPx": ""}]}
    assert parse(ticker) == ()


@pytest.mark.parametrize(
    "frame",
    [
        {"result": None, "id": 1},
        {"e": "depthUpdate", "E": 1, "s": "X", "U": 1, "u": 2, "b": [], "a": []},
        {"stream": "btcusdt@depth5", "data": {"lastUpdateId": 160, "bids": [], "asks": []}},
        {"success": True, "ret_msg": "", "conn_id": "1", "request": {"op": "subscribe", "args": ["trade.BTCUSD"]}},
        {"topic": "orderBookL2_25.BTCUSD", "type": "delta", "data": {"delete": []}},
        {"event": "subscribe", "arg": {"channel": "trades", "instId": "BTC-USDT"}},
        {"arg": {"channel": "books", "instId": "BTC-USDT"}, "action": "update", "data": [{}]},
    ],
)
def test_known_frames_without_events_give_none(frame: object):
    assert parse(frame) == ()


def test_heartbeats_are_no_garbage():
    assert parse_frame("pong", RECEIVED_NS) == ()


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ([1, 2], "a JSON list"),
        ({}, "no members"),
        ({"hello": "world"}, "an object with hello"),
        ({**AGG_TRADE, "p": "NaN"}, "p is 'NaN'"),
        ({**AGG_TRADE, "p": "0"}, "not a price above 0"),
        ({**AGG_TRADE, "p": "-1"}, "p is '-1'"),
        ({**AGG_TRADE, "q": "many"}, "q is 'many'"),
        ({**AGG_TRADE, "T": None}, "T is None"),
        ({**AGG_TRADE, "m": 1}, "m is 1"),
        ({**AGG_TRADE, "s": ""}, "s is ''"),
        ({**KLINE, "k": []}, "k is list"),
        ({**BYBIT_TRADE, "data": [1]}, "data holds a int"),
        ({**BYBIT_TRADE, "data": [{**BYBIT_TRADE["data"][0], "side": "Up"}]}, "side is 'Up'"),
        ({**OKX_TRADE, "data": {}}, "data is dict"),
        ({**OKX_TRADE, "data": [{**OKX_TRADE["data"][0], "side": "up"}]}, "side is 'up'"),
    ],
)
def test_garbage_says_what_is_wrong(frame: object, reason: str):
    parsed = parse(frame)
    assert isinstance(parsed, Garbage)
    assert reason in parsed.reason


@pytest.mark.parametrize("data", ["", "{", b"\xff\xfe", "nonsense"])
def test_what_is_no_json_is_garbage(data: str | bytes):
    assert isinstance(parse_frame(data, RECEIVED_NS), Garbage)


LEAVES = st.sampled_from(
    [None, True, 0, -1, 10**30, 1.5, float("nan"), "", "x", "NaN", "1e999999", "1e-99999999999", "7"]
)
JSON = st.recursive(
    LEAVES,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.sampled_from("spTk"), children, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from([AGG_TRADE, FUTURES_QUOTE, SPOT_QUOTE, KLINE, BYBIT_TRADE, OKX_TRADE, OKX_TICKER]),
    st.dictionaries(st.sampled_from(["e", "s", "p", "q", "T", "m", "b", "a", "k", "topic", "data", "arg"]), JSON),
)
def test_no_frame_can_raise(frame: dict[str, Any], damage: dict[str, Any]):
    """Whatever an exchange sends in place of what it documents comes back as events or as garbage."""
    assert isinstance(parse_frame(json.dumps({**frame, **damage}), RECEIVED_NS), tuple | Garbage)


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="captured exchange traffic (../shared/market_data) is not here")
@pytest.mark.parametrize(
    ("name", "ticks", "bars"),
    [("binance_futures", 704, 67), ("binance_spot", 86, 2), ("bybit_inverse", 150, 0), ("okx", 102, 0)],
)
def test_captured_traffic_is_understood_to_the_last_frame(name: str, ticks: int, bars: int):
    lines = (CAPTURES / f"{name}.capture").read_text().splitlines()
    parsed = [
        parse_frame(line.partition(": ")[2], RECEIVED_NS) for line in lines if line and not line.startswith("wss://")
    ]
    assert [each for each in parsed if isinstance(each, Garbage)] == []
    events = [event for each in parsed if isinstance(each, tuple) for event in each]
    assert (sum(isinstance(event, Tick) for event in events), sum(isinstance(event, Bar) for event in events)) == (
        ticks,
        bars,
    )
