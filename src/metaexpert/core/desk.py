"""The way of an order from the expert to the broker: size, steps, rules, the audit entry, the broker, the answer.

An order is sent only after its "order placed" entry, where `audit_before_send` says so after that entry has been synced
to disk; where it cannot be, the order is refused. No call here raises for what an exchange or a rule refuses.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from time import perf_counter
from typing import Any

from metaexpert.broker.broker import Broker
from metaexpert.core.handlers import Handlers, NotAwaited
from metaexpert.core.market import MarketMemory
from metaexpert.core.orders import OPPOSITE, Order, OrderRequest, OrderResult, Refusal
from metaexpert.core.portfolio import Portfolio
from metaexpert.core.recorder import Recorder
from metaexpert.exceptions import MetaExpertError
from metaexpert.logger import get_logger
from metaexpert.logger.measuring.host import order_delay
from metaexpert.risk.risk import Protection, Risk

log = get_logger(__name__)

type Amount = Decimal | int | str


class OrderTicket(NotAwaited):
    """An order on its way; `await` it for the result, or leave it: it goes its way all the same."""

    __slots__ = ("_task",)

    def __init__(self, task: "asyncio.Task[OrderResult]") -> None:
        self._task = task

    def __await__(self) -> Generator[Any, None, OrderResult]:
        return asyncio.shield(self._task).__await__()

    @property
    def is_done(self) -> bool:
        """Whether the result is there."""
        return self._task.done()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskParts:
    """What a desk works with.

    Attributes:
        broker: who takes the orders.
        portfolio: what the expert has.
        market: what the market said.
        risk: the rules.
        recorder: the trade log.
        handlers: who hears of results.
        ids: ids of new orders.
        before_send: awaited before an order is sent, such as saving the state; None to send at once.
        audit_before_send: whether the entry must be synced before the order is sent.
    """

    broker: Broker
    portfolio: Portfolio
    market: MarketMemory
    risk: Risk
    recorder: Recorder
    handlers: Handlers
    ids: Iterator[str]
    before_send: Callable[[], Awaitable[None]] | None
    audit_before_send: bool


class Desk:
    """Sends orders; each in a task of its own, which `settled` waits for."""

    def __init__(self, parts: DeskParts) -> None:
        self._parts = parts
        self._tasks: set[asyncio.Task[OrderResult]] = set()
        self._halted: Refusal | None = None

    @property
    def is_settled(self) -> bool:
        """Whether no order is on its way."""
        return not self._tasks

    def halt(self, refusal: Refusal | None) -> None:
        """Refuse entries from now on for that reason; None ends that."""
        self._halted = refusal

    def place(self, request: OrderRequest) -> OrderTicket:
        """Send an order; its id and time are given here, its quantity too where it is 0."""
        return self._ticket(self._place(replace(request, order_id=next(self._parts.ids))))

    def protect(self, protection: Protection) -> OrderTicket | None:
        """Close what a rule says must be closed, unless that is under way."""
        symbol, rule = protection.symbol, protection.refusal.rule
        if any(each.symbol == symbol and each.request.actor.startswith("risk:") for each in self._open()):
            return None
        self._parts.recorder.limited(symbol, protection.refusal, actor=f"risk:{rule}")
        return self.place(
            OrderRequest(
                order_id="",
                symbol=symbol,
                side=protection.side,
                quantity=protection.quantity,
                reduce_only=True,
                reason=protection.refusal.reason,
                actor=f"risk:{rule}",
            )
        )

    def close(self, symbol: str, *, reason: str | None, actor: str) -> OrderTicket:
        """Close all that is held of `symbol`, at market; the ticket's result is that of the last order."""
        return self._ticket(self._close(symbol, reason, actor))

    def cancel(self, order_id: str) -> OrderTicket:
        """Cancel an open order."""
        return self._ticket(self._answered(order_id, lambda: self._parts.broker.cancel(order_id)))

    def modify(self, order_id: str, *, quantity: Decimal | None, price: Decimal | None) -> OrderTicket:
        """Change an open order."""
        return self._ticket(self._modify(order_id, quantity, price))

    async def settled(self) -> None:
        """Wait until no order is on its way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def cancel_all(self) -> None:
        """Cancel every open order, at the same time."""
        await asyncio.gather(*(self.cancel(order.order_id) for order in self._open()))

    async def close_all(self, reason: str) -> None:
        """Close every position, at market."""
        symbols = {position.symbol for position in self._parts.portfolio.positions}
        await asyncio.gather(*(self.close(symbol, reason=reason, actor="expert") for symbol in sorted(symbols)))

    def _open(self) -> tuple[Order, ...]:
        return tuple(self._parts.portfolio.open_orders)

    def _ticket(self, work: Coroutine[Any, Any, OrderResult]) -> OrderTicket:
        task = asyncio.get_running_loop().create_task(work, name="order")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return OrderTicket(task)

    def _done(self, task: "asyncio.Task[OrderResult]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("order failed", exc_info=error)

    async def _place(self, asked: OrderRequest) -> OrderResult:
        began = perf_counter()
        request = self._made(asked)
        if isinstance(request, Refusal):
            return await self._refused(asked, request, was_placed=False)
        self._parts.portfolio.sent(Order(request=request))
        refusal = await self._audited(request)
        if refusal is None:
            order_delay(perf_counter() - began, "sent")
            result = await self._submitted(request)
            order_delay(perf_counter() - began, "answered")
            if isinstance(result, Order):
                self._parts.portfolio.answered(result)
                await self._parts.handlers.call("transaction", request, result)
                return result
            refusal = result
        self._parts.portfolio.refused(request.order_id)
        return await self._refused(request, refusal, was_placed=True)

    async def _submitted(self, request: OrderRequest) -> OrderResult:
        try:
            return await self._parts.broker.submit(request)
        except MetaExpertError as error:
            return Refusal(rule="broker", value=None, limit=None, reason=str(error))

    def _made(self, asked: OrderRequest) -> OrderRequest | Refusal:
        """The order in the exchange's steps, sized, and passed by all rules."""
        parts = self._parts
        instrument = parts.portfolio.instruments.get(asked.symbol)
        if instrument is None:
            known = ", ".join(parts.portfolio.instruments) or "none"
            return Refusal(rule="symbol", value=asked.symbol, limit=known, reason=f"{asked.symbol} is not traded here")
        if self._halted is not None and not asked.reduce_only:
            return self._halted
        quote = parts.market.quotes.get(asked.symbol)
        price = asked.price or asked.stop_price or (quote.price if quote is not None else None)
        if price is None:
            reason = "no price of it is known yet"
            return Refusal(rule="price", value=None, limit=None, reason=reason)
        quantity = asked.quantity or parts.risk.size(asked.symbol, asked.side, price, parts.portfolio, parts.market)
        if isinstance(quantity, Refusal):
            return quantity
        request = replace(
            asked,
            quantity=instrument.quantity(quantity),
            price=None if asked.price is None else instrument.price(asked.price),
            stop_price=None if asked.stop_price is None else instrument.price(asked.stop_price),
            created_ns=parts.market.now_ns,
        )
        if request.quantity <= 0:
            reason = f"{quantity} is less than one step of {instrument.quantity_step}"
            return Refusal(rule="min_quantity", value=quantity, limit=instrument.min_quantity, reason=reason)
        return parts.risk.check(request, parts.portfolio, parts.market) or request

    async def _audited(self, request: OrderRequest) -> Refusal | None:
        """The entry, on disk where it must be; a refusal where it cannot be."""
        receipt = self._parts.recorder.placed(request)
        if not self._parts.audit_before_send:
            return None
        try:
            if self._parts.before_send is not None:
                await self._parts.before_send()
            await receipt
        except MetaExpertError as error:
            reason = f"its entry could not be brought to disk: {error}"
            return Refusal(rule="audit_before_send", value=None, limit=None, reason=reason)
        return None

    async def _refused(self, request: OrderRequest, refusal: Refusal, *, was_placed: bool) -> OrderResult:
        self._parts.recorder.refused(request, refusal, was_placed=was_placed)
        await self._parts.handlers.call("transaction", request, refusal)
        return refusal

    async def _close(self, symbol: str, reason: str | None, actor: str) -> OrderResult:
        result: OrderResult = Refusal(rule="position", value=0, limit=None, reason=f"nothing of {symbol} is held")
        for position in self._parts.portfolio.sides(symbol):
            side = OPPOSITE["BUY" if position.quantity > 0 else "SELL"]
            request = OrderRequest(
                order_id=next(self._parts.ids),
                symbol=symbol,
                side=side,
                quantity=abs(position.quantity),
                reduce_only=True,
                reason=reason,
                actor=actor,
            )
            result = await self._place(request)
        return result

    async def _modify(self, order_id: str, quantity: Decimal | None, price: Decimal | None) -> OrderResult:
        order = self._parts.portfolio.order(order_id)
        if order is None:
            return _unknown(order_id)
        refusal = self._increase_refused(order, quantity, price)
        if refusal is not None:
            return await self._refused(order.request, refusal, was_placed=False)
        return await self._answered(
            order_id, lambda: self._parts.broker.modify(order_id, quantity=quantity, price=price)
        )

    def _increase_refused(self, order: Order, quantity: Decimal | None, price: Decimal | None) -> Refusal | None:
        """What the rules say of what the order would be more than it is."""
        parts = self._parts
        more = (quantity or order.request.quantity) - order.request.quantity
        if more <= 0:
            return None
        if self._halted is not None and not order.request.reduce_only:
            return self._halted
        added = replace(order.request, quantity=more, price=price or order.request.price)
        return parts.risk.check(added, parts.portfolio, parts.market)

    async def _answered(self, order_id: str, ask: Callable[[], Coroutine[Any, Any, OrderResult]]) -> OrderResult:
        """What the broker says to a change of an open order; a refusal is logged."""
        order = self._parts.portfolio.order(order_id)
        if order is None:
            return _unknown(order_id)
        result = await ask()
        if isinstance(result, Refusal):
            log.warning("order change refused", order_id=order_id, symbol=order.symbol, reason=result.reason)
        await self._parts.handlers.call("transaction", order.request, result)
        return result


def _unknown(order_id: str) -> Refusal:
    return Refusal(rule="order_id", value=order_id, limit=None, reason=f"no open order {order_id} is known")
