"""A market on paper: takes orders and market events, answers with what happened; pure, of one seed always the same.

Amounts are rounded as `money` says, prices move as `matching` and `bars` say. Times are the events' and the caller's.
"""

from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Final

from metaexpert.broker.broker import BrokerEvent, Standing
from metaexpert.broker.paper.accounts import account, open_orders
from metaexpert.broker.paper.arrivals import deliver, send
from metaexpert.broker.paper.bars import Way
from metaexpert.broker.paper.funding import fund
from metaexpert.broker.paper.liquidation import liquidate
from metaexpert.broker.paper.matching import on_book, on_tick
from metaexpert.broker.paper.money import GREATEST
from metaexpert.broker.paper.options import PaperOptions
from metaexpert.broker.paper.snapshots import dumped, loaded
from metaexpert.broker.paper.state import Arrival, State, Terms
from metaexpert.broker.paper.venue import Venue
from metaexpert.core.events import Bar, Book, Funding, MarketEvent, Tick
from metaexpert.core.instrument import Instrument
from metaexpert.core.orders import OrderRequest, OrderResult
from metaexpert.exceptions import ConfigError, MetaExpertError

_TRADED: Final = frozenset({"spot", "futures"})


class PaperEngine:
    """The market, the account and the rules, without a clock."""

    def __init__(
        self,
        options: PaperOptions,
        instruments: Mapping[str, Instrument],
        capital: Mapping[str, Decimal],
        *,
        random: Random,
        hedge: bool = False,
    ) -> None:
        """Start with `capital`, by asset.

        Args:
            options: What trading costs.
            instruments: What is traded, by symbol.
            capital: Balances to begin with.
            random: Gives the seed of all draws; one number is taken.
            hedge: Long and short positions of one contract beside each other.

        Raises:
            ConfigError: An instrument is of a market that is not traded on paper, or a balance is no amount.
        """
        _check(instruments, capital)
        state = State(seed=random.getrandbits(64), balances=dict(capital))
        self._venue = Venue(options=options, instruments=dict(instruments), hedge=hedge, state=state)
        self._currency = options.currency or next((each.settle for each in instruments.values()), "USDT")

    def market(self, event: MarketEvent) -> list[BrokerEvent]:
        """Let the market move; what came of it, in order. Symbols that are not traded are passed over."""
        venue = self._venue
        if event.symbol not in venue.instruments:
            return []
        if isinstance(event, Bar):
            self._bar(event)
            return venue.told()
        self._advance(event.time_ns)
        match event:
            case Tick():
                on_tick(venue, event)
            case Book():
                on_book(venue, event)
            case Funding():
                fund(venue, event)
        return venue.told() if venue.events else []

    def submit(self, request: OrderRequest, now_ns: int) -> tuple[OrderResult, list[BrokerEvent]]:
        """Take an order; with a latency it is `sent`, and its rejection, if any, comes as an event."""
        arrival = Arrival(due_ns=now_ns + self._latency_ns, kind="submit", order_id=request.order_id, request=request)
        return self._message(arrival, now_ns)

    def cancel(self, order_id: str, now_ns: int) -> tuple[OrderResult, list[BrokerEvent]]:
        """Cancel an open order; a refusal where there is none."""
        arrival = Arrival(due_ns=now_ns + self._latency_ns, kind="cancel", order_id=order_id)
        return self._message(arrival, now_ns)

    def modify(
        self, order_id: str, *, quantity: Decimal | None, price: Decimal | None, now_ns: int
    ) -> tuple[OrderResult, list[BrokerEvent]]:
        """Change an open order; None leaves a value. Of an order of type `stop`, `price` is its stop price."""
        arrival = Arrival(
            due_ns=now_ns + self._latency_ns, kind="modify", order_id=order_id, quantity=quantity, price=price
        )
        return self._message(arrival, now_ns)

    def standing(self, now_ns: int) -> Standing:
        """Account and open orders."""
        return Standing(account=account(self._venue, self._currency, now_ns), open_orders=open_orders(self._venue))

    def set_leverage(self, symbol: str, leverage: Decimal, isolated: bool) -> None:  # noqa: FBT001 - as exchanges have it
        """Choose how a contract's positions are margined; by default isolated, without leverage.

        Raises:
            ConfigError: There is no such contract, or it does not allow that leverage.
            MetaExpertError: A position or an order is open under other terms.
        """
        terms = Terms(leverage=Decimal(leverage), isolated=isolated)
        _check_terms(self._venue, symbol, terms)
        self._venue.state.terms[symbol] = terms

    def snapshot(self) -> dict[str, object]:
        """Everything remembered, as JSON can have it; decimals are strings."""
        return dumped(self._venue.state, hedge=self._venue.hedge)

    def restore(self, snapshot: Mapping[str, object]) -> None:
        """Go on from a snapshot; the engine goes on as the one that made it would have.

        Raises:
            MetaExpertError: It is damaged, of another version, or speaks of what is not traded here.
        """
        self._venue.state = loaded(snapshot, self._venue.instruments, hedge=self._venue.hedge)

    @property
    def insured(self) -> Mapping[str, Decimal]:
        """Losses that the exchange's fund bore, by asset."""
        return dict(self._venue.state.insured)

    @property
    def _latency_ns(self) -> int:
        return self._venue.options.latency_ms * 1_000_000

    def _message(self, arrival: Arrival, now_ns: int) -> tuple[OrderResult, list[BrokerEvent]]:
        self._venue.state.now_ns = max(self._venue.state.now_ns, now_ns)
        result = send(self._venue, arrival, delayed=bool(self._latency_ns))
        self._recheck()
        return result, self._venue.told()

    def _recheck(self) -> None:
        """Orders may have opened what is short of margin from the start."""
        for symbol in list(self._venue.state.holdings):
            liquidate(self._venue, symbol)

    def _advance(self, now_ns: int, *, inclusive: bool = True) -> None:
        state = self._venue.state
        if state.arrivals:
            deliver(self._venue, now_ns, inclusive=inclusive)
        state.now_ns = max(state.now_ns, now_ns)

    def _bar(self, bar: Bar) -> None:
        prices = self._venue.prices(bar.symbol)
        if prices.live or not bar.closed or bar.open_time_ns < prices.bars_until_ns:
            return
        prices.bars_until_ns = bar.close_time_ns
        self._advance(bar.open_time_ns)
        way = Way(self._venue, bar)
        way.open()
        self._advance(bar.close_time_ns, inclusive=False)
        way.go()


