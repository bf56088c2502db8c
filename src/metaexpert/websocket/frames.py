"""One websocket frame in, market events out; what is no frame of ours comes back as a value that says why.

Understood, told apart by their shape: Binance spot and USD-M futures (aggTrade, trade, bookTicker, kline; raw or in
the combined stream's envelope), Bybit's inverse v2 trades, OKX v5 trades and tickers. Order books, subscription
answers and heartbeats are known and give no events.
"""

from dataclasses import dataclass
from typing import cast

import orjson

from metaexpert.core.events import MarketEvent
from metaexpert.websocket.formats import binance, bybit, okx
from metaexpert.websocket.formats.fields import Fields, Json, MalformedFieldError

HEARTBEATS = frozenset({"ping", "pong", b"ping", b"pong"})
_FORMATS = (binance, bybit, okx)


@dataclass(frozen=True, slots=True)
class Garbage:
    """A frame that could not be understood, and why."""

    reason: str


def parse_frame(data: str | bytes, received_ns: int) -> tuple[MarketEvent, ...] | Garbage:
    """Parse one frame. Never raises.

    Args:
        data: The frame as received.
        received_ns: When it came, UTC nanoseconds; the time of events whose exchange sends none.
    """
    if data in HEARTBEATS:
        return ()
    try:
        value = cast("Json", orjson.loads(data))
    except orjson.JSONDecodeError as error:
        return Garbage(f"not JSON: {error}")
    if not isinstance(value, dict):
        return Garbage(f"a JSON {type(value).__name__} where an object was expected")
    try:
        return _parse(Fields(value), received_ns)
    except MalformedFieldError as error:
        return Garbage(str(error))


def _parse(frame: Fields, received_ns: int) -> tuple[MarketEvent, ...] | Garbage:
    for exchange_format in _FORMATS:
        events = exchange_format.parse(frame, received_ns)
        if events is not None:
            return events
    return Garbage(f"no known frame: an object with {', '.join(sorted(frame.names())[:8]) or 'no members'}")
