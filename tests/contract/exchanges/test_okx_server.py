"""The local OKX says what OKX says: ccxt.pro does with it everything that an expert asks of an exchange."""

import asyncio
from collections.abc import AsyncGenerator
from decimal import Decimal
from typing import Any

import pytest

ccxt = pytest.importorskip("ccxt")
pytest.importorskip("ccxt.pro")

from support.eventually import eventually  # noqa: E402 - as below
from support.exchanges import Clock, OkxServer, Reason  # noqa: E402 - only where ccxt is
from support.exchanges.clients import awaited, connected  # noqa: E402 - as above

SPOT, SWAP, INVERSE = "BTC/USDT", "BTC/USDT:USDT", "BTC/USD:BTC"
AMOUNTS = {SPOT: 0.01, SWAP: 1, INVERSE: 5}
ALL = pytest.mark.parametrize("symbol", [SPOT, SWAP, INVERSE])
BOTH = pytest.mark.parametrize("symbol", [SPOT, SWAP])
STANDING = Clock(lambda: 1_795_479_870_000)
NOBODY = {"apiKey": "", "secret": ""}
_PATIENCE_SECONDS = 10.0


@pytest.fixture
async def server() -> AsyncGenerator[OkxServer]:
    async with OkxServer() as running:
        yield running


@pytest.fixture
async def okx(server: OkxServer) -> AsyncGenerator[Any]:
    async with connected("okx", server) as exchange:
        yield exchange


async def _limit(okx: Any, symbol: str, price: float = 49_000, **params: Any) -> Any:
    return await okx.create_order(symbol, "limit", "buy", AMOUNTS[symbol], price, params)


# ---- public ----------------------------------------------------------------------------------------------------


async def test_markets_have_the_steps_of_their_instruments(okx: Any):
    assert set(okx.markets) == {SPOT, SWAP, INVERSE, "ETH/USDT", "ETH/USDT:USDT"}
    assert okx.market(SWAP)["precision"] == {"amount": 0.01, "price": 0.1}
    assert okx.market(SWAP)["contractSize"] == 0.01
    assert okx.market(INVERSE)["inverse"]


async def test_time_and_status_are_told(server: OkxServer, okx: Any):
    assert abs(await okx.fetch_time() - server.clock.now_ms()) < 5_000
    assert (await okx.fetch_status())["status"] == "ok"
    server.say_maintenance()
    assert (await okx.fetch_status())["status"] == "maintenance"


@ALL
async def test_candles_are_the_ones_laid_down(symbol: str):
    async with OkxServer(clock=STANDING) as server, connected("okx", server, **NOBODY) as okx:
        server.lay_candles(symbol, "1h", [Decimal(n) for n in (50_010, 50_020, 50_030)])
        candles = await okx.fetch_ohlcv(symbol, "1h", limit=4)
        assert [candle[4] for candle in candles] == [50_010, 50_020, 50_030, 50_000]
        assert (await okx.fetch_ohlcv(symbol, "1h", since=candles[1][0], limit=2)) == candles[1:3]


@ALL
async def test_ticker_and_book_follow_the_price(server: OkxServer, okx: Any, symbol: str):
    server.move_price(symbol, Decimal(51_000))
    assert (await okx.fetch_ticker(symbol))["last"] == 51_000
    book = await okx.fetch_order_book(symbol, 5)
    assert book["bids"][0][0] < 51_000 < book["asks"][0][0]
    assert len(book["bids"]) == 5


async def test_funding_is_told(okx: Any):
    funding = await okx.fetch_funding_rate(SWAP)
    assert funding["fundingRate"] == 0.0001
    assert funding["fundingTimestamp"] > 0


@ALL
async def test_trades_are_streamed(server: OkxServer, okx: Any, symbol: str):
    watching = asyncio.ensure_future(okx.watch_trades(symbol))
    await server.subscribed("trades:BTC-USD")
    server.move_price(symbol, Decimal(50_100))
    trade = (await watching)[-1]
    assert (trade["symbol"], trade["price"], trade["side"]) == (symbol, 50_100, "buy")


