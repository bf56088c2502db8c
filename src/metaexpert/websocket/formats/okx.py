"""OKX v5 public channels: trades and tickers.

Source: OKX API v5 documentation, "Public Channel". A ticker whose bid or ask is empty (nobody quotes) gives no event.
"""

from metaexpert.core.events import MarketEvent, Side, Tick
from metaexpert.websocket.formats.fields import Fields, MalformedFieldError

EXCHANGE = "okx"
_SIDES: dict[str, Side] = {"buy": "BUY", "sell": "SELL"}


def parse(frame: Fields, received_ns: int) -> tuple[MarketEvent, ...] | None:  # noqa: ARG001  the formats' one signature
    """Events of an OKX frame; None when it is none."""
    if "event" in frame:
        return ()
    if "arg" not in frame or "data" not in frame:
        return None
    match frame.object("arg").text("channel"):
        case "trades":
            return tuple(map(_trade, frame.objects("data")))
        case "tickers":
            return tuple(
                _quote(ticker) for ticker in frame.objects("data") if ticker.get("bidPx") and ticker.get("askPx")
            )
        case _:
            return ()


def _trade(trade: Fields) -> Tick:
    side = _SIDES.get(trade.text("side"))
    if side is None:
        raise MalformedFieldError(f"side is {trade.get('side')!r}, not buy or sell")
    return Tick(
        exchange=EXCHANGE,
        symbol=trade.text("instId"),
        kind="trade",
        time_ns=trade.milliseconds_as_ns("ts"),
        price=trade.price("px"),
        quantity=trade.amount("sz"),
        side=side,
    )


def _quote(ticker: Fields) -> Tick:
    bid, ask = ticker.price("bidPx"), ticker.price("askPx")
    return Tick(
        exchange=EXCHANGE,
        symbol=ticker.text("instId"),
        kind="quote",
        time_ns=ticker.milliseconds_as_ns("ts"),
        price=(bid + ask) / 2,
        bid=bid,
        ask=ask,
    )
