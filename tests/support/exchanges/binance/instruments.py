"""Two spot pairs and their perpetual contracts, with the steps that Binance has for them."""

from decimal import Decimal

from support.exchanges.instruments import Instrument, Kind
from support.exchanges.server import Call

_D = Decimal


def instruments() -> list[Instrument]:
    """What the server lists unless it is told otherwise."""
    return [
        Instrument(
            "BTCUSDT", "BTC", "USDT", Kind.SPOT, _D("0.01"), _D("0.00001"), _D("0.00001"), _D(5), _D(50_000)
        ),
        Instrument("ETHUSDT", "ETH", "USDT", Kind.SPOT, _D("0.01"), _D("0.0001"), _D("0.0001"), _D(5), _D(2_500)),
        Instrument(
            "BTCUSDT", "BTC", "USDT", Kind.LINEAR, _D("0.1"), _D("0.001"), _D("0.001"), _D(100), _D(50_000),
            max_leverage=125,
        ),
        Instrument(
            "ETHUSDT", "ETH", "USDT", Kind.LINEAR, _D("0.01"), _D("0.001"), _D("0.001"), _D(20), _D(2_500),
            max_leverage=100,
        ),
    ]  # fmt: skip


def kind_of(call: Call) -> Kind:
    """Which market a path belongs to."""
    return Kind.LINEAR if call.path.startswith("/fapi/") else Kind.SPOT
