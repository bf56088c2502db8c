"""The simulated market: the same seed gives the same frames, and they are Binance's."""

import itertools

import orjson

from metaexpert.core.events import Bar, MarketEvent, Tick
from metaexpert.demo.frame_source import TimedFrame
from metaexpert.demo.simulator import MarketSimulator
from metaexpert.websocket.frames import parse_frame

START_MS = 1_700_000_000_000


def frames(seed: int, count: int) -> list[TimedFrame]:
    simulator = MarketSimulator(seed=seed, frames_per_second=200, start_ms=START_MS)
    return list(itertools.islice(simulator.frames(), count))


def test_a_seed_decides_everything():
    assert frames(7, 500) == frames(7, 500)
    assert frames(7, 500) != frames(8, 500)


def test_every_frame_is_understood_and_in_order_of_time():
    played = frames(1, 2000)
    offsets = [frame.offset_seconds for frame in played]
    assert offsets == sorted(offsets)
    events = [event for frame in played for event in _parsed(frame)]
    assert len(events) == len(played)
    assert {event.kind for event in events if isinstance(event, Tick)} == {"trade", "quote"}
    assert {event.timeframe for event in events if isinstance(event, Bar)} == {"1s"}


def test_klines_sum_up_the_trades_of_their_second():
    events = [event for frame in frames(3, 3000) for event in _parsed(frame)]
    bars = [event for event in events if isinstance(event, Bar)]
    assert len(bars) > 20
    for bar in bars:
        trades = [
            tick
            for tick in events
            if isinstance(tick, Tick)
            and (tick.kind, tick.symbol) == ("trade", bar.symbol)
            and bar.open_time_ns <= tick.time_ns < bar.close_time_ns
        ]
        prices = [tick.price for tick in trades]
        assert (bar.open, bar.close, bar.high, bar.low) == (prices[0], prices[-1], max(prices), min(prices))
        assert (bar.trades, bar.volume) == (len(trades), sum(tick.quantity for tick in trades))


def test_field_names_and_types_are_binances():
    by_stream = {
        orjson.loads(frame.text)["stream"].partition("@")[2]: orjson.loads(frame.text)["data"]
        for frame in frames(5, 1000)
    }
    assert list(by_stream["aggTrade"]) == ["e", "E", "s", "a", "p", "q", "f", "l", "T", "m", "M"]
    assert list(by_stream["bookTicker"]) == ["u", "s", "b", "B", "a", "A"]
    assert list(by_stream["kline_1s"]["k"]) == list("tTsifLocHlvnxqVQB".replace("H", "h"))
    assert {type(by_stream["aggTrade"][name]) for name in ("p", "q")} == {str}


def _parsed(frame: TimedFrame) -> tuple[MarketEvent, ...]:
    parsed = parse_frame(frame.text, 0)
    assert isinstance(parsed, tuple), parsed
    return parsed