@ALL
async def test_tickers_are_streamed(server: OkxServer, okx: Any, symbol: str):
    assert (await okx.watch_ticker(symbol))["last"] == 50_000
    quotes = (await okx.watch_bids_asks([symbol]))[symbol]
    assert quotes["bid"] < 50_000 < quotes["ask"]
    waiting = asyncio.ensure_future(okx.watch_ticker(symbol))
    await awaited(okx, "tickers::")
    server.move_price(symbol, Decimal(50_300))
    assert (await waiting)["last"] == 50_300


@BOTH
async def test_a_candle_that_ends_is_streamed_and_a_new_one_begins(symbol: str):
    async with OkxServer(clock=STANDING) as server, connected("okx", server, **NOBODY) as okx:
        first = (await okx.watch_ohlcv(symbol, "1m"))[-1]
        server.move_price(symbol, Decimal(50_500))
        candles = okx.ohlcvs[symbol]["1m"]
        await eventually(lambda: candles[-1][4] == 50_500)
        server.pass_time(60_000)
        await eventually(lambda: len(candles) == 2)
        assert [candle[0] - first[0] for candle in candles] == [0, 60_000]


@ALL
async def test_the_book_is_kept_from_its_changes(server: OkxServer, okx: Any, symbol: str):
    before = await okx.watch_order_book(symbol)
    assert before["bids"][0][0] < 50_000
    waiting = asyncio.ensure_future(okx.watch_order_book(symbol))
    await awaited(okx, "books:")
    server.move_price(symbol, Decimal(50_200))
    book = await waiting
    assert book["bids"][0][0] < 50_200 < book["asks"][0][0]
    assert len(book["bids"]) == len(book["asks"]) == 25


# ---- orders ----------------------------------------------------------------------------------------------------


@ALL
async def test_a_market_order_is_filled_with_its_fee(server: OkxServer, okx: Any, symbol: str):
    placed = await okx.create_order(symbol, "market", "buy", AMOUNTS[symbol], None, {"clientOrderId": "m"})
    order = await okx.fetch_order(placed["id"], symbol)
    assert (order["status"], order["filled"]) == ("closed", AMOUNTS[symbol])
    [trade] = await okx.fetch_my_trades(symbol)
    assert trade["order"] == order["id"]
    assert trade["fee"]["currency"] == {SPOT: "BTC", SWAP: "USDT", INVERSE: "BTC"}[symbol]
    assert trade["fee"]["cost"] > 0
    assert server.traffic.times_sent("m") == 1


async def test_a_market_order_can_say_what_to_spend(okx: Any):
    spend = {"tgtCcy": "quote_ccy", "cost": 1_000}
    placed = await okx.create_order(SPOT, "market", "buy", 0.01, None, spend)
    assert (await okx.fetch_order(placed["id"], SPOT))["filled"] == pytest.approx(0.02, abs=1e-5)


@ALL
async def test_a_limit_order_lives_until_it_is_canceled(server: OkxServer, okx: Any, symbol: str):
    order = await _limit(okx, symbol, clientOrderId="mine1")
    assert order["clientOrderId"] == "mine1"
    assert (await okx.fetch_order(order["id"], symbol))["status"] == "open"
    assert (await okx.fetch_order("", symbol, {"clOrdId": "mine1"}))["id"] == order["id"]
    assert [o["id"] for o in await okx.fetch_open_orders(symbol)] == [order["id"]]
    await okx.cancel_order(order["id"], symbol)
    assert await okx.fetch_open_orders(symbol) == []
    assert (await okx.fetch_order(order["id"], symbol))["status"] == "canceled"
    assert server.orders[0].status == "canceled"


@ALL
async def test_a_resting_order_is_filled_as_maker_when_the_price_comes(server: OkxServer, okx: Any, symbol: str):
    order = await _limit(okx, symbol)
    server.move_price(symbol, Decimal(48_990))
    assert (await okx.fetch_order(order["id"], symbol))["status"] == "closed"
    [trade] = await okx.fetch_my_trades(symbol)
    assert (trade["takerOrMaker"], trade["price"]) == ("maker", 49_000)


@ALL
async def test_an_order_is_edited(okx: Any, symbol: str):
    order = await _limit(okx, symbol)
    await okx.edit_order(order["id"], symbol, "limit", "buy", AMOUNTS[symbol] * 2, 48_000)
    [standing] = await okx.fetch_open_orders(symbol)
    assert (standing["id"], standing["price"], standing["amount"]) == (order["id"], 48_000, AMOUNTS[symbol] * 2)


