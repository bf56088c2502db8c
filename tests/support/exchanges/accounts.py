"""One client's account: balances by wallet, positions, leverage and modes.

What is locked is never booked but computed from open orders and positions, so it cannot drift. A balance changes
only by fills, fees and profits.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from .instruments import Instrument, Kind
from .orders import Fill, Order, Status

_ZERO = Decimal(0)


@dataclass(slots=True)
class Position:
    """A contract position; `quantity` is negative when short, zero when closed."""

    instrument: Instrument
    leg: str
    opened_ms: int
    updated_ms: int
    quantity: Decimal = _ZERO
    entry: Decimal = _ZERO
    realised: Decimal = _ZERO

    def profit(self, price: Decimal) -> Decimal:
        """What it would bring if it were closed at this price."""
        return self.instrument.profit(self.quantity, self.entry, price) if self.quantity else _ZERO

    def closable(self, side: str) -> Decimal:
        """How much an order of this side can close."""
        closes = self.quantity < 0 if side == "buy" else self.quantity > 0
        return abs(self.quantity) if closes else _ZERO

    def apply(self, signed: Decimal, price: Decimal, at_ms: int) -> Decimal:
        """Book an execution; gives the profit it realised."""
        closing = min(abs(signed), abs(self.quantity)) if signed * self.quantity < 0 else _ZERO
        profit = self.instrument.profit(closing.copy_sign(self.quantity), self.entry, price) if closing else _ZERO
        opening = abs(signed) - closing
        if opening:
            self._open(opening.copy_sign(signed), price, at_ms)
        else:
            self.quantity += signed
        if not self.quantity:
            self.entry = _ZERO
        self.realised += profit
        self.updated_ms = at_ms
        return profit

    def _open(self, signed: Decimal, price: Decimal, at_ms: int) -> None:
        if self.quantity * signed <= 0:
            self.quantity, self.entry, self.opened_ms = signed, price, at_ms
            return
        total = self.quantity + signed
        if self.instrument.kind is Kind.INVERSE:
            self.entry = total / (self.quantity / self.entry + signed / price)
        else:
            self.entry = (self.quantity * self.entry + signed * price) / total
        self.quantity = total


@dataclass(slots=True)
class ContractSettings:
    """What is set for one contract."""

    leverage: Decimal = Decimal(20)
    isolated: bool = False


@dataclass(slots=True)
class Account:
    """Balances, positions and settings.

    Attributes:
        totals: what each wallet owns, locked or not.
        hedged: whether long and short positions are held apart.
    """

    totals: dict[str, dict[str, Decimal]]
    hedged: bool = False
    positions: dict[tuple[Instrument, str], Position] = field(default_factory=dict[tuple[Instrument, str], Position])
    _settings: dict[Instrument, ContractSettings] = field(default_factory=dict[Instrument, ContractSettings])

    def settings(self, instrument: Instrument) -> ContractSettings:
        """Leverage and margin mode of a contract."""
        return self._settings.setdefault(instrument, ContractSettings())

    def position(self, instrument: Instrument, leg: str, at_ms: int) -> Position:
        """The position of this leg, empty when there is none yet."""
        return self.positions.setdefault((instrument, leg), Position(instrument, leg, at_ms, at_ms))

    def held(self) -> list[Position]:
        """The positions that are not zero."""
        return [position for position in self.positions.values() if position.quantity]

    def total(self, wallet: str, asset: str) -> Decimal:
        """What the wallet owns of an asset, before unrealised profit."""
        return self.totals.get(wallet, {}).get(asset, _ZERO)

    def credit(self, wallet: str, asset: str, amount: Decimal) -> None:
        """Add to a balance, or take from it."""
        assets = self.totals.setdefault(wallet, {})
        assets[asset] = assets.get(asset, _ZERO) + amount

    def held_for(self, order: Order) -> tuple[str, Decimal]:
        """The asset an open order keeps back, and how much."""
        instrument, price = order.instrument, order.limit or (order.trigger.price if order.trigger else _ZERO)
        if instrument.kind is Kind.SPOT:
            bought = order.side == "buy"
            return (instrument.quote, order.remaining * price) if bought else (instrument.base, order.remaining)
        if order.reduce_only or order.status is Status.UNTRIGGERED or not price:
            return instrument.settle, _ZERO
        return instrument.settle, self.margin(instrument, order.remaining, price)

    def margin(self, instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
        """What a contract quantity needs as initial margin."""
        return instrument.notional(abs(quantity), price) / self.settings(instrument).leverage

    def order_locks(self, orders: Iterable[Order], asset: str) -> Decimal:
        """What these open orders keep back of an asset."""
        return sum((amount for held, amount in map(self.held_for, orders) if held == asset), _ZERO)

    def position_margin(self, positions: Iterable[Position], asset: str) -> Decimal:
        """What these positions bind of an asset."""
        return sum(
            (self.margin(p.instrument, p.quantity, p.entry) for p in positions if p.instrument.settle == asset), _ZERO
        )


def spot_flows(order: Order, fill: Fill) -> dict[str, Decimal]:
    """What a spot execution adds to and takes from balances, fee included."""
    instrument, cost = order.instrument, fill.price * fill.quantity
    flows = {instrument.base: order.sign * fill.quantity, instrument.quote: -order.sign * cost}
    flows[fill.fee_asset] = flows.get(fill.fee_asset, _ZERO) - fill.fee
    return flows
