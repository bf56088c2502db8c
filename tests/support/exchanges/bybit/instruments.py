"""Spot pairs, linear perpetuals and one inverse perpetual, with the steps that Bybit has for them."""

from decimal import Decimal

from support.exchanges.instruments import Instrument, Kind
from support.exchanges.market import Listing, Market
from support.exchanges.refusals import Reason, RefusedError

_D = Decimal


def instruments() -> list[Instrument]:
    """What the server lists unless it is told otherwise; an inverse contract is one dollar."""
    return [
        Instrument(
            "BTCUSDT", "BTC", "USDT", Kind.SPOT, _D("0.01"), _D("0.000001"), _D("0.000011"), _D(5), _D(50_000)
        ),
        Instrument("ETHUSDT", "ETH", "USDT", Kind.SPOT, _D("0.01"), _D("0.00001"), _D("0.0001"), _D(5), _D(2_500)),
        Instrument("BTCUSDT", "BTC", "USDT", Kind.LINEAR, _D("0.1"), _D("0.001"), _D("0.001"), _D(5), _D(50_000)),
        Instrument("ETHUSDT", "ETH", "USDT", Kind.LINEAR, _D("0.01"), _D("0.01"), _D("0.01"), _D(5), _D(2_500)),
        Instrument("BTCUSD", "BTC", "USD", Kind.INVERSE, _D("0.1"), _D(1), _D(1), _D(0), _D(50_000)),
    ]  # fmt: skip


def listing(market: Market, category: str, symbol: str) -> Listing:
    """The market of a symbol in a category.

    Raises:
        RefusedError: there is none.
    """
    for found in market.listings.values():
        if found.instrument.kind.value == category and found.instrument.id == symbol:
            return found
    raise RefusedError(Reason.UNKNOWN_SYMBOL)


def interval_name(name: str) -> str:
    """Bybit's `60` is an hour, its `D` a day."""
    if not name.isdigit():
        return f"1{name.lower()}"
    minutes = int(name)
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"
