"""What a desk goes through while the demo runs: an order too large, a job that fails, secrets in the wrong place."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final, final

from metaexpert.demo.desk.gateway import Gateway
from metaexpert.demo.desk.planted import MARK, Planted
from metaexpert.demo.desk.reconcile import reconcile
from metaexpert.demo.desk.search import Search
from metaexpert.demo.strategy import EmaCross

SYMBOL: Final = "BTCUSDT"
_SMALL: Final = Decimal("0.1")
_TOO_LARGE: Final = Decimal(5)
_PRICE: Final = Decimal("60123.45")


@final
class Desk:
    """Acts when it is told to.

    Args:
        strategy: Sends its orders.
        gateway: Sends them on.
        planted: The secrets.
        folder: Where everything is logged to.

    Attributes:
        taken: The id of the order that was taken.
        refused: The id of the order that was too large.
        search: What was found of the secrets in files.
    """

    def __init__(self, strategy: EmaCross, gateway: Gateway, planted: Planted, folder: Path) -> None:
        self._strategy = strategy
        self._gateway = gateway
        self._planted = planted
        self._folder = folder
        self.taken = ""
        self.refused = ""
        self.search = Search()

    async def trade(self) -> None:
        """Send an order, and one that the exchange will refuse; reconcile the books, which fails."""
        self.taken = self._strategy.send(SYMBOL, "BUY", _SMALL, _PRICE, waits=True)
        self.refused = self._strategy.send(SYMBOL, "SELL", _TOO_LARGE, _PRICE)
        self._planted.log()
        reconcile(self._planted.credentials)

    async def be_careless(self) -> None:
        """Log the secrets again, as when a collector is down and takes nothing."""
        self._planted.log()

    def watched(self) -> Mapping[str, str]:
        """The secrets, and the word beside them, by name."""
        return {**self._planted.secrets, MARK: self._planted.mark}

    async def look(self) -> None:
        """Look for the secrets in all files there are at this moment."""
        signatures = {f"signature of {order_id}": text for order_id, text in self._gateway.signatures.items()}
        await asyncio.to_thread(self.search.look, self._folder, {**self.watched(), **signatures})
