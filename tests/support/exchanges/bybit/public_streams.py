"""Bybit's public streams: publicTrade, orderbook, tickers and kline, a websocket address for each category.

https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook
"""

from decimal import Decimal
from typing import Any

from support.exchanges.amounts import text
from support.exchanges.book import BookChange
from support.exchanges.candles import Candle, due, interval_ms
from support.exchanges.connection import Connection
from support.exchanges.events import BookChanged, Event, TimePassed, Trade
from support.exchanges.instruments import Instrument, Kind
from support.exchanges.market import Listing, Market

from .instruments import interval_name
from .public_rest import ticker

_STREAMS = ("orderbook.", "tickers.", "kline.", "publicTrade.")
_CONTRACT_CHANGES = ("lastPrice", "bid1Price", "bid1Size", "ask1Price", "ask1Size", "markPrice", "indexPrice")


class PublicStreams:
    """Takes subscriptions and sends what happens on the market."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def exists(self, connection: Connection, topic: str) -> bool:
        """Whether there is such a topic at this address."""
        return topic.startswith(_STREAMS) and self._listing(connection, topic) is not None

    def begin(self, connection: Connection, topic: str) -> None:
        """Send what a new subscription begins with."""
        listing = self._listing(connection, topic)
        if listing is None:
            return
        if topic.startswith("orderbook."):
            connection.send(_snapshot(topic, listing, self._market.clock.now_ms()), topic)
        elif topic.startswith("tickers."):
            self._send_ticker(connection, topic, listing, "snapshot")
        elif topic.startswith("kline."):
            self._send_candles(connection, topic, listing)

    def heard(self, connection: Connection, event: Event) -> None:
        """Send what an event means for this connection's topics."""
        for topic in connection.topics:
            listing = self._listing(connection, topic)
            if listing is not None:
                self._send(connection, topic, listing, event)

    def _listing(self, connection: Connection, topic: str) -> Listing | None:
        category, symbol = connection.path.rpartition("/")[2], topic.rpartition(".")[2]
        for listing in self._market.listings.values():
            if listing.instrument.kind.value == category and listing.instrument.id == symbol:
                return listing
        return None

    def _send(self, connection: Connection, topic: str, listing: Listing, event: Event) -> None:
        stream, instrument = topic.partition(".")[0], listing.instrument
        match event:
            case BookChanged() if event.instrument == instrument and stream == "orderbook":
                connection.send(_book(topic, listing, event.change), topic)
            case Trade() if event.instrument == instrument and stream == "publicTrade":
                connection.send(_trade(topic, event), topic)
            case Trade() if event.instrument == instrument and stream == "tickers":
                self._send_ticker(connection, topic, listing, "delta")
            case Trade() if event.instrument == instrument and stream == "kline":
                self._send_candles(connection, topic, listing)
            case TimePassed() if stream == "kline":
                self._send_candles(connection, topic, listing)
            case _:
                pass

    def _send_ticker(self, connection: Connection, topic: str, listing: Listing, kind: str) -> None:
        row = ticker(self._market, listing)
        if listing.instrument.kind is Kind.SPOT:
            kind = "snapshot"
            row = {name: value for name, value in row.items() if not name.startswith(("bid1", "ask1"))}
        elif kind == "delta":
            row = {name: row[name] for name in ("symbol", *_CONTRACT_CHANGES)}
        now_ms = self._market.clock.now_ms()
        frame = {"topic": topic, "type": kind, "data": row, "cs": listing.book.number, "ts": now_ms}
        connection.send(frame, topic)

    def _send_candles(self, connection: Connection, topic: str, listing: Listing) -> None:
        name, now_ms = topic.split(".")[1], self._market.clock.now_ms()
        for candle, finished in due(listing.candles, interval_name(name), connection.notes.get(topic), now_ms):
            connection.notes[topic] = candle.start_ms
            row = _kline(name, candle, now_ms, finished=finished)
            connection.send({"type": "snapshot", "topic": topic, "data": [row], "ts": now_ms}, topic)


def _sides(bids: list[tuple[Decimal, Decimal]], asks: list[tuple[Decimal, Decimal]]) -> dict[str, Any]:
    return {"b": [[text(p), text(q)] for p, q in bids], "a": [[text(p), text(q)] for p, q in asks]}


def _frame(topic: str, kind: str, sides: dict[str, Any], *, instrument: Instrument, number: int, at_ms: int) -> Any:
    data = {"s": instrument.id, **sides, "u": number // 3, "seq": number}
    return {"topic": topic, "type": kind, "ts": at_ms, "data": data, "cts": at_ms}


def _snapshot(topic: str, listing: Listing, now_ms: int) -> Any:
    sides = _sides(*listing.book.top(int(topic.split(".")[1])))
    return _frame(topic, "snapshot", sides, instrument=listing.instrument, number=listing.book.number, at_ms=now_ms)


def _book(topic: str, listing: Listing, change: BookChange) -> Any:
    if topic.startswith("orderbook.1."):
        return _snapshot(topic, listing, change.at_ms)
    sides = _sides(list(change.bids.items()), list(change.asks.items()))
    return _frame(topic, "delta", sides, instrument=listing.instrument, number=change.last, at_ms=change.at_ms)


def _trade(topic: str, trade: Trade) -> Any:
    row = {
        "T": trade.at_ms, "s": trade.instrument.id, "S": trade.side.capitalize(), "v": text(trade.quantity),
        "p": text(trade.price), "L": "PlusTick" if trade.side == "buy" else "MinusTick", "i": str(trade.id),
        "BT": False, "RPI": False, "seq": trade.id,
    }  # fmt: skip
    return {"topic": topic, "type": "snapshot", "ts": trade.at_ms, "data": [row]}


def _kline(name: str, candle: Candle, now_ms: int, *, finished: bool) -> dict[str, Any]:
    return {
        "start": candle.start_ms, "end": candle.start_ms + interval_ms(interval_name(name)) - 1, "interval": name,
        "open": text(candle.open), "close": text(candle.close), "high": text(candle.high), "low": text(candle.low),
        "volume": text(candle.volume), "turnover": text(candle.volume * candle.close), "confirm": finished,
        "timestamp": now_ms,
    }  # fmt: skip
