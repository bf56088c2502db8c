"""The local Bybit says what Bybit says: ccxt.pro does with it everything that an expert asks of an exchange."""

import asyncio
from collections.abc import AsyncGenerator
from decimal import Decimal
from typing import Any

import pytest

ccxt = pytest.importorskip("ccxt")
pytest.importorskip("ccxt.pro")

from support.eventually import eventually  # noqa: E402 - as below
from support.exchanges import BybitServer, Clock, Reason  # noqa: E402 - only where ccxt is
from support.exchanges.clients import awaited, connected  # noqa: E402 - as above

SPOT, SWAP, INVERSE = "BTC/USDT", "BTC/USDT:USDT", "BTC/USD:BTC"
AMOUNTS = {SPOT: 0.01, SWAP: 0.01, INVERSE: 500}
ALL = pytest.mark.parametrize("symbol", [SPOT, SWAP, INVERSE])
BOTH = pytest.mark.parametrize("symbol", [SPOT, SWAP])
KNOWN = {"acknowledged": True}
STANDING = Clock(lambda: 1_795_479_870_000)
NOBODY = {"apiKey": "", "secret": ""}
_PATIENCE_SECONDS = 10.0


@pytest.fixture
async def server() -> AsyncGenerator[BybitServer]:
    async with BybitServer() as running:
        yield running


@pytest.fixture
async def bybit(server: BybitServer) -> AsyncGenerator[Any]:
    async with connected("bybit", server) as exchange:
        yield exchange


async def _limit(bybit: Any, symbol: str, price: float = 49_000, **params: Any) -> Any:
    return await bybit.create_order(symbol, "limit", "buy", AMOUNTS[symbol], price, params)


# ---- public ----------------------------------------------------------------------------------------------------


async def test_markets_have_the_steps_of_their_instruments(bybit: Any):
    assert set(bybit.markets) == {SPOT, SWAP, INVERSE, "ETH/USDT", "ETH/USDT:USDT"}
    assert bybit.market(SWAP)["precision"] == {"amount": 0.001, "price": 0.1}
    assert bybit.market(SPOT)["limits"]["cost"]["min"] == 5
    assert bybit.market(INVERSE)["inverse"]


async def test_time_and_status_are_told(server: BybitServer, bybit: Any):
    assert abs(await bybit.fetch_time() - server.clock.now_ms()) < 5_000
    assert (await bybit.fetch_status())["status"] == "ok"
    server.say_maintenance()
    assert (await bybit.fetch_status())["status"] == "maintenance"


@ALL
async def test_candles_are_the_ones_laid_down(symbol: str):
    async with BybitServer(clock=STANDING) as server, connected("bybit", server, **NOBODY) as bybit:
        server.lay_candles(symbol, "1h", [Decimal(n) for n in (50_010, 50_020, 50_030)])
        candles = await bybit.fetch_ohlcv(symbol, "1h", limit=4)
        assert [candle[4] for candle in candles] == [50_010, 50_020, 50_030, 50_000]
        assert (await bybit.fetch_ohlcv(symbol, "1h", since=candles[1][0], limit=2)) == candles[1:3]


@ALL
async def test_ticker_and_book_follow_the_price(server: BybitServer, bybit: Any, symbol: str):
    server.move_price(symbol, Decimal(51_000))
    assert (await bybit.fetch_ticker(symbol))["last"] == 51_000
    book = await bybit.fetch_order_book(symbol, 5)
    assert book["bids"][0][0] < 51_000 < book["asks"][0][0]
    assert len(book["bids"]) == 5


async def test_funding_is_told(bybit: Any):
    funding = await bybit.fetch_funding_rate(SWAP)
    assert funding["fundingRate"] == 0.0001
    assert funding["fundingTimestamp"] > 0


@ALL
async def test_trades_are_streamed(server: BybitServer, bybit: Any, symbol: str):
    watching = asyncio.ensure_future(bybit.watch_trades(symbol))
    await server.subscribed("publicTrade.BTCUSD")
    server.move_price(symbol, Decimal(50_100))
    trade = (await watching)[-1]
    assert (trade["symbol"], trade["price"], trade["side"]) == (symbol, 50_100, "buy")


