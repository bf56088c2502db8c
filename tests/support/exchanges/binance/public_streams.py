"""Binance's market streams: trade, aggTrade, kline, ticker, miniTicker, bookTicker, depth and markPrice.

https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
"""

from typing import Any

import orjson
from support.exchanges.amounts import text
from support.exchanges.book import BookChange
from support.exchanges.candles import Candle, due, interval_ms
from support.exchanges.connection import Connection
from support.exchanges.events import BookChanged, Event, TimePassed, Trade
from support.exchanges.instruments import Instrument, Kind
from support.exchanges.market import Listing, Market

_FUTURES_PATHS = ("/public/", "/market/", "/private/")
_SENT_AT_ONCE = ("ticker", "miniTicker", "bookTicker", "kline", "markPrice")


def kind_at(path: str) -> Kind:
    """Which market a stream address belongs to."""
    return Kind.LINEAR if path.startswith(_FUTURES_PATHS) else Kind.SPOT


class PublicStreams:
    """Takes subscriptions and sends what happens on the market."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def told(self, connection: Connection, text_frame: str) -> None:
        """Answer a request for streams."""
        try:
            frame = orjson.loads(text_frame)
        except orjson.JSONDecodeError:
            error = {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}
            connection.send({"error": error})
            return
        names: list[str] = frame.get("params", [])
        if frame.get("method") == "UNSUBSCRIBE":
            connection.topics[:] = [topic for topic in connection.topics if topic not in names]
        elif frame.get("method") == "SUBSCRIBE":
            connection.topics.extend(name for name in names if name not in connection.topics)
        connection.send({"result": None, "id": frame.get("id")})
        if frame.get("method") == "SUBSCRIBE":
            self._begin(connection, names)

    def heard(self, connection: Connection, event: Event) -> None:
        """Send what an event means for this connection's streams."""
        match event:
            case Trade():
                self._traded(connection, event)
            case BookChanged():
                self._book_changed(connection, event)
            case TimePassed():
                self._begin(connection, [t for t in connection.topics if "@kline" in t])
            case _:
                pass

    def _begin(self, connection: Connection, names: list[str]) -> None:
        for topic in names:
            symbol, _, stream = topic.partition("@")
            for listing in self._market.listings.values():
                wanted = listing.instrument.kind is kind_at(connection.path)
                if wanted and listing.instrument.id.lower() == symbol and stream.startswith(_SENT_AT_ONCE):
                    self._send(connection, topic, listing, None)

    def _traded(self, connection: Connection, trade: Trade) -> None:
        listing = self._market.listings[trade.instrument]
        for topic in self._topics(connection, trade.instrument):
            if "@bookTicker" not in topic:
                self._send(connection, topic, listing, trade)

    def _book_changed(self, connection: Connection, event: BookChanged) -> None:
        listing = self._market.listings[event.instrument]
        for topic in self._topics(connection, event.instrument):
            if "@depth" in topic:
                connection.send(_depth(event.instrument, event.change), topic)
            elif "@bookTicker" in topic:
                self._send(connection, topic, listing, None)

    def _topics(self, connection: Connection, instrument: Instrument) -> list[str]:
        if instrument.kind is not kind_at(connection.path):
            return []
        return [topic for topic in connection.topics if topic.startswith(f"{instrument.id.lower()}@")]

    def _send(self, connection: Connection, topic: str, listing: Listing, trade: Trade | None) -> None:
        stream = topic.partition("@")[2].partition("@")[0]
        now_ms = self._market.clock.now_ms()
        if stream.startswith("kline_"):
            self._send_candles(connection, topic, listing, stream.removeprefix("kline_"))
        elif stream == "ticker":
            connection.send(_ticker(self._market, listing), topic)
        elif stream == "miniTicker":
            connection.send(_mini_ticker(self._market, listing), topic)
        elif stream == "bookTicker":
            connection.send(_book_ticker(listing, now_ms), topic)
        elif stream == "markPrice":
            connection.send(_mark_price(self._market, listing), topic)
        elif trade is not None and stream == "trade":
            connection.send(_trade(trade), topic)
        elif trade is not None and stream == "aggTrade":
            connection.send(_aggregate(trade), topic)

    def _send_candles(self, connection: Connection, topic: str, listing: Listing, interval: str) -> None:
        now_ms = self._market.clock.now_ms()
        for candle, finished in due(listing.candles, interval, connection.notes.get(topic), now_ms):
            connection.notes[topic] = candle.start_ms
            connection.send(_kline(listing.instrument, interval, candle, now_ms, finished=finished), topic)


