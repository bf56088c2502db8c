"""Candles of one instrument: what the test laid down, what was traded since, and a gentle wave before that."""

import math
from dataclasses import dataclass, field
from decimal import Decimal

from .instruments import Instrument

_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_WAVE_VOLUME = Decimal(5)


def interval_ms(name: str) -> int:
    """The length of an interval that is named as ccxt names it, `1m` or `4h`.

    Raises:
        KeyError: the unit is none of s, m, h, d, w.
    """
    return int(name[:-1]) * _UNITS_MS[name[-1]]


@dataclass(slots=True)
class Candle:
    """Open, high, low, close and traded quantity from `start_ms` on."""

    start_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trades: int = 0

    def add(self, price: Decimal, quantity: Decimal) -> None:
        """Count one trade."""
        self.high, self.low, self.close = max(self.high, price), min(self.low, price), price
        self.volume += quantity
        self.trades += 1


def _flat(start_ms: int, price: Decimal) -> Candle:
    return Candle(start_ms, price, price, price, price, Decimal(0))


@dataclass(slots=True)
class Candles:
    """Everything that is known of one instrument's prices over time."""

    instrument: Instrument
    born_ms: int
    trades: list[tuple[int, Decimal, Decimal]] = field(default_factory=list[tuple[int, Decimal, Decimal]])
    laid: dict[str, dict[int, Candle]] = field(default_factory=dict[str, dict[int, Candle]])

    def lay(self, interval: str, closes: list[Decimal], now_ms: int) -> None:
        """Give the last finished candles these closes, the latest one last."""
        length = interval_ms(interval)
        start = now_ms // length * length - len(closes) * length
        before = closes[0]
        known = self.laid.setdefault(interval, {})
        for number, close in enumerate(closes):
            begins = start + number * length
            known[begins] = Candle(begins, before, max(before, close), min(before, close), close, _WAVE_VOLUME, 5)
            before = close

    def between(self, interval: str, start_ms: int, end_ms: int) -> list[Candle]:
        """The candles that begin within both times."""
        length = interval_ms(interval)
        first = -(-start_ms // length) * length
        return [self.at(interval, begins) for begins in range(first, end_ms + 1, length)]

    def latest(self, interval: str, count: int, now_ms: int) -> list[Candle]:
        """The last ones; the very last is not finished."""
        length = interval_ms(interval)
        current = now_ms // length * length
        return self.between(interval, current - (count - 1) * length, current)

    def at(self, interval: str, begins_ms: int) -> Candle:
        """The candle that begins there."""
        length = interval_ms(interval)
        known = self.laid.get(interval, {}).get(begins_ms)
        if known:
            return known
        inside = [trade for trade in self.trades if begins_ms <= trade[0] < begins_ms + length]
        if not inside:
            return self._untraded(begins_ms, length)
        candle = _flat(begins_ms, self._price_before(begins_ms) or inside[0][1])
        for _, price, quantity in inside:
            candle.add(price, quantity)
        return candle

    def _untraded(self, begins_ms: int, length: int) -> Candle:
        price = self._price_before(begins_ms)
        if price is None and begins_ms + length > self.born_ms:
            price = self.instrument.first_price
        if price is not None:
            return _flat(begins_ms, price)
        opened, closed = self._wave(begins_ms), self._wave(begins_ms + length)
        return Candle(begins_ms, opened, max(opened, closed), min(opened, closed), closed, _WAVE_VOLUME, 5)

    def _price_before(self, at_ms: int) -> Decimal | None:
        if at_ms < self.born_ms:
            return None
        earlier = [price for time_ms, price, _ in self.trades if time_ms < at_ms]
        return earlier[-1] if earlier else self.instrument.first_price

    def _wave(self, at_ms: int) -> Decimal:
        swing = Decimal(round(math.sin(at_ms / 1_800_000) * 1_000)) / 100_000
        price = self.instrument.first_price * (1 + swing)
        return (price / self.instrument.tick).to_integral_value() * self.instrument.tick


def due(candles: Candles, interval: str, last_start_ms: int | None, now_ms: int) -> list[tuple[Candle, bool]]:
    """What a stream sends of an interval now, and which of it is finished."""
    length = interval_ms(interval)
    current = now_ms // length * length
    finished = range(current if last_start_ms is None else last_start_ms, current, length)
    return [(candles.at(interval, start), True) for start in finished] + [(candles.at(interval, current), False)]