@ALL
async def test_tickers_are_streamed(server: BybitServer, bybit: Any, symbol: str):
    assert (await bybit.watch_ticker(symbol))["last"] == 50_000
    quotes = (await bybit.watch_bids_asks([symbol]))[symbol]
    assert quotes["bid"] < 50_000 < quotes["ask"]
    waiting = asyncio.ensure_future(bybit.watch_ticker(symbol))
    await awaited(bybit, "ticker:")
    server.move_price(symbol, Decimal(50_300))
    assert (await waiting)["last"] == 50_300


@BOTH
async def test_a_candle_that_ends_is_streamed_and_a_new_one_begins(symbol: str):
    async with BybitServer(clock=STANDING) as server, connected("bybit", server, **NOBODY) as bybit:
        first = (await bybit.watch_ohlcv(symbol, "1m"))[-1]
        server.move_price(symbol, Decimal(50_500))
        candles = bybit.ohlcvs[symbol]["1m"]
        await eventually(lambda: candles[-1][4] == 50_500)
        server.pass_time(60_000)
        await eventually(lambda: len(candles) == 2)
        assert [candle[0] - first[0] for candle in candles] == [0, 60_000]


@ALL
async def test_the_book_is_kept_from_its_changes(server: BybitServer, bybit: Any, symbol: str):
    before = await bybit.watch_order_book(symbol)
    assert before["bids"][0][0] < 50_000
    waiting = asyncio.ensure_future(bybit.watch_order_book(symbol))
    await awaited(bybit, "orderbook:")
    server.move_price(symbol, Decimal(50_200))
    book = await waiting
    assert book["bids"][0][0] < 50_200 < book["asks"][0][0]
    assert len(book["bids"]) == len(book["asks"]) == 25


# ---- orders ----------------------------------------------------------------------------------------------------


@ALL
async def test_a_market_order_is_filled_with_its_fee(server: BybitServer, bybit: Any, symbol: str):
    placed = await bybit.create_order(symbol, "market", "buy", AMOUNTS[symbol], None, {"clientOrderId": "m"})
    order = await bybit.fetch_order(placed["id"], symbol, KNOWN)
    assert (order["status"], order["filled"]) == ("closed", AMOUNTS[symbol])
    [trade] = await bybit.fetch_my_trades(symbol)
    assert trade["order"] == order["id"]
    assert trade["fee"]["currency"] == {SPOT: "BTC", SWAP: "USDT", INVERSE: "BTC"}[symbol]
    assert trade["fee"]["cost"] > 0
    assert server.traffic.times_sent("m") == 1


async def test_a_market_order_can_say_what_to_spend(bybit: Any):
    placed = await bybit.create_order(SPOT, "market", "buy", 0.01, None, {"cost": 1_000})
    order = await bybit.fetch_order(placed["id"], SPOT, KNOWN)
    assert order["cost"] == pytest.approx(1_000, abs=1)


@ALL
async def test_a_limit_order_lives_until_it_is_canceled(server: BybitServer, bybit: Any, symbol: str):
    order = await _limit(bybit, symbol, clientOrderId="mine-1")
    assert order["clientOrderId"] == "mine-1"
    assert (await bybit.fetch_order(order["id"], symbol, KNOWN))["status"] == "open"
    assert (await bybit.fetch_order("", symbol, KNOWN | {"orderLinkId": "mine-1"}))["id"] == order["id"]
    assert [o["id"] for o in await bybit.fetch_open_orders(symbol)] == [order["id"]]
    await bybit.cancel_order(order["id"], symbol)
    assert await bybit.fetch_open_orders(symbol) == []
    assert (await bybit.fetch_order(order["id"], symbol, KNOWN))["status"] == "canceled"
    assert server.orders[0].status == "canceled"


@ALL
async def test_a_resting_order_is_filled_as_maker_when_the_price_comes(server: BybitServer, bybit: Any, symbol: str):
    order = await _limit(bybit, symbol)
    server.move_price(symbol, Decimal(48_990))
    assert (await bybit.fetch_order(order["id"], symbol, KNOWN))["status"] == "closed"
    [trade] = await bybit.fetch_my_trades(symbol)
    assert (trade["takerOrMaker"], trade["price"]) == ("maker", 49_000)


