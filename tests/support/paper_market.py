"""Instruments, prices and orders for the paper broker, in as few words as tests need."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from random import Random

from metaexpert.broker.broker import BrokerEvent, OrderChanged
from metaexpert.broker.paper import PaperEngine, PaperOptions
from metaexpert.core.events import Bar, Book, Funding, Side, Tick
from metaexpert.core.instrument import Instrument
from metaexpert.core.orders import Fill, Order, OrderRequest, OrderResult, Refusal

D = Decimal

SPOT = Instrument(
    exchange="paper",
    symbol="BTCUSDT",
    unified="BTC/USDT",
    market_type="spot",
    base="BTC",
    quote="USDT",
    settle="USDT",
    price_step=D("0.1"),
    quantity_step=D("0.001"),
    min_quantity=D("0.001"),
    min_notional=D(1),
    max_quantity=D(1000),
    maker_fee=D("0.001"),
    taker_fee=D("0.002"),
)
LINEAR = replace(
    SPOT,
    unified="BTC/USDT:USDT",
    market_type="futures",
    contract_type="linear",
    maker_fee=D("0.0002"),
    taker_fee=D("0.0005"),
    max_leverage=D(100),
)
INVERSE = replace(
    LINEAR,
    symbol="BTCUSD",
    unified="BTC/USD:BTC",
    quote="USD",
    settle="BTC",
    contract_type="inverse",
    contract_size=D(10),
    quantity_step=D(1),
    min_quantity=D(1),
)
OTHER = replace(LINEAR, symbol="ETHUSDT", unified="ETH/USDT:USDT", base="ETH")

EXACT = PaperOptions(spread_pct=D(0), slippage_pct=D(0), fill_share=D(1), liquidation_fee_pct=D(0))
"""No cost but fees, so that examples are easy to reckon."""


def engine_of(
    *instruments: Instrument,
    options: PaperOptions = EXACT,
    hedge: bool = False,
    leverage: int = 1,
    isolated: bool = True,
    seed: int = 1,
    **capital: object,
) -> PaperEngine:
    """An engine with `capital` by asset."""
    made = PaperEngine(
        options,
        {each.symbol: each for each in instruments},
        {asset: D(str(amount)) for asset, amount in capital.items()},
        random=Random(seed),
        hedge=hedge,
    )
    for each in instruments:
        if each.is_contract:
            made.set_leverage(each.symbol, D(leverage), isolated)
    return made


def trade(
    price: object, quantity: object = 1000, *, symbol: str = "BTCUSDT", at: int = 0, side: Side | None = None
) -> Tick:
    """A trade."""
    return Tick(
        exchange="paper",
        symbol=symbol,
        kind="trade",
        time_ns=at,
        price=D(str(price)),
        quantity=D(str(quantity)),
        side=side,
    )


def quote(bid: object, ask: object, *, symbol: str = "BTCUSDT", at: int = 0) -> Tick:
    """A quote."""
    low, high = D(str(bid)), D(str(ask))
    return Tick(exchange="paper", symbol=symbol, kind="quote", time_ns=at, price=(low + high) / 2, bid=low, ask=high)


def book(bids: str, asks: str, *, symbol: str = "BTCUSDT", at: int = 0) -> Book:
    """A book of `price:quantity` words, best first."""
    return Book(exchange="paper", symbol=symbol, time_ns=at, bids=_levels(bids), asks=_levels(asks))


def _levels(text: str) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((D(price), D(quantity)) for price, quantity in (word.split(":") for word in text.split()))


def bar(
    open_: object,
    high: object,
    low: object,
    close: object,
    *,
    volume: object = 1000,
    minute: int = 0,
    symbol: str = "BTCUSDT",
) -> Bar:
    """A closed bar of a minute of ten nanoseconds."""
    return Bar(
        exchange="paper",
        symbol=symbol,
        timeframe="1m",
        open_time_ns=minute * 10,
        close_time_ns=minute * 10 + 10,
        open=D(str(open_)),
        high=D(str(high)),
        low=D(str(low)),
        close=D(str(close)),
        volume=D(str(volume)),
        trades=1,
        closed=True,
    )


def funding(rate: object, mark: object, *, symbol: str = "BTCUSDT", at: int = 0) -> Funding:
    """Funding that falls due."""
    return Funding(exchange="paper", symbol=symbol, time_ns=at, rate=D(str(rate)), mark_price=D(str(mark)))


def order(words: str, order_id: str = "a", *, symbol: str = "BTCUSDT") -> OrderRequest:
    """An order out of words: `buy 2`, `sell 1 limit 100 post_only`, `sell 1 stop 90 reduce_only`, `buy 1 limit 9 IOC`.

    A stop limit order is `buy 1 stop_limit 101 102`: stop price, then limit price.
    """
    side, quantity, *rest = words.split()
    made = OrderRequest(order_id=order_id, symbol=symbol, side="BUY" if side == "buy" else "SELL", quantity=D(quantity))
    return _with_flags(_with_prices(made, rest), set(rest))


def _with_prices(made: OrderRequest, rest: list[str]) -> OrderRequest:
    match rest:
        case ["limit", price, *_]:
            return replace(made, type="limit", price=D(price))
        case ["stop", price, *_]:
            return replace(made, type="stop", stop_price=D(price))
        case ["stop_limit", stop, price, *_]:
            return replace(made, type="stop_limit", stop_price=D(stop), price=D(price))
        case _:
            return made


def _with_flags(made: OrderRequest, words: set[str]) -> OrderRequest:
    made = replace(made, reduce_only="reduce_only" in words, post_only="post_only" in words)
    if "IOC" in words:
        return replace(made, time_in_force="IOC")
    return replace(made, time_in_force="FOK") if "FOK" in words else made


def taken(answer: tuple[OrderResult, list[BrokerEvent]]) -> Order:
    """The order of an answer that is no refusal."""
    assert isinstance(answer[0], Order), answer[0]
    return answer[0]


def refusal(answer: tuple[OrderResult, list[BrokerEvent]]) -> Refusal:
    """Why an order was not taken, having changed nothing."""
    assert isinstance(answer[0], Refusal), answer[0]
    assert answer[1] == []
    return answer[0]


def fills(events: list[BrokerEvent]) -> list[Fill]:
    """The executions among events."""
    return [each.fill for each in events if isinstance(each, OrderChanged) and each.fill is not None]


def only[T](events: list[BrokerEvent], kind: type[T], matching: Callable[[T], bool] = lambda _: True) -> T:
    """The one event of a kind."""
    found = [each for each in events if isinstance(each, kind) and matching(each)]
    assert len(found) == 1, events
    return found[0]


def steps(events: list[BrokerEvent]) -> list[str]:
    """What happened, by name: an order's step, or the kind of event."""
    return [each.step if isinstance(each, OrderChanged) else type(each).__name__ for each in events]


def total(engine: PaperEngine, asset: str) -> Decimal:
    """A balance."""
    return engine.standing(0).account.balances[asset].total
