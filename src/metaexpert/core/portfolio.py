"""What the expert has: orders, positions and balances, as the broker's events say. Synchronous, without a clock."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from metaexpert.broker.broker import BalanceChanged, BrokerEvent, OrderChanged, PositionChanged, Standing
from metaexpert.core.holdings import Account, Balance, Position, PositionSide
from metaexpert.core.instrument import Instrument
from metaexpert.core.market import MarketMemory
from metaexpert.core.orders import Order


class Portfolio:
    """Follows a broker's events.

    Args:
        instruments: what is traded, by symbol; the first one's settlement currency is the account's.
        market: where the prices stand that positions are valued at.
    """

    def __init__(self, instruments: Mapping[str, Instrument], market: MarketMemory) -> None:
        self.instruments = instruments
        self.currency = next((each.settle for each in instruments.values()), "USDT")
        self._market = market
        self._orders: dict[str, Order] = {}
        self._positions: dict[tuple[str, PositionSide], Position] = {}
        self._balances: dict[str, Balance] = {}

    def begin(self, standing: Standing) -> None:
        """Start from what the broker holds; what was known before is forgotten."""
        self._orders = {order.order_id: order for order in standing.open_orders}
        self._positions = {(each.symbol, each.side): each for each in standing.account.positions}
        self._balances = dict(standing.account.balances)

    def sent(self, order: Order) -> None:
        """An order is on its way."""
        self._orders[order.order_id] = order

    def answered(self, order: Order) -> None:
        """The broker's answer; an event that came before it knows more."""
        known = self._orders.get(order.order_id)
        if known is None or known.status in {"sent", "unknown"}:
            self._keep(order)

    def refused(self, order_id: str) -> None:
        """An order did not come about."""
        self._orders.pop(order_id, None)

    def apply(self, event: BrokerEvent) -> None:
        """Take what happened."""
        match event:
            case OrderChanged():
                self._keep(event.order)
            case PositionChanged():
                self._position(event.position)
            case BalanceChanged():
                self._balances[event.balance.asset] = event.balance
            case _:
                pass

    @property
    def open_orders(self) -> Sequence[Order]:
        """Orders to which something may still happen, oldest first."""
        return tuple(self._orders.values())

    def order(self, order_id: str) -> Order | None:
        """An open order by the expert's id."""
        return self._orders.get(order_id)

    @property
    def positions(self) -> Sequence[Position]:
        """Open positions, valued at the last prices."""
        return tuple(map(self._valued, self._positions.values()))

    def position(self, symbol: str) -> Position:
        """The net position in `symbol`; of quantity 0 where there is none."""
        sides = [each for (name, _), each in self._positions.items() if name == symbol]
        if len(sides) == 1:
            return self._valued(sides[0])
        return Position(symbol=symbol, quantity=sum((each.quantity for each in sides), Decimal(0)))

    def sides(self, symbol: str) -> Sequence[Position]:
        """The open positions in `symbol`: two in hedge mode, if both sides are held."""
        return tuple(self._valued(each) for (name, _), each in self._positions.items() if name == symbol)

    def account(self) -> Account:
        """Balances, open positions and equity at the last prices."""
        positions = tuple(self.positions)
        return Account(
            currency=self.currency,
            equity=self._equity(positions),
            balances=dict(self._balances),
            positions=positions,
            time_ns=self._market.now_ns,
        )

    def _keep(self, order: Order) -> None:
        if order.is_open:
            self._orders[order.order_id] = order
        else:
            self._orders.pop(order.order_id, None)

    def _position(self, position: Position) -> None:
        key = (position.symbol, position.side)
        if position.is_open:
            self._positions[key] = position
        else:
            self._positions.pop(key, None)

    def _valued(self, position: Position) -> Position:
        quote, instrument = self._market.quotes.get(position.symbol), self.instruments.get(position.symbol)
        if quote is None or instrument is None or position.entry_price is None:
            return position
        gain = instrument.profit(position.quantity, position.entry_price, quote.price)
        return _revalued(position, quote.price, gain)

    def _equity(self, positions: Sequence[Position]) -> Decimal:
        cash = self._balances.get(self.currency)
        equity = Decimal(0) if cash is None else cash.total
        for instrument in self.instruments.values():
            if not instrument.is_contract and instrument.quote == self.currency:
                equity += self._worth(instrument)
        contracts = (each for each in positions if self._is_contract(each.symbol))
        return equity + sum((each.unrealized_pnl for each in contracts), Decimal(0))

    def _worth(self, instrument: Instrument) -> Decimal:
        held, quote = self._balances.get(instrument.base), self._market.quotes.get(instrument.symbol)
        return Decimal(0) if held is None or quote is None else held.total * quote.price

    def _is_contract(self, symbol: str) -> bool:
        instrument = self.instruments.get(symbol)
        return instrument is not None and instrument.is_contract


def _revalued(position: Position, price: Decimal, gain: Decimal) -> Position:
    return Position(
        symbol=position.symbol,
        quantity=position.quantity,
        side=position.side,
        entry_price=position.entry_price,
        mark_price=price,
        leverage=position.leverage,
        unrealized_pnl=gain,
        realized_pnl=position.realized_pnl,
        margin=position.margin,
        liquidation_price=position.liquidation_price,
        opened_ns=position.opened_ns,
    )
