"""All that a paper broker remembers, as plain data: what is written to a snapshot and gone on from after a restart.

Nothing else of the engine changes: the same state, options and events have the same outcome.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from metaexpert.broker.paper.money import ZERO
from metaexpert.core.holdings import PositionSide
from metaexpert.core.orders import Order, OrderRequest, OrderStatus

type Level = tuple[Decimal, Decimal]
"""Price and quantity."""


@dataclass(slots=True, kw_only=True)
class WorkingOrder:
    """An open order.

    Attributes:
        request: What is asked for, with modifications.
        number: Of its acceptance: who came first, is filled first.
        filled: Quantity so far.
        turnover: Sum of price times quantity of its fills.
        fees: So far, by asset.
        ahead: Quantity in the queue before it at its price.
        triggered: Whether a stop's price was reached.
        reserve_price: At which an order about to take is counted as margin; None for one that rests.
    """

    request: OrderRequest
    number: int
    filled: Decimal = ZERO
    turnover: Decimal = ZERO
    fees: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    ahead: Decimal = ZERO
    triggered: bool = False
    reserve_price: Decimal | None = None

    @property
    def remaining(self) -> Decimal:
        """Not filled yet."""
        return self.request.quantity - self.filled

    @property
    def waits(self) -> bool:
        """Whether it is a stop whose price was not reached yet."""
        return self.request.stop_price is not None and not self.triggered

    @property
    def status(self) -> OrderStatus:
        """Of an open order."""
        return "partially_filled" if self.filled else "open"

    def order(self, status: OrderStatus, now_ns: int, reason: str | None = None, code: str | None = None) -> Order:
        """As it stands, for handlers."""
        return Order(
            request=self.request,
            status=status,
            exchange_order_id=f"P{self.number}",
            filled_quantity=self.filled,
            average_price=self.turnover / self.filled if self.filled else None,
            fees=dict(self.fees),
            reason=reason,
            code=code,
            updated_ns=now_ns,
        )


@dataclass(slots=True, kw_only=True)
class Holding:
    """A position: its cost is kept, not its entry price, so that what it gains adds up exactly.

    Attributes:
        symbol: As the exchange writes it.
        side: `NET`, or which side in hedge mode.
        quantity: Negative when short.
        cost: Settled value when it was bought, of the quantity's sign.
        realized: Gained since it was opened, after fees and funding.
        margin: Of an isolated position; 0 for others.
        opened_ns: When; 0 when closed.
    """

    symbol: str
    side: PositionSide
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    margin: Decimal = ZERO
    opened_ns: int = 0


@dataclass(slots=True, kw_only=True)
class Prices:
    """What is known of one symbol's market.

    Attributes:
        last: Of the last trade; the middle of the quote as long as there was no trade.
        bid: Best bid, where known.
        ask: Best ask, where known.
        bids: Depth, best first; empty where unknown.
        asks: As `bids`.
        taken: What was taken out of the depth since it came, by price.
        traded: Whether there was a trade.
        live: Whether ticks or books came: bars tell nothing new then.
        bars_until_ns: Close of the last bar.
    """

    last: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()
    taken: dict[Decimal, Decimal] = field(default_factory=dict[Decimal, Decimal])
    traded: bool = False
    live: bool = False
    bars_until_ns: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a symbol's positions are margined."""

    leverage: Decimal = Decimal(1)
    isolated: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A message on its way to the market.

    Attributes:
        due_ns: When it arrives.
        kind: What is asked for.
        order_id: The expert's own id.
        request: Of a new order.
        quantity: Of a modification.
        price: Of a modification.
    """

    due_ns: int
    kind: Literal["submit", "cancel", "modify"]
    order_id: str
    request: OrderRequest | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None


@dataclass(slots=True, kw_only=True)
class State:
    """Everything.

    Attributes:
        seed: Of the random draws.
        draws: How many there were.
        orders_count: Orders accepted.
        fills_count: Fills so far.
        now_ns: Time of the last event or order.
        balances: By asset.
        insured: Losses of positions beyond what there was to lose, which the exchange's fund bore, by asset.
        prices: By symbol.
        terms: By symbol, where set.
        orders: Open ones by symbol and id.
        holdings: By symbol and side.
        arrivals: Messages on their way, in order of sending.
    """

    seed: int
    draws: int = 0
    orders_count: int = 0
    fills_count: int = 0
    now_ns: int = 0
    balances: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    insured: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    prices: dict[str, Prices] = field(default_factory=dict[str, Prices])
    terms: dict[str, Terms] = field(default_factory=dict[str, Terms])
    orders: dict[str, dict[str, WorkingOrder]] = field(default_factory=dict[str, dict[str, WorkingOrder]])
    holdings: dict[str, dict[PositionSide, Holding]] = field(default_factory=dict[str, dict[PositionSide, Holding]])
    arrivals: list[Arrival] = field(default_factory=list[Arrival])
