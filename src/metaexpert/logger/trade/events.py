"""The trade events there are: what each is called with, as type checkers and editors see it, and what it must have.

`reason` says why, `actor` who or what caused it: a person, an expert, a risk rule, the exchange. Fields that every
event may have are `TradeFields`; any further one may be given by keyword. At run time a call takes whatever it is
given: what is missing or wrong is told in the entry, see `trade.checks`.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, Unpack

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from metaexpert.logger.receipts import Receipt

type Amount = Decimal | str | int | float
"""A price or quantity; `Decimal` or `str` where every digit counts."""

type Side = Literal["BUY", "SELL", "buy", "sell"]
"""Written in capitals."""

type OrderId = str | int
type ExchangeTime = datetime | str | int | float
"""When it happened by the exchange's clock, as the exchange tells it, such as milliseconds since 1970."""


class TradeFields(TypedDict, total=False, extra_items=Any):
    """What any trade event may have beside its own fields."""

    exchange: str
    market_type: Literal["spot", "margin", "futures", "options"]
    order_type: str
    client_order_id: OrderId
    strategy_id: OrderId
    exchange_timestamp: ExchangeTime
    latency_ms: float


class OrderPlaced(Protocol):
    """An order was sent to the exchange."""

    def __call__(
        self,
        *,
        order_id: OrderId,
        side: Side,
        quantity: Amount,
        price: Amount | None = None,
        symbol: str | None = None,
        reason: str | None = None,
        actor: str | None = None,
        **more: Unpack[TradeFields],
    ) -> "Receipt":
        """An order was sent to the exchange; `price` is None for a market order."""
        ...


class OrderFilled(Protocol):
    """An order was filled in whole."""

    def __call__(
        self,
        *,
        order_id: OrderId,
        side: Side,
        quantity: Amount,
        price: Amount,
        symbol: str | None = None,
        fee: Amount | None = None,
        fee_asset: str | None = None,
        reason: str | None = None,
        actor: str | None = None,
        **more: Unpack[TradeFields],
    ) -> "Receipt":
        """An order was filled in whole: `quantity` at `price`."""
        ...


class OrderPartiallyFilled(Protocol):
    """A part of an order was filled."""

    def __call__(
        self,
        *,
        order_id: OrderId,
        executed_quantity: Amount,
        executed_price: Amount,
        remaining_quantity: Amount | None = None,
        side: Side | None = None,
        symbol: str | None = None,
        fee: Amount | None = None,
        fee_asset: str | None = None,
        reason: str | None = None,
        actor: str | None = None,
        **more: Unpack[TradeFields],
    ) -> "Receipt":
        """A part of an order was filled, `executed_quantity` at `executed_price`; `remaining_quantity` is open."""
        ...


class OrderRejected(Protocol):
    """The exchange, or a check of ours, refused an order."""

    def __call__(
        self,
        *,
        order_id: OrderId,
        reason: str,
        code: str | int | None = None,
        side: Side | None = None,
        quantity: Amount | None = None,
        price: Amount | None = None,
        symbol: str | None = None,
        actor: str | None = None,
        **more: Unpack[TradeFields],
    ) -> "Receipt":
        """The exchange, or a check of ours, refused an order; `code` is the exchange's."""
        ...


class OrderEvent(Protocol):
    """Something befell an order."""

    def __call__(
        self,
        *,
        order_id: OrderId,
        side: Side | None = None,
        quantity: Amount | None = None,
        price: Amount | None = None,
        remaining_quantity: Amount | None = None,
        symbol: str | None = None,
        reason: str | None = None,
        actor: str | None = None,
        **more: Unpack[TradeFields],
    ) -> "Receipt":
        """Something befell an order; see the event's own description."""
        ...


class PositionEvent(Protocol):
    """A position was opened or is now another."""

    def __call__(
        self,
        *,
        symbol: str,
        quantity: Amount,
        entry_price: Amount | None = None,
        reason: str | None = None,
        actor: str | None = None,
        **more: Unpack[TradeFields],
    ) -> "Receipt":
        """The position in `symbol` is now `quantity` (negative when short)."""
        ...