@ALL
async def test_an_order_is_edited(bybit: Any, symbol: str):
    order = await _limit(bybit, symbol)
    await bybit.edit_order(order["id"], symbol, "limit", "buy", AMOUNTS[symbol] * 2, 48_000)
    [standing] = await bybit.fetch_open_orders(symbol)
    assert (standing["id"], standing["price"], standing["amount"]) == (order["id"], 48_000, AMOUNTS[symbol] * 2)


@ALL
async def test_all_orders_are_canceled_at_once(bybit: Any, symbol: str):
    for price in (49_000, 48_000):
        await _limit(bybit, symbol, price)
    assert len(await bybit.cancel_all_orders(symbol)) == 2
    assert await bybit.fetch_open_orders(symbol) == []


@BOTH
async def test_a_stop_waits_for_its_trigger(server: BybitServer, bybit: Any, symbol: str):
    await bybit.create_order(symbol, "market", "buy", 0.01)
    stop = await bybit.create_order(symbol, "market", "sell", 0.005, None, {"stopLossPrice": 49_000})
    [waiting] = await bybit.fetch_open_orders(symbol, params={"trigger": True})
    assert (waiting["id"], waiting["triggerPrice"]) == (stop["id"], 49_000)
    server.move_price(symbol, Decimal(48_900))
    assert (await bybit.fetch_order(stop["id"], symbol, KNOWN | {"trigger": True}))["status"] == "closed"
    assert [t["side"] for t in await bybit.fetch_my_trades(symbol)] == ["buy", "sell"]


async def test_a_stop_is_refused_when_the_price_is_there_already(bybit: Any):
    stop = {"triggerPrice": 49_000, "triggerDirection": "ascending"}
    with pytest.raises(ccxt.InvalidOrder, match="110092"):
        await bybit.create_order(SWAP, "market", "buy", 0.005, None, stop)


@BOTH
async def test_post_only_is_accepted_and_canceled_when_it_would_take(bybit: Any, symbol: str):
    order = await _limit(bybit, symbol, 51_000, postOnly=True)
    refused = await bybit.fetch_order(order["id"], symbol, KNOWN)
    assert (refused["status"], refused["filled"]) == ("canceled", 0)
    assert refused["info"]["rejectReason"] == "EC_PostOnlyWillTakeLiquidity"


@BOTH
async def test_ioc_and_fok_leave_nothing_in_the_book(bybit: Any, symbol: str):
    for lasting in ("IOC", "FOK"):
        placed = await _limit(bybit, symbol, timeInForce=lasting)
        order = await bybit.fetch_order(placed["id"], symbol, KNOWN)
        assert (order["status"], order["filled"], order["timeInForce"]) == ("canceled", 0, lasting)


async def test_reduce_only_needs_something_to_reduce(bybit: Any):
    with pytest.raises(ccxt.InvalidOrder, match="110017"):
        await bybit.create_order(SWAP, "market", "sell", 0.01, None, {"reduceOnly": True})


@pytest.mark.parametrize("symbol", [SWAP, INVERSE])
async def test_a_position_opens_and_closes(server: BybitServer, bybit: Any, symbol: str):
    await bybit.create_order(symbol, "market", "buy", AMOUNTS[symbol])
    server.move_price(symbol, Decimal(51_000))
    [position] = await bybit.fetch_positions([symbol])
    assert (position["side"], position["contracts"]) == ("long", AMOUNTS[symbol])
    worth = 0.01 * (51_000 - 50_000.1) if symbol == SWAP else 500 * (1 / 50_000.1 - 1 / 51_000)
    assert position["unrealizedPnl"] == pytest.approx(worth, abs=1e-8)
    await bybit.create_order(symbol, "market", "sell", AMOUNTS[symbol], None, {"reduceOnly": True})
    assert [p["contracts"] for p in await bybit.fetch_positions([symbol])] == [0]
    balance = await bybit.fetch_balance()
    assert balance["USDT"]["total"] > 100_000 if symbol == SWAP else balance["BTC"]["total"] > 2


async def test_balances_move_from_free_to_used(bybit: Any):
    await bybit.create_order(SPOT, "limit", "buy", 0.1, 49_000)
    balance = await bybit.fetch_balance()
    assert (balance["USDT"]["used"], balance["USDT"]["total"]) == (4_900, 100_000)


