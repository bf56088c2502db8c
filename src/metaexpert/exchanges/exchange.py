"""What the host needs of an exchange, whoever speaks its protocol."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from metaexpert.broker.broker import Broker
from metaexpert.core.events import Bar, MarketEvent
from metaexpert.core.instrument import Instrument


class Exchange(AbstractAsyncContextManager["Exchange"], Protocol):
    """An exchange, entered before it is used; leaving it closes every connection.

    Entering loads the instruments and compares clocks. Errors that retrying cannot heal (wrong key, unknown symbol) are
    MetaExpertErrors that name what to change; all others are retried within the adapter, logged and counted.
    """

    def instrument(self, symbol: str) -> Instrument:
        """The market named as the exchange or as ccxt writes it.

        Raises:
            MetaExpertError: There is none; the message names the nearest ones.
        """
        ...

    async def history(self, symbol: str, timeframe: str, *, since_ns: int, until_ns: int) -> Sequence[Bar]:
        """Closed bars from `since_ns` on and before `until_ns`, oldest first, with no gaps but the exchange's own."""
        ...

    def market_data(self, symbols: Sequence[str], timeframes: Sequence[str]) -> AsyncGenerator[MarketEvent]:
        """Trades, quotes, books, bars and funding as they come, reconnecting for ever; gaps are said in the log."""
        ...

    def broker(self, symbols: Sequence[str]) -> Broker:
        """Who takes live orders in these symbols.

        Raises:
            MetaExpertError: There are no keys.
        """
        ...
