"""What can be traded: names, steps and contract sizes; quantities are in the unit the exchange's orders use."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Kind(StrEnum):
    """What sort of instrument it is."""

    SPOT = "spot"
    LINEAR = "linear"
    INVERSE = "inverse"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One spot pair or perpetual contract.

    Attributes:
        id: the exchange's own name; one name may stand for a spot pair and a contract.
        contract_size: base (linear) or quote (inverse) units in one unit of quantity.
    """

    id: str
    base: str
    quote: str
    kind: Kind
    tick: Decimal
    lot: Decimal
    min_quantity: Decimal
    min_notional: Decimal
    first_price: Decimal
    contract_size: Decimal = Decimal(1)
    max_leverage: int = 100

    @property
    def settle(self) -> str:
        """The asset that margin, fees of contracts and profits are paid in."""
        return self.base if self.kind is Kind.INVERSE else self.quote

    @property
    def symbol(self) -> str:
        """The name that ccxt gives it."""
        pair = f"{self.base}/{self.quote}"
        return pair if self.kind is Kind.SPOT else f"{pair}:{self.settle}"

    def answers_to(self, name: str) -> bool:
        """Whether a test that says `name` means this one: own name, ccxt's name, or base and quote in one word."""
        return name in {self.id, self.symbol, self.base + self.quote}

    def notional(self, quantity: Decimal, price: Decimal) -> Decimal:
        """What `quantity` is worth, in the settlement asset."""
        if self.kind is Kind.INVERSE:
            return quantity * self.contract_size / price
        return quantity * self.contract_size * price

    def profit(self, quantity: Decimal, entry: Decimal, exit_price: Decimal) -> Decimal:
        """What a position of this (signed) quantity earned between two prices, in the settlement asset."""
        if self.kind is Kind.INVERSE:
            return quantity * self.contract_size * (1 / entry - 1 / exit_price)
        return quantity * self.contract_size * (exit_price - entry)