@ALL
async def test_orders_are_canceled_at_once(okx: Any, symbol: str):
    for price in (49_000, 48_000):
        await _limit(okx, symbol, price)
    await okx.cancel_orders([order["id"] for order in await okx.fetch_open_orders(symbol)], symbol)
    assert await okx.fetch_open_orders(symbol) == []


@BOTH
@pytest.mark.parametrize("words", ["stopLossPrice", "triggerPrice"])
async def test_a_stop_waits_for_its_trigger(server: OkxServer, okx: Any, symbol: str, words: str):
    kind = {"ordType": "conditional" if words == "stopLossPrice" else "trigger"}
    await okx.create_order(symbol, "market", "buy", AMOUNTS[symbol])
    stop = await okx.create_order(symbol, "market", "sell", AMOUNTS[symbol] / 2, None, {words: 49_000})
    [waiting] = await okx.fetch_open_orders(symbol, params={"trigger": True} | kind)
    assert (waiting["id"], waiting[words]) == (stop["id"], 49_000)
    server.move_price(symbol, Decimal(48_900))
    done = await okx.fetch_order(stop["id"], symbol, {"trigger": True})
    assert done["status"] == "closed"
    assert (await okx.fetch_order(done["info"]["ordId"], symbol))["status"] == "closed"
    assert [t["side"] for t in await okx.fetch_my_trades(symbol)] == ["buy", "sell"]


async def test_a_stop_is_canceled(okx: Any):
    stop = await okx.create_order(SWAP, "market", "sell", 1, None, {"triggerPrice": 49_000})
    await okx.cancel_order(stop["id"], SWAP, {"trigger": True})
    assert await okx.fetch_open_orders(SWAP, params={"trigger": True}) == []


@BOTH
async def test_post_only_is_accepted_and_canceled_when_it_would_take(okx: Any, symbol: str):
    order = await _limit(okx, symbol, 51_000, postOnly=True)
    refused = await okx.fetch_order(order["id"], symbol)
    assert (refused["status"], refused["filled"], refused["info"]["cancelSource"]) == ("canceled", 0, "31")


@BOTH
async def test_ioc_and_fok_leave_nothing_in_the_book(okx: Any, symbol: str):
    for lasting in ("IOC", "FOK"):
        placed = await _limit(okx, symbol, timeInForce=lasting)
        order = await okx.fetch_order(placed["id"], symbol)
        assert (order["status"], order["filled"], order["timeInForce"]) == ("canceled", 0, lasting)


async def test_reduce_only_needs_something_to_reduce(okx: Any):
    with pytest.raises(ccxt.ExchangeError, match="51169"):
        await okx.create_order(SWAP, "market", "sell", 1, None, {"reduceOnly": True})


@pytest.mark.parametrize("symbol", [SWAP, INVERSE])
async def test_a_position_opens_and_closes(server: OkxServer, okx: Any, symbol: str):
    await okx.create_order(symbol, "market", "buy", AMOUNTS[symbol])
    server.move_price(symbol, Decimal(51_000))
    [position] = await okx.fetch_positions([symbol])
    assert (position["side"], position["contracts"]) == ("long", AMOUNTS[symbol])
    worth = 0.01 * (51_000 - 50_000.1) if symbol == SWAP else 500 * (1 / 50_000.1 - 1 / 51_000)
    assert position["unrealizedPnl"] == pytest.approx(worth, abs=1e-8)
    await okx.create_order(symbol, "market", "sell", AMOUNTS[symbol], None, {"reduceOnly": True})
    assert await okx.fetch_positions([symbol]) == []
    balance = await okx.fetch_balance()
    assert balance["USDT"]["total"] > 100_000 if symbol == SWAP else balance["BTC"]["total"] > 2


async def test_balances_move_from_free_to_used(okx: Any):
    await okx.create_order(SPOT, "limit", "buy", 0.1, 49_000)
    balance = await okx.fetch_balance()
    assert (balance["USDT"]["used"], balance["USDT"]["total"]) == (4_900, 100_000)


async def test_settings_of_a_contract_are_kept(server: OkxServer, okx: Any):
    await okx.set_leverage(7, SWAP)
    await okx.set_margin_mode("isolated", SWAP, {"lever": 9})
    await okx.create_order(SWAP, "market", "buy", 1, None, {"marginMode": "isolated"})
    settings = server.exchange.account.settings(server.exchange.market.named(SWAP)[0].instrument)
    assert (settings.leverage, settings.isolated) == (9, True)
    with pytest.raises(ccxt.ExchangeError, match="59000"):
        await okx.set_position_mode(hedged=True)


