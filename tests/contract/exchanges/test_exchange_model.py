"""The exchange behind the local servers loses and makes no money, whatever is asked of it."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from support.exchanges.clock import Clock
from support.exchanges.exchange import Exchange
from support.exchanges.instruments import Instrument, Kind
from support.exchanges.orders import Lasting, NewOrder, Trigger
from support.exchanges.refusals import RefusedError
from support.exchanges.rules import Rules

_D = Decimal
SPOT = Instrument("BTCUSDT", "BTC", "USDT", Kind.SPOT, _D(1), _D("0.01"), _D("0.01"), _D(1), _D(100))
SWAP = Instrument("BTCUSDT", "BTC", "USDT", Kind.LINEAR, _D(1), _D("0.01"), _D("0.01"), _D(1), _D(100))
INVERSE = Instrument("BTCUSD", "BTC", "USD", Kind.INVERSE, _D(1), _D(1), _D(1), _D(0), _D(100))
START = {"USDT": _D(1_000), "BTC": _D(10)}

_PRICES = st.integers(80, 120).map(_D)
_PLACES = st.tuples(
    st.sampled_from(["buy", "sell"]),
    st.integers(1, 60),
    st.none() | _PRICES,
    st.sampled_from(list(Lasting)),
    st.none() | _PRICES,
    st.booleans(),
)
_STEPS = st.lists(st.one_of(_PLACES, _PRICES, st.just("cancel")), max_size=25)


def _exchange(instrument: Instrument) -> Exchange:
    exchange = Exchange([instrument], {"unified": START}, Rules(), Clock(lambda: 1_795_479_870_000))
    exchange.listing(instrument).book.level_quantity = instrument.lot * 20
    exchange.move_price(instrument.id, _D(100))
    return exchange


def _run(instrument: Instrument, steps: list[object]) -> Exchange:
    exchange = _exchange(instrument)
    for step in steps:
        try:
            _do(exchange, instrument, step)
        except RefusedError:
            continue
    return exchange


def _do(exchange: Exchange, instrument: Instrument, step: object) -> None:
    match step:
        case Decimal():
            exchange.move_price(instrument.id, step)
        case (str(side), int(lots), limit, lasting, stop, bool(reduces)):
            exchange.place(
                NewOrder(
                    instrument, side, instrument.lot * lots, limit,
                    lasting=lasting if limit else Lasting.GTC,
                    trigger=Trigger(stop) if stop else None,
                    reduce_only=reduces and instrument.kind is not Kind.SPOT,
                )
            )  # fmt: skip
        case _:
            for order in exchange.open_orders()[:1]:
                exchange.cancel(order)


@settings(max_examples=60, deadline=None)
@given(_STEPS)
def test_spot_balances_are_what_was_traded_and_never_below_what_is_locked(steps: list[object]):
    exchange = _run(SPOT, steps)
    fills = [(order, fill) for order in exchange.orders.values() for fill in order.fills]
    base = sum(order.sign * fill.quantity for order, fill in fills)
    quote = sum(-order.sign * fill.quantity * fill.price for order, fill in fills)
    fees = {asset: sum(f.fee for _, f in fills if f.fee_asset == asset) for asset in START}
    totals = exchange.account.totals["unified"]
    assert totals == {"USDT": START["USDT"] + quote - fees["USDT"], "BTC": START["BTC"] + base - fees["BTC"]}
    assert all(exchange.available("unified", asset) >= 0 for asset in START)
    assert all(order.filled <= order.quantity for order in exchange.orders.values())


@settings(max_examples=60, deadline=None)
@given(_STEPS, st.sampled_from([SWAP, INVERSE]))
def test_contract_balances_are_profits_less_fees(steps: list[object], instrument: Instrument):
    exchange = _run(instrument, steps)
    fills = [(order, fill) for order in exchange.orders.values() for fill in order.fills]
    earned = sum((fill.profit - fill.fee for _, fill in fills), _D(0))
    assert exchange.account.total("unified", instrument.settle) == START[instrument.settle] + earned
    held = sum(order.sign * fill.quantity for order, fill in fills)
    assert sum(position.quantity for position in exchange.account.held()) == held


@settings(max_examples=60, deadline=None)
@given(_STEPS)
def test_a_closed_position_earned_what_its_trades_cost(steps: list[object]):
    exchange = _run(SWAP, steps)
    for order in exchange.open_orders():
        exchange.cancel(order)
    exchange.listing(SWAP).book.level_quantity = SWAP.lot * 10_000
    exchange.move_price(SWAP.id, _D(100))
    for position in exchange.account.held():
        side = "sell" if position.quantity > 0 else "buy"
        exchange.place(NewOrder(SWAP, side, abs(position.quantity), reduce_only=True))
    fills = [(order, fill) for order in exchange.orders.values() for fill in order.fills]
    assert exchange.account.held() == []
    cash = sum((-order.sign * fill.quantity * fill.price for order, fill in fills), _D(0))
    assert abs(sum((fill.profit for _, fill in fills), _D(0)) - cash) < _D("1e-6")


def test_a_standing_order_that_may_only_reduce_opens_nothing():
    exchange = _exchange(SWAP)
    exchange.place(NewOrder(SWAP, "buy", _D("0.1")))
    for price in (105, 106):
        exchange.place(NewOrder(SWAP, "sell", _D("0.08"), _D(price), reduce_only=True))
    exchange.move_price(SWAP.id, _D(110))
    assert exchange.account.held() == []
    assert [str(order.filled) for order in exchange.orders.values()] == ["0.1", "0.08", "0.02"]


def test_a_stop_spends_no_more_than_there_is():
    exchange = _exchange(SPOT)
    exchange.place(NewOrder(SPOT, "buy", _D("9"), trigger=Trigger(_D(110), rising=True)))
    exchange.listing(SPOT).book.level_quantity = _D(100)
    exchange.move_price(SPOT.id, _D(120))
    [order] = exchange.orders.values()
    assert (order.status, order.filled) == ("expired", _D("8.26"))
    assert exchange.account.total("unified", "USDT") == 1_000 - _D("8.26") * 121
