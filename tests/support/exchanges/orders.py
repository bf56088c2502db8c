"""Orders, their fills and the states they go through, in the words that all exchanges share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from .instruments import Instrument


class Status(StrEnum):
    """Where an order is in its life."""

    UNTRIGGERED = "untriggered"
    TRIGGERED = "triggered"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"


OPEN = frozenset({Status.UNTRIGGERED, Status.NEW, Status.PARTIALLY_FILLED})


class Change(StrEnum):
    """What happened to an order."""

    NEW = "new"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    AMENDED = "amended"
    TRIGGERED = "triggered"


class Lasting(StrEnum):
    """How long an order stays (time in force)."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    POST_ONLY = "PO"


@dataclass(frozen=True, slots=True)
class Trigger:
    """The price that wakes an order; `rising` says from which side, or that the price now decides it."""

    price: Decimal
    rising: bool | None = None


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What a client asks for.

    Attributes:
        limit: None for a market order.
        quote_quantity: of a spot market order that says what to spend, in place of `quantity`.
        leg: `both` in one-way mode, `long` or `short` in hedge mode.
        request: the request's own words, to be repeated in answers.
    """

    instrument: Instrument
    side: str
    quantity: Decimal
    limit: Decimal | None = None
    client_id: str = ""
    lasting: Lasting = Lasting.GTC
    trigger: Trigger | None = None
    reduce_only: bool = False
    leg: str = "both"
    quote_quantity: Decimal | None = None
    request: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution; the fee is what was paid, in `fee_asset`."""

    id: int
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    profit: Decimal
    at_ms: int


@dataclass(slots=True)
class Order:
    """One accepted order."""

    id: int
    client_id: str
    instrument: Instrument
    side: str
    quantity: Decimal
    limit: Decimal | None
    lasting: Lasting
    trigger: Trigger | None
    reduce_only: bool
    leg: str
    created_ms: int
    updated_ms: int
    status: Status
    request: Mapping[str, str]
    quote_quantity: Decimal | None = None
    fills: list[Fill] = field(default_factory=list[Fill])
    made_by: int | None = None
    made: int | None = None
    why_ended: str = ""

    @property
    def open(self) -> bool:
        """Whether it can still be filled or canceled."""
        return self.status in OPEN

    @property
    def sign(self) -> int:
        """1 for a buy, -1 for a sell."""
        return 1 if self.side == "buy" else -1

    @property
    def filled(self) -> Decimal:
        """How much was executed."""
        return sum((fill.quantity for fill in self.fills), Decimal(0))

    @property
    def remaining(self) -> Decimal:
        """How much was not."""
        return self.quantity - self.filled

    @property
    def cost(self) -> Decimal:
        """What the executed part was worth, in quote units a unit of quantity."""
        return sum((fill.quantity * fill.price for fill in self.fills), Decimal(0))

    @property
    def average(self) -> Decimal:
        """The mean price of the executed part; zero without one."""
        return self.cost / self.filled if self.fills else Decimal(0)

    @property
    def fee(self) -> Decimal:
        """What was paid in fees."""
        return sum((fill.fee for fill in self.fills), Decimal(0))
