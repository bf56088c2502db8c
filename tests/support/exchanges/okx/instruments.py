"""Spot pairs and perpetual swaps, with the steps that OKX has for them; swaps are counted in contracts."""

from decimal import Decimal

from support.exchanges.instruments import Instrument, Kind
from support.exchanges.market import Listing, Market
from support.exchanges.refusals import Reason, RefusedError

_D = Decimal


def instruments() -> list[Instrument]:
    """What the server lists unless it is told otherwise."""
    return [
        Instrument(
            "BTC-USDT", "BTC", "USDT", Kind.SPOT, _D("0.1"), _D("0.00000001"), _D("0.00001"), _D(0), _D(50_000)
        ),
        Instrument("ETH-USDT", "ETH", "USDT", Kind.SPOT, _D("0.01"), _D("0.000001"), _D("0.001"), _D(0), _D(2_500)),
        Instrument(
            "BTC-USDT-SWAP", "BTC", "USDT", Kind.LINEAR, _D("0.1"), _D("0.01"), _D("0.01"), _D(0), _D(50_000),
            contract_size=_D("0.01"),
        ),
        Instrument(
            "ETH-USDT-SWAP", "ETH", "USDT", Kind.LINEAR, _D("0.01"), _D("0.01"), _D("0.01"), _D(0), _D(2_500),
            contract_size=_D("0.1"),
        ),
        Instrument(
            "BTC-USD-SWAP", "BTC", "USD", Kind.INVERSE, _D("0.1"), _D(1), _D(1), _D(0), _D(50_000),
            contract_size=_D(100),
        ),
    ]  # fmt: skip


def type_of(instrument: Instrument) -> str:
    """OKX's `instType`."""
    return "SPOT" if instrument.kind is Kind.SPOT else "SWAP"


def listing(market: Market, name: str) -> Listing:
    """The market of an instrument id.

    Raises:
        RefusedError: there is none.
    """
    for found in market.listings.values():
        if found.instrument.id == name:
            return found
    raise RefusedError(Reason.UNKNOWN_SYMBOL)


def interval_name(bar: str) -> str:
    """OKX's `1H` is an hour, its `1Dutc` a day that begins at midnight UTC."""
    return bar.removesuffix("utc").lower() if not bar.endswith("m") else bar
