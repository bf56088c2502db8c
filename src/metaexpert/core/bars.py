"""Closed bars of one timeframe, out of trades or out of an exchange's own bars.

Per symbol, the exchange's bars win: from its first one on, trades build nothing. A trade that belongs to a bar
already closed is counted in `late` and changes nothing. Quotes build no bars.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from metaexpert.core.events import Bar, Book, Funding, MarketEvent, Tick
from metaexpert.exceptions import MetaExpertError

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_NS = 1_000_000_000


def timeframe_seconds(timeframe: str) -> int:
    """Seconds of a timeframe such as `1s`, `5m`, `4h`, `1d`, `1w`.

    Raises:
        MetaExpertError: `timeframe` is none.
    """
    match = re.fullmatch(r"([1-9]\d{0,3})([smhdw])", timeframe)
    if match is None:
        raise MetaExpertError(f"timeframe {timeframe!r} is not a number and one of s, m, h, d, w, for instance '5m'")
    return int(match[1]) * _UNIT_SECONDS[match[2]]


@dataclass(slots=True)
class _Forming:
    """A bar while trades still change it."""

    open_time_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = Decimal(0)
    trades: int = 0

    def add(self, tick: Tick) -> None:
        self.high = max(self.high, tick.price)
        self.low = min(self.low, tick.price)
        self.close = tick.price
        self.volume += tick.quantity
        self.trades += 1


class BarBuilder:
    """Turns events into closed bars of one timeframe, for any number of symbols."""

    def __init__(self, timeframe: str) -> None:
        self.timeframe = timeframe
        self.late = 0
        self._length_ns = timeframe_seconds(timeframe) * _NS
        self._forming: dict[tuple[str, str], _Forming] = {}
        self._from_exchange: dict[tuple[str, str], int] = {}

    def add(self, event: MarketEvent) -> Bar | None:
        """Take one event; the bar that it closed, if it closed one."""
        key = (event.exchange, event.symbol)
        match event:
            case Bar():
                return self._add_bar(key, event)
            case Tick(kind="trade") if key not in self._from_exchange:
                return self._add_trade(key, event)
            case Tick() | Book() | Funding():
                return None

    def flush(self) -> Iterator[Bar]:
        """Close and give what is still forming, as it is."""
        forming, self._forming = self._forming, {}
        return (self._close(key, bar) for key, bar in forming.items())

    def _add_bar(self, key: tuple[str, str], bar: Bar) -> Bar | None:
        if bar.timeframe != self.timeframe:
            return None
        self._forming.pop(key, None)
        newest_ns = self._from_exchange.setdefault(key, -1)
        if not bar.closed:
            return None
        if bar.open_time_ns <= newest_ns:
            self.late += 1
            return None
        self._from_exchange[key] = bar.open_time_ns
        return bar

    def _add_trade(self, key: tuple[str, str], tick: Tick) -> Bar | None:
        open_time_ns = tick.time_ns - tick.time_ns % self._length_ns
        forming = self._forming.get(key)
        if forming is not None and open_time_ns < forming.open_time_ns:
            self.late += 1
            return None
        closed = None
        if forming is None or open_time_ns > forming.open_time_ns:
            closed = None if forming is None else self._close(key, forming)
            forming = self._forming[key] = _Forming(open_time_ns, tick.price, tick.price, tick.price, tick.price)
        forming.add(tick)
        return closed

    def _close(self, key: tuple[str, str], bar: _Forming) -> Bar:
        return Bar(
            exchange=key[0],
            symbol=key[1],
            timeframe=self.timeframe,
            open_time_ns=bar.open_time_ns,
            close_time_ns=bar.open_time_ns + self._length_ns,
            open=bar.open,
            high=bar.high,
            low=bar.low,
            close=bar.close,
            volume=bar.volume,
            trades=bar.trades,
            closed=True,
        )
