"""The paper engine as a broker: what it tells waits in order until the expert's one reader takes it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from decimal import Decimal

from metaexpert.broker.broker import BrokerEvent, Standing
from metaexpert.broker.paper.engine import PaperEngine
from metaexpert.core.events import MarketEvent
from metaexpert.core.orders import OrderRequest, OrderResult


class PaperBroker:
    """Takes orders on paper.

    The queue of events has no bound: none of them may be lost, one message or market event makes only a few, and who
    drives the market reads them before the next (`drain`, or a task over `events`).
    """

    def __init__(self, engine: PaperEngine, clock_ns: Callable[[], int]) -> None:
        """Run `engine` at the times that `clock_ns` says, UTC nanoseconds."""
        self.engine = engine
        self._clock_ns = clock_ns
        self._queue: asyncio.Queue[BrokerEvent] = asyncio.Queue()

    def market(self, event: MarketEvent) -> None:
        """Let the market move; what comes of it is read from `events` or `drain`."""
        for each in self.engine.market(event):
            self._queue.put_nowait(each)

    def drain(self) -> list[BrokerEvent]:
        """What happened and nobody read yet; for who drives market and handlers in one task."""
        return [self._taken() for _ in range(self._queue.qsize())]

    async def settled(self) -> None:
        """Wait until the reader of `events` has worked off all that happened so far."""
        await self._queue.join()

    async def submit(self, request: OrderRequest) -> OrderResult:
        """Take an order; with a latency its status is `sent`."""
        return self._told(self.engine.submit(request, self._clock_ns()))

    async def cancel(self, order_id: str) -> OrderResult:
        """Cancel an open order."""
        return self._told(self.engine.cancel(order_id, self._clock_ns()))

    async def modify(self, order_id: str, *, quantity: Decimal | None, price: Decimal | None) -> OrderResult:
        """Change an open order; `quantity` is the whole one. Of an order of type `stop`, `price` is its stop price."""
        return self._told(self.engine.modify(order_id, quantity=quantity, price=price, now_ns=self._clock_ns()))

    async def standing(self) -> Standing:
        """Account, positions and open orders as they are now."""
        return self.engine.standing(self._clock_ns())

    async def events(self) -> AsyncGenerator[BrokerEvent]:
        """What happens, for ever."""
        while True:
            event = await self._queue.get()
            try:
                yield event
            finally:
                self._queue.task_done()

    def snapshot(self) -> dict[str, object]:
        """As `PaperEngine.snapshot`; what nobody read of the events is not part of it: drain them first."""
        return self.engine.snapshot()

    def restore(self, snapshot: Mapping[str, object]) -> None:
        """As `PaperEngine.restore`."""
        self.engine.restore(snapshot)

    def _taken(self) -> BrokerEvent:
        self._queue.task_done()
        return self._queue.get_nowait()

    def _told(self, answer: tuple[OrderResult, list[BrokerEvent]]) -> OrderResult:
        result, events = answer
        for each in events:
            self._queue.put_nowait(each)
        return result
