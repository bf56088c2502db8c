"""Bybit's inverse perpetual stream, version 2: `trade.<symbol>`; prices and sizes are JSON numbers.

Source: Bybit's "Inverse Perpetual" API v2 documentation, public topics.
"""

from metaexpert.core.events import MarketEvent, Side, Tick
from metaexpert.websocket.formats.fields import Fields, MalformedFieldError

EXCHANGE = "bybit"
_SIDES: dict[str, Side] = {"Buy": "BUY", "Sell": "SELL"}


def parse(frame: Fields, received_ns: int) -> tuple[MarketEvent, ...] | None:  # noqa: ARG001  the formats' one signature
    """Events of a Bybit frame; None when it is none."""
    if "topic" in frame and "data" in frame:
        return tuple(map(_trade, frame.objects("data"))) if frame.text("topic").startswith("trade.") else ()
    return () if "success" in frame and "request" in frame else None


def _trade(trade: Fields) -> Tick:
    side = _SIDES.get(trade.text("side"))
    if side is None:
        raise MalformedFieldError(f"side is {trade.get('side')!r}, not Buy or Sell")
    return Tick(
        exchange=EXCHANGE,
        symbol=trade.text("symbol"),
        kind="trade",
        time_ns=trade.milliseconds_as_ns("trade_time_ms"),
        price=trade.price("price"),
        quantity=trade.amount("size"),
        side=side,
    )