async def test_hedge_mode_holds_both_sides(okx: Any):
    await okx.set_position_mode(hedged=True)
    await okx.create_order(SWAP, "market", "buy", 2, None, {"hedged": True})
    await okx.create_order(SWAP, "market", "sell", 1, None, {"hedged": True})
    positions = await okx.fetch_positions([SWAP])
    assert {(p["side"], p["contracts"]) for p in positions} == {("long", 2), ("short", 1)}
    with pytest.raises(ccxt.BadRequest, match="51000"):
        await okx.create_order(SWAP, "market", "buy", 2)


# ---- user data ---------------------------------------------------------------------------------------------------


@ALL
async def test_own_orders_and_fills_are_streamed(server: OkxServer, okx: Any, symbol: str):
    orders = asyncio.ensure_future(okx.watch_orders(symbol))
    fills = asyncio.ensure_future(okx.watch_my_trades(symbol))
    await server.subscribed("orders:", symbol.split("/", maxsplit=1)[0])
    await awaited(okx, "orders:", "::myTrades")
    placed = await _limit(okx, symbol, clientOrderId="mine2")
    [seen] = await orders
    assert (seen["symbol"], seen["clientOrderId"], seen["status"]) == (symbol, "mine2", "open")
    assert seen["id"] == placed["id"]
    orders = asyncio.ensure_future(okx.watch_orders(symbol))
    await awaited(okx, "orders:", "::myTrades")
    part = AMOUNTS[symbol] / 2
    server.exchange.fill(server.orders[0], Decimal(str(part)))
    trade = (await fills)[-1]
    assert (trade["symbol"], trade["amount"]) == (symbol, part)
    assert (await orders)[-1]["filled"] == part


async def test_own_balance_is_streamed(okx: Any):
    assert (await okx.watch_balance())["USDT"]["total"] == 100_000
    watching = asyncio.ensure_future(okx.watch_balance())
    await awaited(okx, "account")
    await okx.create_order(SPOT, "limit", "buy", 0.1, 49_000)
    balance = await watching
    assert (balance["USDT"]["used"], balance["USDT"]["total"]) == (4_900, 100_000)


async def test_own_positions_are_streamed(okx: Any):
    await okx.create_order(SWAP, "market", "buy", 2)
    [held] = await okx.watch_positions([SWAP])
    assert (held["side"], held["contracts"]) == ("long", 2)
    watching = asyncio.ensure_future(okx.watch_positions([SWAP]))
    await awaited(okx, "positions::")
    await okx.create_order(SWAP, "market", "sell", 1.5)
    assert (await watching)[0]["contracts"] == 0.5


# ---- signatures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("field", "code"), [("secret", "50113"), ("apiKey", "50111"), ("password", "50105")])
async def test_a_request_with_wrong_credentials_is_refused(okx: Any, field: str, code: str):
    setattr(okx, field, "another")
    with pytest.raises(ccxt.AuthenticationError, match=code):
        await okx.fetch_balance()


async def test_a_user_stream_with_a_wrong_secret_is_refused(okx: Any):
    okx.secret = "another"
    with pytest.raises(ccxt.AuthenticationError, match="60007"):
        await okx.watch_orders(SPOT)


@pytest.mark.parametrize("milliseconds", [-60_000, 60_000])
async def test_a_clock_that_is_off_is_refused(server: OkxServer, okx: Any, milliseconds: int):
    server.clock.move(milliseconds)
    with pytest.raises(ccxt.InvalidNonce):
        await okx.fetch_balance()


# ---- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "code"),
    [((SPOT, 100), "51008"), ((SWAP, 100_000), "51008"), ((INVERSE, 10_000_000), "51008")],
)
async def test_what_the_account_or_the_filters_do_not_allow_is_refused(
    server: OkxServer, okx: Any, order: tuple[str, float], code: str
):
    symbol, amount = order
    with pytest.raises((ccxt.InsufficientFunds, ccxt.InvalidOrder), match=code):
        await okx.create_order(symbol, "limit", "buy", amount, 49_000)
    assert server.orders == []


