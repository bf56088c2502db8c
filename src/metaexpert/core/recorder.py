"""Every step of every order, position and balance as a trade entry. The order's own id stands in all of them."""

from decimal import Decimal
from typing import Any

from metaexpert.broker.broker import (
    BalanceChanged,
    BrokerEvent,
    FundingPaid,
    Liquidated,
    OrderChanged,
    PositionChanged,
)
from metaexpert.core.orders import Order, OrderRequest, Refusal
from metaexpert.logger import BoundLogger, Logger, Receipt

_NS_PER_MS = 1_000_000


class Recorder:
    """Writes trade entries.

    Args:
        log: bound to what all entries of this run say: exchange, market type, mode.
    """

    def __init__(self, log: Logger | BoundLogger) -> None:
        self._trade = log.trade

    def placed(self, request: OrderRequest) -> Receipt:
        """An order is about to be sent; it may go out once the receipt is there."""
        more: dict[str, Any] = {"stop_price": request.stop_price} if request.stop_price is not None else {}
        flags: dict[str, Any] = {name: True for name in ("reduce_only", "post_only") if getattr(request, name)}
        return self._trade.order_placed(
            order_id=request.order_id,
            side=request.side,
            quantity=request.quantity,
            price=request.price,
            symbol=request.symbol,
            reason=request.reason,
            actor=request.actor,
            order_type=request.type,
            **more,
            **flags,
        )

    def refused(self, request: OrderRequest, refusal: Refusal, *, was_placed: bool) -> Receipt:
        """An order did not come about: a rule's refusal, and the order's end where it was placed already."""
        if not was_placed:
            return self.limited(request.symbol, refusal, actor=request.actor, side=request.side)
        return self._trade.order_rejected(
            order_id=request.order_id,
            reason=refusal.reason,
            code=refusal.code,
            side=request.side,
            quantity=request.quantity,
            price=request.price,
            symbol=request.symbol,
            actor=request.actor,
            rule=refusal.rule,
        )

    def limited(self, symbol: str, refusal: Refusal, *, actor: str, **more: Any) -> Receipt:
        """A rule refused something or acted, with the value it saw and its limit."""
        return self._trade.risk_limit(
            rule=refusal.rule,
            value=_shown(refusal.value),
            limit=_shown(refusal.limit),
            symbol=symbol,
            reason=refusal.reason,
            actor=actor,
            **more,
        )

    def happened(self, event: BrokerEvent) -> Receipt:
        """What the broker says."""
        match event:
            case OrderChanged():
                return self._order(event)
            case PositionChanged():
                return self._position(event)
            case BalanceChanged():
                balance = event.balance
                return self._trade.balance_changed(
                    asset=balance.asset, balance=balance.total, change=event.change, reason=event.reason
                )
            case FundingPaid():
                return self._trade.funding_paid(
                    symbol=event.symbol, amount=event.amount, asset=event.asset, rate=event.rate,
                    exchange_timestamp=event.time_ns // _NS_PER_MS,
                )  # fmt: skip
            case Liquidated():
                return self._trade.liquidation(
                    symbol=event.symbol, side=event.side, quantity=event.quantity, price=event.price, fee=event.fee,
                    fee_asset=event.fee_asset, exchange_timestamp=event.time_ns // _NS_PER_MS,
                )  # fmt: skip

    def _order(self, event: OrderChanged) -> Receipt:
        order, step = event.order, event.step
        if step in {"filled", "partially_filled"} and event.fill is not None:
            return self._fill(event)
        common = _common(order)
        if step == "rejected":
            reason = order.reason or "refused by the exchange"
            return self._trade.order_rejected(reason=reason, code=order.code, **common)
        if step in {"cancelled", "expired"}:
            ended = self._trade.order_cancelled if step == "cancelled" else self._trade.order_expired
            return ended(reason=order.reason, remaining_quantity=order.remaining_quantity, **common)
        told = self._trade.order_modified if step == "modified" else self._trade.order_accepted
        reason = "stop price reached" if step == "triggered" else None
        return told(quantity=order.request.quantity, price=order.request.price, reason=reason, **common)

    def _fill(self, event: OrderChanged) -> Receipt:
        order, fill = event.order, event.fill
        assert fill is not None  # noqa: S101 - asked by the caller
        common: dict[str, Any] = {
            **_common(order),
            "fee": fill.fee,
            "fee_asset": fill.fee_asset,
            "fill_id": fill.fill_id,
            "exchange_timestamp": fill.time_ns // _NS_PER_MS,
            "is_maker": fill.is_maker,
        }
        if event.step == "filled":
            return self._trade.order_filled(
                quantity=fill.quantity, price=fill.price, average_price=order.average_price, **common
            )
        return self._trade.order_partially_filled(
            executed_quantity=fill.quantity,
            executed_price=fill.price,
            remaining_quantity=order.remaining_quantity,
            **common,
        )

    def _position(self, event: PositionChanged) -> Receipt:
        position = event.position
        if not position.is_open:
            return self._trade.position_closed(
                symbol=position.symbol,
                quantity=event.previous_quantity,
                exit_price=event.exit_price,
                realized_pnl=event.realized_pnl,
                position_side=position.side,
            )
        told: dict[str, Any] = {
            "symbol": position.symbol,
            "quantity": position.quantity,
            "entry_price": position.entry_price,
            "position_side": position.side,
            "leverage": position.leverage,
            "liquidation_price": position.liquidation_price,
        }
        if event.previous_quantity == 0:
            return self._trade.position_opened(**told)
        return self._trade.position_changed(**told, realized_pnl=event.realized_pnl)


def _common(order: Order) -> dict[str, Any]:
    """What every entry of an order says."""
    return {
        "order_id": order.order_id,
        "side": order.side,
        "symbol": order.symbol,
        "exchange_order_id": order.exchange_order_id,
        "exchange_timestamp": order.updated_ns // _NS_PER_MS,
        "order_type": order.request.type,
        "actor": "exchange",
    }


def _shown(value: Decimal | str | float | None) -> Any:
    return "unknown" if value is None else value
