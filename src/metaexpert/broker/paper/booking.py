"""One trade being booked: what it changes is done at once and told afterwards, positions first, then balances."""

from dataclasses import dataclass, field, replace
from decimal import Decimal

from metaexpert.broker.broker import BalanceChanged, PositionChanged
from metaexpert.broker.paper import holding as arithmetic
from metaexpert.broker.paper.margin import losable, used
from metaexpert.broker.paper.money import ZERO, charged, nearest
from metaexpert.broker.paper.state import Holding
from metaexpert.broker.paper.telling import position
from metaexpert.broker.paper.venue import Venue
from metaexpert.core.holdings import Balance
from metaexpert.core.instrument import Instrument


@dataclass(frozen=True, slots=True)
class Change:
    """Of one balance, and what it was afterwards."""

    asset: str
    amount: Decimal
    total: Decimal
    reason: str


@dataclass(slots=True, kw_only=True)
class Booking:
    """What one trade at one price comes to.

    Attributes:
        venue: Where.
        instrument: What is traded.
        price: At which.
        fee: Charged so far.
        positions: What became of positions.
        changes: What became of balances.
    """

    venue: Venue
    instrument: Instrument
    price: Decimal
    fee: Decimal = ZERO
    positions: list[PositionChanged] = field(default_factory=list[PositionChanged])
    changes: list[Change] = field(default_factory=list[Change])

    def pay(self, asset: str, amount: Decimal, reason: str, *, at_most: Decimal | None = None) -> Decimal:
        """Change a balance, as `Venue.pay` does."""
        change = self.venue.pay(asset, amount, at_most=at_most)
        self.changes.append(Change(asset, change, self.venue.balance(asset), reason))
        return change

    def charge(self, quantity: Decimal, rate: Decimal, *, at_most: Decimal | None = None) -> Decimal:
        """Charge a share of a contract's value, as far as there is anything to charge; the fee."""
        fee = charged(rate * abs(arithmetic.worth(self.instrument, quantity, self.price)))
        limit = losable(self.venue, self.instrument.settle) if at_most is None else at_most
        fee = -self.pay(self.instrument.settle, -fee, "fee", at_most=limit)
        self.fee += fee
        return fee

    def open(self, held: Holding, quantity: Decimal) -> None:
        """Open or enlarge a contract's position, an isolated one with margin out of what is free."""
        if not held.quantity:
            held.opened_ns = self.venue.state.now_ns
        arithmetic.add(held, self.instrument, quantity, self.price)
        terms = self.venue.terms(self.instrument.symbol)
        if terms.isolated:
            wanted = nearest(abs(arithmetic.worth(self.instrument, quantity, self.price)) / terms.leverage)
            held.margin += min(wanted, losable(self.venue, self.instrument.settle))

    def close(
        self, held: Holding, quantity: Decimal, *, at_most: Decimal | None = None, reason: str = "fill"
    ) -> Decimal:
        """Close part of a contract's position; its gain, or what of its loss there was to lose."""
        gain = arithmetic.reduce(held, self.instrument, quantity, self.price)
        limit = losable(self.venue, self.instrument.settle) if at_most is None else at_most
        change = self.pay(self.instrument.settle, gain, reason, at_most=limit)
        self.venue.insure(self.instrument.settle, change - gain)
        return change

    def record(self, held: Holding, previous: Decimal, realized: Decimal) -> None:
        """Note what became of a position; a closed one is forgotten."""
        held.realized += realized
        now = position(self.venue, held)
        if not held.quantity:
            now = replace(now, opened_ns=0)
            self.venue.forget(held)
        closing = previous * (now.quantity - previous) < 0
        self.positions.append(
            PositionChanged(
                position=now,
                previous_quantity=previous,
                exit_price=self.price if closing else None,
                realized_pnl=realized,
            )
        )

    def tell(self) -> None:
        """Positions, then balances that changed."""
        self.venue.events += self.positions
        for each in self.changes:
            if each.amount:
                now = Balance(asset=each.asset, total=each.total, used=min(each.total, used(self.venue, each.asset)))
                self.venue.events.append(BalanceChanged(balance=now, change=each.amount, reason=each.reason))