@BOTH
async def test_a_price_between_ticks_is_refused(server: OkxServer, okx: Any, symbol: str):
    server.rest_faults.refuse(Reason.PRICE_FILTER, on="order")
    with pytest.raises((ccxt.InvalidOrder, ccxt.BadRequest)):
        await _limit(okx, symbol)


@BOTH
async def test_a_client_id_that_was_used_is_refused(server: OkxServer, okx: Any, symbol: str):
    await okx.create_order(symbol, "market", "buy", AMOUNTS[symbol], None, {"clientOrderId": "twice"})
    with pytest.raises(ccxt.InvalidOrder, match="51016"):
        await okx.create_order(symbol, "market", "buy", AMOUNTS[symbol], None, {"clientOrderId": "twice"})
    assert server.traffic.times_sent("twice") == 2
    assert len(server.orders) == 1


@BOTH
async def test_an_unknown_order_is_not_found(okx: Any, symbol: str):
    with pytest.raises(ccxt.OrderNotFound):
        await okx.fetch_order("123", symbol)
    with pytest.raises(ccxt.OrderNotFound):
        await okx.cancel_order("123", symbol)


async def test_too_many_requests_are_limited(server: OkxServer, okx: Any):
    server.rest_faults.rate_limit(retry_after_seconds=7)
    with pytest.raises(ccxt.RateLimitExceeded, match="50011"):
        await okx.fetch_time()
    assert await okx.fetch_time()


@pytest.mark.parametrize("page", [False, True])
async def test_maintenance_is_an_error(server: OkxServer, okx: Any, page: bool):
    server.rest_faults.maintenance(page=page)
    with pytest.raises(ccxt.ExchangeNotAvailable if page else ccxt.OnMaintenance):
        await okx.fetch_balance()


@BOTH
async def test_an_order_whose_answer_is_lost_was_placed_once(server: OkxServer, okx: Any, symbol: str):
    server.rest_faults.lose_answer(on="batch-orders")
    with pytest.raises(ccxt.NetworkError):
        await _limit(okx, symbol, clientOrderId="lost")
    found = await okx.fetch_order("", symbol, {"clOrdId": "lost"})
    assert found["status"] == "open"
    assert server.traffic.times_sent("lost") == 1


@pytest.mark.parametrize("clean", [False, True])
async def test_dropped_connections_end_the_watch_and_can_be_opened_again(server: OkxServer, okx: Any, clean: bool):
    watching = asyncio.ensure_future(okx.watch_trades(SPOT))
    await server.subscribed("trades:")
    await server.drop_connections(clean=clean)
    with pytest.raises(ccxt.NetworkError):
        await asyncio.wait_for(watching, _PATIENCE_SECONDS)
    assert (await okx.watch_ticker(SPOT))["last"] == 50_000


async def test_a_skipped_change_of_the_book_is_noticed(server: OkxServer, okx: Any):
    await okx.watch_order_book(SWAP)
    server.frame_faults.skip("books")
    server.move_price(SWAP, Decimal(50_100))
    waiting = asyncio.ensure_future(okx.watch_order_book(SWAP))
    await awaited(okx, "books:")
    server.move_price(SWAP, Decimal(50_200))
    with pytest.raises(ccxt.InvalidNonce):
        await asyncio.wait_for(waiting, _PATIENCE_SECONDS)
    book = await asyncio.wait_for(okx.watch_order_book(SWAP), _PATIENCE_SECONDS)
    assert 50_100 < book["bids"][0][0] < 50_200 < book["asks"][0][0]


async def test_a_client_id_with_a_dash_is_refused(okx: Any):
    with pytest.raises(ccxt.BadRequest, match="51000"):
        await _limit(okx, SPOT, clientOrderId="with-dash")


async def test_own_streams_come_back_after_a_break(server: OkxServer, okx: Any):
    watching = asyncio.ensure_future(okx.watch_orders(SWAP))
    await server.subscribed("orders")
    await server.drop_connections("orders", clean=False)
    with pytest.raises(ccxt.NetworkError):
        await asyncio.wait_for(watching, _PATIENCE_SECONDS)
    watching = asyncio.ensure_future(okx.watch_orders(SWAP))
    await server.subscribed("orders")
    await _limit(okx, SWAP)
    assert [order["status"] for order in await watching] == ["open"]
