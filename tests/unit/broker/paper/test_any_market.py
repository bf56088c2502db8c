"""Whatever markets and orders come: money is conserved, nothing negative, prices fair, a restart changes nothing."""

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.paper_market import INVERSE, LINEAR, OTHER, SPOT, D, bar, book, funding, order, quote, trade
from support.paper_shadow import Shadow

from metaexpert.broker.broker import BrokerEvent, OrderChanged
from metaexpert.broker.paper import PaperEngine, PaperOptions
from metaexpert.core.events import Bar, Book, MarketEvent, Tick
from metaexpert.core.instrument import Instrument
from metaexpert.core.orders import Fill, Order, OrderRequest, OrderType, TimeInForce

MARKETS = {
    "spot": ((SPOT,), {"USDT": D(1000), "BTC": D(3)}),
    "linear": ((LINEAR, OTHER), {"USDT": D(500)}),
    "inverse": ((INVERSE,), {"BTC": D(2)}),
    "mixed": ((SPOT, replace(OTHER, settle="USDT")), {"USDT": D(500)}),
}
TICKS = st.integers(300, 3000).map(lambda steps: D(steps) / 10)
NEAR = st.integers(900, 1100).map(lambda steps: D(steps) / 10)
PRICES = st.one_of(NEAR, NEAR, TICKS)
QUANTITIES = st.integers(1, 9000).map(lambda steps: D(steps) / 1000)
DEPTH = st.lists(st.tuples(st.integers(1, 40), QUANTITIES), min_size=1, max_size=4)


