"""Instruments and market events for tests of the host."""

from decimal import Decimal

from metaexpert.core.events import Bar, Tick
from metaexpert.core.instrument import Instrument

SECOND = 10**9
MINUTE = 60 * SECOND


def instrument(symbol: str = "BTCUSDT", *, contract: bool = False) -> Instrument:
    return Instrument(
        exchange="binance",
        symbol=symbol,
        unified="BTC/USDT:USDT" if contract else "BTC/USDT",
        market_type="futures" if contract else "spot",
        base="BTC",
        quote="USDT",
        settle="USDT",
        contract_type="linear" if contract else None,
    )


def trade(seconds: float, price: str, symbol: str = "BTCUSDT") -> Tick:
    return Tick(
        exchange="binance",
        symbol=symbol,
        kind="trade",
        time_ns=round(seconds * SECOND),
        price=Decimal(price),
        quantity=Decimal(1),
    )


def quote(seconds: float, bid: str, ask: str, symbol: str = "BTCUSDT") -> Tick:
    low, high = Decimal(bid), Decimal(ask)
    return Tick(
        exchange="binance",
        symbol=symbol,
        kind="quote",
        time_ns=round(seconds * SECOND),
        price=(low + high) / 2,
        bid=low,
        ask=high,
    )


def bar(minute: int, close: str, volume: str = "1") -> Bar:
    price = Decimal(close)
    return Bar(
        exchange="binance",
        symbol="BTCUSDT",
        timeframe="1m",
        open_time_ns=minute * MINUTE,
        close_time_ns=(minute + 1) * MINUTE,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(volume),
        trades=1,
        closed=True,
    )
