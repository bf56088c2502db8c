"""What an account holds: balances and positions, immutable."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

type PositionSide = Literal["NET", "LONG", "SHORT"]
"""`NET` in one-way mode; hedge mode holds a long and a short position beside each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """One asset.

    Attributes:
        asset: For instance `USDT`.
        total: All of it.
        used: Tied up in orders and as margin.
    """

    asset: str
    total: Decimal
    used: Decimal = Decimal(0)

    @property
    def free(self) -> Decimal:
        """Not tied up."""
        return self.total - self.used


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What is held of one symbol; on spot, what the expert bought of it.

    Attributes:
        symbol: As the exchange writes it.
        quantity: In the base asset or in contracts, negative when short, 0 when closed.
        side: `NET`, or which side in hedge mode.
        entry_price: Average price of what is held; None when closed.
        mark_price: The price it is valued at; None before the first.
        leverage: 1 without borrowing.
        unrealized_pnl: What closing at the mark price would gain before fees, in `settle`.
        realized_pnl: What was gained since it was opened, after fees and funding, in `settle`.
        margin: Tied up for it, in `settle`.
        liquidation_price: Where the exchange closes it; None where there is none.
        opened_ns: When it was opened, UTC nanoseconds; 0 when closed.
    """

    symbol: str
    quantity: Decimal
    side: PositionSide = "NET"
    entry_price: Decimal | None = None
    mark_price: Decimal | None = None
    leverage: Decimal = Decimal(1)
    unrealized_pnl: Decimal = Decimal(0)
    realized_pnl: Decimal = Decimal(0)
    margin: Decimal = Decimal(0)
    liquidation_price: Decimal | None = None
    opened_ns: int = 0

    @property
    def is_open(self) -> bool:
        """Whether anything is held."""
        return self.quantity != 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account at one moment.

    Attributes:
        currency: What `equity` is in.
        equity: Balances and open positions at their marks.
        balances: By asset.
        positions: Open ones.
        time_ns: UTC nanoseconds.
    """

    currency: str
    equity: Decimal
    balances: Mapping[str, Balance]
    positions: tuple[Position, ...]
    time_ns: int
