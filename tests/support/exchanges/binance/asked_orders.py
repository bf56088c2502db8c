"""What a Binance order request asks for, in the exchange's common words."""

from decimal import Decimal

from support.exchanges.instruments import Instrument, Kind
from support.exchanges.orders import Lasting, NewOrder, Trigger
from support.exchanges.server import Call

_MADE_UP = "srv"


def _lasting(call: Call) -> Lasting:
    if call.text("type") == "LIMIT_MAKER" or call.text("timeInForce") == "GTX":
        return Lasting.POST_ONLY
    return Lasting(call.text("timeInForce", "GTC"))


def _trigger(call: Call) -> Trigger | None:
    price = call.decimal("stopPrice") or call.decimal("triggerPrice")
    if price is None:
        return None
    stops = call.text("type").startswith("STOP")
    return Trigger(price, stops == (call.text("side") == "BUY"))


def asked_order(call: Call, instrument: Instrument, number: int) -> NewOrder:
    """The order; without a client id it gets one from the exchange, as Binance does."""
    client_id = call.text("newClientOrderId") or call.text("clientAlgoId") or f"{_MADE_UP}{number}"
    futures = instrument.kind is Kind.LINEAR
    return NewOrder(
        instrument,
        call.text("side").lower(),
        call.decimal("quantity") or Decimal(0),
        call.decimal("price"),
        client_id,
        _lasting(call),
        _trigger(call),
        reduce_only=call.text("reduceOnly").lower() == "true",
        leg=call.text("positionSide", "BOTH").lower() if futures else "both",
        quote_quantity=call.decimal("quoteOrderQty"),
        request={"type": call.text("type")},
    )
