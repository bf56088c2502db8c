"""A seeded market in Binance's spot format: aggTrade, bookTicker and kline_1s frames of a combined stream.

Field names, their order and types (prices and quantities as strings of eight decimals, times in milliseconds) are
Binance's "WebSocket Streams". Each symbol walks around a slow wave, so that moving averages cross again and again. The
same seed and start time give the same frames for ever.
"""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

import orjson

from metaexpert.demo.frame_source import TimedFrame

_DECIMALS = 8
_UNIT = 10**_DECIMALS
_TRADE_SHARE = 0.4
_WAVE_SECONDS = 5.0
_WAVE_SIZE = 0.004
_NOISE = 0.0002
_SECOND_MS = 1000


@dataclass(frozen=True, slots=True)
class SymbolProfile:
    """How a symbol trades: amounts in units of 1e-8."""

    name: str
    price: int
    tick_size: int
    lot: int


PROFILES = (
    SymbolProfile("BTCUSDT", 60_000 * _UNIT, _UNIT // 100, _UNIT // 100_000),
    SymbolProfile("ETHUSDT", 3_000 * _UNIT, _UNIT // 100, _UNIT // 10_000),
    SymbolProfile("SOLUSDT", 150 * _UNIT, _UNIT // 100, _UNIT // 1000),
)


@dataclass(slots=True)
class _Kline:
    """One second of trades, in units of 1e-8."""

    open_ms: int
    open: int
    high: int
    low: int
    close: int
    first_trade: int
    trades: int = 0
    volume: int = 0
    quote_volume: int = 0
    taker_volume: int = 0
    taker_quote_volume: int = 0

    def add(self, price: int, quantity: int, *, buyer_is_maker: bool) -> None:
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        self.trades += 1
        self.volume += quantity
        notional = price * quantity // _UNIT
        self.quote_volume += notional
        if not buyer_is_maker:
            self.taker_volume += quantity
            self.taker_quote_volume += notional


@dataclass(slots=True)
class _Symbol:
    profile: SymbolProfile
    phase: float
    trade_ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    update_ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    kline: _Kline | None = None

    def price(self, offset_seconds: float, random: Random) -> int:
        wave = math.sin(self.phase + 2 * math.pi * offset_seconds / _WAVE_SECONDS) * _WAVE_SIZE
        price = round(self.profile.price * (1 + wave + random.gauss(0, _NOISE)))
        return price - price % self.profile.tick_size


class MarketSimulator:
    """Frames of a few symbols, `frames_per_second` of them and klines beside.

    Args:
        seed: Everything random follows from it.
        frames_per_second: Trades and quotes of all symbols together.
        start_ms: The first frame's time, milliseconds since the epoch.
    """

    def __init__(self, *, seed: int, frames_per_second: float, start_ms: int) -> None:
        self._random = Random(seed)  # noqa: S311  a market, not a secret
        self._interval_seconds = 1 / frames_per_second
        self._start_ms = start_ms
        self._symbols = [_Symbol(profile, self._random.uniform(0, 2 * math.pi)) for profile in PROFILES]

    def frames(self) -> Iterator[TimedFrame]:
        """Frames without end, in order of time."""
        for number in itertools.count():
            offset_seconds = number * self._interval_seconds
            time_ms = self._start_ms + round(offset_seconds * 1000)
            for symbol in self._symbols:
                if (closed := _close_kline(symbol, time_ms)) is not None:
                    yield TimedFrame(offset_seconds, closed)
            symbol = self._random.choice(self._symbols)
            is_trade = self._random.random() < _TRADE_SHARE
            text = self._trade(symbol, offset_seconds, time_ms) if is_trade else self._quote(symbol, offset_seconds)
            yield TimedFrame(offset_seconds, text)

    def _trade(self, symbol: _Symbol, offset_seconds: float, time_ms: int) -> str:
        price = symbol.price(offset_seconds, self._random)
        quantity = symbol.profile.lot * self._random.randint(1, 500)
        buyer_is_maker = self._random.random() < 0.5  # noqa: PLR2004  a coin
        trade_id = next(symbol.trade_ids)
        if symbol.kline is None:
            symbol.kline = _Kline(time_ms - time_ms % _SECOND_MS, price, price, price, price, trade_id)
        symbol.kline.add(price, quantity, buyer_is_maker=buyer_is_maker)
        payload = {
            "e": "aggTrade",
            "E": time_ms,
            "s": symbol.profile.name,
            "a": trade_id,
            "p": _decimal(price),
            "q": _decimal(quantity),
            "f": trade_id,
            "l": trade_id,
            "T": time_ms,
            "m": buyer_is_maker,
            "M": True,
        }
        return _envelope(symbol, "aggTrade", payload)

    def _quote(self, symbol: _Symbol, offset_seconds: float) -> str:
        bid = symbol.price(offset_seconds, self._random)
        payload = {
            "u": next(symbol.update_ids),
            "s": symbol.profile.name,
            "b": _decimal(bid),
            "B": _decimal(symbol.profile.lot * self._random.randint(1, 5000)),
            "a": _decimal(bid + symbol.profile.tick_size),
            "A": _decimal(symbol.profile.lot * self._random.randint(1, 5000)),
        }
        return _envelope(symbol, "bookTicker", payload)


def _close_kline(symbol: _Symbol, time_ms: int) -> str | None:
    """The frame of the kline whose second is over at `time_ms`, if there is one."""
    kline = symbol.kline
    if kline is None or time_ms < kline.open_ms + _SECOND_MS:
        return None
    symbol.kline = None
    body = {
        "t": kline.open_ms,
        "T": kline.open_ms + _SECOND_MS - 1,
        "s": symbol.profile.name,
        "i": "1s",
        "f": kline.first_trade,
        "L": kline.first_trade + kline.trades - 1,
        "o": _decimal(kline.open),
        "c": _decimal(kline.close),
        "h": _decimal(kline.high),
        "l": _decimal(kline.low),
        "v": _decimal(kline.volume),
        "n": kline.trades,
        "x": True,
        "q": _decimal(kline.quote_volume),
        "V": _decimal(kline.taker_volume),
        "Q": _decimal(kline.taker_quote_volume),
        "B": "0",
    }
    payload = {"e": "kline", "E": kline.open_ms + _SECOND_MS, "s": symbol.profile.name, "k": body}
    return _envelope(symbol, "kline_1s", payload)


def _envelope(symbol: _Symbol, stream: str, payload: Mapping[str, object]) -> str:
    return orjson.dumps({"stream": f"{symbol.profile.name.lower()}@{stream}", "data": payload}).decode()


def _decimal(units: int) -> str:
    whole, fraction = divmod(units, _UNIT)
    return f"{whole}.{fraction:0{_DECIMALS}d}"