def _levels(levels: dict[Any, Any]) -> list[list[str]]:
    return [[text(price), text(quantity)] for price, quantity in levels.items()]


def _depth(instrument: Instrument, change: BookChange) -> dict[str, Any]:
    frame: dict[str, Any] = {
        "e": "depthUpdate", "E": change.at_ms, "s": instrument.id, "U": change.first, "u": change.last,
    }  # fmt: skip
    if instrument.kind is Kind.LINEAR:
        frame |= {"T": change.at_ms, "pu": change.previous}
    return frame | {"b": _levels(change.bids), "a": _levels(change.asks)}


def _trade(trade: Trade) -> dict[str, Any]:
    frame: dict[str, Any] = {
        "e": "trade", "E": trade.at_ms, "T": trade.at_ms, "s": trade.instrument.id, "t": trade.id,
        "p": text(trade.price), "q": text(trade.quantity), "m": trade.side == "sell",
    }  # fmt: skip
    return frame | ({"M": True} if trade.instrument.kind is Kind.SPOT else {"X": "MARKET"})


def _aggregate(trade: Trade) -> dict[str, Any]:
    frame: dict[str, Any] = {
        "e": "aggTrade", "E": trade.at_ms, "s": trade.instrument.id, "a": trade.id, "p": text(trade.price),
        "q": text(trade.quantity), "f": trade.id, "l": trade.id, "T": trade.at_ms, "m": trade.side == "sell",
    }  # fmt: skip
    return frame | ({"M": True} if trade.instrument.kind is Kind.SPOT else {})


def _ticker(market: Market, listing: Listing) -> dict[str, Any]:
    day, (bids, asks) = market.day(listing), listing.book.top(1)
    frame: dict[str, Any] = {
        "e": "24hrTicker", "E": day.closed_ms, "s": listing.instrument.id, "p": text(day.last - day.open),
        "P": text((day.last - day.open) / day.open * 100), "w": text(day.turnover / day.volume), "c": text(day.last),
        "Q": "1", "o": text(day.open), "h": text(day.high), "l": text(day.low), "v": text(day.volume),
        "q": text(day.turnover), "O": day.opened_ms, "C": day.closed_ms, "F": 1, "L": day.trades, "n": day.trades,
    }  # fmt: skip
    if listing.instrument.kind is Kind.SPOT:
        (bid, bid_size), (ask, ask_size) = bids[0], asks[0]
        frame |= {"x": text(day.open), "b": text(bid), "B": text(bid_size), "a": text(ask), "A": text(ask_size)}
    return frame


def _mini_ticker(market: Market, listing: Listing) -> dict[str, Any]:
    day = market.day(listing)
    return {
        "e": "24hrMiniTicker", "E": day.closed_ms, "s": listing.instrument.id, "c": text(day.last),
        "o": text(day.open), "h": text(day.high), "l": text(day.low), "v": text(day.volume), "q": text(day.turnover),
    }  # fmt: skip


def _book_ticker(listing: Listing, now_ms: int) -> dict[str, Any]:
    bids, asks = listing.book.top(1)
    frame: dict[str, Any] = {
        "u": listing.book.number, "s": listing.instrument.id, "b": text(bids[0][0]), "B": text(bids[0][1]),
        "a": text(asks[0][0]), "A": text(asks[0][1]),
    }  # fmt: skip
    return frame if listing.instrument.kind is Kind.SPOT else {"e": "bookTicker", "T": now_ms, "E": now_ms, **frame}


def _mark_price(market: Market, listing: Listing) -> dict[str, Any]:
    price = text(listing.price)
    return {
        "e": "markPriceUpdate", "E": market.clock.now_ms(), "s": listing.instrument.id, "p": price, "i": price,
        "P": price, "r": text(listing.funding_rate), "T": market.next_funding_ms(),
    }  # fmt: skip


def _kline(instrument: Instrument, interval: str, candle: Candle, now_ms: int, *, finished: bool) -> dict[str, Any]:
    worth = text(candle.volume * candle.close)
    kline: dict[str, Any] = {
        "t": candle.start_ms, "T": candle.start_ms + interval_ms(interval) - 1, "s": instrument.id, "i": interval,
        "f": 100, "L": 200, "o": text(candle.open), "c": text(candle.close), "h": text(candle.high),
        "l": text(candle.low), "v": text(candle.volume), "n": candle.trades, "x": finished, "q": worth,
        "V": text(candle.volume / 2), "Q": worth, "B": "0",
    }  # fmt: skip
    return {"e": "kline", "E": now_ms, "s": instrument.id, "k": kline}