class Markets(RuleBasedStateMachine):
    """One engine in use, a second one made anew from the first one's snapshot before each step, and the shadow."""

    engine: PaperEngine
    shadow: Shadow
    last: dict[str, Decimal]

    @initialize(
        market=st.sampled_from(sorted(MARKETS)),
        terms=st.tuples(st.sampled_from([1, 3, 20, 100]), st.booleans()),
        hedge=st.booleans(),
        options=st.builds(
            PaperOptions,
            spread_pct=st.sampled_from([D(0), D("0.1")]),
            slippage_pct=st.sampled_from([D(0), D("0.5")]),
            fill_share=st.sampled_from([D("0.3"), D(1)]),
            latency_ms=st.sampled_from([0, 0, 2]),
        ),
        bars=st.booleans(),
        seed=st.integers(0, 9),
    )
    def start(
        self, *, market: str, terms: tuple[int, bool], hedge: bool, options: PaperOptions, bars: bool, seed: int
    ) -> None:
        instruments, capital = MARKETS[market]
        self.instruments = {each.symbol: each for each in instruments}
        self.options, self.hedge, self.bars, self.terms = options, hedge, bars, terms
        self.make: Callable[[], PaperEngine] = lambda: PaperEngine(
            options, self.instruments, capital, random=Random(seed), hedge=hedge
        )
        self.engine = self.make()
        self.shadow = Shadow(self.instruments, dict(capital), hedge=hedge)
        self.now_ns, self.count, self.minute = 0, 0, 0
        self.last, self.quotes, self.traded = {}, {}, set[str]()
        for each in instruments:
            if each.is_contract:
                self.engine.set_leverage(each.symbol, D(terms[0]), terms[1])
        for each in instruments:
            first = bar(100, 100, 100, 100, symbol=each.symbol) if bars else trade(100, symbol=each.symbol)
            self.market(first)
        self.minute = 1

    def instrument(self, choice: int) -> Instrument:
        return list(self.instruments.values())[choice % len(self.instruments)]

    def twice(self, step: Callable[[PaperEngine], list[BrokerEvent]]) -> list[BrokerEvent]:
        """Do something with the engine, and with one restored from its snapshot: the same must come of it."""
        saved = json.loads(json.dumps(self.engine.snapshot()))
        second = self.make()
        second.restore(saved)
        events = step(self.engine)
        assert step(second) == events
        assert second.snapshot() == self.engine.snapshot()
        self.shadow.hear(events)
        return events

    def market(self, event: MarketEvent) -> None:
        symbol = event.symbol
        before = {each.order_id: each for each in self.shadow.orders.values()}
        events = self.twice(lambda engine: engine.market(event))
        self.note(event)
        for each in events:
            if isinstance(each, OrderChanged) and each.fill is not None:
                assert each.fill.symbol == symbol or self.options.latency_ms
                if each.fill.symbol == symbol and not self.options.latency_ms:
                    self.fair(each.order, each.fill, event, waited=each.order.order_id in before)

    def note(self, event: MarketEvent) -> None:
        match event:
            case Bar():
                self.last[event.symbol] = event.close
            case Tick(kind="trade"):
                self.last[event.symbol] = event.price
                self.traded.add(event.symbol)
            case Tick() | Book() if event.symbol not in self.traded:
                raise AssertionError("there is always a trade first")
            case _:
                return

    def fair(self, order: Order, fill: Fill, event: MarketEvent, *, waited: bool) -> None:
        """An order that waited is filled at its limit, in a bar within it; a stop within the market's worst."""
        assert waited
        limit = order.request.price
        if fill.is_maker:
            assert limit is not None
            if isinstance(event, Bar):
                assert event.low <= fill.price <= event.high
            else:
                assert fill.price == limit
        self.within(fill, limit, event)

    def within(self, fill: Fill, limit: Decimal | None, event: MarketEvent | None) -> None:
        buying = fill.side == "BUY"
        if limit is not None:
            assert fill.price <= limit if buying else fill.price >= limit
        if isinstance(event, Bar):
            worst = 1 + self.options.spread_pct / 200 + self.options.slippage_pct / 100 * D("1.01")
            assert fill.price <= event.high * worst + D("0.2")
            assert fill.price >= event.low * (2 - worst) - D("0.2")

    @precondition(lambda self: not self.bars)
    @rule(choice=st.integers(0, 1), price=PRICES, quantity=QUANTITIES, side=st.sampled_from(["BUY", "SELL", None]))
    def trade(self, choice: int, price: Decimal, quantity: Decimal, side: None) -> None:
        self.market(trade(price, quantity, symbol=self.instrument(choice).symbol, at=self.later(), side=side))

    @precondition(lambda self: not self.bars)
    @rule(choice=st.integers(0, 1), bid=PRICES, spread=st.integers(0, 20))
    def quote(self, choice: int, bid: Decimal, spread: int) -> None:
        self.market(quote(bid, bid + D(spread) / 10, symbol=self.instrument(choice).symbol, at=self.later()))

    @precondition(lambda self: not self.bars)
    @rule(choice=st.integers(0, 1), middle=PRICES, bids=DEPTH, asks=DEPTH)
    def book(
        self, choice: int, middle: Decimal, bids: list[tuple[int, Decimal]], asks: list[tuple[int, Decimal]]
    ) -> None:
        down = {middle - D(step) / 10: quantity for step, quantity in bids}
        up = {middle + D(step) / 10: quantity for step, quantity in asks}
        event = book("1:1", "1:1", symbol=self.instrument(choice).symbol, at=self.later())
        self.market(replace(event, bids=tuple(sorted(down.items(), reverse=True)), asks=tuple(sorted(up.items()))))

    @precondition(lambda self: self.bars)
    @rule(
        choice=st.integers(0, 1),
        prices=st.lists(PRICES, min_size=4, max_size=4),
        steady=st.booleans(),
        volume=st.sampled_from([D(0), D(1), D(50)]),
    )
    def bar(self, choice: int, prices: list[Decimal], steady: bool, volume: Decimal) -> None:
        symbol = self.instrument(choice).symbol
        opened = self.last[symbol] if steady else prices[0]
        way = [opened, *prices[1:]]
        minute = self.later() // 10 + 1
        self.now_ns = minute * 10 + 10
        self.market(bar(opened, max(way), min(way), prices[3], volume=volume, minute=minute, symbol=symbol))

    @rule(choice=st.integers(0, 1), rate=st.integers(-300, 300), mark=PRICES)
    def funding(self, choice: int, rate: int, mark: Decimal) -> None:
        self.market(funding(D(rate) / 10_000, mark, symbol=self.instrument(choice).symbol, at=self.later()))

    @rule(
        choice=st.integers(0, 1),
        buying=st.booleans(),
        quantity=st.one_of(QUANTITIES, st.integers(1, 40).map(D), st.integers(1, 300).map(D)),
        kind=st.sampled_from(["market", "market", "limit", "limit", "limit", "stop", "stop_limit"]),
        price=PRICES,
        offset=st.integers(-30, 30),
        time_in_force=st.sampled_from(["GTC", "GTC", "IOC", "FOK"]),
        reduce_only=st.sampled_from([False, False, True]),
        post_only=st.sampled_from([False, False, True]),
    )
    def submit(
        self,
        *,
        choice: int,
        buying: bool,
        quantity: Decimal,
        kind: OrderType,
        price: Decimal,
        offset: int,
        time_in_force: TimeInForce,
        reduce_only: bool,
        post_only: bool,
    ) -> None:
        instrument = self.instrument(choice)
        request = OrderRequest(
            order_id=f"o{self.count + 1}",
            symbol=instrument.symbol,
            side="BUY" if buying else "SELL",
            quantity=instrument.quantity(quantity) or instrument.quantity_step,
            type=kind,
            price=price if kind in {"limit", "stop_limit"} else None,
            stop_price=price + D(offset) / 10 if kind in {"stop", "stop_limit"} else None,
            time_in_force=time_in_force,
            reduce_only=reduce_only,
            post_only=post_only and kind in {"limit", "stop_limit"} and time_in_force == "GTC",
        )
        self.send(request)

    @rule(choice=st.integers(0, 1), buying=st.booleans(), quantity=st.integers(1, 30), reduce_only=st.booleans())
    def enter(self, choice: int, buying: bool, quantity: int, reduce_only: bool) -> None:
        """A market order of a size that capital and leverage often allow."""
        instrument = self.instrument(choice)
        held = any(self.shadow.told_positions.values())
        self.send(
            OrderRequest(
                order_id=f"o{self.count + 1}",
                symbol=instrument.symbol,
                side="BUY" if buying else "SELL",
                quantity=instrument.quantity(D(quantity * self.terms[0]) / 10) or instrument.quantity_step,
                reduce_only=reduce_only and held,
            )
        )

    @rule(
        choice=st.integers(0, 1),
        buying=st.booleans(),
        quantity=st.integers(1, 3),
        price=NEAR,
        flag=st.sampled_from(["", "reduce_only"]),
    )
    def rest(self, *, choice: int, buying: bool, quantity: int, price: Decimal, flag: str) -> None:
        """A limit order that often stays in the book."""
        symbol = self.instrument(choice).symbol
        words = f"{'buy' if buying else 'sell'} {quantity} limit {price} {flag}"
        self.send(order(words, f"o{self.count + 1}", symbol=symbol))

    def send(self, request: OrderRequest) -> None:
        now_ns = self.later()
        self.count += 1
        for each in self.twice(lambda engine: engine.submit(request, now_ns)[1]):
            if isinstance(each, OrderChanged) and each.fill is not None:
                assert not each.fill.is_maker
                assert not request.post_only
                self.within(each.fill, request.price, None)

    @precondition(lambda self: self.count)
    @rule(which=st.integers(1, 100))
    def cancel(self, which: int) -> None:
        now_ns = self.later()
        self.twice(lambda engine: engine.cancel(f"o{which % self.count + 1}", now_ns)[1])

    @precondition(lambda self: self.count)
    @rule(which=st.integers(1, 100), quantity=st.none() | QUANTITIES, price=st.none() | PRICES)
    def modify(self, which: int, quantity: Decimal | None, price: Decimal | None) -> None:
        now_ns = self.later()
        name = f"o{which % self.count + 1}"
        self.twice(lambda engine: engine.modify(name, quantity=quantity, price=price, now_ns=now_ns)[1])

    def later(self) -> int:
        self.now_ns += 1_000_000
        return self.now_ns

    @invariant()
    def all_adds_up(self) -> None:
        self.shadow.agrees(self.engine.standing(self.now_ns), dict(self.engine.insured), self.last)


Markets.TestCase.settings = settings(
    max_examples=50,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestMarkets = Markets.TestCase