async def test_settings_of_a_contract_are_kept(server: BybitServer, bybit: Any):
    await bybit.set_leverage(7, SWAP)
    with pytest.raises(ccxt.BadRequest, match="110043"):
        await bybit.set_leverage(7, SWAP)
    await bybit.set_margin_mode("isolated", SWAP)
    settings = server.exchange.account.settings(server.exchange.market.named(SWAP)[0].instrument)
    assert (settings.leverage, settings.isolated) == (7, True)


async def test_hedge_mode_holds_both_sides(bybit: Any):
    await bybit.set_position_mode(hedged=True, symbol=SWAP)
    with pytest.raises(ccxt.NoChange):
        await bybit.set_position_mode(hedged=True, symbol=SWAP)
    await bybit.create_order(SWAP, "market", "buy", 0.02, None, {"hedged": True})
    await bybit.create_order(SWAP, "market", "sell", 0.01, None, {"hedged": True})
    positions = await bybit.fetch_positions([SWAP])
    assert {(p["side"], p["contracts"]) for p in positions} == {("long", 0.02), ("short", 0.01)}


# ---- user data ---------------------------------------------------------------------------------------------------


@ALL
async def test_own_orders_and_fills_are_streamed(server: BybitServer, bybit: Any, symbol: str):
    orders = asyncio.ensure_future(bybit.watch_orders(symbol))
    fills = asyncio.ensure_future(bybit.watch_my_trades(symbol))
    await server.subscribed("order")
    await server.subscribed("execution")
    placed = await _limit(bybit, symbol, clientOrderId="mine-2")
    [seen] = await orders
    assert (seen["symbol"], seen["clientOrderId"], seen["status"]) == (symbol, "mine-2", "open")
    assert seen["id"] == placed["id"]
    orders = asyncio.ensure_future(bybit.watch_orders(symbol))
    await awaited(bybit, "orders:", "myTrades:")
    part = AMOUNTS[symbol] / 2
    server.exchange.fill(server.orders[0], Decimal(str(part)))
    trade = (await fills)[-1]
    assert (trade["symbol"], trade["amount"]) == (symbol, part)
    assert (await orders)[-1]["filled"] == part


async def test_own_balance_is_streamed(server: BybitServer, bybit: Any):
    watching = asyncio.ensure_future(bybit.watch_balance())
    await server.subscribed("wallet")
    await bybit.create_order(SPOT, "limit", "buy", 0.1, 49_000)
    balance = await watching
    assert (balance["USDT"]["used"], balance["USDT"]["total"]) == (4_900, 100_000)


async def test_own_positions_are_streamed(server: BybitServer, bybit: Any):
    await bybit.create_order(SWAP, "market", "buy", 0.02)
    [held] = await bybit.watch_positions([SWAP])
    assert (held["side"], held["contracts"]) == ("long", 0.02)
    watching = asyncio.ensure_future(bybit.watch_positions([SWAP]))
    await server.subscribed("position")
    await bybit.create_order(SWAP, "market", "sell", 0.015)
    assert (await watching)[0]["contracts"] == 0.005


# ---- signatures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("field", "code"), [("secret", "10004"), ("apiKey", "10003")])
async def test_a_request_with_wrong_credentials_is_refused(bybit: Any, field: str, code: str):
    setattr(bybit, field, "another")
    with pytest.raises(ccxt.AuthenticationError, match=code):
        await bybit.fetch_balance()


async def test_a_user_stream_with_a_wrong_secret_is_refused(bybit: Any):
    await bybit.fetch_balance()
    bybit.secret = "another"
    with pytest.raises(ccxt.ExchangeError, match="Params Error"):
        await bybit.watch_orders(SPOT)


@pytest.mark.parametrize("milliseconds", [-60_000, 60_000])
async def test_a_clock_that_is_off_is_refused(server: BybitServer, bybit: Any, milliseconds: int):
    server.clock.move(milliseconds)
    with pytest.raises(ccxt.InvalidNonce):
        await bybit.fetch_balance()


# ---- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "code"),
    [((SPOT, 100), "170131"), ((SWAP, 100), "110007"), ((SPOT, 0.00002), "170140"), ((INVERSE, 10_000_000), "110007")],
)
async def test_what_the_account_or_the_filters_do_not_allow_is_refused(
    server: BybitServer, bybit: Any, order: tuple[str, float], code: str
):
    symbol, amount = order
    with pytest.raises((ccxt.InsufficientFunds, ccxt.InvalidOrder), match=code):
        await bybit.create_order(symbol, "limit", "buy", amount, 49_000)
    assert server.orders == []


