"""What the market last said: quotes, books, bars and volumes by symbol. Synchronous, without a clock of its own."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from metaexpert.core.bars import BarBuilder, timeframe_seconds
from metaexpert.core.events import Bar, Book, Funding, MarketEvent, Tick

_DAY_NS: Final = 86_400 * 10**9
_NS: Final = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The last prices of one symbol; bid and ask are None until the market has said them."""

    price: Decimal
    bid: Decimal | None
    ask: Decimal | None
    time_ns: int

    @property
    def spread_pct(self) -> Decimal | None:
        """The spread in percent of the middle; None while a side is unknown."""
        if self.bid is None or self.ask is None or self.bid + self.ask <= 0:
            return None
        return (self.ask - self.bid) * 200 / (self.ask + self.bid)


@dataclass(slots=True)
class _Volume:
    """Quote volume of the last 24 hours, from closed bars."""

    bars: deque[tuple[int, Decimal]] = field(default_factory=deque[tuple[int, Decimal]])
    total: Decimal = Decimal(0)

    def add(self, bar: Bar) -> None:
        self.bars.append((bar.close_time_ns, bar.volume * bar.close))
        self.total += self.bars[-1][1]
        while self.bars[0][0] <= bar.close_time_ns - _DAY_NS:
            self.total -= self.bars.popleft()[1]

    @property
    def is_whole_day(self) -> bool:
        """Whether the bars reach back a day."""
        return bool(self.bars) and self.bars[-1][0] - self.bars[0][0] >= _DAY_NS * 9 // 10


class MarketMemory:
    """Takes market events and keeps what handlers and risk rules ask for.

    Args:
        timeframes: of the bars that are built and kept.
        lookback_bars: how many closed ones are kept of each.
    """

    def __init__(self, timeframes: Sequence[str], lookback_bars: int) -> None:
        self.quotes: dict[str, Quote] = {}
        self.books: dict[str, Book] = {}
        self._builders = {timeframe: BarBuilder(timeframe) for timeframe in timeframes}
        self.lookback_bars = lookback_bars
        self._bars: dict[tuple[str, str], deque[Bar]] = {}
        self._volumes: dict[str, _Volume] = {}
        self._volume_timeframe = max(timeframes, key=timeframe_seconds) if timeframes else ""
        self.now_ns = 0

    @property
    def late(self) -> int:
        """Events that came too late for their bar."""
        return sum(builder.late for builder in self._builders.values())

    def add(self, event: MarketEvent) -> list[Bar]:
        """Take an event; the bars that it closed."""
        self.now_ns = max(self.now_ns, event.close_time_ns if isinstance(event, Bar) else event.time_ns)
        match event:
            case Tick():
                self._tick(event)
            case Book():
                self._book(event)
            case Bar():
                self.quotes[event.symbol] = self._quote(event.symbol, event.close, event.close_time_ns)
            case Funding():
                return []
        closed = [bar for builder in self._builders.values() if (bar := builder.add(event)) is not None]
        for bar in closed:
            self.remember(bar)
        return closed

    def remember(self, bar: Bar) -> None:
        """Keep a closed bar, also one of the history that was loaded before the start."""
        bars = self._bars.setdefault((bar.symbol, bar.timeframe), deque(maxlen=max(1, self.lookback_bars)))
        if bars and bars[-1].open_time_ns >= bar.open_time_ns:
            return
        bars.append(bar)
        if bar.timeframe == self._volume_timeframe:
            self._volumes.setdefault(bar.symbol, _Volume()).add(bar)

    def bars(self, symbol: str, timeframe: str) -> Sequence[Bar]:
        """Closed bars, oldest first."""
        return self._bars.get((symbol, timeframe), ())

    def quote_volume_24h(self, symbol: str) -> Decimal | None:
        """What was traded in the last 24 hours, in the quote; None while less than that is known."""
        volume = self._volumes.get(symbol)
        return volume.total if volume is not None and volume.is_whole_day else None

    def _tick(self, tick: Tick) -> None:
        former = self.quotes.get(tick.symbol)
        if tick.kind == "trade" and former is not None:
            self.quotes[tick.symbol] = replace(former, price=tick.price, time_ns=tick.time_ns)
            return
        price = former.price if tick.kind == "quote" and former is not None else tick.price
        self.quotes[tick.symbol] = Quote(price=price, bid=tick.bid, ask=tick.ask, time_ns=tick.time_ns)

    def _book(self, book: Book) -> None:
        self.books[book.symbol] = book
        if book.bids and book.asks:
            bid, ask = book.bids[0][0], book.asks[0][0]
            former = self.quotes.get(book.symbol)
            price = (bid + ask) / 2 if former is None else former.price
            self.quotes[book.symbol] = Quote(price=price, bid=bid, ask=ask, time_ns=book.time_ns)

    def _quote(self, symbol: str, price: Decimal, time_ns: int) -> Quote:
        former = self.quotes.get(symbol)
        return Quote(price=price, bid=former and former.bid, ask=former and former.ask, time_ns=time_ns)
