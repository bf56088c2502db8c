"""What a paper broker's events must come to, reckoned a second way: from fills and cash alone, without its parts.

Equity is what there was at first, less what was paid for all that was bought, plus what of it is still held at the last
price, less fees, plus funding and what the exchange's fund bore: no cost, margin or entry price is needed for it.
"""

from collections import defaultdict
from decimal import ROUND_HALF_EVEN, Decimal

from metaexpert.broker.broker import (
    BalanceChanged,
    BrokerEvent,
    FundingPaid,
    Liquidated,
    OrderChanged,
    PositionChanged,
    Standing,
)
from metaexpert.core.holdings import PositionSide
from metaexpert.core.instrument import Instrument
from metaexpert.core.orders import OPEN, Fill, Order

_STEP = Decimal("1E-12")


class Shadow:
    """Hears all events of one engine and holds them, and its standing, against each other."""

    def __init__(self, instruments: dict[str, Instrument], capital: dict[str, Decimal], *, hedge: bool) -> None:
        self.instruments = instruments
        self.hedge = hedge
        self.capital = capital
        self.balances = dict(capital)
        self.cash: defaultdict[str, Decimal] = defaultdict(Decimal, capital)
        self.held: defaultdict[tuple[str, PositionSide], Decimal] = defaultdict(Decimal)
        self.told_positions: defaultdict[tuple[str, PositionSide], Decimal] = defaultdict(Decimal)
        self.orders: dict[str, Order] = {}
        self.fills: dict[str, Fill] = {}
        self.realized: defaultdict[str, Decimal] = defaultdict(Decimal)

    def hear(self, events: list[BrokerEvent]) -> None:
        """Take what happened."""
        for event, following in zip(events, _following(events), strict=True):
            match event:
                case OrderChanged():
                    self._order(event)
                    assert event.fill is None or isinstance(following, PositionChanged | BalanceChanged)
                case PositionChanged():
                    self._position(event)
                case BalanceChanged():
                    self._balance(event)
                case FundingPaid():
                    self.cash[event.asset] += event.amount
                case Liquidated():
                    self._liquidated(event)

    def _order(self, event: OrderChanged) -> None:
        order, known = event.order, self.orders.get(event.order.order_id)
        assert known is None or known.status in OPEN, "something happened to an order that was over"
        assert order.filled_quantity <= order.request.quantity
        assert (event.fill is not None) == (event.step in {"filled", "partially_filled"})
        filled = known.filled_quantity if known else Decimal(0)
        fees = sum(known.fees.values(), Decimal(0)) if known else Decimal(0)
        if event.fill is not None:
            self._fill(order, event.fill)
            filled, fees = filled + event.fill.quantity, fees + event.fill.fee
        assert order.filled_quantity == filled
        assert sum(order.fees.values(), Decimal(0)) == fees
        assert (order.status == "filled") == (filled == order.request.quantity)
        self.orders[order.order_id] = order

    def _fill(self, order: Order, fill: Fill) -> None:
        assert fill.fill_id not in self.fills, "a fill came twice"
        assert fill.quantity > 0
        self.fills[fill.fill_id] = fill
        instrument = self.instruments[fill.symbol]
        signed = fill.quantity if fill.side == "BUY" else -fill.quantity
        key = (fill.symbol, self._side(order))
        if instrument.is_contract:
            if order.request.reduce_only:
                assert abs(self.held[key] + signed) < abs(self.held[key]), "a reduce-only order did not reduce"
                assert self.held[key] * (self.held[key] + signed) >= 0, "a reduce-only order turned a position"
            self._trade(instrument, key, signed, fill.price)
        else:
            self.cash[instrument.quote] -= signed * fill.price
            self.cash[instrument.base] += signed
        if fill.fee_asset is not None:
            self.cash[fill.fee_asset] -= fill.fee

    def _trade(self, instrument: Instrument, key: tuple[str, PositionSide], signed: Decimal, price: Decimal) -> None:
        """A fill that turns a position is two: amounts are rounded for each."""
        held = self.held[key]
        turns = held * signed < 0 and abs(signed) > abs(held)
        for part in (-held, signed + held) if turns else (signed,):
            self.cash[instrument.settle] -= self._worth(instrument, part, price)
        self.held[key] += signed

    def _worth(self, instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
        if instrument.contract_type == "inverse":
            return -(quantity * instrument.contract_size / price).quantize(_STEP, ROUND_HALF_EVEN)
        return (quantity * instrument.contract_size * price).quantize(_STEP, ROUND_HALF_EVEN)

    def _side(self, order: Order) -> PositionSide:
        if not self.hedge or not self.instruments[order.symbol].is_contract:
            return "NET"
        opens_long = order.side == "BUY" and not order.request.reduce_only
        closes_long = order.side == "SELL" and order.request.reduce_only
        return "LONG" if opens_long or closes_long else "SHORT"

    def _position(self, event: PositionChanged) -> None:
        key = (event.position.symbol, event.position.side)
        assert event.previous_quantity == self.told_positions[key]
        self.told_positions[key] = event.position.quantity
        assert (event.position.entry_price is None) == (event.position.quantity == 0)
        self.realized[self.instruments[event.position.symbol].settle] += event.realized_pnl

    def _balance(self, event: BalanceChanged) -> None:
        asset = event.balance.asset
        self.balances[asset] = self.balances.get(asset, Decimal(0)) + event.change
        assert event.balance.total == self.balances[asset]
        assert 0 <= event.balance.used <= event.balance.total

    def _liquidated(self, event: Liquidated) -> None:
        instrument = self.instruments[event.symbol]
        signed = event.quantity if event.side == "BUY" else -event.quantity
        side: PositionSide = "NET" if not self.hedge else ("LONG" if event.side == "SELL" else "SHORT")
        assert self.held[event.symbol, side] == -signed, "a liquidation closes the whole position"
        self._trade(instrument, (event.symbol, side), signed, event.price)
        self.cash[event.fee_asset] -= event.fee

    def agrees(self, standing: Standing, insured: dict[str, Decimal], marks: dict[str, Decimal]) -> None:
        """Hold all of it against what the broker says it holds."""
        account = standing.account
        assert {asset: each.total for asset, each in account.balances.items()} == self.balances
        assert all(0 <= each.used <= each.total for each in account.balances.values())
        positions = {(each.symbol, each.side): each for each in account.positions}
        for key, quantity in self.told_positions.items():
            held = positions[key].quantity if key in positions else Decimal(0)
            assert held == quantity
            if self.instruments[key[0]].is_contract:
                assert self.held[key] == quantity
        open_ids = {order_id for order_id, order in self.orders.items() if order.is_open}
        assert {each.order_id for each in standing.open_orders if each.status != "sent"} == open_ids
        for each in standing.open_orders:
            known = self.orders.get(each.order_id)
            assert known is None or (each.filled_quantity, each.status) == (known.filled_quantity, known.status)
        self._money(standing, insured, marks)

    def _money(self, standing: Standing, insured: dict[str, Decimal], marks: dict[str, Decimal]) -> None:
        for asset in set(self.cash) | set(self.balances):
            contracts = [each for each in self.instruments.values() if each.is_contract and each.settle == asset]
            symbols = {each.symbol for each in contracts}
            unrealized = sum((p.unrealized_pnl for p in standing.account.positions if p.symbol in symbols), Decimal(0))
            still_held = sum(
                (
                    self._worth(self.instruments[symbol], quantity, marks[symbol])
                    for (symbol, _), quantity in self.held.items()
                    if symbol in symbols and quantity
                ),
                Decimal(0),
            )
            equity = self.balances.get(asset, Decimal(0)) + unrealized
            assert equity == self.cash[asset] + still_held + insured.get(asset, Decimal(0))
            if len(contracts) == len(self.instruments):
                assert self.balances[asset] == self.capital.get(asset, Decimal(0)) + self.realized[asset]


def _following(events: list[BrokerEvent]) -> list[BrokerEvent | None]:
    return [*events[1:], None] if events else []
