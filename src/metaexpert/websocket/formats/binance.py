"""Binance spot and USD-M futures market streams.

Sources: Binance's "WebSocket Streams" (spot) and "Websocket Market Streams" (USD-M futures): aggTrade, trade,
bookTicker and kline payloads; `{"stream": …, "data": …}` around them on a combined stream. The spot bookTicker has
no event type and no time.
"""

from metaexpert.core.events import Bar, MarketEvent, Tick
from metaexpert.websocket.formats.fields import NS_PER_MS, Fields

EXCHANGE = "binance"
_WITHOUT_EVENTS = frozenset({"depthUpdate", "24hrTicker", "24hrMiniTicker", "markPriceUpdate", "forceOrder"})
_SPOT_BOOK_TICKER = frozenset({"u", "s", "b", "B", "a", "A"})


def parse(frame: Fields, received_ns: int) -> tuple[MarketEvent, ...] | None:
    """Events of a Binance frame; None when it is none."""
    if "stream" in frame and "data" in frame:
        return _parse_payload(frame.object("data"), received_ns) or _stream_without_events(frame)
    if frame.names() == {"result", "id"}:
        return ()
    return _parse_payload(frame, received_ns)


def _stream_without_events(frame: Fields) -> tuple[MarketEvent, ...]:
    """Streams we know no payload of (partial books have no event type) are still Binance's."""
    frame.text("stream")
    return ()


def _parse_payload(payload: Fields, received_ns: int) -> tuple[MarketEvent, ...] | None:
    match payload.get("e"):
        case "aggTrade" | "trade":
            return (_trade(payload),)
        case "bookTicker":
            return (_quote(payload, payload.milliseconds_as_ns("T")),)
        case "kline":
            return (_bar(payload.object("k")),)
        case None if payload.names() >= _SPOT_BOOK_TICKER:
            return (_quote(payload, received_ns),)
        case str() as kind if kind in _WITHOUT_EVENTS:
            return ()
        case _:
            return None


def _trade(payload: Fields) -> Tick:
    return Tick(
        exchange=EXCHANGE,
        symbol=payload.text("s"),
        kind="trade",
        time_ns=payload.milliseconds_as_ns("T"),
        price=payload.price("p"),
        quantity=payload.amount("q"),
        side="SELL" if payload.flag("m") else "BUY",
    )


def _quote(payload: Fields, time_ns: int) -> Tick:
    bid, ask = payload.price("b"), payload.price("a")
    return Tick(
        exchange=EXCHANGE,
        symbol=payload.text("s"),
        kind="quote",
        time_ns=time_ns,
        price=(bid + ask) / 2,
        bid=bid,
        ask=ask,
    )


def _bar(kline: Fields) -> Bar:
    """Binance's close time is the bar's last millisecond; ours is the first nanosecond after it."""
    return Bar(
        exchange=EXCHANGE,
        symbol=kline.text("s"),
        timeframe=kline.text("i"),
        open_time_ns=kline.milliseconds_as_ns("t"),
        close_time_ns=kline.milliseconds_as_ns("T") + NS_PER_MS,
        open=kline.price("o"),
        high=kline.price("h"),
        low=kline.price("l"),
        close=kline.price("c"),
        volume=kline.amount("v"),
        trades=kline.integer("n"),
        closed=kline.flag("x"),
    )
