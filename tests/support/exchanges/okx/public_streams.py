"""OKX's public channels: trades, tickers, books, books5, bbo-tbt, candles, mark-price and funding-rate.

https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel
"""

import zlib
from typing import Any

from support.exchanges.amounts import text
from support.exchanges.book import BookChange, Levels
from support.exchanges.candles import due
from support.exchanges.connection import Connection
from support.exchanges.events import BookChanged, Event, TimePassed, Trade
from support.exchanges.market import Listing, Market

from .instruments import interval_name
from .public_rest import book_sides, candle_row, funding, ticker

_DEPTHS = {"books": 400, "books5": 5, "bbo-tbt": 1}
_CHANNELS = {"trades", "tickers", "mark-price", "funding-rate", *_DEPTHS}
_CHECKED_LEVELS = 25
_BUSINESS = "/business"


class PublicStreams:
    """Sends what happens on the market."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def exists(self, connection: Connection, arg: dict[str, str]) -> bool:
        """Whether there is such a channel at this address; candles are at the business one."""
        channel = arg["channel"]
        right = channel.startswith("candle") if connection.path.endswith(_BUSINESS) else channel in _CHANNELS
        return right and self._listing(arg) is not None

    def begin(self, connection: Connection, topic: str, arg: dict[str, str]) -> None:
        """Send what a new subscription begins with."""
        listing = self._listing(arg)
        if listing is None:
            return
        channel = arg["channel"]
        if channel == "books":
            row = book_sides(listing, 400) | self._numbers(listing, -1, listing.book.number)
            connection.send({"arg": arg, "action": "snapshot", "data": [row]}, topic)
        elif channel in _DEPTHS:
            self._send_top(connection, topic, arg, listing)
        elif channel.startswith("candle"):
            self._send_candles(connection, topic, arg, listing)
        elif channel != "trades":
            self._send_state(connection, topic, arg, listing)

    def heard(self, connection: Connection, event: Event) -> None:
        """Send what an event means for this connection's channels."""
        for topic in connection.topics:
            arg = connection.notes[topic]
            listing = self._listing(arg) if _public(arg["channel"]) else None
            if listing is not None:
                self._send(connection, topic, listing, event)

    def _listing(self, arg: dict[str, str]) -> Listing | None:
        for listing in self._market.listings.values():
            if listing.instrument.id == arg.get("instId"):
                return listing
        return None

    def _send(self, connection: Connection, topic: str, listing: Listing, event: Event) -> None:
        arg, instrument = connection.notes[topic], listing.instrument
        channel: str = arg["channel"]
        match event:
            case BookChanged() if event.instrument == instrument and channel == "books":
                row = _changes(event.change) | self._numbers(listing, event.change.previous, event.change.last)
                connection.send({"arg": arg, "action": "update", "data": [row]}, topic)
            case BookChanged() if event.instrument == instrument and channel in _DEPTHS:
                self._send_top(connection, topic, arg, listing)
            case Trade() if event.instrument == instrument and channel == "trades":
                connection.send({"arg": arg, "data": [_trade(event)]}, topic)
            case Trade() if event.instrument == instrument and channel.startswith("candle"):
                self._send_candles(connection, topic, arg, listing)
            case Trade() if event.instrument == instrument and channel not in _DEPTHS:
                self._send_state(connection, topic, arg, listing)
            case TimePassed() if channel.startswith("candle"):
                self._send_candles(connection, topic, arg, listing)
            case _:
                pass

    def _send_top(self, connection: Connection, topic: str, arg: dict[str, str], listing: Listing) -> None:
        now_ms = str(self._market.clock.now_ms())
        row = book_sides(listing, _DEPTHS[arg["channel"]]) | {
            "ts": now_ms, "seqId": listing.book.number, "instId": listing.instrument.id,
        }  # fmt: skip
        connection.send({"arg": arg, "data": [row]}, topic)

    def _send_state(self, connection: Connection, topic: str, arg: dict[str, str], listing: Listing) -> None:
        now_ms, name = str(self._market.clock.now_ms()), listing.instrument.id
        match arg["channel"]:
            case "tickers":
                row = ticker(self._market, listing)
            case "mark-price":
                row = {"instType": "SWAP", "instId": name, "markPx": text(listing.price), "ts": now_ms}
            case _:
                row = funding(self._market, listing)
        connection.send({"arg": arg, "data": [row]}, topic)

    def _send_candles(self, connection: Connection, topic: str, arg: dict[str, str], listing: Listing) -> None:
        interval, now_ms = interval_name(arg["channel"].removeprefix("candle")), self._market.clock.now_ms()
        seen = f"{topic} last"
        for candle, finished in due(listing.candles, interval, connection.notes.get(seen), now_ms):
            connection.notes[seen] = candle.start_ms
            connection.send({"arg": arg, "data": [candle_row(candle, finished=finished)]}, topic)

    def _numbers(self, listing: Listing, previous: int, last: int) -> dict[str, Any]:
        now_ms, sides = str(self._market.clock.now_ms()), book_sides(listing, _CHECKED_LEVELS)
        check = checksum(sides["bids"], sides["asks"])
        return {"ts": now_ms, "checksum": check, "seqId": last, "prevSeqId": previous}


def _public(channel: str) -> bool:
    return channel in _CHANNELS or channel.startswith("candle")


def _rows(levels: Levels) -> list[list[str]]:
    return [[text(price), text(quantity), "0", "1" if quantity else "0"] for price, quantity in levels.items()]


def _changes(change: BookChange) -> dict[str, Any]:
    return {"asks": _rows(change.asks), "bids": _rows(change.bids)}


def checksum(bids: list[list[str]], asks: list[list[str]]) -> int:
    """CRC32 over price and size of the best levels of both sides in turn, as a signed number."""
    parts: list[str] = []
    for depth in range(_CHECKED_LEVELS):
        parts += [f"{level[0]}:{level[1]}" for side in (bids, asks) for level in side[depth : depth + 1]]
    value = zlib.crc32(":".join(parts).encode())
    return value - (1 << 32) if value >= 1 << 31 else value


def _trade(trade: Trade) -> dict[str, Any]:
    return {
        "instId": trade.instrument.id, "tradeId": str(trade.id), "px": text(trade.price), "sz": text(trade.quantity),
        "side": trade.side, "ts": str(trade.at_ms), "count": "1", "source": "0", "seqId": trade.id,
    }  # fmt: skip
