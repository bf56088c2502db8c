"""What an expert asks of whoever takes its orders, and what it hears back.

`submit` answers once the broker has the order or has refused it; what becomes of it comes as events, each
exactly once and in the order in which it happened for that order. Nothing here logs: events do not know who listens.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

from metaexpert.core.events import Side
from metaexpert.core.holdings import Account, Balance, Position
from metaexpert.core.orders import Fill, Order, OrderRequest, OrderResult

type OrderStep = Literal[
    "accepted", "partially_filled", "filled", "cancelled", "rejected", "modified", "expired", "triggered"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChanged:
    """An order went a step further; `fill` is what filled it, where the step is a fill."""

    order: Order
    step: OrderStep
    fill: Fill | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionChanged:
    """A position is now another; `realized_pnl` is what this change gained, in `settle`, after its fee."""

    position: Position
    previous_quantity: Decimal
    exit_price: Decimal | None = None
    realized_pnl: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceChanged:
    """A balance is now another, and why: `fill`, `fee`, `funding`, `liquidation`, `transfer`."""

    balance: Balance
    change: Decimal
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingPaid:
    """Funding was received, or paid where `amount` is negative."""

    symbol: str
    amount: Decimal
    asset: str
    rate: Decimal
    time_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidated:
    """The exchange closed a position, or part of it, for lack of margin."""

    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    time_ns: int


type BrokerEvent = OrderChanged | PositionChanged | BalanceChanged | FundingPaid | Liquidated


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a broker holds for an expert at one moment: after a start, what the expert goes on from."""

    account: Account
    open_orders: tuple[Order, ...]


class Broker(Protocol):
    """Takes orders; its `events` generator is read by one task of the expert's."""

    async def submit(self, request: OrderRequest) -> OrderResult:
        """Send an order; an `Order` of status `unknown` where the answer was lost. Never raises for a refusal."""
        ...

    async def cancel(self, order_id: str) -> OrderResult:
        """Cancel an open order by the expert's id; a `Refusal` where there is none to cancel."""
        ...

    async def modify(self, order_id: str, *, quantity: Decimal | None, price: Decimal | None) -> OrderResult:
        """Change an open order; None leaves a value as it is. `quantity` is the whole one, filled part included."""
        ...

    async def standing(self) -> Standing:
        """Account, positions and open orders as they are now."""
        ...

    def events(self) -> AsyncGenerator[BrokerEvent]:
        """What happens, for ever; closed by the expert when it stops."""
        ...
