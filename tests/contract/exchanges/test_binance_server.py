"""The local Binance says what Binance says: ccxt.pro does with it everything that an expert asks of an exchange."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest

ccxt = pytest.importorskip("ccxt")
pytest.importorskip("ccxt.pro")

from support.eventually import eventually  # noqa: E402 - as below
from support.exchanges import BinanceServer, Clock, Reason  # noqa: E402 - only where ccxt is
from support.exchanges.clients import awaited, connected  # noqa: E402 - as above

SPOT, SWAP = "BTC/USDT", "BTC/USDT:USDT"
BOTH = pytest.mark.parametrize("symbol", [SPOT, SWAP])
STANDING = Clock(lambda: 1_795_479_870_000)
NOBODY = {"apiKey": "", "secret": ""}
_PATIENCE_SECONDS = 10.0


@pytest.fixture
async def server() -> AsyncGenerator[BinanceServer]:
    async with BinanceServer() as running:
        yield running


@pytest.fixture
async def binance(server: BinanceServer) -> AsyncGenerator[Any]:
    async with connected("binance", server) as exchange:
        yield exchange


def _trigger(symbol: str) -> dict[str, Any]:
    return {"trigger": True} if symbol == SWAP else {}


def _market(symbol: str) -> dict[str, str]:
    return {"type": "spot" if symbol == SPOT else "swap"}


def _host(symbol: str) -> str:
    return "/ws/" if symbol == SPOT else "/public/"


def _user(symbol: str) -> str:
    return "user:spot" if symbol == SPOT else "user:linear"


async def after(watching: Coroutine[Any, Any, Any], ready: Coroutine[Any, Any, None], act: Callable[[], Any]) -> Any:
    """What a watch gives for an act that happens once it is subscribed."""
    task = asyncio.ensure_future(watching)
    await ready
    act()
    return await asyncio.wait_for(task, _PATIENCE_SECONDS)


# ---- public ----------------------------------------------------------------------------------------------------


async def test_markets_have_the_steps_of_their_instruments(binance: Any):
    assert set(binance.markets) == {SPOT, SWAP, "ETH/USDT", "ETH/USDT:USDT"}
    assert binance.market(SWAP)["precision"] == {"amount": 0.001, "price": 0.1, "base": 1e-8, "quote": 1e-8}
    assert binance.market(SPOT)["limits"]["cost"]["min"] == 5


async def test_time_and_status_are_told(server: BinanceServer, binance: Any):
    assert abs(await binance.fetch_time() - server.clock.now_ms()) < 5_000
    assert (await binance.fetch_status())["status"] == "ok"
    server.say_maintenance()
    assert (await binance.fetch_status())["status"] == "maintenance"


@BOTH
async def test_candles_are_the_ones_laid_down(symbol: str):
    async with BinanceServer(clock=STANDING) as server, connected("binance", server, **NOBODY) as binance:
        server.lay_candles(symbol, "1m", [Decimal(n) for n in (50_010, 50_020, 50_030)])
        candles = await binance.fetch_ohlcv(symbol, "1m", limit=4)
        assert [candle[4] for candle in candles] == [50_010, 50_020, 50_030, 50_000]
        assert (await binance.fetch_ohlcv(symbol, "1m", since=candles[1][0], limit=2)) == candles[1:3]


@BOTH
async def test_ticker_and_book_follow_the_price(server: BinanceServer, binance: Any, symbol: str):
    server.move_price("BTCUSDT", Decimal(51_000))
    assert (await binance.fetch_ticker(symbol))["last"] == 51_000
    book = await binance.fetch_order_book(symbol, 5)
    assert book["bids"][0][0] < 51_000 < book["asks"][0][0]
    assert len(book["bids"]) == 5


async def test_funding_is_told(binance: Any):
    funding = await binance.fetch_funding_rate(SWAP)
    assert funding["fundingRate"] == 0.0001
    assert funding["fundingTimestamp"] > funding["timestamp"]


@BOTH
async def test_trades_are_streamed(server: BinanceServer, binance: Any, symbol: str):
    ready = server.subscribed(_host(symbol), "btcusdt@trade")
    trades = await after(binance.watch_trades(symbol), ready, lambda: server.move_price(symbol, Decimal(50_100)))
    assert (trades[-1]["symbol"], trades[-1]["price"], trades[-1]["side"]) == (symbol, 50_100, "buy")


@BOTH
async def test_tickers_are_streamed(server: BinanceServer, binance: Any, symbol: str):
    assert (await binance.watch_ticker(symbol))["last"] == 50_000
    quotes = (await binance.watch_bids_asks([symbol]))[symbol]
    assert quotes["bid"] < 50_000 < quotes["ask"]
    waiting = asyncio.ensure_future(binance.watch_ticker(symbol))
    await awaited(binance, "ticker:")
    server.move_price(symbol, Decimal(50_300))
    assert (await waiting)["last"] == 50_300


@BOTH
async def test_a_candle_that_ends_is_streamed_and_a_new_one_begins(symbol: str):
    async with BinanceServer(clock=STANDING) as server, connected("binance", server, **NOBODY) as binance:
        first = (await binance.watch_ohlcv(symbol, "1m"))[-1]
        server.move_price(symbol, Decimal(50_500))
        candles = binance.ohlcvs[symbol]["1m"]
        await eventually(lambda: candles[-1][4] == 50_500)
        server.pass_time(60_000)
        await eventually(lambda: len(candles) == 2)
        assert [candle[0] - first[0] for candle in candles] == [0, 60_000]
        assert [candle[4] for candle in candles] == [50_500, 50_500]


@BOTH
async def test_the_book_is_kept_from_its_changes(server: BinanceServer, binance: Any, symbol: str):
    before = await binance.watch_order_book(symbol)
    assert before["bids"][0][0] < 50_000
    waiting = asyncio.ensure_future(binance.watch_order_book(symbol))
    await awaited(binance, "orderbook::")
    server.move_price(symbol, Decimal(50_200))
    book = await waiting
    assert book["bids"][0][0] < 50_200 < book["asks"][0][0]
    assert len(book["bids"]) == len(book["asks"]) == 25


# ---- orders ----------------------------------------------------------------------------------------------------


@BOTH
async def test_a_market_order_is_filled_with_its_fee(server: BinanceServer, binance: Any, symbol: str):
    order = await binance.create_order(symbol, "market", "buy", 0.01)
    assert (order["status"], order["filled"]) == ("closed", 0.01)
    [trade] = await binance.fetch_my_trades(symbol)
    assert trade["order"] == order["id"]
    expected = ("BTC", 0.01 * 0.001) if symbol == SPOT else ("USDT", 0.01 * trade["price"] * 0.0005)
    assert (trade["fee"]["currency"], trade["fee"]["cost"]) == (expected[0], pytest.approx(expected[1]))
    assert server.traffic.times_sent(order["clientOrderId"]) == 1


@BOTH
async def test_a_limit_order_lives_until_it_is_canceled(server: BinanceServer, binance: Any, symbol: str):
    order = await binance.create_order(symbol, "limit", "buy", 0.01, 49_000, {"clientOrderId": "mine-1"})
    assert (order["status"], order["clientOrderId"]) == ("open", "mine-1")
    assert (await binance.fetch_order(order["id"], symbol))["status"] == "open"
    assert (await binance.fetch_order(None, symbol, {"clientOrderId": "mine-1"}))["id"] == order["id"]
    assert [o["id"] for o in await binance.fetch_open_orders(symbol)] == [order["id"]]
    assert (await binance.cancel_order(order["id"], symbol))["status"] == "canceled"
    assert await binance.fetch_open_orders(symbol) == []
    assert server.orders[0].status == "canceled"


@BOTH
async def test_a_resting_order_is_filled_as_maker_when_the_price_comes(
    server: BinanceServer, binance: Any, symbol: str
):
    order = await binance.create_order(symbol, "limit", "buy", 0.01, 49_000)
    server.move_price(symbol, Decimal(48_990))
    assert (await binance.fetch_order(order["id"], symbol))["status"] == "closed"
    [trade] = await binance.fetch_my_trades(symbol)
    assert (trade["takerOrMaker"], trade["price"]) == ("maker", 49_000)


@BOTH
async def test_an_order_is_edited(binance: Any, symbol: str):
    order = await binance.create_order(symbol, "limit", "buy", 0.01, 49_000)
    edited = await binance.edit_order(order["id"], symbol, "limit", "buy", 0.02, 48_000)
    [standing] = await binance.fetch_open_orders(symbol)
    assert (standing["id"], standing["price"], standing["amount"]) == (edited["id"], 48_000, 0.02)


@BOTH
async def test_all_orders_are_canceled_at_once(binance: Any, symbol: str):
    for price in (49_000, 48_000):
        await binance.create_order(symbol, "limit", "buy", 0.01, price)
    await binance.cancel_all_orders(symbol)
    assert await binance.fetch_open_orders(symbol) == []


@BOTH
async def test_a_stop_waits_for_its_trigger(server: BinanceServer, binance: Any, symbol: str):
    await binance.create_order(symbol, "market", "buy", 0.01)
    stop = await binance.create_order(symbol, "market", "sell", 0.005, None, {"stopLossPrice": 49_000})
    assert stop["triggerPrice"] == 49_000
    assert [o["id"] for o in await binance.fetch_open_orders(symbol, params=_trigger(symbol))] == [stop["id"]]
    server.move_price(symbol, Decimal(48_900))
    assert await binance.fetch_open_orders(symbol, params=_trigger(symbol)) == []
    assert [t["side"] for t in await binance.fetch_my_trades(symbol)] == ["buy", "sell"]
    assert (await binance.fetch_order(stop["id"], symbol, _trigger(symbol)))["status"] == "closed"


@BOTH
async def test_a_stop_is_canceled(binance: Any, symbol: str):
    stop = await binance.create_order(symbol, "market", "sell", 0.005, None, {"triggerPrice": 49_000})
    await binance.cancel_order(stop["id"], symbol, _trigger(symbol))
    assert await binance.fetch_open_orders(symbol, params=_trigger(symbol)) == []


@BOTH
async def test_post_only_is_refused_when_it_would_take(server: BinanceServer, binance: Any, symbol: str):
    refused = ccxt.OrderImmediatelyFillable if symbol == SPOT else ccxt.OrderNotFillable
    with pytest.raises(refused):
        await binance.create_order(symbol, "limit", "buy", 0.01, 51_000, {"postOnly": True})
    standing = await binance.create_order(symbol, "limit", "buy", 0.01, 49_000, {"postOnly": True})
    assert standing["status"] == "open"
    assert [received.order_id is None for received in server.traffic.orders] == [True, False]


@BOTH
async def test_ioc_and_fok_leave_nothing_in_the_book(binance: Any, symbol: str):
    for lasting in ("IOC", "FOK"):
        order = await binance.create_order(symbol, "limit", "buy", 0.01, 49_000, {"timeInForce": lasting})
        assert (order["status"], order["filled"]) == ("expired", 0)


async def test_reduce_only_needs_something_to_reduce(binance: Any):
    with pytest.raises(ccxt.InvalidOrder):
        await binance.create_order(SWAP, "market", "sell", 0.01, None, {"reduceOnly": True})


async def test_a_position_opens_and_closes(server: BinanceServer, binance: Any):
    await binance.create_order(SWAP, "market", "buy", 0.02)
    server.move_price(SWAP, Decimal(51_000))
    [position] = await binance.fetch_positions([SWAP])
    assert (position["side"], position["contracts"]) == ("long", 0.02)
    assert position["unrealizedPnl"] == pytest.approx(0.02 * (51_000 - 50_000.1))
    await binance.create_order(SWAP, "market", "sell", 0.02, None, {"reduceOnly": True})
    assert await binance.fetch_positions([SWAP]) == []
    total = (await binance.fetch_balance({"type": "swap"}))["USDT"]["total"]
    fees = 0.0005 * 0.02 * (50_000.1 + 50_999.9)
    assert total == pytest.approx(100_000 + 0.02 * (50_999.9 - 50_000.1) - fees)


async def test_balances_move_from_free_to_used(binance: Any):
    await binance.create_order(SPOT, "limit", "buy", 0.1, 49_000)
    spot = await binance.fetch_balance({"type": "spot"})
    assert (spot["USDT"]["used"], spot["USDT"]["total"]) == (4_900, 100_000)
    swap = await binance.fetch_balance({"type": "swap"})
    assert swap["USDT"]["total"] == 100_000


async def test_settings_of_a_contract_are_kept(server: BinanceServer, binance: Any):
    await binance.set_leverage(7, SWAP)
    await binance.set_margin_mode("isolated", SWAP)
    with pytest.raises(ccxt.MarginModeAlreadySet):
        await binance.set_margin_mode("isolated", SWAP)
    settings = server.exchange.account.settings(server.exchange.market.named(SWAP)[0].instrument)
    assert (settings.leverage, settings.isolated) == (7, True)


async def test_hedge_mode_holds_both_sides(server: BinanceServer, binance: Any):
    await binance.set_position_mode(hedged=True, symbol=SWAP)
    await binance.create_order(SWAP, "market", "buy", 0.02, None, {"hedged": True})
    await binance.create_order(SWAP, "market", "sell", 0.01, None, {"hedged": True})
    positions = await binance.fetch_positions([SWAP])
    assert {(p["side"], p["contracts"]) for p in positions} == {("long", 0.02), ("short", 0.01)}
    with pytest.raises(ccxt.ExchangeError, match="-4061"):
        await binance.create_order(SWAP, "market", "buy", 0.02)
    assert len(server.orders) == 2


# ---- user data ---------------------------------------------------------------------------------------------------


@BOTH
async def test_own_orders_and_fills_are_streamed(server: BinanceServer, binance: Any, symbol: str):
    orders = asyncio.ensure_future(binance.watch_orders(symbol))
    fills = asyncio.ensure_future(binance.watch_my_trades(symbol))
    await server.subscribed(_user(symbol))
    await awaited(binance, "orders:", "myTrades:")
    placed = await binance.create_order(symbol, "limit", "buy", 0.01, 49_000, {"clientOrderId": "mine-2"})
    [seen] = await orders
    assert (seen["id"], seen["clientOrderId"], seen["status"]) == (placed["id"], "mine-2", "open")
    orders = asyncio.ensure_future(binance.watch_orders(symbol))
    await awaited(binance, "orders:", "myTrades:")
    server.exchange.fill(server.orders[0], Decimal("0.004"))
    assert (await fills)[-1]["amount"] == 0.004
    assert (await orders)[-1]["filled"] == 0.004


@BOTH
async def test_own_balance_is_streamed(server: BinanceServer, binance: Any, symbol: str):
    watching = asyncio.ensure_future(binance.watch_balance(_market(symbol)))
    await server.subscribed(_user(symbol))
    await awaited(binance, ":balance")
    await binance.create_order(symbol, "market", "buy", 0.01)
    balance = await watching
    assert balance["USDT"]["total"] <= 100_000
    assert balance["USDT"]["total"] >= 99_000


async def test_own_positions_are_streamed(binance: Any):
    await binance.create_order(SWAP, "market", "buy", 0.02)
    [held] = await binance.watch_positions([SWAP])
    assert (held["side"], held["contracts"]) == ("long", 0.02)
    watching = asyncio.ensure_future(binance.watch_positions([SWAP]))
    await awaited(binance, "linear:positions")
    await binance.create_order(SWAP, "market", "sell", 0.015)
    assert (await watching)[0]["contracts"] == 0.005


# ---- signatures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("field", "code"), [("secret", "-1022"), ("apiKey", "-2015")])
async def test_a_request_with_wrong_credentials_is_refused(binance: Any, field: str, code: str):
    setattr(binance, field, "another")
    with pytest.raises(ccxt.BaseError, match=code):
        await binance.fetch_balance()


async def test_a_user_stream_with_a_wrong_secret_is_refused(binance: Any):
    binance.secret = "another"
    with pytest.raises(KeyError) as caught:  # ccxt stumbles over the refusal, which it has understood
        await binance.watch_orders(SPOT)
    assert isinstance(caught.value.__context__, ccxt.AuthenticationError)


@pytest.mark.parametrize("milliseconds", [-60_000, 60_000])
async def test_a_clock_that_is_off_is_refused(server: BinanceServer, binance: Any, milliseconds: int):
    server.clock.move(milliseconds)
    with pytest.raises(ccxt.InvalidNonce):
        await binance.fetch_balance()


# ---- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "error"),
    [
        ((SPOT, 100), "InsufficientFunds"),
        ((SWAP, 100), "InsufficientFunds"),
        ((SPOT, 0.00002), "BadRequest"),
        ((SWAP, 0.001), "InvalidOrder"),
    ],
)
async def test_what_the_account_or_the_filters_do_not_allow_is_refused(
    server: BinanceServer, binance: Any, order: tuple[str, float], error: str
):
    symbol, amount = order
    with pytest.raises(getattr(ccxt, error)):
        await binance.create_order(symbol, "limit", "buy", amount, 49_000)
    assert server.orders == []


@BOTH
async def test_a_price_between_ticks_is_refused(server: BinanceServer, binance: Any, symbol: str):
    server.rest_faults.refuse(Reason.PRICE_FILTER, on="order")
    with pytest.raises(ccxt.BaseError, match=r"-4014|PRICE_FILTER"):
        await binance.create_order(symbol, "limit", "buy", 0.01, 49_000)


@BOTH
async def test_a_client_id_in_use_is_refused(server: BinanceServer, binance: Any, symbol: str):
    await binance.create_order(symbol, "limit", "buy", 0.01, 49_000, {"clientOrderId": "twice"})
    with pytest.raises(ccxt.InvalidOrder):
        await binance.create_order(symbol, "limit", "buy", 0.01, 49_000, {"clientOrderId": "twice"})
    assert server.traffic.times_sent("twice") == 2
    assert len(server.orders) == 1


@BOTH
async def test_an_unknown_order_is_not_found(binance: Any, symbol: str):
    with pytest.raises(ccxt.OrderNotFound):
        await binance.fetch_order("123", symbol)
    with pytest.raises(ccxt.OrderNotFound):
        await binance.cancel_order("123", symbol)


async def test_too_many_requests_are_limited(server: BinanceServer, binance: Any):
    server.rest_faults.rate_limit(retry_after_seconds=7)
    with pytest.raises(ccxt.DDoSProtection, match="429"):
        await binance.fetch_time()
    assert binance.last_response_headers["Retry-After"] == "7"
    server.rest_faults.rate_limit(banned=True)
    with pytest.raises(ccxt.DDoSProtection, match="418"):
        await binance.fetch_time()
    assert await binance.fetch_time()


@pytest.mark.parametrize("page", [False, True])
async def test_maintenance_is_no_answer(server: BinanceServer, binance: Any, page: bool):
    server.rest_faults.maintenance(page=page)
    with pytest.raises(ccxt.ExchangeNotAvailable if page else ccxt.OperationFailed):
        await binance.fetch_balance()


@BOTH
async def test_an_order_whose_answer_is_lost_was_placed_once(server: BinanceServer, binance: Any, symbol: str):
    server.rest_faults.lose_answer(on="POST")
    with pytest.raises(ccxt.NetworkError):
        await binance.create_order(symbol, "limit", "buy", 0.01, 49_000, {"clientOrderId": "lost"})
    found = await binance.fetch_order(None, symbol, {"clientOrderId": "lost"})
    assert found["status"] == "open"
    assert server.traffic.times_sent("lost") == 1
    assert not server.traffic.orders[0].answered


async def test_an_order_whose_request_is_lost_was_not_placed(server: BinanceServer, binance: Any):
    server.rest_faults.lose_request(on="POST")
    with pytest.raises(ccxt.NetworkError):
        await binance.create_order(SPOT, "limit", "buy", 0.01, 49_000)
    assert server.orders == []


async def test_an_answer_is_held_until_it_is_released(server: BinanceServer, binance: Any):
    release = server.rest_faults.hold_answer(on="POST")
    placing = asyncio.ensure_future(binance.create_order(SPOT, "limit", "buy", 0.01, 49_000))
    await eventually(lambda: server.orders)
    assert not placing.done()
    release.set()
    assert (await placing)["status"] == "open"


@pytest.mark.parametrize("clean", [False, True])
async def test_dropped_connections_end_the_watch_and_can_be_opened_again(
    server: BinanceServer, binance: Any, clean: bool
):
    watching = asyncio.ensure_future(binance.watch_trades(SPOT))
    await server.subscribed("btcusdt@trade")
    await server.drop_connections(clean=clean)
    with pytest.raises(ccxt.NetworkError):
        await asyncio.wait_for(watching, _PATIENCE_SECONDS)
    ready = server.subscribed("btcusdt@trade")
    assert await after(binance.watch_trades(SPOT), ready, lambda: server.move_price(SPOT, Decimal(50_100)))


async def test_refused_connections_are_errors_of_the_network(server: BinanceServer, binance: Any):
    server.frame_faults.refuse_connections(1)
    with pytest.raises(ccxt.NetworkError):
        await binance.watch_ticker(SPOT)
    assert (await binance.watch_ticker(SPOT))["last"] == 50_000


@BOTH
async def test_a_skipped_change_of_the_book_is_noticed(server: BinanceServer, binance: Any, symbol: str):
    await binance.watch_order_book(symbol)
    server.frame_faults.skip("@depth")
    server.move_price(symbol, Decimal(50_100))
    waiting = asyncio.ensure_future(binance.watch_order_book(symbol))
    await awaited(binance, "orderbook::")
    server.move_price(symbol, Decimal(50_200))
    with pytest.raises(ccxt.ChecksumError):
        await asyncio.wait_for(waiting, _PATIENCE_SECONDS)
    assert (await binance.watch_order_book(symbol))["bids"][0][0] > 50_100


async def test_doubled_and_swapped_frames_arrive_so(server: BinanceServer, binance: Any):
    watching = asyncio.ensure_future(binance.watch_trades(SPOT))
    await server.subscribed("btcusdt@trade")
    server.frame_faults.duplicate("@trade")
    server.move_price(SPOT, Decimal(50_100))
    await watching
    await eventually(lambda: len(binance.trades[SPOT]) == 2)
    assert [t["price"] for t in binance.trades[SPOT]] == [50_100, 50_100]
    server.frame_faults.swap("@trade")
    server.move_price(SPOT, Decimal(50_200))
    server.move_price(SPOT, Decimal(50_300))
    await eventually(lambda: len(binance.trades[SPOT]) == 4)
    assert [t["price"] for t in binance.trades[SPOT]][2:] == [50_300, 50_200]


async def test_nothing_is_said_while_there_is_silence(server: BinanceServer, binance: Any):
    watching = asyncio.ensure_future(binance.watch_trades(SPOT))
    await server.subscribed("btcusdt@trade")
    server.frame_faults.silence()
    server.move_price(SPOT, Decimal(50_100))
    server.frame_faults.speak()
    server.move_price(SPOT, Decimal(50_200))
    assert [t["price"] for t in await watching] == [50_200]


async def test_a_listen_key_runs_out(server: BinanceServer, binance: Any):
    watching = asyncio.ensure_future(binance.watch_orders(SWAP))
    await server.subscribed("user:linear")
    server.expire_listen_key()
    await binance.create_order(SWAP, "limit", "buy", 0.01, 49_000)
    await asyncio.sleep(0)
    assert not watching.done()
    watching.cancel()
    assert server.connected("user:linear") == []