def _check(instruments: Mapping[str, Instrument], capital: Mapping[str, Decimal]) -> None:
    for each in instruments.values():
        if each.market_type not in _TRADED or (each.market_type == "futures") != each.is_contract:
            raise ConfigError(
                f"{each.symbol} is of market_type {each.market_type!r}: on paper, only 'spot' and 'futures' "
                "(linear and inverse) are traded; set market_type to one of them"
            )
    for asset, amount in capital.items():
        if not (amount.is_finite() and 0 <= amount < GREATEST):
            raise ConfigError(f"capital of {asset} is {amount}; it must be at least 0 and less than {GREATEST:f}")


def _check_terms(venue: Venue, symbol: str, terms: Terms) -> None:
    instrument = venue.instruments.get(symbol)
    if instrument is None or not instrument.is_contract:
        raise ConfigError(f"{symbol} has no leverage here: it must be one of the contracts traded")
    if not 1 <= terms.leverage <= instrument.max_leverage:
        raise ConfigError(f"leverage of {symbol} is {terms.leverage}; it must be from 1 to {instrument.max_leverage}")
    held = any(each.quantity for each in venue.state.holdings.get(symbol, {}).values())
    if terms != venue.terms(symbol) and (held or symbol in venue.state.orders):
        raise MetaExpertError(
            f"leverage and margin mode of {symbol} stay as they are while a position or an order is open; "
            "close and cancel them first"
        )