class PositionClosed(Protocol):
    """A position was closed."""

    def __call__(
        self,
        *,
        symbol: str,
        quantity: Amount | None = None,
        exit_price: Amount | None = None,
        realized_pnl: Amount | None = None,
        reason: str | None = None,
        actor: str | None = None,
        **more: Unpack[TradeFields],
    ) -> "Receipt":
        """There is no position in `symbol` any more."""
        ...


class BalanceChanged(Protocol):
    """A balance is now another."""

    def __call__(
        self,
        *,
        asset: str,
        balance: Amount,
        change: Amount | None = None,
        reason: str | None = None,
        actor: str | None = None,
        **more: Unpack[TradeFields],
    ) -> "Receipt":
        """The balance of `asset` is now `balance`."""
        ...


class FeeCharged(Protocol):
    """A fee was charged."""

    def __call__(
        self,
        *,
        fee: Amount,
        fee_asset: str,
        symbol: str | None = None,
        reason: str | None = None,
        actor: str | None = None,
        **more: Unpack[TradeFields],
    ) -> "Receipt":
        """A fee was charged that came with no fill; negative for a rebate."""
        ...


class FundingPaid(Protocol):
    """Funding was paid or received."""

    def __call__(
        self,
        *,
        symbol: str,
        amount: Amount,
        asset: str,
        rate: Amount | None = None,
        **more: Unpack[TradeFields],
    ) -> "Receipt":
        """Funding of a perpetual contract: `amount` was received, or paid where it is negative."""
        ...


class RiskLimit(Protocol):
    """A risk limit was met."""

    def __call__(
        self,
        *,
        rule: str,
        value: Amount,
        limit: Amount,
        symbol: str | None = None,
        reason: str | None = None,
        actor: str | None = None,
        **more: Unpack[TradeFields],
    ) -> "Receipt":
        """A risk rule refused something or acted: the value it saw and its limit."""
        ...


class Liquidation(Protocol):
    """The exchange closed a position."""

    def __call__(
        self,
        *,
        symbol: str,
        side: Side,
        quantity: Amount,
        price: Amount,
        fee: Amount | None = None,
        fee_asset: str | None = None,
        **more: Unpack[TradeFields],
    ) -> "Receipt":
        """The exchange closed a position, or part of it, for lack of margin."""
        ...


class Correction(Protocol):
    """An earlier entry was wrong."""

    def __call__(
        self,
        *,
        original: "Receipt | str",
        reason: str,
        actor: str,
        values: Mapping[str, object],
        **more: Unpack[TradeFields],
    ) -> "Receipt":
        """An earlier entry was wrong; it stays as it is, and this one refers to it.

        Args:
            original: the entry's receipt, or its id.
            reason: why it was wrong.
            actor: who corrects it.
            values: the right values, by field.
            more: further fields.
        """
        ...


REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "order_placed": ("order_id", "side", "quantity"),
    "order_accepted": ("order_id",),
    "order_partially_filled": ("order_id", "executed_quantity", "executed_price"),
    "order_filled": ("order_id", "side", "quantity", "price"),
    "order_cancelled": ("order_id",),
    "order_rejected": ("order_id", "reason"),
    "order_modified": ("order_id",),
    "order_expired": ("order_id",),
    "position_opened": ("symbol", "quantity"),
    "position_changed": ("symbol", "quantity"),
    "position_closed": ("symbol",),
    "balance_changed": ("asset", "balance"),
    "fee_charged": ("fee", "fee_asset"),
    "funding_paid": ("symbol", "amount", "asset"),
    "risk_limit": ("rule", "value", "limit"),
    "liquidation": ("symbol", "side", "quantity", "price"),
    "correction": ("original", "reason", "actor", "values"),
}
"""Every event, with the fields it must have."""
