"""Orders as handlers see them: what is asked for, how it stands, what it was filled with. All immutable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

from metaexpert.core.events import Side

type OrderType = Literal["market", "limit", "stop", "stop_limit"]
"""`stop` becomes a market order, `stop_limit` a limit order once the price has reached `stop_price`."""

type TimeInForce = Literal["GTC", "IOC", "FOK"]
type OrderStatus = Literal["sent", "open", "partially_filled", "filled", "cancelled", "rejected", "expired", "unknown"]
"""`sent`: no answer yet; `unknown`: the answer was lost, and asking has not told so far."""

OPEN: Final = frozenset[OrderStatus]({"sent", "open", "partially_filled", "unknown"})
"""Statuses after which something may still happen to an order."""

OPPOSITE: Final[Mapping[Side, Side]] = {"BUY": "SELL", "SELL": "BUY"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """What an expert asks its broker for.

    Attributes:
        order_id: The expert's own id; sent to the exchange as the client order id, and the `order_id` of all entries.
        symbol: As the exchange writes it.
        side: `BUY` or `SELL`.
        quantity: In the base asset, or in contracts.
        type: Market, limit, stop or stop limit.
        price: Limit price; None for market and stop orders.
        stop_price: Where a stop is triggered; None for others.
        time_in_force: Until when a limit order stands.
        reduce_only: May only bring a position nearer to zero.
        post_only: Refused rather than filled at once.
        reason: Why, as the strategy or a risk rule says it; goes to the log.
        actor: Who asks: the expert, a risk rule, the user.
        created_ns: When it was asked for, UTC nanoseconds.
    """

    order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType = "market"
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = "GTC"
    reduce_only: bool = False
    post_only: bool = False
    reason: str | None = None
    actor: str = "expert"
    created_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as it stands.

    Attributes:
        request: What was asked for, with later modifications.
        status: What has become of it.
        exchange_order_id: The exchange's id, once known.
        filled_quantity: Filled so far.
        average_price: Of what is filled; None before the first fill.
        fees: Charged so far, by asset; negative amounts are rebates.
        reason: Why it was rejected, cancelled or expired, in the exchange's words where there are any.
        code: The exchange's code of a rejection.
        updated_ns: When this was so, by the exchange's clock, UTC nanoseconds.
    """

    request: OrderRequest
    status: OrderStatus = "sent"
    exchange_order_id: str | None = None
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal | None = None
    fees: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    reason: str | None = None
    code: str | None = None
    updated_ns: int = 0

    @property
    def order_id(self) -> str:
        """The expert's own id of it."""
        return self.request.order_id

    @property
    def symbol(self) -> str:
        """As the exchange writes it."""
        return self.request.symbol

    @property
    def side(self) -> Side:
        """`BUY` or `SELL`."""
        return self.request.side

    @property
    def remaining_quantity(self) -> Decimal:
        """Not filled yet."""
        return self.request.quantity - self.filled_quantity

    @property
    def is_open(self) -> bool:
        """Whether something may still happen to it."""
        return self.status in OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution of an order.

    Attributes:
        order_id: The expert's own id of the order.
        fill_id: The exchange's id of the execution; each is counted once.
        symbol: As the exchange writes it.
        side: Of the order.
        quantity: Executed.
        price: Executed at.
        fee: Charged for it; negative for a rebate.
        fee_asset: What the fee is in; None where there was none.
        is_maker: Whether the order stood in the book.
        time_ns: By the exchange's clock, UTC nanoseconds.
    """

    order_id: str
    fill_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal = Decimal(0)
    fee_asset: str | None = None
    is_maker: bool = False
    time_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An order that did not get to the exchange, or was refused there.

    Attributes:
        rule: Name of the rule, such as `max_spread_pct` or `min_notional`; `exchange` where the exchange refused.
        value: What the rule saw.
        limit: What it allows.
        reason: The same in words.
        code: The exchange's code, where it refused.
    """

    rule: str
    value: Decimal | str | int | float | None
    limit: Decimal | str | int | float | None
    reason: str
    code: str | None = None


type OrderResult = Order | Refusal
"""What an order came to: the order as it stands after the broker's answer, or why there is none."""
