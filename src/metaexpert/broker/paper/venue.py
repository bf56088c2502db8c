"""What every part of the paper broker works on: the state, the rules of the market, and the events to be told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from metaexpert.broker.broker import BrokerEvent
from metaexpert.broker.paper.money import ZERO, credited
from metaexpert.broker.paper.options import PaperOptions
from metaexpert.broker.paper.state import Holding, Prices, State, Terms, WorkingOrder
from metaexpert.core.holdings import PositionSide
from metaexpert.core.instrument import Instrument
from metaexpert.core.orders import OrderRequest

_DEFAULT_TERMS = Terms()


@dataclass(slots=True, kw_only=True)
class Venue:
    """A market on paper.

    Attributes:
        options: What trading costs.
        instruments: By symbol.
        hedge: Whether long and short positions of one symbol stand beside each other.
        state: What changes.
        events: Happened and not told yet.
    """

    options: PaperOptions
    instruments: Mapping[str, Instrument]
    hedge: bool
    state: State
    events: list[BrokerEvent] = field(default_factory=list[BrokerEvent])

    def told(self) -> list[BrokerEvent]:
        """The events since the last call."""
        events, self.events = self.events, []
        return events

    def prices(self, symbol: str) -> Prices:
        """What is known of the symbol's market."""
        known = self.state.prices.get(symbol)
        if known is None:
            known = self.state.prices[symbol] = Prices()
        return known

    def terms(self, symbol: str) -> Terms:
        """How the symbol's positions are margined."""
        return self.state.terms.get(symbol, _DEFAULT_TERMS)

    def side_of(self, request: OrderRequest) -> PositionSide:
        """Which position an order trades: in hedge mode, one that reduces trades the position opposite to its side."""
        if not self.hedge or not self.instruments[request.symbol].is_contract:
            return "NET"
        return "LONG" if (request.side == "BUY") != request.reduce_only else "SHORT"

    def holding(self, symbol: str, side: PositionSide) -> Holding:
        """The position, an empty one where there is none."""
        sides = self.state.holdings.setdefault(symbol, {})
        if side not in sides:
            sides[side] = Holding(symbol=symbol, side=side)
        return sides[side]

    def forget(self, holding: Holding) -> None:
        """A closed position; the next one is another."""
        sides = self.state.holdings[holding.symbol]
        del sides[holding.side]
        if not sides:
            del self.state.holdings[holding.symbol]

    def holdings(self) -> Iterator[Holding]:
        """All open positions."""
        return (each for sides in self.state.holdings.values() for each in sides.values() if each.quantity)

    def orders(self, symbol: str) -> list[WorkingOrder]:
        """Open orders of a symbol in order of acceptance; a copy, as fills close orders."""
        return list(self.state.orders.get(symbol, {}).values())

    def order(self, order_id: str) -> WorkingOrder | None:
        """The open order of this id."""
        return next((orders[order_id] for orders in self.state.orders.values() if order_id in orders), None)

    def is_open(self, order: WorkingOrder) -> bool:
        """Whether nothing closed it meanwhile."""
        return order.request.order_id in self.state.orders.get(order.request.symbol, {})

    def drop(self, order: WorkingOrder) -> None:
        """Close it."""
        orders = self.state.orders[order.request.symbol]
        del orders[order.request.order_id]
        if not orders:
            del self.state.orders[order.request.symbol]

    def balance(self, asset: str) -> Decimal:
        """All there is of an asset."""
        return self.state.balances.get(asset, ZERO)

    def pay(self, asset: str, amount: Decimal, *, at_most: Decimal | None = None) -> Decimal:
        """Change a balance; what it changed by: no more is lost than `at_most`."""
        amount = credited(amount)
        if at_most is not None and amount < -at_most:
            amount = -at_most
        if amount:
            self.state.balances[asset] = self.balance(asset) + amount
        return amount

    def insure(self, asset: str, amount: Decimal) -> None:
        """What a position lost beyond what there was to lose, the exchange's fund bears."""
        if amount:
            self.state.insured[asset] = self.state.insured.get(asset, ZERO) + amount

    def draw(self) -> Decimal:
        """A random share from 0 to 1; the n-th one depends on the seed and n alone."""
        self.state.draws += 1
        return Decimal(Random(self.state.seed + self.state.draws).randrange(1_000_001)) / 1_000_000  # noqa: S311 - not a secret