@BOTH
async def test_a_price_between_ticks_is_refused(server: BybitServer, bybit: Any, symbol: str):
    server.rest_faults.refuse(Reason.PRICE_FILTER, on="order")
    with pytest.raises((ccxt.InvalidOrder, ccxt.BadRequest)):
        await _limit(bybit, symbol)


@BOTH
async def test_a_client_id_that_was_used_is_refused(server: BybitServer, bybit: Any, symbol: str):
    await bybit.create_order(symbol, "market", "buy", 0.01, None, {"clientOrderId": "twice"})
    with pytest.raises(ccxt.InvalidOrder, match=r"110072|170141"):
        await bybit.create_order(symbol, "market", "buy", 0.01, None, {"clientOrderId": "twice"})
    assert server.traffic.times_sent("twice") == 2
    assert len(server.orders) == 1


@BOTH
async def test_an_unknown_order_is_not_found(bybit: Any, symbol: str):
    with pytest.raises(ccxt.OrderNotFound):
        await bybit.fetch_order("123", symbol, KNOWN)
    with pytest.raises(ccxt.OrderNotFound):
        await bybit.cancel_order("123", symbol)


async def test_too_many_requests_are_limited(server: BybitServer, bybit: Any):
    server.rest_faults.rate_limit(retry_after_seconds=7)
    with pytest.raises(ccxt.RateLimitExceeded, match="10006"):
        await bybit.fetch_time()
    assert "X-Bapi-Limit-Reset-Timestamp" in bybit.last_response_headers
    assert await bybit.fetch_time()


@pytest.mark.parametrize("page", [False, True])
async def test_maintenance_is_an_error(server: BybitServer, bybit: Any, page: bool):
    await bybit.fetch_balance()
    server.rest_faults.maintenance(page=page)
    with pytest.raises(ccxt.ExchangeNotAvailable if page else ccxt.ExchangeError):
        await bybit.fetch_balance()


@BOTH
async def test_an_order_whose_answer_is_lost_was_placed_once(server: BybitServer, bybit: Any, symbol: str):
    server.rest_faults.lose_answer(on="order/create")
    with pytest.raises(ccxt.NetworkError):
        await _limit(bybit, symbol, clientOrderId="lost")
    [found] = await bybit.fetch_open_orders(symbol, params={"orderLinkId": "lost"})
    assert found["status"] == "open"
    assert server.traffic.times_sent("lost") == 1


@pytest.mark.parametrize("clean", [False, True])
async def test_dropped_connections_end_the_watch_and_can_be_opened_again(server: BybitServer, bybit: Any, clean: bool):
    watching = asyncio.ensure_future(bybit.watch_trades(SPOT))
    await server.subscribed("publicTrade")
    await server.drop_connections(clean=clean)
    with pytest.raises(ccxt.NetworkError):
        await asyncio.wait_for(watching, _PATIENCE_SECONDS)
    assert (await bybit.watch_ticker(SPOT))["last"] == 50_000


async def test_a_skipped_change_of_the_book_leaves_a_crossed_one(server: BybitServer, bybit: Any):
    """ccxt looks at no number of Bybit's books, nor does it hand them on."""
    await bybit.watch_order_book(SWAP)
    server.frame_faults.skip("orderbook")
    server.move_price(SWAP, Decimal(50_100))
    waiting = asyncio.ensure_future(bybit.watch_order_book(SWAP))
    await awaited(bybit, "orderbook:")
    server.move_price(SWAP, Decimal(50_200))
    book = await waiting
    assert book["nonce"] is None
    assert book["asks"][0][0] < 50_100 < book["bids"][0][0]


async def test_own_streams_come_back_after_a_break(server: BybitServer, bybit: Any):
    watching = asyncio.ensure_future(bybit.watch_orders(SWAP))
    await server.subscribed("order")
    await server.drop_connections("order", clean=False)
    with pytest.raises(ccxt.NetworkError):
        await asyncio.wait_for(watching, _PATIENCE_SECONDS)
    watching = asyncio.ensure_future(bybit.watch_orders(SWAP))
    await server.subscribed("order")
    await _limit(bybit, SWAP)
    assert [order["status"] for order in await watching] == ["open"]
