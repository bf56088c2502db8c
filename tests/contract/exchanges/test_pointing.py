"""A ccxt exchange that was pointed at a local server speaks to it alone, whatever network it is set to."""

import asyncio
from typing import Any

import pytest

ccxt = pytest.importorskip("ccxt")
pro = pytest.importorskip("ccxt.pro")

from support.eventually import eventually  # noqa: E402 - as below
from support.exchanges import BinanceServer, BybitServer, OkxServer, point  # noqa: E402 - only where ccxt is
from support.exchanges.clients import connected  # noqa: E402 - as above

EVERY = pytest.mark.parametrize(
    ("name", "kind"), [("binance", BinanceServer), ("bybit", BybitServer), ("okx", OkxServer)]
)


async def test_an_exchange_that_was_not_pointed_is_stopped(reached_out: list[object]):
    exchange: Any = pro.binance()
    exchange.timeout_on_exit = 0
    with pytest.raises(ccxt.ExchangeNotAvailable):
        await exchange.fetch_time()
    await exchange.close()
    assert [str(host) for host in reached_out] == ["api.binance.com"]
    reached_out.clear()


@EVERY
@pytest.mark.parametrize("before", [False, True])
async def test_test_networks_are_served_too(name: str, kind: type[Any], before: bool):
    """Whether it is set to the test network before or after it is pointed."""
    async with kind() as server, connected(name, server) as exchange:
        exchange.set_sandbox_mode(True)
        if before:
            point(exchange, server)
        assert (await exchange.fetch_balance())["USDT"]["total"] == 100_000
        assert (await exchange.watch_ticker("BTC/USDT"))["last"] == 50_000
        placed = await exchange.create_order("BTC/USDT", "limit", "buy", 0.01, 49_000)
        assert len(await exchange.fetch_open_orders("BTC/USDT")) == 1
        await exchange.cancel_order(placed["id"], "BTC/USDT")


async def test_the_demo_network_of_binance_futures_is_served_too():
    async with BinanceServer() as server, connected("binance", server) as exchange:
        exchange.enable_demo_trading(True)
        await exchange.create_order("BTC/USDT:USDT", "market", "buy", 0.01)
        assert (await exchange.watch_ticker("BTC/USDT:USDT"))["last"] == 50_000.1


@EVERY
async def test_a_fault_of_the_server_itself_fails_the_test(name: str, kind: type[Any]):
    def breaks(_: object) -> object:
        raise ZeroDivisionError

    endpoint = {"binance": "/api/v3/time", "bybit": "/v5/market/time", "okx": "/api/v5/public/time"}[name]

    async def ask_what_breaks() -> None:
        async with kind() as server, connected(name, server) as exchange:
            server.serve(f"GET {endpoint}", breaks)
            with pytest.raises(ccxt.BaseError):
                await exchange.fetch_time()

    with pytest.raises(ExceptionGroup, match="local exchange"):
        await ask_what_breaks()


@EVERY
async def test_a_frame_that_is_no_json_makes_ccxt_deaf(name: str, kind: type[Any]):
    """It neither fails the watch nor ends the connection: whoever watches must notice that nothing comes."""
    noted: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: noted.append(context))
    async with kind() as server, connected(name, server) as exchange:
        await exchange.watch_ticker("BTC/USDT")
        watching = asyncio.ensure_future(exchange.watch_ticker("BTC/USDT"))
        await asyncio.sleep(0)
        server.send_garbage()
        await eventually(lambda: noted)
        server.move_price("BTC/USDT", 51_000)
        await server.drop_connections(clean=True)
        assert not watching.done()
        watching.cancel()
